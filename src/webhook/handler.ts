import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHttpServer } from '../http/http-server.ts';
import { webhookPlugin } from './plugin.ts';
import type { WebhookOptions } from './webhook.ts';

export interface WebhookHandler {
  (request: IncomingMessage, response: ServerResponse): void;
  close(): Promise<void>;
}

/**
 * For a bot's own server on Node's `http`: give it the requests to the webhook's path. It reads the body itself, so it
 * comes before anything else that would.
 */
export async function createWebhookHandler(options: WebhookOptions): Promise<WebhookHandler> {
  const app = createHttpServer(options);
  await app.register(webhookPlugin, options);
  await app.ready();
  const handler = (request: IncomingMessage, response: ServerResponse): void => app.routing(request, response);
  return Object.assign(handler, { close: async () => app.close() });
}
