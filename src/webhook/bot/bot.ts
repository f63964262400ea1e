import type { IncomingHttpHeaders } from 'node:http';
import { HttpError } from '../../http/http-error.ts';
import { withTimeout } from '../../lib/with-timeout.ts';

/**
 * Graph knows one callback for each call, and that is the bot's. So a request that passes our checks goes to the bot
 * as well, unchanged: by HTTP (`forward.ts`) or, if the bot has mounted the webhook, by a function call.
 */

/** A valid request of Graph's, for the bot. */
export interface BotRequest {
  /** Path and query, as requested. */
  url: string;
  /** The part of the path below the webhook's own, such as `/0`; empty if there is none. */
  below: string;
  headers: IncomingHttpHeaders;
  /** Names and values in turn, as received. */
  rawHeaders: readonly string[];
  /** The bytes, as received. They need not be `commsNotifications`: Graph sends the bot older forms too. */
  body: Buffer;
}

/** The bot's answer to Graph. */
export interface Answer {
  statusCode: number;
  headers?: Readonly<Record<string, string | string[]>>;
  body?: Buffer | string;
}

/** Passes a request to the bot and returns its answer; `undefined` if the bot leaves the answer to us. */
export type Bot = (request: BotRequest) => Promise<Answer | undefined>;

/** The bot's own function, if it has mounted the webhook: receives what the bot's route would have received. */
export type OnNotifications = (body: Buffer, request: BotRequest) => Answer | void | Promise<Answer | void>;

export const BOT_TIMEOUT_MS = 10_000;

export function botUnavailable(cause: unknown): HttpError {
  const message = 'The bot behind this webhook did not answer. Send the request again.';
  return new HttpError(503, 'bot-unavailable', message, { cause, headers: { 'retry-after': '2' } });
}

function tooSlow(): HttpError {
  return botUnavailable(new Error('onNotifications took over 10 s'));
}

export function botOf(onNotifications: OnNotifications): Bot {
  return async (request) => {
    try {
      return (await withTimeout(BOT_TIMEOUT_MS, () => onNotifications(request.body, request), tooSlow)) ?? undefined;
    } catch (error) {
      if (error instanceof HttpError) throw error;
      throw new HttpError(500, 'bot-failed', 'The bot failed on this request. Send it again later.', { cause: error });
    }
  };
}
