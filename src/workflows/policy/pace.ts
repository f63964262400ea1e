import { sleep } from '@temporalio/workflow';

/** Limits the starts per second. */
export class Pace {
  readonly #perSecond: number;
  #second = Date.now();
  #begun = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Waits for the next second if this one is used up. Those who wait are counted in the second that they wait for. */
  async next(): Promise<void> {
    const now = Date.now();
    if (now >= this.#second + 1_000) {
      this.#second = now;
      this.#begun = 0;
    } else if (this.#begun >= this.#perSecond) {
      this.#second += 1_000;
      this.#begun = 0;
    }
    this.#begun += 1;
    const wait = this.#second - now;
    if (wait > 0) await sleep(wait, { summary: `At most ${this.#perSecond} a second` });
  }
}
