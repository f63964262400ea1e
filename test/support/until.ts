import { setTimeout as sleep } from 'node:timers/promises';

/** Asks until the answer holds: for what tells nobody when it changes, such as Temporal's lists. */
export async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean, ms = 45_000): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`after ${ms} ms it is still ${JSON.stringify(answer)}`);
    await sleep(50);
  }
}
