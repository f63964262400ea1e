import type { Call } from './call.ts';
import type { Delivery, Message } from './delivery.ts';
import type { NotificationFault } from './faults.ts';
import type { Lifetime } from './lifetime.ts';
import { newId } from './ids.ts';
import type { TokenOverrides } from './notification-keys.ts';
import type { Notification } from './notification.ts';

/**
 * From a notification to its delivery. A fault decides whether, when and how often it enters the call's queue; the
 * queue then sends one after the other (or, with `inOrder: false`, each at once), several in one POST where the form
 * says so.
 */

/** How long a batch that is not full waits for more. */
const BATCH_WITHIN_MS = 50;

/** A notification that is written but not yet sent. */
export interface Posting {
  /** Whether it is to be delivered before the request that caused it is answered. */
  readonly early: boolean;
  /** Settles when it was answered, given up, dropped or put off; never rejects. */
  send(): Promise<void>;
}

export const NOTHING: Posting = { early: false, send: () => Promise.resolve() };

interface Queue {
  tail: Promise<void>;
  /** Kept back by a `hold` until the next one is on its way. */
  held: (() => Promise<void>)[];
  batch: { notifications: Notification[]; sent: Promise<void>; full: () => void } | undefined;
}

export class Notifier {
  readonly #delivery: Delivery;
  readonly #lifetime: Lifetime;
  readonly #queues = new WeakMap<Call, Queue>();

  constructor(delivery: Delivery, lifetime: Lifetime) {
    this.#delivery = delivery;
    this.#lifetime = lifetime;
  }

  /** `others` write the notifications that a `precededBy` may send first. */
  post(
    call: Call,
    notification: Notification,
    {
      others = {},
      token,
    }: { others?: Partial<Record<'stale' | 'wrong', () => Notification | undefined>>; token?: TokenOverrides } = {},
  ): Posting {
    const { kind } = notification.about;
    const fault = kind === 'other' ? undefined : call.faults.forNotification(kind);
    const preceding = fault?.precededBy && others[fault.precededBy]?.();
    return {
      early: fault?.early ?? false,
      send: () =>
        this.#lifetime.run(async () => {
          const first = preceding && this.#enqueue(call, preceding, token);
          // A queue keeps the two in order by itself, and takes both before anything that happens meanwhile.
          if (!call.form.inOrder) await first;
          await Promise.all([first, this.#sendWith(call, notification, fault, token)]);
        }),
    };
  }

  /** Lets go what a `hold` still keeps. */
  async release(call: Call): Promise<void> {
    const { held } = this.#queueOf(call);
    await Promise.all(held.splice(0).map((send) => send()));
  }

  async #sendWith(call: Call, it: Notification, fault: NotificationFault | undefined, token?: TokenOverrides) {
    if (fault?.drop) {
      const entry = call.log.add({ type: 'notification', ...it.about, messageId: newId(), attempt: 0 });
      call.log.finish(entry, { outcome: 'dropped' });
      return;
    }
    if (fault && fault.delayMs > 0 && !(await this.#lifetime.pause(fault.delayMs))) return;
    const messageId = newId();
    const sendAll = async (): Promise<void> => {
      const copies = Array.from({ length: fault?.copies ?? 1 }, () => this.#enqueue(call, it, token, messageId));
      await Promise.all(copies);
    };
    if (fault?.hold) {
      const entry = call.log.add({ type: 'notification', ...it.about, messageId: newId(), attempt: 0 });
      call.log.finish(entry, { outcome: 'held' });
      this.#queueOf(call).held.push(sendAll);
      return;
    }
    const sending = sendAll();
    await Promise.all([sending, this.release(call)]);
  }

  /** The queue takes its place at once, before the first await, so that the order of calls is the order of sending. */
  async #enqueue(call: Call, it: Notification, token?: TokenOverrides, messageId = newId()): Promise<void> {
    const queue = this.#queueOf(call);
    // A token that differs belongs to one notification and is not shared with others.
    if (call.form.batch > 1 && token === undefined) return this.#intoBatch(call, queue, it);
    return this.#dispatch(call, queue, { notifications: [it], messageId, ...(token && { token }) });
  }

  async #intoBatch(call: Call, queue: Queue, notification: Notification): Promise<void> {
    queue.batch ??= this.#openBatch(call, queue);
    const { batch } = queue;
    batch.notifications.push(notification);
    if (batch.notifications.length >= call.form.batch) batch.full();
    return batch.sent;
  }

  #openBatch(call: Call, queue: Queue): NonNullable<Queue['batch']> {
    const notifications: Notification[] = [];
    let full: (() => void) | undefined;
    const filled = new Promise<void>((resolve) => {
      full = (): void => {
        // The next notification belongs to the next batch, at once.
        queue.batch = undefined;
        resolve();
      };
    });
    const sent = (async (): Promise<void> => {
      await Promise.race([filled, this.#lifetime.pause(BATCH_WITHIN_MS)]);
      if (queue.batch?.notifications === notifications) queue.batch = undefined;
      await this.#dispatch(call, queue, { notifications, messageId: newId() });
    })();
    return { notifications, sent, full: () => full?.() };
  }

  async #dispatch(call: Call, queue: Queue, message: Message): Promise<void> {
    if (!call.form.inOrder) return this.#delivery.send(call, message);
    const before = queue.tail;
    queue.tail = (async (): Promise<void> => {
      await before;
      await this.#delivery.send(call, message);
    })();
    return queue.tail;
  }

  #queueOf(call: Call): Queue {
    let queue = this.#queues.get(call);
    if (queue === undefined) {
      queue = { tail: Promise.resolve(), held: [], batch: undefined };
      this.#queues.set(call, queue);
    }
    return queue;
  }
}
