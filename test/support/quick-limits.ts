import { onTestFinished, vi } from 'vitest';

/** Until the test ends, limits of time (`AbortSignal.timeout`) pass in a tenth of theirs. Returns those that were set, in ms. */
export function quickLimits(): number[] {
  const set: number[] = [];
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  const spy = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    set.push(ms);
    return timeout(Math.ceil(ms / 10));
  });
  onTestFinished(() => spy.mockRestore());
  return set;
}
