import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { OperatorError } from '../lib/operator-error.ts';
import { closeLingering, leavesBodyUnread } from './lingering-close.ts';
import { toldOf } from '../lib/error-reason.ts';

/**
 * Every error that leaves over HTTP, ours and the framework's, is `{"error":{"code","message"}}`. The message says what
 * to do and never quotes the request; the reason is for the log alone.
 */

const CODES: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  408: 'RequestTimeout',
  413: 'PayloadTooLarge',
  415: 'UnsupportedMediaType',
  431: 'RequestHeaderFieldsTooLarge',
  500: 'InternalError',
  503: 'ServiceUnavailable',
};

/** A logger such as pino: fields first, then a message without values. */
export interface Log {
  /** What happens once, such as the start. */
  info(fields: object, message: string): void;
  /** A request that is refused. */
  warn(fields: object, message: string): void;
  /** A request that fails because of this process, the bot, or Temporal. */
  error(fields: object, message: string): void;
}

export interface HttpErrorOptions extends ErrorOptions {
  headers?: Readonly<Record<string, string>>;
  /** Further fields of the log line, such as the call IDs. Never tokens, bodies or names. */
  log?: object;
}

export class HttpError extends OperatorError {
  readonly statusCode: number;
  /** A short stable word for the log: which of the reasons for this status it was. */
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly log: object;

  constructor(statusCode: number, reason: string, message: string, options: HttpErrorOptions = {}) {
    super(message, options);
    this.name = 'HttpError';
    this.statusCode = statusCode;
    this.reason = reason;
    this.headers = options.headers ?? {};
    this.log = options.log ?? {};
  }
}

export function errorBody(statusCode: number, message: string): { error: { code: string; message: string } } {
  return { error: { code: CODES[statusCode] ?? (statusCode < 500 ? 'BadRequest' : 'InternalError'), message } };
}

/** Answers in our shape whatever goes wrong in the routes of this instance, and writes one line about it. */
export function answerErrors(app: FastifyInstance, log: Log): void {
  app.setErrorHandler((error, request, reply) => answerError(toHttpError(error), log, request, reply));
}

export function answerError(error: HttpError, log: Log, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { statusCode, message, headers } = error;
  beginErrorAnswer(error, log, request, reply);
  return reply.code(statusCode).headers(headers).send(errorBody(statusCode, message));
}

/** Writes one line about the error, and closes the connection if the answer leaves a body unread. `ids` are more fields of the line. */
export function beginErrorAnswer(
  { statusCode, reason, cause, log: more }: HttpError,
  log: Log,
  request: FastifyRequest,
  reply: FastifyReply,
  ids: object = {},
): void {
  const fields = { status: statusCode, reason, method: request.method, ...ids, ...more };
  if (statusCode >= 500) log.error({ ...fields, ...(cause !== undefined && { err: toldOf(cause) }) }, 'request failed');
  else log.warn(fields, 'request refused');
  if (leavesBodyUnread(request.raw)) {
    closeLingering(request.raw);
    reply.header('connection', 'close');
  }
}

/** The framework's own errors carry a status below 500 and a code; anything else is an error of ours. */
export function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  const { statusCode, code } = (error ?? {}) as Partial<FastifyError>;
  switch (statusCode) {
    case 413:
      return new HttpError(413, 'too-large', 'The body is larger than 1 MiB. Send fewer notifications at once.');
    case 415:
      return notJson();
    default:
      return statusCode !== undefined && statusCode >= 400 && statusCode < 500
        ? new HttpError(statusCode, code ?? 'request', 'The request cannot be read. Check it against HTTP.')
        : new HttpError(500, 'unexpected', 'Internal error. Send the request again later.', { cause: error });
  }
}

/** For a content type that is not JSON, whether the route or the framework finds out. */
export function notJson(): HttpError {
  return new HttpError(415, 'content-type', 'The content type is not JSON. Send application/json.');
}

export function notFound(): HttpError {
  return new HttpError(404, 'path', 'Nothing is served at this path. Check the path of the address.');
}

/** Refuses the other methods of a path, before anything is asked about content type or body. */
export function refuseOtherMethods(
  app: FastifyInstance,
  url: string,
  allowed: readonly string[],
  isThere: (request: FastifyRequest) => Promise<void> = async () => undefined,
): void {
  const refuse = (): never => {
    const allow = allowed.join(', ');
    throw new HttpError(405, 'method', `This path accepts ${allow} only.`, { headers: { allow } });
  };
  const method = app.supportedMethods.filter((name) => !allowed.includes(name));
  app.route({ method, url, exposeHeadRoute: false, onRequest: [isThere, async () => refuse()], handler: refuse });
}
