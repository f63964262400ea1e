import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

/** What a proxy was asked for: `host:port`. */
export interface Asked {
  target: string;
  headers: IncomingHttpHeaders;
}

/**
 * A forward proxy that opens tunnels (CONNECT), as companies have them. It alone knows where its hosts are, so that whoever
 * reaches one has come through it.
 */
export class ConnectProxy {
  readonly asked: Asked[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(hosts: Readonly<Record<string, number>>) {
    this.#server = createServer((_, response) => void response.writeHead(405).end());
    this.#server.on('connect', ({ url: target = '', headers }, near: Socket, head: Buffer) => {
      this.asked.push({ target, headers });
      const port = hosts[target.replace(/:\d+$/, '')];
      near.on('error', () => undefined);
      if (port === undefined) {
        near.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
        return;
      }
      const far = connect(port, '127.0.0.1', () => {
        near.write('HTTP/1.1 200 Connection established\r\n\r\n');
        far.write(head);
        far.pipe(near).pipe(far);
      });
      far.on('error', () => near.destroy());
      for (const socket of [near, far]) this.#sockets.add(socket);
    });
  }

  /** `hosts` are ports of this machine. */
  static async start(hosts: Readonly<Record<string, number>>): Promise<ConnectProxy> {
    const proxy = new ConnectProxy(hosts);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get targets(): string[] {
    return this.asked.map(({ target }) => target);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
