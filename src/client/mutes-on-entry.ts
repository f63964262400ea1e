import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { keyword } from '../contract/attributes.ts';
import { canonicalId } from '../contract/call-id.ts';
import {
  checkMuteOnEntry,
  MUTE_ON_ENTRY,
  muteOnEntryIdOf,
  type MuteOnEntryRequest,
  type MuteOnEntryTerms,
} from '../contract/mute-on-entry.ts';
import { PENDING, SEARCH_ATTRIBUTE } from '../contract/names.ts';
import { invalid, ModerationError } from './errors.ts';
import { isTaken } from './holds.ts';
import { MuteOnEntryHandle } from './mute-on-entry-handle.ts';
import { quote } from './records.ts';
import type { Runs } from './runs.ts';

/** What to do where one runs on the call already: give it these terms, or throw. */
export type OnRunning = 'extend' | 'reject';

/** Those that end just when they are to be extended: more in a row than this is no accident. */
const MOST_STARTS = 10;

/** Starts mutes on entry, and finds those that run. At most one runs on a call, as with holds. */
export class MutesOnEntry {
  readonly #runs: Runs;
  readonly #taskQueue: string;

  constructor(runs: Runs, taskQueue: string) {
    this.#runs = runs;
    this.#taskQueue = taskQueue;
  }

  async start(input: MuteOnEntryRequest, onRunning: OnRunning): Promise<MuteOnEntryHandle> {
    const checked = checkMuteOnEntry(input);
    if (!checked.ok) throw invalid(checked.faults);
    const { request } = checked;
    if (request.until !== undefined && Date.parse(request.until) <= Date.now()) {
      throw invalid([`until ${request.until} has passed; name a time to come`]);
    }
    for (let starts = 1; starts <= MOST_STARTS; starts += 1) {
      const started = await this.#startNew(request);
      if (started !== undefined) return started;
      if (onRunning === 'reject') break;
      const running = this.#handle(request.callId);
      if (await isTaken(running.extend(termsOf(request)))) return running;
    }
    const message = `Who comes into call ${request.callId} is muted already. Release that mute on entry, or give it other terms.`;
    throw new ModerationError('OperationInProgress', message, { callId: request.callId });
  }

  /** The one that runs on a call, if one does. */
  async running(callId: string): Promise<MuteOnEntryHandle | undefined> {
    try {
      const { closeTime } = await this.#runs.client.workflow.getHandle(muteOnEntryIdOf(callId)).describe();
      return closeTime === undefined ? this.#handle(canonicalId(callId)) : undefined;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  /** The calls that one runs on, of one tenant or of all, as Temporal's lists show them. */
  async *calls(tenantId?: string): AsyncIterable<string> {
    const ofTenant = tenantId === undefined ? '' : ` AND ${SEARCH_ATTRIBUTE.tenantId} = ${quote(tenantId)}`;
    const query = `WorkflowType = '${MUTE_ON_ENTRY}' AND ExecutionStatus = 'Running'${ofTenant}`;
    for await (const { typedSearchAttributes, workflowId } of this.#runs.client.workflow.list({ query })) {
      const callId = typedSearchAttributes.get({ name: SEARCH_ATTRIBUTE.callId, type: 'KEYWORD' });
      if (callId !== undefined && muteOnEntryIdOf(callId) === workflowId) yield callId;
    }
  }

  async #startNew(request: MuteOnEntryRequest): Promise<MuteOnEntryHandle | undefined> {
    const { callId, tenantId } = request;
    try {
      const handle = await this.#runs.client.workflow.start(MUTE_ON_ENTRY, {
        workflowId: muteOnEntryIdOf(callId),
        workflowIdConflictPolicy: 'FAIL',
        taskQueue: this.#taskQueue,
        args: [request],
        typedSearchAttributes: [
          keyword(SEARCH_ATTRIBUTE.callId, callId),
          keyword(SEARCH_ATTRIBUTE.outcome, PENDING),
          ...(tenantId === undefined ? [] : [keyword(SEARCH_ATTRIBUTE.tenantId, tenantId)]),
        ],
        staticSummary: `Mute on entry of call ${callId}`,
      });
      return new MuteOnEntryHandle(callId, handle, false);
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
      throw error;
    }
  }

  #handle(callId: string): MuteOnEntryHandle {
    return new MuteOnEntryHandle(callId, this.#runs.client.workflow.getHandle(muteOnEntryIdOf(callId)), true);
  }
}

function termsOf({ until, forSeconds, except }: MuteOnEntryRequest): MuteOnEntryTerms {
  return {
    ...(until !== undefined && { until }),
    ...(forSeconds !== undefined && { forSeconds }),
    ...(except !== undefined && { except }),
  };
}
