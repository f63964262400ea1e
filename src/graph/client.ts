import { randomUUID } from 'node:crypto';
import { context, SpanKind, type Attributes } from '@opentelemetry/api';
import { request as send, type Dispatcher } from 'undici';
import { outbound } from '../lib/outbound.ts';
import { inSpan } from '../tracing/span.ts';
import { fieldOf, fromAnswer, GraphError, requestIdOf } from './errors.ts';
import { templateOf, type GraphMetrics } from './metrics.ts';
import type { TokenSource } from './tokens.ts';

/**
 * Requests to Graph's cloud-communications API, and nothing above them: no retries, for Temporal retries; no redirects,
 * for they would carry the token elsewhere; one time limit for everything that an attempt does.
 */

/** Less than the activity's own limit, so that an attempt is over when Temporal gives it up, also in a slow worker. */
export const ATTEMPT_MS = 9_000;

/** A full roster (100 participants) is some 100 KB. */
const MAX_BYTES = 8 * 1024 * 1024;

/** Options of a `GraphClient`. */
export interface GraphOptions {
  /** Root and version, such as `https://graph.microsoft.com/v1.0`. */
  url: string;
  tokens: TokenSource;
  /** Sent as `User-Agent`, such as `my-service/1.2.3`. */
  userAgent: string;
  /** Counts the requests, if given. */
  metrics?: GraphMetrics | undefined;
}

/** One request. */
export interface GraphRequest {
  /** What it is to do, in an error's message, such as `mute call …`. */
  what: string;
  /** Path segments below the version; each is encoded. */
  path: readonly string[];
  /** With its question mark: of the next page of a list. */
  query?: string;
  /**
   * The tenant of the token: its ID or one of its domains.
   *
   * @default the application's own tenant
   */
  tenantId?: string | undefined;
  /**
   * The permission that it needs, for the message if Graph refuses it.
   *
   * @default 'Calls.Initiate.All'
   */
  permission?: string;
  /**
   * How long it may take, in ms.
   *
   * @default 9000
   */
  withinMs?: number;
}

/** Graph's answer to a request that has succeeded. */
export interface GraphResponse {
  /** 200 to 299. */
  status: number;
  /** The `client-request-id` that was sent. */
  clientRequestId: string;
  /** Parsed from JSON; `undefined` if there is none. */
  body: unknown;
  headers: Record<string, string | string[] | undefined>;
}

/**
 * Sends single requests to Graph: no retries, because Temporal retries, and no redirects, because they would carry the
 * token elsewhere. An attempt takes at most 9 s.
 *
 * @example
 * const { authorityHost, graphUrl } = CLOUDS.global;
 * const tokens = identityTokens({ authorityHost, graphUrl });
 * const graph = new GraphClient({ url: `${graphUrl}/v1.0`, tokens, userAgent: 'my-service/1.0' });
 * const { body } = await graph.get({ what: `read call ${callId}`, path: ['communications', 'calls', callId] });
 * await graph.close();
 */
export class GraphClient {
  readonly #options: GraphOptions;
  readonly #agent = outbound({
    keepAliveTimeout: 30_000,
    connectTimeout: ATTEMPT_MS,
    headersTimeout: ATTEMPT_MS,
    bodyTimeout: ATTEMPT_MS,
    maxResponseSize: MAX_BYTES,
  });

  constructor(options: GraphOptions) {
    this.#options = options;
  }

  /**
   * GET. Resolves with a success only.
   *
   * @throws {GraphError} for any other answer, and if there is none
   */
  async get(request: GraphRequest): Promise<GraphResponse> {
    return await this.#send('GET', request);
  }

  /**
   * POST with a body of JSON. Resolves with a success only.
   *
   * @throws {GraphError} for any other answer, and if there is none
   */
  async post(request: GraphRequest, body: object): Promise<GraphResponse> {
    return await this.#send('POST', request, JSON.stringify(body));
  }

  /** The address of a path. */
  urlOf(path: readonly string[]): string {
    return [this.#options.url, ...path.map(encodeURIComponent)].join('/');
  }

  /** Waits for requests under way, and closes the connections. */
  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #send(method: Dispatcher.HttpMethod, request: GraphRequest, body?: string): Promise<GraphResponse> {
    const template = templateOf(request.path);
    const attributes = {
      'http.request.method': method,
      'url.template': template,
      'server.address': new URL(this.#options.url).hostname,
    };
    // Nothing of the trace is sent along: Graph is somebody else's.
    const options = { kind: SpanKind.CLIENT, attributes };
    return await inSpan(`${method} ${template}`, options, context.active(), async (span) => {
      try {
        const success = await this.#exchange(method, request, body);
        span.setAttributes(attributesOf({ ...success, requestId: requestIdOf(success) }));
        return success;
      } catch (error) {
        if (error instanceof GraphError) span.setAttributes(attributesOf(error.details));
        throw error;
      }
    });
  }

  async #exchange(method: Dispatcher.HttpMethod, request: GraphRequest, body?: string): Promise<GraphResponse> {
    const signal = AbortSignal.timeout(request.withinMs ?? ATTEMPT_MS);
    const clientRequestId = randomUUID();
    const token = await within(signal, request, this.#options.tokens(request.tenantId));
    const url = this.urlOf(request.path) + (request.query ?? '');
    const headers = {
      accept: 'application/json',
      authorization: `Bearer ${token}`,
      'client-request-id': clientRequestId,
      'user-agent': this.#options.userAgent,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    const began = performance.now();
    const count = (status?: number, retryAfterSeconds?: number): void => {
      const seconds = (performance.now() - began) / 1_000;
      const answered = status === undefined ? {} : { status };
      this.#options.metrics?.countRequest({ method, path: request.path, seconds, retryAfterSeconds, ...answered });
    };
    try {
      const response = await send(url, { method, headers, body: body ?? null, dispatcher: this.#agent, signal });
      const text = await response.body.text();
      const answer = { status: response.statusCode, clientRequestId, headers: response.headers, body: parse(text) };
      if (answer.status >= 200 && answer.status < 300) {
        count(answer.status);
        return answer;
      }
      if (answer.status === 401) this.#options.tokens.forget?.(token, request.tenantId);
      throw fromAnswer(request.what, answer, request.permission);
    } catch (error) {
      const failure = error instanceof GraphError ? error : unanswered(request, error, clientRequestId);
      count(failure.details.status, failure.details.retryAfterSeconds);
      throw failure;
    }
  }
}

/** What support asks for. */
function attributesOf(answer: {
  status?: number | undefined;
  requestId?: string | undefined;
  clientRequestId?: string | undefined;
}): Attributes {
  return {
    'http.response.status_code': answer.status,
    'graph.request_id': answer.requestId,
    'graph.client_request_id': answer.clientRequestId,
  };
}

/** The token's share of an attempt's time. */
async function within<T>(signal: AbortSignal, request: GraphRequest, work: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(unanswered(request, signal.reason)), { once: true });
  });
  return await Promise.race([work, late]);
}

function unanswered({ what }: GraphRequest, error: unknown, clientRequestId?: string): GraphError {
  const code = fieldOf(error, 'code');
  const name = typeof code === 'string' ? code : error instanceof Error ? error.name : 'unknown';
  return new GraphError('GraphUnavailable', `Graph did not answer when asked to ${what} (${name}).`, {
    isRetryable: true,
    details: { code: name, ...(clientRequestId !== undefined && { clientRequestId }) },
  });
}

/** Not every answer has a body, and not every body is JSON: what is missing shows where it is needed. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
