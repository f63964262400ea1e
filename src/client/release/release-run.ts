import type { ReleasedCall } from './release-types.ts';

/**
 * A release that is under way. It has begun already, and goes on whether or not anybody takes its results, also after a
 * loop over them was left. What goes wrong is a result, so nothing here rejects.
 */
export class ReleaseRun implements AsyncIterable<ReleasedCall> {
  readonly #results: ReleasedCall[] = [];
  #isEnded = false;
  readonly #waiting = new Set<() => void>();

  /**
   * `work` emits each result as it comes, and never rejects.
   *
   * @internal
   */
  constructor(work: (emit: (result: ReleasedCall) => void) => Promise<void>) {
    const emit = (result: ReleasedCall): void => {
      this.#results.push(result);
      this.#tell();
    };
    const end = (): void => {
      this.#isEnded = true;
      this.#tell();
    };
    work(emit).then(end, end);
  }

  /** Each call as it comes, from the first one on, however often it is asked for. */
  async *[Symbol.asyncIterator](): AsyncIterator<ReleasedCall> {
    for (let taken = 0; ;) {
      const result = this.#results[taken];
      if (result !== undefined) {
        taken += 1;
        yield result;
      } else if (this.#isEnded) return;
      else await this.#change();
    }
  }

  /** All of them, when it has ended. */
  async all(): Promise<ReleasedCall[]> {
    while (!this.#isEnded) await this.#change();
    return [...this.#results];
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.add(resolve);
    });
  }

  #tell(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
