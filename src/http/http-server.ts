import { METHODS } from 'node:http';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { answerError, answerErrors, errorBody, notFound, toHttpError, type HttpError, type Log } from './http-error.ts';

export interface HttpServerOptions {
  log: Log;
  /** Milliseconds in which a client must have sent its request; a slower one is cut. */
  requestTimeout?: number;
  /** Milliseconds for which a connection may be silent, also while its request is being answered. */
  connectionTimeout?: number;
  /** Answers what no route has: a path that is none, and a request that the framework refuses. As `answerError` if absent. */
  answer?: (error: HttpError, request: FastifyRequest, reply: FastifyReply) => FastifyReply;
}

/**
 * An HTTP server of ours, still without routes: errors in one shape, slow clients cut, and no parser for anything, so
 * that a route takes only the bodies that it asks for.
 *
 * While it closes, requests that still come on open connections are served: turning them away would only make the
 * sender send them again.
 */
export function createHttpServer({
  log,
  requestTimeout = 15_000,
  connectionTimeout = 15_000,
  answer = (error, request, reply) => answerError(error, log, request, reply),
}: HttpServerOptions): FastifyInstance {
  const app = fastify({
    requestTimeout,
    connectionTimeout,
    // Node looks for requests out of time only every 30 s unless told otherwise.
    http: { connectionsCheckingInterval: Math.min(1000, requestTimeout), headersTimeout: requestTimeout },
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => {
      void answer(toHttpError(error), request, reply);
    },
    clientErrorHandler(error, socket) {
      if (error.code === 'ECONNRESET' || !socket.writable) {
        socket.destroy();
        return;
      }
      const [status, text] = CLIENT_ERRORS[error.code] ?? [400, 'Bad Request'];
      log.warn({ status, reason: error.code }, 'request refused');
      const body = JSON.stringify(errorBody(status, CLIENT_ERROR_MESSAGE));
      const head = ['Content-Type: application/json', `Content-Length: ${body.length}`, 'Connection: close'];
      socket.end([`HTTP/1.1 ${status} ${text}`, ...head, '', body].join('\r\n'));
    },
  });
  // Known to the router, a method on a known path can be told from a path that is not known.
  const unknown = METHODS.filter((method) => method !== 'CONNECT' && !app.supportedMethods.includes(method));
  for (const method of unknown) app.addHttpMethod(method);
  app.removeAllContentTypeParsers();
  answerErrors(app, log);
  // A request that is being answered when closing begins leaves its connection idle, and closing waits for that as long
  // as it is kept alive: 72 s, after which any orchestrator has killed the process.
  app.addHook('preClose', async () => {
    const sweep = setInterval(() => app.server.closeIdleConnections(), 50);
    app.server.once('close', () => clearInterval(sweep));
  });
  app.setNotFoundHandler((request, reply) => {
    return answer(notFound(), request, reply);
  });
  return app;
}

const CLIENT_ERROR_MESSAGE = 'The request is incomplete, late or not valid HTTP. Send it again.';

const CLIENT_ERRORS: Readonly<Record<string, readonly [number, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
};
