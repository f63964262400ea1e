/**
 * Reading again and again, at growing intervals, until a deadline: because notifications get lost, and what Graph has
 * accepted shows in the roster only later.
 */

/** Before the reads of the roster, from Graph's acceptance on. The last one repeats. */
export const ROSTER_DELAYS_MS = [2_000, 3_000, 5_000, 8_000, 12_000, 15_000] as const;

/** The last read comes so long before the deadline, so that it shows what has taken effect by then. */
const LAST_READ_MS = 1_000;

/** The delay before a round, the first being 0. The last delay repeats. */
export function delayOf(delays: readonly number[], round: number): number {
  return delays[Math.min(round, delays.length - 1)] ?? 0;
}

/** The same, but not beyond the deadline, and with one read just before it. */
export function delayUntil(deadline: number, delays: readonly number[], round: number): number {
  const left = deadline - Date.now();
  const untilLast = left - LAST_READ_MS;
  return Math.min(delayOf(delays, round), round > 0 && untilLast > 0 ? untilLast : left);
}
