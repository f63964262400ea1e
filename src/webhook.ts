import { pathToFileURL } from 'node:url';
import { collectDefaultMetrics } from 'prom-client';
import { loadWebhookConfig, type WebhookConfig } from './config/webhook.ts';
import { runHttpProcess } from './http-process.ts';
import { listenOn } from './http/listen.ts';
import type { Logger } from './lib/logger.ts';
import { exitOnFault } from './lib/exit-on-error.ts';
import { closeClient, lazyClient } from './temporal/connect.ts';
import { describeKeys } from './temporal/payload-codec.ts';
import { WebhookMetrics } from './webhook/metrics.ts';
import { createWebhookServer } from './webhook/server.ts';

/**
 * The webhook process: it takes Graph's notifications and signals the operations.
 *
 * It listens at once, whether or not Temporal and the signing keys can be reached: until they are it answers 503, and
 * nothing is lost. On SIGTERM and SIGINT it is not ready any more, answers what has begun, and ends.
 */

export interface RunningWebhook {
  /** Root of the address it listens on. */
  url: string;
  /** Where Graph's notifications go. */
  callbackUrl: string;
  /** Not ready any more, though still serving. */
  drain: () => void;
  stop: () => Promise<void>;
}

export async function startWebhook({ config, log }: { config: WebhookConfig; log: Logger }): Promise<RunningWebhook> {
  const { taskQueue, listen, health, tenants, path, audience, issuers, openIdUrl, forwardUrl, payloadKeys } = config;
  const client = lazyClient(config);
  const metrics = new WebhookMetrics();
  collectDefaultMetrics({ register: metrics.registry });
  const server = createWebhookServer({
    client,
    taskQueue,
    path,
    audience,
    issuers,
    openIdUrl,
    forwardUrl,
    log,
    metrics,
    ...(tenants !== undefined && { tenants: [...tenants] }),
    ...(health !== undefined && { healthAddress: health }),
  });
  try {
    const { url, health: healthUrl } = await listenOn(
      listen,
      'MODERATION_WEBHOOK_HOST and _PORT, or MODERATION_HEALTH_HOST and _PORT',
      async () => await server.listen(listen),
    );
    const payloads = describeKeys(payloadKeys);
    log.info({ url, path, health: healthUrl, forward: forwardUrl !== undefined, payloads }, 'webhook is listening');
    const stop = async (): Promise<void> => {
      await server.close();
      await closeClient(client);
      log.info({}, 'webhook has stopped');
    };
    return { url, callbackUrl: `${url}${path}`, drain: () => server.drain(), stop };
  } catch (error) {
    await server.close();
    await closeClient(client);
    throw error;
  }
}

/** Runs the webhook until it receives a signal to stop. */
export async function main(env: NodeJS.ProcessEnv): Promise<void> {
  await runHttpProcess({ name: 'webhook', load: loadWebhookConfig, start: startWebhook }, env);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await exitOnFault(() => main(process.env));
}
