/** Runs tasks in the order in which they were added, a limited number at a time. */
export class Pool {
  readonly #atOnce: number;
  readonly #waiting: (() => Promise<void>)[] = [];
  #underWay = 0;
  #emptied: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** `work` never rejects. */
  add(work: () => Promise<void>): void {
    this.#waiting.push(work);
    this.#next();
  }

  /** Until all that was added is done. */
  async emptied(): Promise<void> {
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => {
      this.#emptied.push(resolve);
    });
  }

  #next(): void {
    if (this.#underWay >= this.#atOnce) return;
    const work = this.#waiting.shift();
    if (work === undefined) {
      if (this.#underWay > 0) return;
      for (const tell of this.#emptied) tell();
      this.#emptied = [];
      return;
    }
    this.#underWay += 1;
    const end = (): void => {
      this.#underWay -= 1;
      this.#next();
    };
    work().then(end, end);
  }
}
