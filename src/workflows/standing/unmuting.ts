import { delayOf } from '../call/polling.ts';

/** Between attempts to unmute at the end. The last one repeats. */
const UNMUTE_DELAYS_MS = [5_000, 10_000, 20_000, 60_000, 300_000] as const;

/**
 * From the first attempt until it gives up. The time is not that of the mute lock's end: workers may have been away.
 */
const UNMUTE_MS = 24 * 3_600_000;

/** Attempts that it makes at least, if workers are away between them. */
const MIN_UNMUTES = 10;

/**
 * Maximum number of unmutes that Graph accepted and no roster confirmed, for example because the client itself is
 * muted.
 */
const MAX_UNCONFIRMED = 3;

/** The attempts to unmute, as plain data. Times are in ms since the epoch. */
export interface UnmutingState {
  /** When it tries next. */
  at: number;
  attempts: number;
  firstAt: number;
  unconfirmed: number;
}

/** The attempts of a mute lock to unmute at its end: at growing intervals, for a day. */
export class Unmuting {
  #now: UnmutingState;

  constructor(state: UnmutingState = { at: 0, attempts: 0, firstAt: 0, unconfirmed: 0 }) {
    this.#now = state;
  }

  get state(): Readonly<UnmutingState> {
    return this.#now;
  }

  get isDue(): boolean {
    return Date.now() >= this.#now.at;
  }

  /** At once. */
  now(): void {
    this.#now = { ...this.#now, at: Date.now() };
  }

  /** There is a new wish: attempts count anew. */
  renew(): void {
    this.#now = { ...this.#now, at: 0, attempts: 0, unconfirmed: 0 };
  }

  begin(): void {
    const { attempts, firstAt } = this.#now;
    this.#now = { ...this.#now, attempts: attempts + 1, firstAt: attempts === 0 ? Date.now() : firstAt };
  }

  /** @returns whether it is tried again */
  fail(outcome: string): boolean {
    const { attempts, firstAt } = this.#now;
    const unconfirmed = this.#now.unconfirmed + (outcome === 'Unconfirmed' ? 1 : 0);
    const isTooLate = attempts >= MIN_UNMUTES && Date.now() >= firstAt + UNMUTE_MS;
    this.#now = { ...this.#now, unconfirmed, at: Date.now() + delayOf(UNMUTE_DELAYS_MS, attempts - 1) };
    return unconfirmed < MAX_UNCONFIRMED && !isTooLate;
  }
}
