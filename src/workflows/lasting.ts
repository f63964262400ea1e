import type { Lasting } from '../contract/lasting.ts';

/** A timer that is longer is set anew when it is over. */
export const LONGEST_TIMER_MS = 7 * 24 * 3_600_000;

/** When it ends, in ms; nothing where that is its release. */
export function untilOf({ until, forSeconds }: Lasting, now: number): { until?: number } {
  if (until !== undefined) return { until: Date.parse(until) };
  return forSeconds === undefined ? {} : { until: now + forSeconds * 1_000 };
}
