import { delayOf } from '../call/polling.ts';

/** Between looks at the roster, from the last mute on. The last one repeats. */
const LOOK_DELAYS_MS = [6_000, 30_000, 60_000] as const;

/** Between looks while something else runs on the call, or Graph or Temporal does not answer. The last one repeats. */
const LOOK_AGAIN_DELAYS_MS = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000] as const;

/**
 * Before Temporal is asked again whether somebody wished otherwise meanwhile, while the call is muted as it should
 * be.
 */
const ASK_AGAIN_DELAYS_MS = [...LOOK_AGAIN_DELAYS_MS, 300_000, 900_000, 3_600_000, 21_600_000, 86_400_000] as const;

/** A time that goes through JSON, unlike Infinity. */
const NEVER = Number.MAX_SAFE_INTEGER;

/** When a mute lock looks, as plain data. Times are in ms since the epoch. */
export interface LooksState {
  /** When it looks next. */
  at: number;
  /** Looks since the last mute or the last disturbance. */
  count: number;
  disturbances: number;
  /** When Temporal is asked again whether there is a newer wish. */
  askAt: number;
  /** A mute that met the last wish was confirmed, or a look has shown it. */
  isMet: boolean;
  /** A look has shown that no newer wish lies before the mute lock's own last mute. */
  isLast: boolean;
}

/**
 * When a mute lock looks at the roster, and asks Temporal for newer wishes. Looks come at growing intervals after its
 * last mute. A look that was disturbed, or found no answer, is repeated soon, and then at growing intervals too. A
 * timed mute has nothing to enforce, so it looks only until it is certain that its mute is the newest wish.
 */
export class Looks {
  #now: LooksState;

  constructor(state: LooksState = { at: 0, count: 0, disturbances: 0, askAt: 0, isMet: false, isLast: false }) {
    this.#now = state;
  }

  get state(): Readonly<LooksState> {
    return this.#now;
  }

  get isDue(): boolean {
    return Date.now() >= this.#now.at;
  }

  /** A mute that is known to be muted, and to be the last wish, needs no question to Temporal. */
  isToAsk(isMuted: boolean | undefined): boolean {
    const { isMet, isLast, askAt } = this.#now;
    return isMuted === false || !isMet || (!isLast && Date.now() >= askAt);
  }

  /** At once: there was a signal. */
  now(): void {
    this.#note({ at: Date.now() });
  }

  /** There is a new wish. */
  renew(): void {
    this.#note({ isMet: false, disturbances: 0, at: Date.now() });
  }

  /** A mute is confirmed; `isMet` says whether it was for the last wish. */
  confirmed(isMet: boolean, isEnforced: boolean): void {
    this.#note({ isMet, isLast: false, count: 0, disturbances: 0 });
    this.#note({ at: isMet ? this.#next(isEnforced) : Date.now() });
  }

  /** A look begins. Others follow, whatever becomes of it. */
  begin(isEnforced: boolean): void {
    this.#note({ count: this.#now.count + 1 });
    this.#note({ at: this.#next(isEnforced) });
  }

  /** A look has shown that all is as the last wish wants it. */
  settled(isEnforced: boolean): void {
    this.#note({ isMet: true, isLast: true });
    this.#note({ at: this.#next(isEnforced) });
  }

  /** Another operation runs on the call, or may run: soon, and then at growing intervals. */
  again(isMuted: boolean | undefined, isEnforced: boolean): void {
    const { disturbances, isMet } = this.#now;
    const isKept = isMet && isMuted !== false;
    const again = Date.now() + delayOf(isKept ? ASK_AGAIN_DELAYS_MS : LOOK_AGAIN_DELAYS_MS, disturbances);
    // A mute lock goes on to look at Graph meanwhile.
    const at = isKept && isEnforced ? Math.min(again, this.#next(isEnforced)) : again;
    this.#note({ disturbances: disturbances + 1, at, ...(isKept && { askAt: again }) });
  }

  #next(isEnforced: boolean): number {
    const { count, isMet, isLast, askAt } = this.#now;
    const next = Date.now() + delayOf(LOOK_DELAYS_MS, count);
    if (isEnforced || !isMet) return next;
    if (isLast) return NEVER;
    return askAt > Date.now() ? askAt : next;
  }

  #note(change: Partial<LooksState>): void {
    this.#now = { ...this.#now, ...change };
  }
}
