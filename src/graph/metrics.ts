import { Counter, Histogram, Registry } from 'prom-client';

/** One request to Graph, as it is counted. */
export interface CountedRequest {
  method: string;
  /** Path segments below the version. */
  path: readonly string[];
  /** Of the answer; `undefined` if there was none. */
  status?: number;
  seconds: number;
  retryAfterSeconds?: number | undefined;
}

/** The metrics of the worker's requests to Graph and to Entra ID. Labels contain no ID. */
export class GraphMetrics {
  readonly registry: Registry;
  readonly #requests: Counter<'method' | 'path' | 'status'>;
  readonly #seconds: Histogram<'method' | 'path'>;
  readonly #retryAfter: Histogram<'status'>;
  readonly #tokens: Counter<'outcome'>;

  constructor(registry: Registry = new Registry()) {
    const registers = [registry];
    this.registry = registry;
    this.#requests = new Counter({
      name: 'call_moderation_graph_requests_total',
      help: "Requests to Graph by method, path and the status of the answer; 'none' if there was no answer.",
      labelNames: ['method', 'path', 'status'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'call_moderation_graph_request_seconds',
      help: 'Duration of one request to Graph, without getting its token, whatever the outcome.',
      labelNames: ['method', 'path'],
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    this.#retryAfter = new Histogram({
      name: 'call_moderation_graph_retry_after_seconds',
      help: 'Seconds in `Retry-After` of Graph, by status. Throttling is 429.',
      labelNames: ['status'],
      buckets: [1, 2, 5, 10, 30, 60, 300],
      registers,
    });
    this.#tokens = new Counter({
      name: 'call_moderation_token_refreshes_total',
      help: 'Token requests to Entra ID, by outcome. A token is reused until shortly before it expires.',
      labelNames: ['outcome'],
      registers,
    });
    // There from the start, so that the first one is seen as an increase.
    for (const outcome of ['issued', 'failed']) this.#tokens.inc({ outcome }, 0);
  }

  /** Counts one request, when it has ended. */
  countRequest({ method, path, status, seconds, retryAfterSeconds }: CountedRequest): void {
    const labels = { method, path: templateOf(path) };
    this.#requests.inc({ ...labels, status: status ?? 'none' });
    this.#seconds.observe(labels, seconds);
    if (retryAfterSeconds !== undefined) this.#retryAfter.observe({ status: status ?? 'none' }, retryAfterSeconds);
  }

  /** Counts one request for a token. */
  countToken(outcome: 'issued' | 'failed'): void {
    this.#tokens.inc({ outcome });
  }
}

/** `/calls/{id}/participants/{id}`: collections and IDs take turns. */
export function templateOf([, ...segments]: readonly string[]): string {
  return segments.map((segment, at) => `/${at % 2 === 1 ? '{id}' : segment}`).join('');
}
