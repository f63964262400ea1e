import { isGrpcServiceError, ServiceError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { liveWorkflowIdOf, workflowIdOf } from '../../contract/call-id.ts';
import { withTimeout } from '../../lib/with-timeout.ts';
import { liveCallStart } from '../../contract/live-call.ts';
import { DEFAULT_TASK_QUEUE, LIVE_CALL_SIGNAL, SIGNAL, WORKFLOW } from '../../contract/names.ts';
import { Listeners } from './listeners.ts';
import type { Notification } from '../parse/notification.ts';
import { OperatorError } from '../../lib/operator-error.ts';

/** A notification that concerns operations, or the call itself. Its kind is the name of its signal. */
export type Deliverable = Extract<Notification, { payload: unknown }>;

type ToOperation = Exclude<Deliverable, { kind: 'callEstablished' }>;
type ToLiveCall = Extract<Deliverable, { kind: 'callEstablished' | 'callEnded' }>;

/** Usually nothing runs on the call, because most calls are not being moderated. */
export type DeliveryOutcome = 'handed-over' | 'no-operation' | 'refused';

/**
 * Delivers a notification to its workflows. By `deadline` (milliseconds since the epoch) it has resolved, or
 * thrown `TemporalUnavailable`: it may or may not have arrived then, and can be sent again without harm.
 */
export type Deliver = (notification: Deliverable, deadline: number) => Promise<DeliveryOutcome>;

export class TemporalUnavailable extends OperatorError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TemporalUnavailable';
  }
}

/**
 * It signals operations without looking, and the server answers if there is none: that is cheaper than a list of
 * operations, and never out of date. The class of the error decides, because its message is empty on one kind of
 * connection.
 *
 * A notification of the call itself goes to the workflow of the active call, which is started if there is none: also
 * by the end of a call, so that a later `established` finds it ended.
 *
 * The deadline is kept twice: the connection sends nothing after it, but may sleep beyond it between two attempts.
 *
 * A run that makes no progress, because no worker takes it, refuses signals once it has 10,000, and so does the
 * workflow of an active call. Sending them again would not help, and Graph would stop sending anything. Such a run
 * also reads the call by itself, so it misses nothing for long.
 *
 * Standing mutes of the call receive its rosters and its end, too (`listeners.ts`), but no updates of operations.
 */
/** gRPC's `INVALID_ARGUMENT`: for a signal in our form, it means that the run has too many. */
const INVALID_ARGUMENT = 3;

function takesNoMore(error: unknown): boolean {
  const cause = error instanceof ServiceError ? error.cause : undefined;
  if (!isGrpcServiceError(cause)) return false;
  const code: number = cause.code;
  return code === INVALID_ARGUMENT;
}

export function deliverTo(client: Client, taskQueue = DEFAULT_TASK_QUEUE): Deliver {
  const listeners = new Listeners(client, taskQueue);
  const signal = async (
    workflowId: string,
    name: string,
    payload: Deliverable['payload'],
  ): Promise<DeliveryOutcome> => {
    try {
      await client.workflow.getHandle(workflowId).signal(name, payload);
      return 'handed-over';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'no-operation';
      if (takesNoMore(error)) return 'refused';
      throw error;
    }
  };
  const toOperation = async (notification: ToOperation): Promise<DeliveryOutcome> => {
    const { kind, callId, payload } = notification;
    const toOthers = async (): Promise<DeliveryOutcome[]> => {
      const others = kind === 'operationUpdated' ? [] : await listeners.of(callId);
      return await Promise.all(others.map(async (workflowId) => await signal(workflowId, SIGNAL[kind], payload)));
    };
    const [outcome, fates] = await Promise.all([signal(workflowIdOf(callId), SIGNAL[kind], payload), toOthers()]);
    return fates.includes('handed-over') ? 'handed-over' : outcome;
  };
  const toLiveCall = async ({ kind, callId, payload }: ToLiveCall): Promise<DeliveryOutcome> => {
    const tenantId = 'tenantId' in payload ? payload.tenantId : undefined;
    try {
      await client.workflow.signalWithStart(WORKFLOW.liveCall, {
        ...liveCallStart({ callId, ...(tenantId !== undefined && { tenantId }) }, taskQueue),
        signal: LIVE_CALL_SIGNAL[kind],
        signalArgs: [payload],
      });
      return 'handed-over';
    } catch (error) {
      if (!takesNoMore(error)) throw error;
      // The running workflow accepts no more, or the start was refused: a signal alone shows which.
      const outcome = await signal(liveWorkflowIdOf(callId), LIVE_CALL_SIGNAL[kind], payload);
      if (outcome === 'no-operation') throw error;
      return outcome;
    }
  };
  const deliver = async (notification: Deliverable): Promise<DeliveryOutcome> => {
    if (notification.kind === 'callEstablished') return await toLiveCall(notification);
    if (notification.kind !== 'callEnded') return await toOperation(notification);
    const [outcome] = await Promise.all([toOperation(notification), toLiveCall(notification)]);
    return outcome;
  };
  return async (notification, deadline) => {
    try {
      return await withTimeout(
        deadline - Date.now(),
        () => client.withDeadline(deadline, () => deliver(notification)),
        () => new Error('no answer by the deadline'),
      );
    } catch (error) {
      throw new TemporalUnavailable('Temporal did not accept the signal.', { cause: error });
    }
  };
}
