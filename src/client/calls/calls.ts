import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { callIdOfLive, liveWorkflowIdOf } from '../../contract/call-id.ts';
import { CALL_ID, object, oneOf, TENANT_ID } from '../../contract/check.ts';
import { quote } from '../../contract/list-filter.ts';
import {
  CALL_STATES,
  LABEL,
  LABELS,
  liveCallStart,
  type CallState,
  type Labelling,
  type LiveCallInput,
  type LiveCallStatus,
} from '../../contract/live-call.ts';
import { LIVE_CALL_SIGNAL, QUERY, SEARCH_ATTRIBUTE, WORKFLOW } from '../../contract/names.ts';
import { invalid, valid } from '../errors.ts';
import { listedRuns, type ListedRun } from '../listed-runs.ts';
import { requireOwnDeployment } from '../own-deployment.ts';
import { andTenant } from '../operations/records.ts';

/** An active call, as Temporal lists it. */
export interface CallRecord {
  callId: string;
  state: CallState;
  tenantId?: string;
  labels: string[];
  /** Time of its first notification; in a very long call, when its workflow last continued as new. ISO 8601, UTC. */
  since: string;
  workflowId: string;
  runId: string;
}

/** Which active calls are listed: those that match every field. */
export interface CallFilter {
  /** ID or domain of a tenant, as the call's notification or its token named it. */
  tenantId?: string;
  /** 1 to 64 of `A-Z a-z 0-9 _ . : -`. */
  label?: string;
  /** @default 'established' */
  state?: CallState;
}

/** Labels to add and to remove, at most 16 of each. A label is 1 to 64 of `A-Z a-z 0-9 _ . : -`. */
export interface LabelChange extends Partial<Labelling> {
  /** The tenant of the call, if the call is not known yet. */
  tenantId?: string;
}

/** The active calls, known from the webhook's notifications and from reads of Graph. */
export class Calls {
  readonly #client: Client;
  readonly #taskQueue: string;

  /** @internal */
  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
  }

  /**
   * Active calls, the latest first, as many as the caller takes. Temporal's lists may be a second or so behind.
   *
   * @example
   * for await (const { callId, labels } of moderation.calls.list({ label: 'sales' })) console.log(callId, labels);
   *
   * @throws {ModerationError} `InvalidRequest` if the filter is invalid
   */
  async *list(filter: CallFilter = {}): AsyncIterable<CallRecord> {
    for await (const info of listedRuns(this.#client, liveCallListFilter(filter, this.#taskQueue))) {
      const record = toCallRecord(info);
      if (record !== undefined) yield record;
    }
  }

  /**
   * The status of a call, answered by a worker; `undefined` if the call is unknown, or ended long ago.
   *
   * @example
   * const call = await moderation.calls.get(callId);
   * console.log(call?.state, call?.labels);
   *
   * @throws {ModerationError} `InvalidRequest` if it is no call ID; `OtherDeployment` if the call is known to another
   *   task queue
   */
  async get(callId: string): Promise<LiveCallStatus | undefined> {
    try {
      const workflowId = liveWorkflowIdOf(valid(CALL_ID, callId));
      requireOwnDeployment(await this.#describe(callId), this.#taskQueue, callId);
      return await this.#client.workflow.getHandle(workflowId).query<LiveCallStatus>(QUERY.liveCall);
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  /**
   * Whether a call is known to have ended; `false` for a call that is unknown, or known to another deployment only.
   *
   * @example
   * if (!(await moderation.calls.hasEnded(callId))) await moderation.unmute({ callId });
   */
  async hasEnded(callId: string): Promise<boolean> {
    try {
      const { status, taskQueue, typedSearchAttributes } = await this.#describe(callId);
      if (taskQueue !== this.#taskQueue) return false;
      const state = typedSearchAttributes.get({ name: SEARCH_ATTRIBUTE.callState, type: 'KEYWORD' });
      return status.name === 'COMPLETED' || state === 'terminated';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  /**
   * Adds and removes labels of a call. An unknown call counts as one that is establishing, and is forgotten after 10
   * seconds if Graph does not know it, so a call can be labelled as soon as it is created.
   *
   * @example
   * await moderation.calls.label(callId, { add: ['sales'], remove: ['trial'] });
   *
   * @throws {ModerationError} `InvalidRequest`, or `OtherDeployment` if the call is known to another task queue
   */
  async label(callId: string, change: LabelChange): Promise<void> {
    const { add = [], remove = [], ...input } = valid(CHANGE, { ...change, callId });
    if (add.length + remove.length === 0) throw invalid(['add or remove must name at least one label']);
    await this.#requireOwn(input.callId);
    await this.#client.workflow.signalWithStart(WORKFLOW.liveCall, {
      ...liveCallStart(input, this.#taskQueue),
      signal: LIVE_CALL_SIGNAL.label,
      signalArgs: [{ add, remove }],
    });
  }

  /** An ended workflow of another deployment is no obstacle: a new one is started, and it is ours. */
  async #requireOwn(callId: string): Promise<void> {
    try {
      const described = await this.#describe(callId);
      if (described.closeTime === undefined) requireOwnDeployment(described, this.#taskQueue, callId);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }

  async #describe(callId: string) {
    return await this.#client.workflow.getHandle(liveWorkflowIdOf(callId)).describe();
  }
}

const FILTER = object<CallFilter>({
  rules: { tenantId: TENANT_ID, label: LABEL, state: oneOf(CALL_STATES, `must be one of ${CALL_STATES.join(', ')}`) },
  otherwise: 'the filter must be one object',
  of: 'of a filter',
});

const CHANGE = object<LabelChange & LiveCallInput>({
  rules: { callId: CALL_ID, add: LABELS, remove: LABELS, tenantId: TENANT_ID },
  otherwise: 'the change must be one object with add, remove or both',
  of: 'of a change of labels',
});

/**
 * The list filter of Temporal's visibility for active calls of one deployment, because another one in the same
 * namespace, with a task queue of its own, may serve another application.
 */
export function liveCallListFilter(filter: CallFilter, taskQueue: string): string {
  const { tenantId, label, state = 'established' } = valid(FILTER, filter);
  const terms = [
    `WorkflowType = '${WORKFLOW.liveCall}'`,
    `TaskQueue = ${quote(taskQueue)}`,
    "ExecutionStatus = 'Running'",
    `${SEARCH_ATTRIBUTE.callState} = '${state}'`,
    ...(label === undefined ? [] : [`${SEARCH_ATTRIBUTE.labels} = ${quote(label)}`]),
  ];
  return terms.join(' AND ') + andTenant(tenantId);
}

function toCallRecord({ workflowId, runId, startTime, typedSearchAttributes }: ListedRun) {
  const callId = callIdOfLive(workflowId);
  if (callId === undefined) return undefined;
  const word = (name: string): string | undefined => typedSearchAttributes.get({ name, type: 'KEYWORD' });
  const tenantId = word(SEARCH_ATTRIBUTE.tenantId);
  const record: CallRecord = {
    callId,
    state: CALL_STATES.find((state) => state === word(SEARCH_ATTRIBUTE.callState)) ?? 'establishing',
    ...(tenantId !== undefined && { tenantId }),
    labels: typedSearchAttributes.get({ name: SEARCH_ATTRIBUTE.labels, type: 'KEYWORD_LIST' }) ?? [],
    since: startTime.toISOString(),
    workflowId,
    runId,
  };
  return record;
}
