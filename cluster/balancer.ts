import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * What stands before the webhooks in a deployment, because Graph knows one address a call, and before the gateways. Each
 * connection goes to the next of them in turn, or to one of the others if that one does not listen. If one dies, the
 * connections to it break.
 */
export class Balancer {
  readonly #server: Server;
  readonly #ports: readonly number[];
  readonly #sockets = new Set<Socket>();
  #turn = 0;

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
    this.#server = createServer((socket) => this.#take(socket));
  }

  /** Listens on `port`, of a loopback address, and passes on to `ports`. */
  static async start(port: number, ports: readonly number[]): Promise<Balancer> {
    const balancer = new Balancer(ports);
    balancer.#server.listen(port, '127.0.0.1');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #take(client: Socket): void {
    this.#keep(client);
    const turn = this.#turn;
    this.#turn += 1;
    this.#pass(
      client,
      this.#ports.map((_, index) => this.#ports[(turn + index) % this.#ports.length] ?? 0),
    );
  }

  #pass(client: Socket, [port, ...others]: readonly number[]): void {
    if (port === undefined) {
      client.destroy();
      return;
    }
    const server = connect(port, '127.0.0.1');
    const refused = (): void => this.#pass(client, others);
    server.once('error', refused);
    server.once('connect', () => {
      server.off('error', refused);
      this.#keep(server);
      client.pipe(server).pipe(client);
      client.once('close', () => server.destroy());
      server.once('close', () => client.destroy());
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    // A connection that breaks is its two ends' concern.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
