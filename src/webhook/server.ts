import type { Check, HealthOptions } from '../health/health.ts';
import { demand, temporalCheck } from '../health/checks.ts';
import { drainingServer, type Address, type DrainingServer } from '../health/draining-server.ts';
import { createHttpServer } from '../http/http-server.ts';
import { mountWebhook } from './plugin.ts';
import { Webhook, type WebhookOptions } from './webhook.ts';

/** The webhook's own server: the webhook and its health. */

export type WebhookServerOptions = WebhookOptions & {
  /** Where health listens when not beside the webhook. */
  healthAddress?: Address | undefined;
  /** Checks of readiness besides keys and draining, such as `temporalCheck(client)`. */
  checks?: Readonly<Record<string, Check>> | undefined;
  requestTimeout?: number;
};

export function createWebhookServer(options: WebhookServerOptions): DrainingServer {
  const webhook = new Webhook(options);
  const health: HealthOptions = {
    checks: {
      ...('client' in options && { temporal: temporalCheck(options.client) }),
      ...options.checks,
      keys: () => demand(webhook.keys.held, 'the signing keys have not been fetched yet'),
    },
    registry: webhook.metrics.registry,
    log: options.log,
  };
  const app = createHttpServer(options);
  void app.register(async (scope) => mountWebhook(scope, webhook));
  return drainingServer(app, health, options.healthAddress);
}
