import { setTimeout as sleep } from 'node:timers/promises';
import type { RosterUpdate } from '../../contract/signals.ts';
import { TemporalUnavailable, type DeliveryOutcome, type Deliverable, type Deliver } from './signal-workflows.ts';
import { fitsOneSignal, mergeRosters, partsOf } from './merge-rosters.ts';

/**
 * Every call has a queue, in which its notifications are handed over one after the other, in the order they came in.
 *
 *     roster ──▶ an open batch waits? ──yes──▶ merged into it
 *                       │ no
 *                       ▼
 *                a new batch, open ──its turn, and 100 ms after the batch before──▶ closed, handed over
 *
 * 1. Hand-overs of one call never overlap: each begins when the one before has ended, well or badly.
 * 2. Batches begin at least 100 ms apart, so a running saga gets at most ten rosters a second, and one that comes to
 *    a quiet queue goes at once. One that begins because the batch before had no room for it goes at once, too: otherwise
 *    those behind it would wait past their deadline, and large signals are few.
 * 3. A batch takes rosters while it is open: until its turn has come, until the call's end stands behind it (a roster
 *    that came after the end must not be told before it), or until one comes with which it would be larger than a signal
 *    may be: that one begins the next batch. A roster that is too large by itself is a batch of its own, and is handed
 *    over in parts, one after the other.
 * 4. An operation's update stands in line like a roster but closes nothing: it and the rosters around it tell of
 *    different things, in whichever order.
 * 5. All whose roster is in a batch get the outcome of the batch, by the deadline of its first: no one is answered
 *    before the hand-over that contains what they sent has ended, and no one waits longer than they may.
 * 6. A queue that has been empty for 100 ms is gone: there are as many queues as there are calls that talk.
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

  /** How many calls talk at the moment. */
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
  /** Settles when everything in line has been handed over; never rejects. */
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
      // Behind the beginning, so that not even a busy process sends two that are closer.
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

  /** What waited in line past its deadline is not sent: its sender was told so, and sends it again (5). */
  async #handOverInTime(notification: Deliverable, deadline: number): Promise<DeliveryOutcome> {
    if (Date.now() >= deadline) throw new TemporalUnavailable('Temporal was too slow for those before.');
    return this.#deliver(notification, deadline);
  }
}
