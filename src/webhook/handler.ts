import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHttpServer } from '../http/http-server.ts';
import { belowOf, canonicalPath, pathnameOf } from './callback-path.ts';
import { webhookPlugin } from './plugin.ts';
import type { WebhookOptions } from './webhook.ts';

/** The webhook as a request listener of Node's `http`. */
export interface WebhookHandler {
  /** Answers one request. */
  (request: IncomingMessage, response: ServerResponse): void;
  /** Waits for requests under way. It leaves the Temporal client open. */
  close(): Promise<void>;
}

/**
 * The webhook for a bot's own server on Node's `http`, or on a framework above it: pass it the requests to the webhook's
 * path. It reads the body itself, so mount it before any body parser.
 *
 * Express and similar frameworks remove the path that a handler is mounted on (`app.use(path, handler)`) from the
 * request's address, and keep the whole address as `originalUrl`. So a handler may be mounted on the webhook's path, or
 * on one above it.
 *
 * @throws {TypeError} if an option is invalid
 *
 * @example
 * const handler = await createWebhookHandler({
 *   path: '/api/calls',
 *   audience: appId,
 *   issuers: ['https://api.botframework.com', 'https://graph.microsoft.com'],
 *   openIdUrl: 'https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration',
 *   client,
 *   log: console,
 * });
 * createServer(handler).listen(3978);
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
