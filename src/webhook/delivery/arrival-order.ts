import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Keeps requests in the order they came in while their tokens are verified on other threads, where one may overtake
 * another: a roster without a sequence number has no other order than its arrival.
 *
 * It is an order and not a queue: whoever takes longer than a verification should (its key has to be fetched) is not
 * waited for, so that nobody can hold up everybody.
 */

const PATIENCE_MS = 50;

export class ArrivalOrder {
  /** Settles when those who came so far have proceeded, or were waited for long enough. Never rejects. */
  #earlier: Promise<unknown> = Promise.resolve();

  /** Proceeds once `check` holds and it is one's turn; rejects as `check` does. */
  async proceed<C, T>(check: Promise<C>, step: (checked: C) => Promise<T>): Promise<T> {
    const earlier = this.#earlier;
    let leave!: () => void;
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    this.#earlier = Promise.race([left, sleep(PATIENCE_MS, undefined, { ref: false })]);
    let outcome;
    try {
      const checked = await check;
      await earlier;
      outcome = step(checked);
    } finally {
      leave();
    }
    return outcome;
  }
}
