import type { FastifyInstance } from 'fastify';
import { createHealthServer, healthPlugin, type Check, type HealthOptions } from '../health/health.ts';
import { demand, temporalCheck } from '../health/checks.ts';
import { createHttpServer } from '../http/http-server.ts';
import { mountWebhook } from './plugin.ts';
import { Webhook, type WebhookOptions } from './webhook.ts';

/**
 * The webhook's own process: the webhook and its health, on one address or on two.
 *
 *     serving ──drain()──▶ draining ──close()──▶ closed
 *
 * While draining it still serves but is not ready, so that the load balancer sends new requests elsewhere before the
 * server stops. Closing lets every request that has begun have its answer.
 */

export interface Address {
  host: string;
  port: number;
}

export type WebhookServerOptions = WebhookOptions & {
  /** Where health listens when not beside the webhook. */
  healthAddress?: Address | undefined;
  /** Checks of readiness besides keys and draining, such as `temporalCheck(client)`. */
  checks?: Readonly<Record<string, Check>> | undefined;
  requestTimeout?: number;
};

export interface WebhookServer {
  /** Resolves with the addresses that it listens on. */
  listen(address: Address): Promise<{ webhook: string; health: string }>;
  drain(): void;
  close(): Promise<void>;
}

export function createWebhookServer(options: WebhookServerOptions): WebhookServer {
  let draining = false;
  const webhook = new Webhook(options);
  const health: HealthOptions = {
    checks: {
      ...('client' in options && { temporal: temporalCheck(options.client) }),
      ...options.checks,
      keys: () => demand(webhook.keys.held, 'the signing keys have not been fetched yet'),
      draining: () => demand(!draining, 'the process is shutting down'),
    },
    registry: webhook.metrics.registry,
    log: options.log,
  };
  const app = createHttpServer(options);
  void app.register(async (scope) => mountWebhook(scope, webhook));
  let healthApp: FastifyInstance | undefined;
  if (options.healthAddress === undefined) void app.register(healthPlugin, health);
  else healthApp = createHealthServer(health);

  return {
    async listen(address) {
      const [webhookUrl, healthUrl] = await Promise.all([
        app.listen(address),
        healthApp?.listen(options.healthAddress),
      ]);
      return { webhook: webhookUrl, health: healthUrl ?? webhookUrl };
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
