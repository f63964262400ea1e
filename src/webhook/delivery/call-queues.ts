import { setTimeout as sleep } from 'node:timers/promises';
import type { RosterUpdate } from '../../contract/signals.ts';
import { TemporalUnavailable, type DeliveryOutcome, type Deliverable, type Deliver } from './signal-workflows.ts';
import { fitsOneSignal, mergeRosters, partsOf } from './merge-rosters.ts';

/**
 * Every call has a queue, which delivers its notifications to Temporal one after the other, in the order of their
 * arrival.
 *
 *     roster ──▶ an open batch waits? ──yes──▶ merged into it
 *                       │ no
 *                       ▼
 *                a new batch, open ──its turn, and 100 ms after the batch before──▶ closed, delivered
 *
 * 1. Deliveries of one call never overlap: each begins when the previous one has succeeded or failed.
 * 2. Batches begin at least 100 ms apart, so a running operation receives at most ten rosters a second, and a roster
 *   in a quiet queue is delivered at once. A batch that begins because the previous one was full is delivered at
 *   once, too: otherwise later ones would miss their deadline, and large signals are rare.
 * 3. A batch accepts rosters while it is open: until its turn, until the call's end is behind it in the queue (a
 *   roster from after the end must not be delivered before it), or until a roster would make it larger than a signal
 *   may be: that roster begins the next batch. A roster that is too large by itself is a batch of its own, and is
 *   delivered in parts, one after the other.
 * 4. An operation's update is queued like a roster but closes no batch, because its order among rosters does not
 *   matter.
 * 5. Every request whose roster is in a batch gets the outcome of the batch, by the deadline of the first: no request
 *   is answered before its roster was delivered, and none waits past its deadline.
 * 6. A queue that has been empty for 100 ms is gone: there are as many queues as calls with notifications.
 */

const INTERVAL_MS = 100;

type Roster = Deliverable & { kind: 'rosterUpdated' };

interface Batch {
  roster: RosterUpdate;
  outcome: Promise<DeliveryOutcome>;
}

export class CallQueues {
  readonly #deliver: Deliver;
  readonly #queues = new Map<string, CallQueue>();

  constructor(deliver: Deliver) {
    this.#deliver = deliver;
  }

  /** The number of calls with notifications at the moment. */
  get size(): number {
    return this.#queues.size;
  }

  async send(notification: Deliverable, deadline: number): Promise<DeliveryOutcome> {
    const { callId } = notification;
    const queue = this.#queues.get(callId) ?? new CallQueue(this.#deliver);
    this.#queues.set(callId, queue);
    queue.waiting += 1;
    try {
      return await queue.send(notification, deadline);
    } finally {
      queue.waiting -= 1;
      if (queue.waiting === 0) setTimeout(() => this.#drop(callId, queue), INTERVAL_MS).unref();
    }
  }

  #drop(callId: string, queue: CallQueue): void {
    if (queue.waiting === 0 && this.#queues.get(callId) === queue) this.#queues.delete(callId);
  }
}

class CallQueue {
  waiting = 0;
  readonly #deliver: Deliver;
  /** Settles when everything queued was delivered; never rejects. */
  #tail: Promise<unknown> = Promise.resolve();
  #open: Batch | undefined;
  #lastBegan = Number.NEGATIVE_INFINITY;

  constructor(deliver: Deliver) {
    this.#deliver = deliver;
  }

  send(notification: Deliverable, deadline: number): Promise<DeliveryOutcome> {
    if (notification.kind === 'rosterUpdated') return this.#sendRoster(notification, deadline);
    if (notification.kind === 'callEnded') this.#open = undefined;
    return this.#queue(() => this.#handOverInTime(notification, deadline));
  }

  #sendRoster(notification: Roster, deadline: number): Promise<DeliveryOutcome> {
    const isOverflow = this.#open !== undefined;
    if (this.#open !== undefined) {
      const merged = mergeRosters([this.#open.roster, notification.payload]);
      if (fitsOneSignal(merged)) {
        this.#open.roster = merged;
        return this.#open.outcome;
      }
    }
    const outcome = this.#queue(async () => {
      if (!isOverflow) await this.#untilInterval();
      if (this.#open === batch) this.#open = undefined;
      const handing = this.#handOverParts(notification, batch.roster, deadline);
      // After the beginning, so that not even a busy process sends two that are closer.
      this.#lastBegan = performance.now();
      return await handing;
    });
    const batch: Batch = { roster: notification.payload, outcome };
    this.#open = fitsOneSignal(batch.roster) ? batch : undefined;
    return outcome;
  }

  #queue(step: () => Promise<DeliveryOutcome>): Promise<DeliveryOutcome> {
    const outcome = this.#tail.then(step);
    this.#tail = outcome.catch(() => undefined);
    return outcome;
  }

  async #untilInterval(): Promise<void> {
    const due = this.#lastBegan + INTERVAL_MS;
    // A timer may fire a little early.
    while (performance.now() < due) await sleep(Math.ceil(due - performance.now()));
  }

  async #handOverParts(notification: Roster, roster: RosterUpdate, deadline: number): Promise<DeliveryOutcome> {
    let outcome: DeliveryOutcome = 'no-operation';
    for (const payload of partsOf(roster)) {
      if ((await this.#handOverInTime({ ...notification, payload }, deadline)) === 'handed-over')
        outcome = 'handed-over';
    }
    return outcome;
  }

  /** An item that was queued past its deadline is not sent: its sender got an error, and sends it again (5). */
  async #handOverInTime(notification: Deliverable, deadline: number): Promise<DeliveryOutcome> {
    if (Date.now() >= deadline) throw new TemporalUnavailable('Temporal took too long for earlier notifications.');
    return this.#deliver(notification, deadline);
  }
}
