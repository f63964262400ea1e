import { pathToFileURL } from 'node:url';
import { collectDefaultMetrics } from 'prom-client';
import { configWarnings, loadWebhookConfig, wantsTraces, type WebhookConfig } from './config.ts';
import { listenOn } from './http/listen.ts';
import { createLogger, type Logger } from './lib/logger.ts';
import { exitOnFault } from './lib/exit-on-error.ts';
import { stopSignal } from './lib/stop-signal.ts';
import { closeClient, lazyClient } from './temporal/connect.ts';
import { describeKeys } from './temporal/payload-codec.ts';
import { startTracing } from './tracing/tracing.ts';
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
    const { webhook: url, health: healthUrl } = await listenOn(
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

/** How long a load balancer has to see that the process is not ready any more, in ms. */
const DRAIN_MS = 1_000;

/** Runs the webhook until it receives a signal to stop. */
export async function main(env: NodeJS.ProcessEnv): Promise<void> {
  const config = loadWebhookConfig(env);
  // Listened for before anyone can know that the process is there.
  const stopped = stopSignal();
  const log = createLogger(config.logLevel, 'webhook');
  for (const warning of configWarnings(env)) log.warn({ warning }, 'configuration');
  const sendTraces = await startTracing(wantsTraces(env), 'webhook', (said) => log.warn({ said }, 'OpenTelemetry'));
  const webhook = await startWebhook({ config, log });
  await stopped;
  webhook.drain();
  await new Promise((resolve) => {
    setTimeout(resolve, DRAIN_MS);
  });
  await webhook.stop();
  await sendTraces();
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await exitOnFault(() => main(process.env));
}
