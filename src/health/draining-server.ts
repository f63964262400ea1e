import type { FastifyInstance } from 'fastify';
import { demand } from './checks.ts';
import { createHealthServer, healthPlugin, type HealthOptions } from './health.ts';

/**
 * A server and its health, on one address or on two.
 *
 *     serving ──drain()──▶ draining ──close()──▶ closed
 *
 * While it drains it still serves but is not ready, so that the load balancer sends new requests elsewhere before the server
 * stops. Closing lets every request that has begun have its answer.
 */

export interface Address {
  host: string;
  port: number;
}

export interface DrainingServer {
  /** Resolves with the roots of the addresses that it listens on. */
  listen(address: Address): Promise<{ url: string; health: string }>;
  drain(): void;
  close(): Promise<void>;
}

/** `healthAddress` is where health listens if not beside `app`. */
export function drainingServer(
  app: FastifyInstance,
  options: HealthOptions,
  healthAddress: Address | undefined,
): DrainingServer {
  let draining = false;
  const checks = { ...options.checks, draining: () => demand(!draining, 'the process is shutting down') };
  const health: HealthOptions = { ...options, checks };
  let healthApp: FastifyInstance | undefined;
  if (healthAddress === undefined) void app.register(healthPlugin, health);
  else healthApp = createHealthServer(health);

  return {
    async listen(address) {
      const [url, healthUrl] = await Promise.all([app.listen(address), healthApp?.listen(healthAddress)]);
      return { url, health: healthUrl ?? url };
    },
    drain() {
      draining = true;
    },
    async close() {
      draining = true;
      await app.close();
      // Last, so that requests in progress can still be observed.
      await healthApp?.close();
    },
  };
}
