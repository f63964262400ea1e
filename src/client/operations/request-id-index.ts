import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import { workflowIdOf } from '../../contract/call-id.ts';
import { SEARCH_ATTRIBUTE, type Action } from '../../contract/names.ts';
import { sameRequest, type ModerationRequest } from '../../contract/request.ts';
import { listedRuns } from '../listed-runs.ts';
import { ModerationError } from '../errors.ts';
import { readWorkflowInput } from './workflow-input.ts';
import type { Run } from './operation-handle.ts';
import { operationListFilter } from './records.ts';
import type { Runs } from './runs.ts';

/**
 * Finds the operation of a `requestId` among the runs of a call's workflow ID. One ID is one run:
 *
 * Q1. The newest run is looked at first, and the server always knows it. It is the one that a retry is about, unless
 *     something else has been asked of the call meanwhile.
 * Q2. Older runs are found through Temporal's lists, which are written a moment after the runs. Both are written in the
 *     same order, so the list is trusted once it shows the newest run, and that is waited for while that run is young.
 * Q3. Two that ask at the same moment with one ID: the server takes the ID as its own for the start (`starter.ts`), and
 *     gives the second the run of the first.
 * Q4. What was asked stands in the run's input. A request that differs from it is refused, for its result would be
 *     that of another one.
 */

/** A run that is older than this is in the lists, in ms. */
const LISTED_AFTER_MS = 30_000;

const LISTED_WITHIN_MS = 3_000;
const LOOK_AGAIN_MS = 100;

export class RequestIdIndex {
  readonly #runs: Runs;

  constructor(runs: Runs) {
    this.#runs = runs;
  }

  /**
   * The run of the request's ID, or nothing where the ID is new.
   *
   * @throws {ModerationError} `InvalidRequest` where the ID was given to another request
   */
  async find(action: Action, request: ModerationRequest & { requestId: string }): Promise<Run | undefined> {
    const workflowId = workflowIdOf(request.callId);
    const newest = await this.#newest(workflowId);
    if (newest === undefined) return undefined;
    const runId = newest.requestId === request.requestId ? newest.runId : await this.#older(request, newest); // Q1
    if (runId === undefined) return undefined;
    await this.requireSame(action, request, runId);
    return { handle: this.#runs.of(workflowId, runId), runId, attached: false };
  }

  /**
   * @throws {ModerationError} `InvalidRequest` where the run was asked for something else (Q4)
   */
  async requireSame(action: Action, request: ModerationRequest, runId: string): Promise<void> {
    const { callId, requestId } = request;
    const asked = await readWorkflowInput(this.#runs.client, { workflowId: workflowIdOf(callId), runId });
    if (asked?.action === action && sameRequest(asked.request, request)) return;
    const fault = `requestId ${requestId} was given to another request on call ${callId} before (run ${runId}); repeat that one unchanged, or choose a new ID`;
    throw new ModerationError('InvalidRequest', `The request is not valid: ${fault}.`, { callId, issues: [fault] });
  }

  async #newest(workflowId: string) {
    try {
      const { runId, startTime, typedSearchAttributes } = await this.#runs.client.workflow
        .getHandle(workflowId)
        .describe();
      const requestId = typedSearchAttributes.get({ name: SEARCH_ATTRIBUTE.requestId, type: 'KEYWORD' });
      return { runId, startTime, requestId };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  async #older({ callId, requestId }: ModerationRequest, newest: { runId: string; startTime: Date }) {
    const isYoung = Date.now() - newest.startTime.getTime() < LISTED_AFTER_MS;
    const deadline = isYoung ? Date.now() + LISTED_WITHIN_MS : 0;
    while (Date.now() < deadline && (await this.#first(`RunId = '${newest.runId}'`)) === undefined) {
      await pause(LOOK_AGAIN_MS); // Q2
    }
    return await this.#first(operationListFilter({ callId, ...(requestId !== undefined && { requestId }) }));
  }

  async #first(query: string): Promise<string | undefined> {
    for await (const { runId } of listedRuns(this.#runs.client, query, 1)) return runId;
    return undefined;
  }
}
