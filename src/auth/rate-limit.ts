/** A bucket: this many at once, and one more for every interval that passes. */
export class TokenBucket {
  readonly #burst: number;
  readonly #intervalMs: number;
  #tokens: number;
  #asOf = performance.now();

  constructor(burst: number, intervalMs: number) {
    this.#burst = burst;
    this.#intervalMs = intervalMs;
    this.#tokens = burst;
  }

  take(): boolean {
    const now = performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#asOf) / this.#intervalMs);
    this.#asOf = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
