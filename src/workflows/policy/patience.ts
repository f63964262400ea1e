import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';

/**
 * Parallel tasks, and how long they are waited for. A task that takes longer than `slowMs` blocks nobody any more,
 * and after `mostMs` it is cancelled. One timer serves all of them, so quick tasks cost none.
 */
export class Patience {
  readonly #slowMs: number;
  readonly #mostMs: number;
  readonly #going = new Set<Going>();

  constructor(slowMs: number, mostMs: number) {
    this.#slowMs = slowMs;
    this.#mostMs = mostMs;
  }

  /** `quick` is fulfilled when the work has ended, or is slow. */
  begin(work: () => Promise<void>): { ended: Promise<void>; quick: Promise<void> } {
    const scope = new CancellationScope();
    let letGo = (): void => undefined;
    const quick = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const going: Going = { since: Date.now(), scope, letGo };
    this.#going.add(going);
    const ended = scope.run(work).finally(() => {
      this.#going.delete(going);
      letGo();
    });
    ended.catch(() => undefined); // Told by whoever waits for all of them.
    return { ended, quick };
  }

  /** Does `work`, and looks after what it begins. */
  async during(work: () => Promise<void>): Promise<void> {
    const watch = new CancellationScope();
    const watching = watch
      .run(async () => await this.#watch())
      .catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      });
    try {
      await work();
    } finally {
      watch.cancel();
      await watching;
    }
  }

  async #watch(): Promise<never> {
    for (;;) {
      await sleep(this.#slowMs, { summary: 'Until slow calls are looked for' });
      for (const { since, scope, letGo } of this.#going) {
        const age = Date.now() - since;
        if (age >= this.#mostMs) scope.cancel();
        else if (age >= this.#slowMs) letGo();
      }
    }
  }
}

interface Going {
  since: number;
  scope: CancellationScope;
  letGo: () => void;
}
