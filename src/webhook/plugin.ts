import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { answerErrors, HttpError, notFound, notJson, refuseOtherMethods } from '../http/http-error.ts';
import { isJson } from '../http/json-type.ts';
import { serverSpan } from '../tracing/server-span.ts';
import { belowOf, canonicalPath, pathnameOf } from './callback-path.ts';
import { Webhook, type WebhookOptions } from './webhook.ts';

/**
 * The HTTP edge, as a Fastify plugin. It is encapsulated: parsers, hooks and the form of errors are those of the
 * webhook's own routes, and the server that it is mounted in keeps its own.
 *
 * Order of the checks: method and content type with the headers, size with the body, then the token, then the body's
 * content. The body is not parsed until the token is valid.
 */

const BODY_LIMIT = 1024 * 1024;

/**
 * The webhook for a bot's own Fastify server.
 *
 * @throws {TypeError} if an option is invalid
 *
 * @example
 * await app.register(webhookPlugin, options);
 */
export async function webhookPlugin(app: FastifyInstance, options: WebhookOptions): Promise<void> {
  await mountWebhook(app, new Webhook(options));
}

export async function mountWebhook(app: FastifyInstance, webhook: Webhook): Promise<void> {
  const { path, log, metrics } = webhook;
  answerErrors(app, log);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_LIMIT }, (_request, body, done) => {
    done(null, body);
  });
  app.addHook('onReady', async () => webhook.start());
  app.addHook('onClose', async () => webhook.close());
  app.addHook('onResponse', async (_request, reply) => metrics.answers.inc({ status: reply.statusCode }));

  const root = canonicalPath(app.prefix + path);
  const belowRoot = ({ raw }: FastifyRequest): string | undefined => belowOf(root, pathnameOf(raw.url ?? ''));
  const receive = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { originalUrl, raw, headers } = request;
    const body = request.body instanceof Buffer ? request.body : Buffer.alloc(0);
    const received = { url: originalUrl, below: belowRoot(request) ?? '', headers, rawHeaders: raw.rawHeaders, body };
    const answer = await serverSpan(`POST ${path}`, async () => await webhook.receive(received));
    reply.code(answer.statusCode).headers(answer.headers ?? {});
    // Given an empty body, the framework would make up a type for it.
    return reply.send(answer.body?.length === 0 ? undefined : answer.body);
  };
  const checkPath = async (request: FastifyRequest): Promise<void> => {
    if (belowRoot(request) === undefined) throw notFound();
  };
  app.post(path, { bodyLimit: BODY_LIMIT, onRequest: checkHead }, receive);
  refuseOtherMethods(app, path, ['POST']);
  const anyBelow = path === '/' ? '/*' : `${path}/*`;
  app.post(anyBelow, { bodyLimit: BODY_LIMIT, onRequest: [checkPath, checkHead] }, receive);
  // Below the root is everything, most of which is not there.
  if (path !== '/') refuseOtherMethods(app, anyBelow, ['POST'], checkPath);
}

/** What the head of a request can be refused for. */
async function checkHead({ raw, headers }: FastifyRequest): Promise<void> {
  if (!isJson(headers['content-type'])) throw notJson();
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity') {
    throw new HttpError(415, 'content-encoding', 'The body is compressed. Send it without a content encoding.');
  }
  if (raw.readableDidRead) {
    throw new HttpError(500, 'body-read', 'The body was already read. Mount the webhook before any body parser.');
  }
}
