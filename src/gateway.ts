import { pathToFileURL } from 'node:url';
import { collectDefaultMetrics } from 'prom-client';
import { loadGatewayConfig, type GatewayConfig } from './config/gateway.ts';
import { GatewayMetrics } from './gateway/metrics.ts';
import { createGatewayServer } from './gateway/server.ts';
import { runHttpProcess } from './http-process.ts';
import { listenOn } from './http/listen.ts';
import { exitOnFault } from './lib/exit-on-error.ts';
import type { Logger } from './lib/logger.ts';
import { closeClient, lazyClient } from './temporal/connect.ts';
import { describeKeys } from './temporal/payload-codec.ts';

/**
 * The gateway process: it takes mutes and unmutes over HTTP, in Graph's shapes.
 *
 * It listens at once, whether or not Temporal and the signing keys can be reached: until they are it answers 503. On SIGTERM
 * and SIGINT it is not ready any more, answers what has begun, and ends. The operations go on without it.
 */

export interface RunningGateway {
  /** Root of the address it listens on. */
  url: string;
  health: string;
  /** Not ready any more, though still serving. */
  drain: () => void;
  stop: () => Promise<void>;
}

export async function startGateway({ config, log }: { config: GatewayConfig; log: Logger }): Promise<RunningGateway> {
  const { taskQueue, listen, health, authentication, homeTenant, publicUrl, requestsPerSecond, payloadKeys } = config;
  const client = lazyClient(config);
  const metrics = new GatewayMetrics();
  collectDefaultMetrics({ register: metrics.registry });
  const server = createGatewayServer({
    client,
    taskQueue,
    authentication,
    homeTenant,
    publicUrl,
    requestsPerSecond,
    log,
    metrics,
    healthAddress: health,
  });
  try {
    const { url, health: healthUrl } = await listenOn(
      listen,
      'MODERATION_GATEWAY_HOST and _PORT, or MODERATION_HEALTH_HOST and _PORT',
      async () => await server.listen(listen),
    );
    const payloads = describeKeys(payloadKeys);
    log.info(
      { url, health: healthUrl, authentication: authentication !== undefined, payloads },
      'gateway is listening',
    );
    if (authentication === undefined) {
      log.warn(
        { url },
        'gateway requires no token, because MODERATION_GATEWAY_AUDIENCE is not set; it listens on this machine only',
      );
    }
    const stop = async (): Promise<void> => {
      await server.close();
      await closeClient(client);
      log.info({}, 'gateway has stopped');
    };
    return { url, health: healthUrl, drain: () => server.drain(), stop };
  } catch (error) {
    await server.close();
    await closeClient(client);
    throw error;
  }
}

/** Runs the gateway until it receives a signal to stop. */
export async function main(env: NodeJS.ProcessEnv): Promise<void> {
  await runHttpProcess({ name: 'gateway', load: loadGatewayConfig, start: startGateway }, env);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await exitOnFault(() => main(process.env));
}
