import { request } from 'undici';
import type { WebhookConfig } from '../config/webhook.ts';
import { seldom } from '../lib/outbound.ts';
import { fetchKeys } from '../auth/key-document.ts';
import { CHECK_MS, Fault, type Check } from './check.ts';
import { reasonOf } from '../lib/error-reason.ts';

/** The webhook as Graph reaches it, and the keys that it verifies tokens with. */

/** It has the form of a token but is invalid: it is refused before any key is looked for. */
const BAD_TOKEN = 'Bearer doctor.bad.token';

export function webhookChecks({ openIdUrl }: Pick<WebhookConfig, 'openIdUrl'>, webhookUrl: string): Check[] {
  return [
    { name: 'webhook', run: async () => await refusesBadToken(webhookUrl) },
    {
      name: 'signing keys',
      run: async () => {
        try {
          const keys = await fetchKeys(openIdUrl, AbortSignal.timeout(CHECK_MS - 1_000));
          return `${keys.length} at ${openIdUrl}`;
        } catch (error) {
          const remedy =
            'Allow this machine to reach it, or set MODERATION_WEBHOOK_OPENID_URL. Without them every notification is answered 503.';
          throw new Fault(`none from ${openIdUrl}: ${reasonOf(error)}`, remedy);
        }
      },
    },
  ];
}

async function refusesBadToken(url: string): Promise<string> {
  const status = await post(url);
  if (status === 401) return `${url} answers, and refuses a bad token`;
  if (status >= 200 && status < 300) {
    const remedy =
      'Something else listens there, or handles the requests before the webhook. Never act on notifications whose token was not checked.';
    throw new Fault(`${url} answers ${status} to a bad token`, remedy);
  }
  const remedy =
    'Compare the address and MODERATION_WEBHOOK_PATH with the callbackUri of your calls, and check the proxies between.';
  throw new Fault(`${url} answers ${status} to a bad token instead of 401`, remedy);
}

async function post(url: string): Promise<number> {
  try {
    const { statusCode, body } = await request(url, {
      dispatcher: seldom(),
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: BAD_TOKEN },
      body: '{"value":[]}',
      signal: AbortSignal.timeout(CHECK_MS - 1_000),
      reset: true,
    });
    await body.dump();
    return statusCode;
  } catch (error) {
    const remedy = 'Start it (`call-moderation webhook`), or name the address that Graph uses with --webhook-url.';
    throw new Fault(`${url} does not answer: ${reasonOf(error)}`, remedy);
  }
}
