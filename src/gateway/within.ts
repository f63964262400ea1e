/** What `within` gives back if the work has no outcome yet. It goes on by itself. */
export const LATE = Symbol('late');

/** The outcome of some work; LATE if there is none after so many milliseconds, or if `end` comes first. */
export async function within<T>(ms: number, end: AbortSignal, work: Promise<T>): Promise<T | typeof LATE> {
  // Nobody hears of what it comes to after that.
  work.catch(() => undefined);
  let isLate: () => void = () => undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    isLate = () => resolve(LATE);
  });
  const timer = setTimeout(isLate, ms);
  end.addEventListener('abort', isLate, { once: true });
  if (end.aborted) isLate();
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    end.removeEventListener('abort', isLate);
  }
}
