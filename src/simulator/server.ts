import Fastify, { type FastifyInstance } from 'fastify';
import { createServer as createHttp, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';

/** Certificate and key, in PEM. */
export interface Tls {
  key: string | Buffer;
  cert: string | Buffer;
}

/** A Fastify server over HTTP or HTTPS, bound before anything is served, since what it serves names its own address. */
export interface BoundServer {
  readonly app: FastifyInstance;
  readonly url: string;
  /** Takes requests from now on. */
  open(): Promise<void>;
  close(): Promise<void>;
}

export async function bindServer({ host, port, tls }: { host: string; port: number; tls?: Tls }): Promise<BoundServer> {
  const server: Server = tls ? createHttps({ key: tls.key, cert: tls.cert }) : createHttp();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  const app = Fastify({
    logger: false,
    // Longer than anyone waits, and no shorter limit of the server's own: how long an answer takes is for faults to
    // say.
    requestTimeout: 0,
    serverFactory: (handler) => server.on('request', handler),
  });
  return {
    app,
    url: `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    open: async () => {
      await app.ready();
    },
    close: async () => {
      // Hanging requests and kept-alive connections would hold the server open for ever.
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      server.closeAllConnections();
      await Promise.all([closed, app.close()]);
    },
  };
}
