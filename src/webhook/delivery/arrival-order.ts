import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Keeps requests in the order they came in while their tokens are verified on other threads, where one may overtake
 * another: a roster without a sequence number has no other order than its arrival.
 *
 * It is an order and not a queue: a request that takes longer than a verification should (its key has to be fetched)
 * is not waited for, so no request can block all others.
 */

const PATIENCE_MS = 50;

export class ArrivalOrder {
  /** Settles when all earlier requests have proceeded, or their time limit is over. Never rejects. */
  #earlier: Promise<unknown> = Promise.resolve();

  /** Resolves once `check` resolves and it is this request's turn; rejects if `check` rejects. */
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
