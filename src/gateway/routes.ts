import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { HttpError, refuseOtherMethods, type Log } from '../http/http-error.ts';
import { isJson } from '../http/json-type.ts';
import type { Action } from '../contract/names.ts';
import { serverSpan } from '../tracing/server-span.ts';
import { BODY_LIMIT, type Answers } from './answers.ts';
import type { Callers } from './callers.ts';
import { commsOperationOf } from './comms-operation.ts';
import { decoded } from './content-encoding.ts';
import type { Answered, Gateway } from './gateway.ts';
import type { GatewayMetrics } from './metrics.ts';
import { openApiOf } from './openapi.ts';
import { appliedOf, preferenceIn, waitMsOf } from './prefer.ts';
import { callPath, muteBody, operationPath, participantPath } from './schemas.ts';

/**
 * The HTTP edge. Order of the checks: path and size, the token, the rate, then the request's content.
 *
 * An operation that is still running is answered 202, as RFC 7240 has it for `respond-async`. Graph's SDKs read the body of
 * every 2xx but 204, so they get the operation; `Location` says where to ask for it again.
 */

export const VERSIONS = ['v1.0', 'beta'] as const;
/** Both forms that Graph documents. */
const ROOTS = ['communications', 'app'] as const;

export interface RoutesOptions {
  gateway: Gateway;
  callers: Callers;
  answers: Answers;
  log: Log;
  metrics: GatewayMetrics;
  /** Root of the address that callers use; that of the request's `Host` where absent. */
  publicUrl?: string | undefined;
}

export async function gatewayRoutes(app: FastifyInstance, options: RoutesOptions): Promise<void> {
  const { gateway, callers, answers, log, metrics, publicUrl } = options;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_LIMIT }, (_request, body, done) => {
    done(null, body);
  });
  app.addHook('onRequest', async (request, reply) => {
    answers.identify(request, reply);
  });
  app.addHook('onResponse', async (request, reply) => {
    const asked = askedOf(request.routeOptions.url);
    metrics.answers.inc({ asked, status: reply.statusCode });
    metrics.seconds.observe({ asked }, reply.elapsedTime / 1000);
  });
  app.setErrorHandler((error, request, reply) => answers.error(error, request, reply));

  const document = openApiOf();
  app.get('/openapi.json', async () => ({ ...document, servers: [{ url: publicUrl ?? '/' }] }));
  refuseOtherMethods(app, '/openapi.json', ['GET', 'HEAD']);

  const moderate =
    (version: string, root: string, action: Action, isParticipant: boolean) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const caller = await callers.identify(request.headers.authorization);
      const path: { callId: string; participantId?: string } = isParticipant
        ? valid(participantPath, request.params)
        : valid(callPath, request.params);
      const { clientContext } = bodyOf(request);
      const preference = preferenceIn(request.headers.prefer);
      const answered = await gateway.moderate({
        action,
        ...path,
        clientContext: clientContext ?? undefined,
        requestId: keyIn(request.headers['idempotency-key']),
        caller,
        waitMs: waitMsOf(preference),
      });
      if (!('state' in answered)) return answers.failure(answered, request, reply);
      const isRunning = answered.state === 'running';
      const applied = appliedOf(preference, isRunning);
      if (applied !== undefined) reply.header('preference-applied', applied);
      if (typeof answered.state !== 'string') return answers.failure(answered.state, request, reply);
      const at = rootUrlOf(request, publicUrl);
      log.info(
        { callId: path.callId, action, status: answered.state, requestId: answers.idsOf(request).requestId },
        'asked',
      );
      reply.header('location', `${at}/${version}/${root}/calls/${path.callId}/operations/${answered.id}`);
      if (isRunning) reply.header('retry-after', '1');
      return reply.code(isRunning ? 202 : 200).send(shownOf(request, version, answered));
    };

  const find =
    (version: string) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const caller = await callers.identify(request.headers.authorization);
      const { callId, operationId } = valid(operationPath, request.params);
      const found = await gateway.find(callId, operationId, caller);
      if (found === undefined) {
        const message = `Call ${callId} has no such operation, or not any more. Ask for it as the Location has it.`;
        throw new HttpError(404, 'OperationNotFound', message);
      }
      if (!('state' in found)) return answers.failure(found, request, reply);
      if (found.state === 'running') reply.header('retry-after', '1');
      return reply.send(shownOf(request, version, found));
    };

  function shownOf(request: FastifyRequest, version: string, answered: Answered) {
    return commsOperationOf({ root: rootUrlOf(request, publicUrl), version, ...answered }, answers.idsOf(request));
  }

  type Handle = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;
  const traced =
    (name: string, handle: Handle): Handle =>
    async (request, reply) =>
      await serverSpan(name, async () => await handle(request, reply));
  for (const version of VERSIONS) {
    for (const root of ROOTS) {
      const call = `/${version}/${root}/calls/:callId`;
      const posts: readonly [string, Action, boolean][] = [
        ['/mute', 'mute', false],
        ['/unmute', 'unmute', false],
        ['/participants/:participantId/mute', 'mute', true],
      ];
      for (const [below, action, isParticipant] of posts) {
        const url = call + below;
        app.post(url, { bodyLimit: BODY_LIMIT }, traced(`POST ${url}`, moderate(version, root, action, isParticipant)));
        refuseOtherMethods(app, url, ['POST']);
      }
      const url = `${call}/operations/:operationId`;
      app.get(url, traced(`GET ${url}`, find(version)));
      refuseOtherMethods(app, url, ['GET', 'HEAD']);
    }
  }
}

/** A word for the metrics. */
function askedOf(url: string | undefined): string {
  const last = url?.split('/').at(-1) ?? '';
  if (url?.includes('/participants/') === true) return 'participantMute';
  if (last === ':operationId') return 'operation';
  return ['mute', 'unmute', 'openapi.json'].includes(last) ? last : 'other';
}

function valid<T extends z.ZodType>(schema: T, given: unknown): z.output<T> {
  const checked = schema.safeParse(given);
  if (checked.success) return checked.data;
  const issues = checked.error.issues.map(({ path, message }) => `${path.join('.') || 'the body'} ${message}`);
  throw new HttpError(400, 'InvalidRequest', `The request is not valid: ${issues.slice(0, 5).join('; ')}.`);
}

/** An empty body is one without fields. */
function bodyOf({ body, headers }: FastifyRequest): z.output<typeof muteBody> {
  const sent = body instanceof Buffer ? body : Buffer.alloc(0);
  const bytes = decoded(sent, headers['content-encoding'], BODY_LIMIT);
  if (bytes.length === 0) return {};
  if (!isJson(headers['content-type'])) {
    throw new HttpError(
      415,
      'UnsupportedMediaType',
      'The content type is not JSON. Send application/json, or no body.',
    );
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new HttpError(400, 'InvalidRequest', 'The body is not JSON. Send an object with clientContext, or no body.');
  }
  return valid(muteBody, parsed);
}

/** The draft of the header has it in quotes, and most clients send it without. The contract checks its form. */
function keyIn(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header.trim().replace(/^"(.*)"$/, '$1') : undefined;
}

function rootUrlOf({ headers }: FastifyRequest, publicUrl: string | undefined): string {
  const { host = '' } = headers;
  return publicUrl ?? `http://${/^[\w.:[\]-]{1,255}$/.test(host) ? host : 'localhost'}`;
}
