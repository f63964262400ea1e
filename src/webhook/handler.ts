import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHttpServer } from '../http/http-server.ts';
import { belowOf, canonicalPath, pathnameOf } from './callback-path.ts';
import { webhookPlugin } from './plugin.ts';
import type { WebhookOptions } from './webhook.ts';

export interface WebhookHandler {
  (request: IncomingMessage, response: ServerResponse): void;
  close(): Promise<void>;
}

/**
 * For a bot's own server on Node's `http`, or on a framework above it: pass it the requests to the webhook's path. It
 * reads the body itself, so mount it before any body parser.
 *
 * Express and its kin cut the path that a handler is mounted on (`app.use(path, handler)`) from the request's
 * address, and keep the whole of it as `originalUrl`. Either may be the webhook's path, so a handler may be mounted
 * on that path, or on one above it.
 */
export async function createWebhookHandler(options: WebhookOptions): Promise<WebhookHandler> {
  const app = createHttpServer(options);
  const path = canonicalPath(options.path);
  await app.register(webhookPlugin, options);
  await app.ready();
  const handler = (request: IncomingMessage & { originalUrl?: unknown }, response: ServerResponse): void => {
    const { originalUrl } = request;
    const isWhole = (url: string): boolean => belowOf(path, pathnameOf(url)) !== undefined;
    if (typeof originalUrl === 'string' && isWhole(originalUrl)) request.url = originalUrl;
    app.routing(request, response);
  };
  return Object.assign(handler, { close: async () => app.close() });
}
