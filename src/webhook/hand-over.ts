import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { workflowIdOf } from '../contract/call-id.ts';
import { holdIdOf } from '../contract/hold.ts';
import { inTime } from '../http/in-time.ts';
import { SIGNAL } from '../contract/names.ts';
import { RunningHolds } from './holds.ts';
import type { Notification } from './notification.ts';

/** A notification that concerns operations. Its kind is the name of its signal. */
export type Handed = Extract<Notification, { payload: unknown }>;

/** That nothing is in flight on the call is the usual case: most calls are not being moderated. */
export type Fate = 'handed-over' | 'no-operation';

/**
 * Gives a notification to the operation on its call. By `deadline` (milliseconds since the epoch) it has resolved, or
 * thrown `TemporalUnavailable`: it may or may not have arrived then, and can be sent again without harm.
 */
export type HandOver = (notification: Handed, deadline: number) => Promise<Fate>;

export class TemporalUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TemporalUnavailable';
  }
}

/**
 * Signals blindly and lets the server say that there is nobody: cheaper than to know what runs, and never out of date.
 * The server's word is the class of the error; its message is empty on one kind of connection.
 *
 * The deadline is kept twice: the connection sends nothing after it, but may sleep beyond it between two attempts.
 *
 * A call that is held has a second one who wants to know (`holds.ts`); what becomes of an operation is not for it.
 */
export function handOverTo(client: Client): HandOver {
  const holds = new RunningHolds(client);
  return async ({ kind, callId, payload }, deadline) => {
    const signal = async (workflowId: string): Promise<Fate> => {
      const handle = client.workflow.getHandle(workflowId);
      try {
        await inTime(
          deadline - Date.now(),
          () => client.withDeadline(deadline, () => handle.signal(SIGNAL[kind], payload)),
          () => new Error('no answer by the deadline'),
        );
        return 'handed-over';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return 'no-operation';
        throw new TemporalUnavailable('Temporal did not take the signal.', { cause: error });
      }
    };
    const isHeld = kind !== 'operationUpdated' && holds.has(callId);
    const fates = await Promise.all([signal(workflowIdOf(callId)), ...(isHeld ? [signal(holdIdOf(callId))] : [])]);
    return fates.includes('handed-over') ? 'handed-over' : 'no-operation';
  };
}
