import type { Fate, HandOver } from './hand-over.ts';
import { Lanes } from './lanes.ts';
import type { WebhookMetrics } from './metrics.ts';
import type { Notification } from './notification.ts';
import { OperatorError } from '../operator-error.ts';

/** Hand-over failed for these calls; what was sent for them can be sent again. */
export class NotHandedOver extends OperatorError {
  readonly callIds: readonly string[];

  constructor(callIds: readonly string[], cause: unknown) {
    super('Notifications could not be handed over.', { cause });
    this.name = 'NotHandedOver';
    this.callIds = callIds;
  }
}

/**
 * Notifications of one request that are under way at once. Graph sends a few; a body of a mebibyte has room for thousands of
 * calls, which would hold up everybody else's until long after the deadline.
 */
const MOST_AT_ONCE = 100;

/** Where each notification of a request goes, and the account of it. */
export class Router {
  readonly #lanes: Lanes;
  readonly #metrics: WebhookMetrics;

  constructor(handOver: HandOver, metrics: WebhookMetrics) {
    this.#metrics = metrics;
    this.#lanes = new Lanes(async (notification, deadline) => {
      const stop = metrics.handOverSeconds.startTimer({ signal: notification.kind });
      try {
        const fate = await handOver(notification, deadline);
        stop({ fate });
        return fate;
      } catch (error) {
        stop({ fate: 'failed' });
        throw error;
      }
    });
  }

  /** Resolves when every notification has ended where it goes; throws `NotHandedOver` where one could not. */
  async take(notifications: readonly Notification[], deadline: number): Promise<void> {
    const left = notifications.values();
    const callIds = new Set<string>();
    let isFailed = false;
    let reason: unknown;
    // Each takes the next one in turn, so that those of one call keep their order.
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
    await Promise.all(Array.from({ length: Math.min(MOST_AT_ONCE, notifications.length) }, sendNext));
    if (isFailed) throw new NotHandedOver([...callIds], reason);
  }

  async #send(notification: Notification, deadline: number): Promise<void> {
    let fate: Fate | 'ignored' | 'failed' = 'failed';
    try {
      fate = await this.#fateOf(notification, deadline);
    } finally {
      this.#metrics.notifications.inc({ kind: notification.kind, fate });
    }
  }

  async #fateOf(notification: Notification, deadline: number): Promise<Fate | 'ignored'> {
    if (!('payload' in notification)) return 'ignored';
    // A roster that tells nobody's mute state says nothing, and must not replace one that does.
    if (notification.kind === 'rosterUpdated' && notification.payload.participants.length === 0) return 'ignored';
    return this.#lanes.send(notification, deadline);
  }
}
