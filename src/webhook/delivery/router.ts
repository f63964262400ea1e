import type { DeliveryOutcome, Deliver } from './signal-workflows.ts';
import { CallQueues } from './call-queues.ts';
import type { WebhookMetrics } from '../metrics.ts';
import type { Notification } from '../parse/notification.ts';
import { OperatorError } from '../../lib/operator-error.ts';

/** Delivery failed for these calls; their notifications can be sent again. */
export class NotificationsNotDelivered extends OperatorError {
  readonly callIds: readonly string[];

  constructor(callIds: readonly string[], cause: unknown) {
    super('Notifications could not be delivered to Temporal.', { cause });
    this.name = 'NotificationsNotDelivered';
    this.callIds = callIds;
  }
}

/**
 * Notifications of one request that are under way at once. Graph sends a few; a body of a mebibyte has room for
 * thousands of calls, which would block all other requests until long after the deadline.
 */
const MAX_CONCURRENT_DELIVERIES = 100;

/** Routes each notification of a request, and counts the outcome. */
export class Router {
  readonly #queues: CallQueues;
  readonly #metrics: WebhookMetrics;

  constructor(deliver: Deliver, metrics: WebhookMetrics) {
    this.#metrics = metrics;
    this.#queues = new CallQueues(async (notification, deadline) => {
      const stop = metrics.handOverSeconds.startTimer({ signal: notification.kind });
      try {
        const outcome = await deliver(notification, deadline);
        stop({ outcome });
        return outcome;
      } catch (error) {
        stop({ outcome: 'failed' });
        throw error;
      }
    });
  }

  /** Resolves when every notification was delivered; throws `NotificationsNotDelivered` if one could not be. */
  async take(notifications: readonly Notification[], deadline: number): Promise<void> {
    const left = notifications.values();
    const callIds = new Set<string>();
    let isFailed = false;
    let reason: unknown;
    // Each worker takes the next one in turn, so that those of one call keep their order.
    const sendNext = async (): Promise<void> => {
      for (const notification of left) {
        try {
          await this.#send(notification, deadline);
        } catch (error) {
          reason = isFailed ? reason : error;
          isFailed = true;
          if (notification.callId !== undefined) callIds.add(notification.callId);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(MAX_CONCURRENT_DELIVERIES, notifications.length) }, sendNext));
    if (isFailed) throw new NotificationsNotDelivered([...callIds], reason);
  }

  async #send(notification: Notification, deadline: number): Promise<void> {
    let outcome: DeliveryOutcome | 'ignored' | 'failed' = 'failed';
    try {
      outcome = await this.#fateOf(notification, deadline);
    } finally {
      this.#metrics.notifications.inc({ kind: notification.kind, outcome });
    }
  }

  async #fateOf(notification: Notification, deadline: number): Promise<DeliveryOutcome | 'ignored'> {
    if (!('payload' in notification)) return 'ignored';
    // A roster without any mute state has no effect, and must not replace one that has.
    if (notification.kind === 'rosterUpdated' && notification.payload.participants.length === 0) return 'ignored';
    return this.#queues.send(notification, deadline);
  }
}
