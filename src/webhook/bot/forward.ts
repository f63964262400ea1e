import { request as send, type Dispatcher } from 'undici';
import { outbound } from '../../lib/outbound.ts';
import { readAll } from '../../lib/read-body.ts';
import { BOT_TIMEOUT_MS, botUnavailable, type Answer, type Bot, type BotRequest } from './bot.ts';
import type { WebhookMetrics } from '../metrics.ts';

/**
 * Our webhook in front of the bot's: a request is forwarded unchanged, with its query and its `Authorization`, and
 * the bot's answer is returned unchanged. Redirects are answers too: Graph follows them to the bot's other region, we
 * do not.
 *
 * Delivery to Temporal and forwarding run in parallel, so neither waits for the other. If only one of them succeeds,
 * the answer is 503 and Graph sends again, so one of them receives the notification twice. That is harmless: signals
 * are idempotent, and Graph may deliver twice anyway. A lost notification would do harm.
 */

const ANSWER_LIMIT = 1024 * 1024;

/** These concern one connection, not the message (RFC 9110, 7.6.1), or are set again for it. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'content-length',
  'expect',
]);

export interface Forward {
  bot: Bot;
  close(): Promise<void>;
}

export function forwardTo(forwardUrl: string, metrics: WebhookMetrics): Forward {
  if (!URL.canParse(forwardUrl)) throw new TypeError(`forwardUrl ${forwardUrl} is not an address.`);
  const dispatcher = outbound();
  const bot: Bot = async (request) => {
    try {
      const answer = await pass(forwardUrl, request, dispatcher);
      metrics.forwards.inc({ outcome: 'answered' });
      return answer;
    } catch (error) {
      metrics.forwards.inc({ outcome: 'failed' });
      throw botUnavailable(error);
    }
  };
  // Requests have been answered by now; nothing waits for the rest.
  return { bot, close: () => dispatcher.destroy() };
}

async function pass(forwardUrl: string, request: BotRequest, dispatcher: Dispatcher): Promise<Answer> {
  const { statusCode, headers, body } = await send(targetOf(request, forwardUrl), {
    dispatcher,
    method: 'POST',
    headers: passedOn(request),
    body: request.body,
    signal: AbortSignal.timeout(BOT_TIMEOUT_MS),
  });
  const isOurs = isHopByHop(headers['connection']);
  const passedBack = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined || isOurs(name) ? [] : [[name, value] as const],
  );
  return { statusCode, headers: Object.fromEntries(passedBack), body: await readAll(body, ANSWER_LIMIT) };
}

/**
 * Bots keep keys in the query of their callback, and have one for each instance below its path. So both are appended
 * to the bot's address.
 */
function targetOf({ url, below }: BotRequest, forwardUrl: string): URL {
  const target = new URL(forwardUrl);
  if (below !== '') target.pathname = target.pathname.replace(/\/$/, '') + below;
  const at = url.indexOf('?');
  const query = at < 0 ? '' : url.slice(at + 1);
  if (query !== '') target.search = target.search === '' ? query : `${target.search}&${query}`;
  return target;
}

function passedOn({ headers, rawHeaders }: BotRequest): string[] {
  const isOurs = isHopByHop(headers.connection);
  const passed: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2);
    if (!isOurs(name)) passed.push(name, value);
  }
  return passed;
}

/** A `Connection` header may name further ones that are for one connection only. */
function isHopByHop(connection: string | string[] | undefined): (name: string) => boolean {
  const named = new Set(
    String(connection ?? '')
      .toLowerCase()
      .split(/[\s,]+/),
  );
  return (name) => {
    const lower = name.toLowerCase();
    return HOP_BY_HOP.has(lower) || lower.startsWith('proxy-') || named.has(lower);
  };
}
