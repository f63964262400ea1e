import { request } from 'undici';
import type { ModerationEvent } from '../contract/event.ts';
import { retryAfterOf } from '../graph/errors.ts';
import { outbound } from '../lib/outbound.ts';
import { reasonOf } from '../lib/error-reason.ts';
import type { EventMetrics } from './metrics.ts';
import { signaturesOf } from './signature.ts';

/**
 * POSTs events to MODERATION_EVENTS_URL, one attempt at a time, and nothing above that: Temporal retries.
 *
 * - The body is a CloudEvent in structured JSON, the same in all attempts. The headers are those of Standard Webhooks; the
 *   timestamp is that of the attempt, because receivers refuse old ones.
 * - Any 2xx is a delivery. 410 means that the receiver is gone for good. All other answers are failures, redirects too: they are
 *   never followed.
 * - The answer's body is dropped, and no error quotes the address, which may contain a key.
 * - At most MAX_CONCURRENT_POSTS are under way. A receiver that does not answer holds no more of the worker's places for activities,
 *   so operations never wait because of it.
 */

/** Less than the activity's own limit. */
const POST_MS = 10_000;

const MAX_CONCURRENT_POSTS = 100;

/** Of an answer's body, to keep the connection. */
const MAX_BYTES = 16 * 1024;

/** Options of an `EventReceiver`. */
export interface EventReceiverOptions {
  /** Where events are POSTed. */
  url: string;
  /** Each signs, so that keys can be rotated. */
  keys: readonly Uint8Array[];
  /** Sent as `User-Agent`. */
  userAgent: string;
  metrics?: EventMetrics | undefined;
}

/** Why an attempt failed, in our own words. */
export class EventNotDelivered extends Error {
  override readonly name = 'EventNotDelivered';
  readonly isGone: boolean;
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, { isGone = false, retryAfterSeconds }: Partial<EventNotDelivered> = {}) {
    super(message);
    this.isGone = isGone;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Sends events to one address. */
export class EventReceiver {
  readonly #options: EventReceiverOptions;
  readonly #agent = outbound({ connectTimeout: POST_MS, headersTimeout: POST_MS, bodyTimeout: POST_MS });
  #underWay = 0;

  constructor(options: EventReceiverOptions) {
    this.#options = options;
  }

  /**
   * Sends one event, once.
   *
   * @throws {EventNotDelivered} for any answer but a 2xx, and if there is none
   */
  async post(event: ModerationEvent): Promise<void> {
    const { metrics } = this.#options;
    if (this.#underWay >= MAX_CONCURRENT_POSTS) {
      metrics?.count('busy');
      throw new EventNotDelivered(`This worker waits for ${MAX_CONCURRENT_POSTS} answers of the receiver already.`);
    }
    const began = performance.now();
    this.#underWay += 1;
    try {
      const { status, retryAfterSeconds } = await this.#send(event);
      metrics?.count(status);
      if (status < 200 || status >= 300) throw notDelivered(status, retryAfterSeconds);
    } finally {
      this.#underWay -= 1;
      metrics?.observe((performance.now() - began) / 1_000);
    }
  }

  /** Closes the connections, also those of requests under way. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #send(event: ModerationEvent): Promise<{ status: number; retryAfterSeconds: number | undefined }> {
    const { url, keys, userAgent, metrics } = this.#options;
    const signal = AbortSignal.timeout(POST_MS);
    const body = JSON.stringify(event);
    const timestamp = Math.floor(Date.now() / 1_000);
    const headers = {
      'content-type': 'application/cloudevents+json',
      'user-agent': userAgent,
      'webhook-id': event.id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signaturesOf(keys, event.id, timestamp, body),
    };
    try {
      const answer = await request(url, { method: 'POST', headers, body, dispatcher: this.#agent, signal });
      answer.body.dump({ limit: MAX_BYTES, signal }).catch(() => undefined);
      return { status: answer.statusCode, retryAfterSeconds: retryAfterOf(answer) };
    } catch (error) {
      metrics?.count('none');
      throw new EventNotDelivered(`The receiver of events did not answer: ${reasonOf(error)}.`);
    }
  }
}

function notDelivered(status: number, retryAfterSeconds: number | undefined): EventNotDelivered {
  const said = `The receiver of events answered ${status}`;
  if (status === 410) return new EventNotDelivered(`${said}: it wants no events any more.`, { isGone: true });
  const isRedirect = status >= 300 && status < 400;
  const hint = isRedirect ? ', and redirects are not followed: set MODERATION_EVENTS_URL to its own address' : '';
  return new EventNotDelivered(`${said}${hint}.`, { retryAfterSeconds });
}
