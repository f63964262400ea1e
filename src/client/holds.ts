import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { keyword } from '../contract/attributes.ts';
import { canonicalId } from '../contract/call-id.ts';
import { checkHold, HOLD, holdIdOf, type HoldRequest, type HoldTerms } from '../contract/hold.ts';
import { PENDING, SEARCH_ATTRIBUTE } from '../contract/names.ts';
import { invalid, ModerationError } from './errors.ts';
import { HoldHandle } from './hold-handle.ts';
import { quote } from './records.ts';
import type { Runs } from './runs.ts';

/** What to do where the call is held already: give the running hold these terms, or throw. */
export type OnHeld = 'extend' | 'reject';

/** Holds that end just when they are to be extended: more in a row than this is no accident. */
const MOST_STARTS = 10;

/** Starts holds, and finds those that run. At most one runs on a call, which Temporal enforces by the workflow ID. */
export class Holds {
  readonly #runs: Runs;
  readonly #taskQueue: string;

  constructor(runs: Runs, taskQueue: string) {
    this.#runs = runs;
    this.#taskQueue = taskQueue;
  }

  async start(input: HoldRequest, onHeld: OnHeld): Promise<HoldHandle> {
    const checked = checkHold(input);
    if (!checked.ok) throw invalid(checked.faults);
    const { request } = checked;
    if (request.until !== undefined && Date.parse(request.until) <= Date.now()) {
      throw invalid([`until ${request.until} has passed; name a time to come`]);
    }
    for (let starts = 1; starts <= MOST_STARTS; starts += 1) {
      const started = await this.#startNew(request);
      if (started !== undefined) return started;
      if (onHeld === 'reject') break;
      const running = this.#handle(request.callId, true);
      if (await isTaken(running.extend(termsOf(request)))) return running;
    }
    const message = `Call ${request.callId} is held already. Release that hold, or give it other terms.`;
    throw new ModerationError('OperationInProgress', message, { callId: request.callId });
  }

  /** The hold that runs on a call, if one does. */
  async running(callId: string): Promise<HoldHandle | undefined> {
    try {
      const { closeTime } = await this.#runs.client.workflow.getHandle(holdIdOf(callId)).describe();
      return closeTime === undefined ? this.#handle(canonicalId(callId), true) : undefined;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  /** The calls that are held, of one tenant or of all, as Temporal's lists show them. */
  async *heldCalls(tenantId?: string): AsyncIterable<string> {
    const ofTenant = tenantId === undefined ? '' : ` AND ${SEARCH_ATTRIBUTE.tenantId} = ${quote(tenantId)}`;
    const query = `WorkflowType = '${HOLD}' AND ExecutionStatus = 'Running'${ofTenant}`;
    for await (const { typedSearchAttributes, workflowId } of this.#runs.client.workflow.list({ query })) {
      const callId = typedSearchAttributes.get({ name: SEARCH_ATTRIBUTE.callId, type: 'KEYWORD' });
      if (callId !== undefined && holdIdOf(callId) === workflowId) yield callId;
    }
  }

  async #startNew(request: HoldRequest): Promise<HoldHandle | undefined> {
    const { callId, tenantId, enforce = true } = request;
    try {
      const handle = await this.#runs.client.workflow.start(HOLD, {
        workflowId: holdIdOf(callId),
        workflowIdConflictPolicy: 'FAIL',
        taskQueue: this.#taskQueue,
        args: [request],
        typedSearchAttributes: [
          keyword(SEARCH_ATTRIBUTE.callId, callId),
          keyword(SEARCH_ATTRIBUTE.outcome, PENDING),
          ...(tenantId === undefined ? [] : [keyword(SEARCH_ATTRIBUTE.tenantId, tenantId)]),
        ],
        staticSummary: `${enforce ? 'Hold' : 'Pause'} call ${callId}`,
      });
      return new HoldHandle(callId, handle, false);
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
      throw error;
    }
  }

  #handle(callId: string, joined: boolean): HoldHandle {
    return new HoldHandle(callId, this.#runs.client.workflow.getHandle(holdIdOf(callId)), joined);
  }
}

function termsOf({ until, forSeconds, enforce, atMost }: HoldRequest): HoldTerms {
  return {
    ...(until !== undefined && { until }),
    ...(forSeconds !== undefined && { forSeconds }),
    ...(enforce !== undefined && { enforce }),
    ...(atMost !== undefined && { atMost }),
  };
}

/** Whether a signal found what it was for still running. */
export async function isTaken(signalled: Promise<void>): Promise<boolean> {
  try {
    await signalled;
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
