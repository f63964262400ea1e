import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * What stands before the webhooks in a deployment: Graph knows one address a call. Each connection goes to the next
 * webhook in turn, or to one of the others where that one does not listen; with a webhook die the connections to it.
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

  /** Listens on `port`, of a loopback address, for the webhooks that listen on `ports`. */
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
    const webhook = connect(port, '127.0.0.1');
    const refused = (): void => this.#pass(client, others);
    webhook.once('error', refused);
    webhook.once('connect', () => {
      webhook.off('error', refused);
      this.#keep(webhook);
      client.pipe(webhook).pipe(client);
      client.once('close', () => webhook.destroy());
      webhook.once('close', () => client.destroy());
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    // A connection that breaks is its two ends' concern.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
