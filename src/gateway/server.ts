import { demand, temporalCheck } from '../health/checks.ts';
import { drainingServer, type Address, type DrainingServer } from '../health/draining-server.ts';
import type { HealthOptions } from '../health/health.ts';
import type { Log } from '../http/http-error.ts';
import { createHttpServer } from '../http/http-server.ts';
import { Answers } from './answers.ts';
import { Callers, type Authentication } from './callers.ts';
import { Gateway, type GatewayOptions } from './gateway.ts';
import type { GatewayMetrics } from './metrics.ts';
import { MAX_WAIT_MS } from './prefer.ts';
import { gatewayRoutes } from './routes.ts';

/**
 * The gateway's own server: the gateway and its health. Closing answers everybody who still waits for an outcome, that the
 * operation runs and where to ask for it again, which another process does as well.
 */

export interface GatewayServerOptions extends GatewayOptions {
  authentication: Authentication | undefined;
  /** Of one application. */
  requestsPerSecond: number;
  publicUrl?: string | undefined;
  /** Where health listens if not beside the gateway. */
  healthAddress?: Address | undefined;
  log: Log;
  metrics: GatewayMetrics;
}

export function createGatewayServer(options: GatewayServerOptions): DrainingServer {
  const { client, authentication, requestsPerSecond, publicUrl, healthAddress, log, metrics } = options;
  const gateway = new Gateway(options);
  const callers = new Callers(authentication, requestsPerSecond, log, metrics);
  const health: HealthOptions = {
    checks: {
      temporal: temporalCheck(client),
      ...(callers.keys !== undefined && {
        keys: () => demand(callers.keys?.held === true, 'the signing keys have not been fetched yet'),
      }),
    },
    registry: metrics.registry,
    log,
  };
  const answers = new Answers(log);
  // A connection is silent for as long as its caller waits for an outcome.
  const app = createHttpServer({
    log,
    connectionTimeout: MAX_WAIT_MS + 30_000,
    answer: (error, request, reply) => answers.error(error, request, reply),
  });
  app.addHook('onReady', async () => callers.keys?.start());
  app.addHook('preClose', async () => gateway.stopWaiting());
  app.addHook('onClose', async () => callers.keys?.stop());
  void app.register(gatewayRoutes, { gateway, callers, answers, log, metrics, publicUrl });
  return drainingServer(app, health, healthAddress);
}
