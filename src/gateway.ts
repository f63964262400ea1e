import { pathToFileURL } from 'node:url';
import { collectDefaultMetrics } from 'prom-client';
import { configWarnings, loadGatewayConfig, wantsTraces, type GatewayConfig } from './config.ts';
import { GatewayMetrics } from './gateway/metrics.ts';
import { createGatewayServer } from './gateway/server.ts';
import { listenOn } from './http/listen.ts';
import { exitOnFault } from './lib/exit-on-error.ts';
import { createLogger, type Logger } from './lib/logger.ts';
import { stopSignal } from './lib/stop-signal.ts';
import { closeClient, lazyClient } from './temporal/connect.ts';
import { describeKeys } from './temporal/payload-codec.ts';
import { startTracing } from './tracing/tracing.ts';

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
    const { gateway: url, health: healthUrl } = await listenOn(
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
        'gateway asks nobody for a token, because MODERATION_GATEWAY_AUDIENCE is not set; this machine only',
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

/** How long a load balancer has to see that the process is not ready any more, in ms. */
const DRAIN_MS = 1_000;

/** Runs the gateway until it is told to stop. */
export async function main(env: NodeJS.ProcessEnv): Promise<void> {
  const config = loadGatewayConfig(env);
  // Listened for before anyone can know that the process is there.
  const stopped = stopSignal();
  const log = createLogger(config.logLevel, 'gateway');
  for (const warning of configWarnings(env)) log.warn({ warning }, 'configuration');
  const sendTraces = await startTracing(wantsTraces(env), 'gateway', (said) => log.warn({ said }, 'OpenTelemetry'));
  const gateway = await startGateway({ config, log });
  await stopped;
  gateway.drain();
  await new Promise((resolve) => {
    setTimeout(resolve, DRAIN_MS);
  });
  await gateway.stop();
  await sendTraces();
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await exitOnFault(() => main(process.env));
}
