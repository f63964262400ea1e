/** The delay before a round, the first being 0. The last delay repeats. */
export function delayOf(delays: readonly number[], round: number): number {
  return delays[Math.min(round, delays.length - 1)] ?? 0;
}
