import { Counter, Histogram, type Registry } from 'prom-client';

/** The metrics of a worker's POSTs of events. The outcome of an event is counted by its workflow. */
export class EventMetrics {
  readonly #posts: Counter<'status'>;
  readonly #seconds: Histogram;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#posts = new Counter({
      name: 'call_moderation_event_posts_total',
      help: "POSTs to the receiver of events, by the status of the answer; 'none' without an answer, 'busy' if too many were under way.",
      labelNames: ['status'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'call_moderation_event_post_seconds',
      help: 'Time until the receiver of events has answered, or has not.',
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    for (const status of ['204', 'none']) this.#posts.inc({ status }, 0);
  }

  /** Counts one POST. */
  count(status: number | 'none' | 'busy'): void {
    this.#posts.inc({ status });
  }

  /** Records how long one POST took. */
  observe(seconds: number): void {
    this.#seconds.observe(seconds);
  }
}
