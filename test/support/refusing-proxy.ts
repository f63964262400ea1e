import { connect, createServer, type ClientHttp2Session, type Http2Server } from 'node:http2';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** Passes gRPC on to a Temporal server, but for the methods that it refuses in the server's place. */
export class RefusingProxy {
  /** Methods that were called and refused. */
  readonly refused: string[] = [];
  readonly #server: Http2Server;
  readonly #upstream: ClientHttp2Session;

  private constructor(server: Http2Server, upstream: ClientHttp2Session) {
    this.#server = server;
    this.#upstream = upstream;
  }

  /** `refusals` gives each refused method, such as `ListSearchAttributes`, its gRPC status. */
  static async start(address: string, refusals: Readonly<Record<string, number>>): Promise<RefusingProxy> {
    const upstream = connect(`http://${address}`);
    const server = createServer();
    const proxy = new RefusingProxy(server, upstream);
    server.on('stream', (stream, headers) => {
      const method = String(headers[':path']).split('/').at(-1) ?? '';
      const status = refusals[method];
      stream.on('error', () => undefined);
      if (status !== undefined) {
        proxy.refused.push(method);
        const trailers = { 'grpc-status': String(status), 'grpc-message': 'planted words of a server' };
        stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto', ...trailers }, { endStream: true });
        return;
      }
      const passed = upstream.request(headers, { endStream: false });
      passed.on('error', () => stream.close());
      stream.on('aborted', () => passed.close());
      passed.on('response', (answer, flags) => {
        const isTrailersOnly = (flags & 1) === 1;
        stream.respond(answer, { endStream: isTrailersOnly, waitForTrailers: !isTrailersOnly });
        if (isTrailersOnly) return;
        let trailers = {};
        passed.on('trailers', (sent) => (trailers = sent));
        stream.on('wantTrailers', () => stream.sendTrailers(trailers));
        passed.on('data', (chunk) => stream.write(chunk));
        passed.on('end', () => stream.end());
      });
      stream.pipe(passed);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#upstream.destroy();
    this.#server.close();
  }
}
