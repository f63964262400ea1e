import type { FastifyInstance } from 'fastify';
import { demand, temporalCheck } from '../health/checks.ts';
import { createHealthServer, healthPlugin, type HealthOptions } from '../health/health.ts';
import type { Log } from '../http/http-error.ts';
import { createHttpServer } from '../http/http-server.ts';
import { Callers, type Authentication } from './callers.ts';
import { Gateway, type GatewayOptions } from './gateway.ts';
import type { GatewayMetrics } from './metrics.ts';
import { MAX_WAIT_MS } from './prefer.ts';
import { gatewayRoutes } from './routes.ts';

/**
 * The gateway's own process: the gateway and its health, on one address or on two.
 *
 *     serving ──drain()──▶ draining ──close()──▶ closed
 *
 * Draining serves on but is not ready. Closing answers everybody who still waits for an outcome, that the operation runs
 * and where to ask for it again, which another process does as well.
 */

export interface Address {
  host: string;
  port: number;
}

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

export interface GatewayServer {
  listen(address: Address): Promise<{ gateway: string; health: string }>;
  drain(): void;
  close(): Promise<void>;
}

export function createGatewayServer(options: GatewayServerOptions): GatewayServer {
  const { client, authentication, requestsPerSecond, publicUrl, healthAddress, log, metrics } = options;
  let draining = false;
  const gateway = new Gateway(options);
  const callers = new Callers(authentication, requestsPerSecond, log, metrics);
  const health: HealthOptions = {
    checks: {
      temporal: temporalCheck(client),
      ...(callers.keys !== undefined && {
        keys: () => demand(callers.keys?.held === true, 'the signing keys have not been fetched yet'),
      }),
      draining: () => demand(!draining, 'the process is going away'),
    },
    registry: metrics.registry,
    log,
  };
  // A connection is silent for as long as its caller waits for an outcome.
  const app = createHttpServer({ log, connectionTimeout: MAX_WAIT_MS + 30_000 });
  app.addHook('onReady', async () => callers.keys?.start());
  app.addHook('preClose', async () => gateway.stopWaiting());
  app.addHook('onClose', async () => callers.keys?.stop());
  void app.register(gatewayRoutes, { gateway, callers, log, metrics, publicUrl });
  let healthApp: FastifyInstance | undefined;
  if (healthAddress === undefined) void app.register(healthPlugin, health);
  else healthApp = createHealthServer(health);

  return {
    async listen(address) {
      const [gatewayUrl, healthUrl] = await Promise.all([app.listen(address), healthApp?.listen(healthAddress)]);
      return { gateway: gatewayUrl, health: healthUrl ?? gatewayUrl };
    },
    drain() {
      draining = true;
    },
    async close() {
      draining = true;
      await app.close();
      // Last, so that what is still being answered can be watched.
      await healthApp?.close();
    },
  };
}
