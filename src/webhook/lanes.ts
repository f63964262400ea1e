import { setTimeout as sleep } from 'node:timers/promises';
import type { RosterUpdate } from '../contract/signals.ts';
import { TemporalUnavailable, type Fate, type Handed, type HandOver } from './hand-over.ts';
import { fitsOneSignal, mergeRosters, partsOf } from './roster.ts';

/**
 * Every call has a lane, in which its notifications are handed over one after the other, in the order they came in.
 *
 *     roster ──▶ an open batch waits? ──yes──▶ merged into it
 *                       │ no
 *                       ▼
 *                a new batch, open ──its turn, and 100 ms after the batch before──▶ closed, handed over
 *
 * 1. Hand-overs of one call never overlap: each begins when the one before has ended, well or badly.
 * 2. Batches begin at least 100 ms apart, so a running saga gets at most ten rosters a second, and one that comes to
 *    a quiet lane goes at once. One that begins because the batch before had no room for it goes at once, too: otherwise
 *    those behind it would wait past their deadline, and large signals are few.
 * 3. A batch takes rosters while it is open: until its turn has come, until the call's end stands behind it (a roster
 *    that came after the end must not be told before it), or until one comes with which it would be larger than a signal
 *    may be: that one begins the next batch. A roster that is too large by itself is a batch of its own, and is handed
 *    over in parts, one after the other.
 * 4. An operation's update stands in line like a roster but closes nothing: it and the rosters around it tell of
 *    different things, in whichever order.
 * 5. All whose roster is in a batch get the outcome of the batch, by the deadline of its first: no one is answered
 *    before the hand-over that contains what they sent has ended, and no one waits longer than they may.
 * 6. A lane that has been empty for 100 ms is gone: there are as many lanes as there are calls that talk.
 */

const INTERVAL_MS = 100;

type Roster = Handed & { kind: 'rosterUpdated' };

interface Batch {
  roster: RosterUpdate;
  outcome: Promise<Fate>;
}

export class Lanes {
  readonly #handOver: HandOver;
  readonly #lanes = new Map<string, Lane>();

  constructor(handOver: HandOver) {
    this.#handOver = handOver;
  }

  /** How many calls talk at the moment. */
  get size(): number {
    return this.#lanes.size;
  }

  async send(notification: Handed, deadline: number): Promise<Fate> {
    const { callId } = notification;
    const lane = this.#lanes.get(callId) ?? new Lane(this.#handOver);
    this.#lanes.set(callId, lane);
    lane.waiting += 1;
    try {
      return await lane.send(notification, deadline);
    } finally {
      lane.waiting -= 1;
      if (lane.waiting === 0) setTimeout(() => this.#drop(callId, lane), INTERVAL_MS).unref();
    }
  }

  #drop(callId: string, lane: Lane): void {
    if (lane.waiting === 0 && this.#lanes.get(callId) === lane) this.#lanes.delete(callId);
  }
}

class Lane {
  waiting = 0;
  readonly #handOver: HandOver;
  /** Settles when everything in line has been handed over; never rejects. */
  #tail: Promise<unknown> = Promise.resolve();
  #open: Batch | undefined;
  #lastBegan = Number.NEGATIVE_INFINITY;

  constructor(handOver: HandOver) {
    this.#handOver = handOver;
  }

  send(notification: Handed, deadline: number): Promise<Fate> {
    if (notification.kind === 'rosterUpdated') return this.#sendRoster(notification, deadline);
    if (notification.kind === 'callEnded') this.#open = undefined;
    return this.#queue(() => this.#handOverInTime(notification, deadline));
  }

  #sendRoster(notification: Roster, deadline: number): Promise<Fate> {
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

  #queue(step: () => Promise<Fate>): Promise<Fate> {
    const outcome = this.#tail.then(step);
    this.#tail = outcome.catch(() => undefined);
    return outcome;
  }

  async #untilInterval(): Promise<void> {
    const due = this.#lastBegan + INTERVAL_MS;
    // A timer may fire a little early.
    while (performance.now() < due) await sleep(Math.ceil(due - performance.now()));
  }

  async #handOverParts(notification: Roster, roster: RosterUpdate, deadline: number): Promise<Fate> {
    let fate: Fate = 'no-operation';
    for (const payload of partsOf(roster)) {
      if ((await this.#handOverInTime({ ...notification, payload }, deadline)) === 'handed-over') fate = 'handed-over';
    }
    return fate;
  }

  /** What waited in line past its deadline is not sent: its sender was told so, and sends it again (5). */
  async #handOverInTime(notification: Handed, deadline: number): Promise<Fate> {
    if (Date.now() >= deadline) throw new TemporalUnavailable('Temporal was too slow for those before.');
    return this.#handOver(notification, deadline);
  }
}
