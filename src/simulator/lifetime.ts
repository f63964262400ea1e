/**
 * Everything of the simulator that goes on by itself (pauses, deliveries, late effects) belongs to one lifetime. When
 * it ends, every pause ends with it, so that closing waits for nothing and leaves no timer behind.
 */
export class Lifetime {
  readonly #pauses = new Map<NodeJS.Timeout, (elapsed: boolean) => void>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #endings = new Set<() => void>();
  #over = false;

  get over(): boolean {
    return this.#over;
  }

  /** Waits; `false` means that the lifetime ended meanwhile and that the caller should stop. */
  async pause(ms: number): Promise<boolean> {
    if (this.#over) return false;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#pauses.delete(timer);
        resolve(true);
      }, ms);
      this.#pauses.set(timer, resolve);
    });
  }

  /** Starts something that goes on by itself; the promise given back settles with it and never rejects. */
  async run(task: () => Promise<void>): Promise<void> {
    // Nobody waits for a failed task: the log contains what went wrong on the wire, and the rest ends with it.
    const running = task().catch(() => undefined);
    this.#tasks.add(running);
    await running;
    this.#tasks.delete(running);
  }

  /** Calls back when the lifetime ends; what is given back calls that off. */
  onEnd(ending: () => void): () => void {
    if (this.#over) ending();
    else this.#endings.add(ending);
    return () => this.#endings.delete(ending);
  }

  /** Settles once nothing goes on any more. */
  async settled(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  async end(): Promise<void> {
    this.#over = true;
    for (const [timer, resolve] of this.#pauses) {
      clearTimeout(timer);
      resolve(false);
    }
    this.#pauses.clear();
    for (const ending of this.#endings) ending();
    this.#endings.clear();
    await this.settled();
  }
}
