import { workflowInfo } from '@temporalio/workflow';
import type { StandingMuteTerms } from '../../contract/standing-mute.ts';
import { isHistoryLong } from '../lib/limits.ts';

/** A timer that is longer is set anew when it is over. */
const LONGEST_TIMER_MS = 7 * 24 * 3_600_000;

/** The lifetime of a standing mute, as plain data. Times are in ms since the epoch. */
export interface LifetimeState {
  startedAt: number;
  until?: number;
  /** When its release was wished for. */
  releasedAt?: number;
  isCancelled: boolean;
  hasCallEnded: boolean;
}

/**
 * How long a standing mute is active: until its time, its release, its cancellation or the end of the call, whichever
 * comes first. An extension sets a new time, and undoes a release or a cancellation that came before it.
 *
 * It also counts the signals of the run, because a standing mute continues as new when its history is long.
 */
export class Lifetime {
  #now: LifetimeState;
  #signals = 0;

  /** `state` is that of a run which this one continues. */
  constructor(request: StandingMuteTerms, state?: LifetimeState) {
    // Not when the first task ran: workers may have been away since.
    const startedAt = workflowInfo().startTime.getTime();
    this.#now = state ?? { startedAt, ...untilOf(request, startedAt), isCancelled: false, hasCallEnded: false };
  }

  get state(): Readonly<LifetimeState> {
    return this.#now;
  }

  /** Why it is over; `undefined` as long as it is not. */
  get end(): 'callEnded' | 'released' | 'expired' | undefined {
    const { hasCallEnded, releasedAt, until } = this.#now;
    if (hasCallEnded) return 'callEnded';
    if (releasedAt !== undefined) return 'released';
    return until !== undefined && Date.now() >= until ? 'expired' : undefined;
  }

  get isOver(): boolean {
    return this.end !== undefined;
  }

  get isHistoryLong(): boolean {
    return isHistoryLong(this.#signals);
  }

  /** A signal has come. */
  hear(change: Partial<LifetimeState> = {}): void {
    this.#signals += 1;
    this.#now = { ...this.#now, ...change };
  }

  release(at: number): void {
    this.#now = { ...this.#now, releasedAt: at };
  }

  extend(terms: StandingMuteTerms): void {
    const { until: _, releasedAt: __, ...state } = this.#now;
    this.#now = { ...state, ...untilOf(terms, Date.now()), isCancelled: false };
  }

  /** From now until a time, but not beyond its end, nor for longer than a timer may last. */
  msUntil(time: number): number {
    const until = this.isOver ? Infinity : (this.#now.until ?? Infinity);
    return Math.min(Math.min(time, until) - Date.now(), LONGEST_TIMER_MS);
  }
}

/** When it ends; nothing if only a release ends it. */
function untilOf({ until, forSeconds }: StandingMuteTerms, now: number): { until?: number } {
  if (until !== undefined) return { until: Date.parse(until) };
  return forSeconds === undefined ? {} : { until: now + forSeconds * 1_000 };
}
