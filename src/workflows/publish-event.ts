import {
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  log,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import { eventWorkflowIdOf, GONE, isEvent, type Delivery, type ModerationEvent } from '../contract/event.ts';
import { eventPosts } from './activity-proxies.ts';
import { countEvent } from './lib/metrics.ts';
import { closing, faultsOfStart } from './lib/own-run.ts';
import { recordOutcome } from './lib/visibility.ts';

/**
 * Delivers one event, or gives it up:
 *
 *     posting ──▶ Delivered
 *        │ └────▶ Gone          the receiver answered 410
 *        └──────▶ GaveUp        after a day of attempts, at growing pauses
 *
 * The pauses are Temporal's, between attempts of one activity, so the history stays the same however often it is tried. A run
 * that gives up fails, with why as its message, and may be reset to deliver its event after all.
 */
export async function publishEvent(input: ModerationEvent, ...rest: unknown[]): Promise<{ deliveredAt: string }> {
  const issues = faultsOf(input, rest);
  if (issues.length > 0) {
    const message = `No event was sent, because the input is invalid: ${issues.join('; ')}.`;
    throw closing({ type: 'InvalidRequest', message, details: { issues } });
  }
  const { type, subject } = input;
  const end = (delivery: Delivery): void => {
    countEvent(type, delivery);
    recordOutcome(delivery);
  };
  try {
    await eventPosts.postEvent.executeWithOptions({ summary: `POST ${type}` }, [input]);
  } catch (error) {
    if (isCancellation(error)) {
      end('Cancelled');
      throw error;
    }
    if (!(error instanceof ActivityFailure)) throw error;
    const isGone = error.cause instanceof ApplicationFailure && error.cause.type === GONE;
    end(isGone ? 'Gone' : 'GaveUp');
    const why = whyOf(error);
    log.error('An event was not delivered', { id: input.id, type, callId: subject, why });
    const message = `The event ${type} was not delivered: ${why} Mend the receiver, then reset this workflow to send it again.`;
    setCurrentDetails(`**Not delivered**: ${why}`);
    throw closing({ type: isGone ? GONE : 'EventNotDelivered', message, details: {} });
  }
  end('Delivered');
  return { deliveredAt: new Date().toISOString() };
}

function faultsOf(input: unknown, rest: readonly unknown[]): string[] {
  if (!isEvent(input))
    return [`the input must be one event, which workflows of ours start ${workflowInfo().workflowType} with`];
  return faultsOfStart('delivery of this event', eventWorkflowIdOf(input.id), rest);
}

/** What the last attempt failed with: words of ours (`events/receiver.ts`). */
function whyOf({ cause }: ActivityFailure): string {
  const inner = cause instanceof ApplicationFailure ? cause : cause?.cause;
  return inner instanceof ApplicationFailure ? inner.message : 'No worker has answered in a day.';
}
