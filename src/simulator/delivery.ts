import { Agent, request } from 'undici';
import type { Call } from './call.ts';
import type { Lifetime } from './lifetime.ts';
import type { NotificationKeys, TokenOverrides } from './notification-keys.ts';
import { envelope, type Notification } from './notification.ts';

/** What goes in one POST. */
export interface Message {
  readonly notifications: readonly Notification[];
  readonly messageId: string;
  readonly token?: TokenOverrides;
}

/** How often a notification is sent again. Microsoft documents none of it. 0 retries never; pauses are in ms, and double. */
export interface Redelivery {
  retries: number;
  firstPauseMs: number;
  longestPauseMs: number;
}

export const DEFAULT_REDELIVERY: Redelivery = { retries: 4, firstPauseMs: 200, longestPauseMs: 2000 };

/** To one bot: a storm of notifications should not run out of sockets. */
const MAX_CONNECTIONS = 128;

/** A bot that has not answered by then counts as not to be reached. */
const ANSWER_WITHIN_MS = 15_000;

/**
 * Posts notifications to the callback. 2xx ends it; 503, no connection and no answer are tried again with growing
 * pauses; anything else the bot does not want. A repetition keeps its Message-ID but carries a token of its own.
 */
export class Delivery {
  readonly #agent = new Agent({
    connections: MAX_CONNECTIONS,
    headersTimeout: ANSWER_WITHIN_MS,
    bodyTimeout: ANSWER_WITHIN_MS,
  });
  readonly #lifetime: Lifetime;
  readonly #keys: NotificationKeys;
  readonly #redelivery: Redelivery;
  #closed: Promise<void> | undefined;

  constructor(lifetime: Lifetime, keys: NotificationKeys, redelivery: Redelivery) {
    this.#lifetime = lifetime;
    this.#keys = keys;
    this.#redelivery = redelivery;
    lifetime.onEnd(() => {
      void this.close();
    });
  }

  async send(call: Call, { notifications, messageId, token = {} }: Message): Promise<void> {
    const body = JSON.stringify(envelope(call, notifications));
    const { retries, firstPauseMs, longestPauseMs } = this.#redelivery;
    for (let attempt = 1; !this.#lifetime.over; attempt += 1) {
      const entries = notifications.map(({ about }) =>
        call.log.add({ type: 'notification', ...about, messageId, attempt }),
      );
      const answer = await this.#post(call, body, messageId, token);
      const again = attempt <= retries;
      const outcome = !answer.retry ? answer.outcome : again ? 'retrying' : 'givenUp';
      for (const entry of entries) {
        call.log.finish(entry, {
          outcome,
          ...(answer.status !== undefined && { status: answer.status }),
          ...(answer.error !== undefined && { error: answer.error }),
        });
      }
      if (outcome !== 'retrying') return;
      if (!(await this.#lifetime.pause(Math.min(firstPauseMs * 2 ** (attempt - 1), longestPauseMs)))) return;
    }
  }

  /** Breaks off whatever is under way. */
  async close(): Promise<void> {
    this.#closed ??= this.#agent.destroy();
    await this.#closed;
  }

  async #post(call: Call, body: string, messageId: string, token: TokenOverrides): Promise<Answer> {
    try {
      const { statusCode, body: answer } = await request(call.callbackUri, {
        method: 'POST',
        dispatcher: this.#agent,
        headers: {
          authorization: `Bearer ${await this.#keys.token(call.tenantId, token)}`,
          'content-type': 'application/json; charset=utf-8',
          'user-agent': 'Microsoft-Skype/3.0,(Calling/1.0)',
          'scenario-id': call.scenarioId,
          'x-microsoft-skype-chain-id': call.callChainId,
          'x-microsoft-skype-message-id': messageId,
        },
        body,
      });
      await answer.dump();
      if (statusCode === 503) return { retry: true, status: statusCode };
      return { retry: false, status: statusCode, outcome: statusCode < 300 ? 'delivered' : 'refused' };
    } catch (error) {
      return { retry: true, error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
    }
  }
}

type Answer = { status?: number; error?: string } & (
  | { retry: true }
  | { retry: false; outcome: 'delivered' | 'refused' }
);
