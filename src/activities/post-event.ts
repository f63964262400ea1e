import { activityInfo, ApplicationFailure } from '@temporalio/activity';
import { EVENT_RETRY, GONE, type ModerationEvent } from '../contract/event.ts';
import { EventNotDelivered, type EventReceiver } from '../events/receiver.ts';

/** Longest pause that a `Retry-After` of the receiver may ask for. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * One attempt to deliver an event. A worker without a receiver fails it too: during a deployment that turns events on, another
 * worker has one.
 */
export async function postEvent(receiver: EventReceiver | undefined, event: ModerationEvent): Promise<void> {
  try {
    if (receiver === undefined) throw new EventNotDelivered('This worker has no MODERATION_EVENTS_URL.');
    await receiver.post(event);
  } catch (error) {
    if (!(error instanceof EventNotDelivered)) throw error;
    const { message, isGone, retryAfterSeconds } = error;
    const retryMs = Math.min((retryAfterSeconds ?? 0) * 1_000, MAX_RETRY_AFTER_MS);
    throw ApplicationFailure.create({
      type: isGone ? GONE : error.name,
      message,
      nonRetryable: isGone,
      // The metric counts it: a receiver that is down is not worth a warning for each event and attempt.
      category: 'BENIGN',
      // A short one would have the receiver asked all day at that pace.
      ...(retryMs > pauseAfter(activityInfo().attempt) && { nextRetryDelay: retryMs }),
    });
  }
}

/** Temporal's own pause after an attempt, counted from 1. */
function pauseAfter(attempt: number): number {
  const { initialInterval, backoffCoefficient, maximumInterval } = EVENT_RETRY;
  return Math.min(initialInterval * backoffCoefficient ** (attempt - 1), maximumInterval);
}
