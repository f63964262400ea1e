import { isGrpcServiceError, ServiceError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { liveWorkflowIdOf, workflowIdOf } from '../../contract/call-id.ts';
import { withTimeout } from '../../lib/with-timeout.ts';
import { liveCallStart } from '../../contract/live-call.ts';
import { DEFAULT_TASK_QUEUE, LIVE_CALL, LIVE_CALL_SIGNAL, SIGNAL } from '../../contract/names.ts';
import { Listeners } from './listeners.ts';
import type { Notification } from '../parse/notification.ts';
import { OperatorError } from '../../lib/operator-error.ts';

/** A notification that concerns operations, or the call itself. Its kind is the name of its signal. */
export type Deliverable = Extract<Notification, { payload: unknown }>;

type ToOperation = Exclude<Deliverable, { kind: 'callEstablished' }>;
type ToLiveCall = Extract<Deliverable, { kind: 'callEstablished' | 'callEnded' }>;

/** That nothing is in flight on the call is the usual case: most calls are not being moderated. */
export type DeliveryOutcome = 'handed-over' | 'no-operation' | 'refused';

/**
 * Gives a notification to whom it concerns. By `deadline` (milliseconds since the epoch) it has resolved, or
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
 * Signals operations blindly and lets the server say that there is nobody: cheaper than to know what runs, and never out
 * of date. The server's word is the class of the error; its message is empty on one kind of connection.
 *
 * What tells of the call itself goes to its live call, which is started where there is none: also by the end of a call,
 * so that an `established` which comes after it finds it ended.
 *
 * The deadline is kept twice: the connection sends nothing after it, but may sleep beyond it between two attempts.
 *
 * A run that stands still, because no worker takes it, refuses signals once it has 10,000, and so does a live call. To send one
 * again would not help, and Graph would stop sending anything: what waits there also reads the call by itself, and misses
 * nothing for long.
 *
 * A call that is held, or muted on entry, has others who want to know (`listeners.ts`); what becomes of an operation is not
 * for them.
 */
/** gRPC's `INVALID_ARGUMENT`: of a signal whose form is ours, it says that the run has too many. */
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
      await client.workflow.signalWithStart(LIVE_CALL, {
        ...liveCallStart({ callId, ...(tenantId !== undefined && { tenantId }) }, taskQueue),
        signal: LIVE_CALL_SIGNAL[kind],
        signalArgs: [payload],
      });
      return 'handed-over';
    } catch (error) {
      if (!takesNoMore(error)) throw error;
      // A live call that runs takes no more, or the start was refused: a signal alone tells which.
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
      throw new TemporalUnavailable('Temporal did not take the signal.', { cause: error });
    }
  };
}
