import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import { workflowIdOf } from '../../contract/call-id.ts';
import { SEARCH_ATTRIBUTE, type Action } from '../../contract/names.ts';
import { sameRequest, type ModerationRequest } from '../../contract/request.ts';
import { listedRuns } from '../listed-runs.ts';
import { ModerationError } from '../errors.ts';
import { readWorkflowInput, type Admit } from './workflow-input.ts';
import type { Run } from './operation-handle.ts';
import { operationListFilter } from './records.ts';
import type { Runs } from './runs.ts';

/**
 * Finds the operation of a `requestId` among the runs of a call's workflow ID. One ID is one run:
 *
 * - **The newest run first.** The server always knows it. A retry is about this run, unless there was another request
 *   on the call meanwhile.
 * - **Older runs come from lists.** Temporal writes its lists a moment after the runs, in the same order. So the list
 *   is trusted once it shows the newest run, and the index waits for that while the run is young.
 * - **Concurrent starts are one run.** If two clients send the same ID at the same moment, the server uses it as the
 *   ID of the start (`starter.ts`), and returns the run of the first to the second.
 * - **The same ID is the same request.** The run's input contains the request. A request that differs from it is
 *   refused, because its result would be that of another request.
 */

/** A run that is older than this is in the lists, in ms. */
const LISTED_AFTER_MS = 30_000;

const LISTED_WITHIN_MS = 3_000;
const LOOK_AGAIN_MS = 100;

export class RequestIdIndex {
  readonly #runs: Runs;
  readonly #admit: Admit;

  constructor(runs: Runs, admit: Admit) {
    this.#runs = runs;
    this.#admit = admit;
  }

  /**
   * The run of the request's ID, or `undefined` if the ID is new.
   *
   * @throws {ModerationError} `InvalidRequest` where the ID was given to another request
   */
  async find(action: Action, request: ModerationRequest & { requestId: string }): Promise<Run | undefined> {
    const workflowId = workflowIdOf(request.callId);
    const newest = await this.#newest(workflowId);
    if (newest === undefined) return undefined;
    // **The newest run first.**
    const runId = newest.requestId === request.requestId ? newest.runId : await this.#older(request, newest);
    if (runId === undefined) return undefined;
    await this.requireSame(action, request, runId);
    return { handle: this.#runs.of(workflowId, runId), runId, attached: false };
  }

  /**
   * @throws {ModerationError} `InvalidRequest` if the run belongs to another request (**The same ID is the same
   * request**)
   */
  async requireSame(action: Action, request: ModerationRequest, runId: string): Promise<void> {
    const { callId, requestId } = request;
    const asked = await readWorkflowInput(this.#runs.client, { workflowId: workflowIdOf(callId), runId });
    this.#admit(asked?.request);
    if (asked?.action === action && sameRequest(asked.request, request)) return;
    const fault = `requestId ${requestId} was already used by another request on call ${callId} (run ${runId}); repeat that request unchanged, or choose a new ID`;
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
      await pause(LOOK_AGAIN_MS); // **Older runs come from lists.**
    }
    return await this.#first(operationListFilter({ callId, ...(requestId !== undefined && { requestId }) }));
  }

  async #first(query: string): Promise<string | undefined> {
    for await (const { runId } of listedRuns(this.#runs.client, query, 1)) return runId;
    return undefined;
  }
}
