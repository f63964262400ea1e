/**
 * When something was wrong on purpose. Whatever overlaps such a time may take longer or fail, and is reported apart; in calm
 * times nothing may fail.
 */
export class Troubles {
  readonly #spans: { what: string; from: number; to: number }[] = [];

  /** What it leaves behind, such as tasks that were handed to a worker that is gone, lasts a little longer than itself. */
  async during(what: string, work: () => Promise<void>): Promise<void> {
    const span = { what, from: Date.now(), to: Infinity };
    this.#spans.push(span);
    await work();
    span.to = Date.now() + AFTERMATH_MS;
  }

  isCalm(from: number, to = Date.now()): boolean {
    return this.#spans.every((span) => span.from > to || span.to < from);
  }

  get count(): number {
    return this.#spans.length;
  }
}

const AFTERMATH_MS = 5_000;
