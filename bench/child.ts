/** What a process of the benchmark has of the one that started it: settings, and a channel. */

/** A variable that the benchmark sets. */
export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: this process is started by the benchmark`);
  return value;
}

/** Tells the benchmark that this process is ready, and what others need to know of it. */
export function announce(news: Record<string, string>): void {
  // With whoever started it gone, nobody would end it.
  process.once('disconnect', () => process.exit());
  process.send?.({ ready: news });
}
