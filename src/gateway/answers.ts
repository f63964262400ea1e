import { randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { beginErrorAnswer, toHttpError, type Log } from '../http/http-error.ts';
import { errorOf, type Failure, type RequestIds } from './failure.ts';

/**
 * Error answers, all in Graph's shape and with the IDs of the request. This includes answers to unknown paths, and to requests
 * that the framework refuses before a route receives them.
 */

export const BODY_LIMIT = 16 * 1024;

const CODES: Readonly<Record<number, string>> = {
  404: 'ResourceNotFound',
  405: 'MethodNotAllowed',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  500: 'InternalServerError',
  503: 'ServiceUnavailable',
};

export class Answers {
  readonly #log: Log;
  readonly #ids = new WeakMap<FastifyRequest, RequestIds>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** The IDs of a request: the same ones in its answer and in the log. */
  idsOf(request: FastifyRequest): RequestIds {
    const ids = this.#ids.get(request) ?? newIds(request);
    this.#ids.set(request, ids);
    return ids;
  }

  /** Sets the headers that every answer has. */
  identify(request: FastifyRequest, reply: FastifyReply): void {
    const { requestId, clientRequestId } = this.idsOf(request);
    reply.headers({ 'request-id': requestId, 'client-request-id': clientRequestId });
  }

  /** Answers an error that a route or the framework has thrown. */
  error(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const error = toHttpError(thrown);
    const { statusCode: status, reason, message, headers } = error;
    const { requestId } = this.idsOf(request);
    beginErrorAnswer(error, this.#log, request, reply, { requestId });
    const code = /^[A-Z]/.test(reason) && !reason.startsWith('FST_') ? reason : (CODES[status] ?? 'BadRequest');
    const said =
      status === 413 ? `The body is larger than ${BODY_LIMIT / 1024} KiB. Send clientContext alone.` : message;
    return this.#send(request, reply, { status, code, message: said, inner: {}, headers });
  }

  /** Answers for an operation that could not be started, or that has failed. */
  failure(failure: Failure, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { status, code } = failure;
    const { requestId } = this.idsOf(request);
    this.#log.warn({ status, reason: code, method: request.method, requestId }, 'request refused');
    return this.#send(request, reply, failure);
  }

  #send(request: FastifyRequest, reply: FastifyReply, failure: Failure): FastifyReply {
    this.identify(request, reply);
    return reply
      .code(failure.status)
      .headers(failure.headers)
      .send(errorOf(failure, this.idsOf(request)));
  }
}

/** An ID of the caller's own comes back; one that does not fit in a header and a log line is replaced. */
function newIds({ headers }: FastifyRequest): RequestIds {
  const given = headers['client-request-id'];
  const requestId = randomUUID();
  const isFit = typeof given === 'string' && /^[\w.:/+=@~-]{1,128}$/.test(given);
  return { requestId, clientRequestId: isFit ? given : requestId };
}
