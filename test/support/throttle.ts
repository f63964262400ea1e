import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Agent, request } from 'undici';

/**
 * Graph's limit in front of a Graph: so many requests in so many seconds, and 429 with `Retry-After` for those beyond. Graph's
 * own is 50,000 in 15 s for an application in a tenant; what it counts and when a window begins is not documented.
 * https://learn.microsoft.com/graph/throttling-limits#cloud-communication-service-limits
 */
export class Throttle {
  /** Requests that were passed on, and those that were turned away. */
  passed = 0;
  refused = 0;
  readonly #server: Server;
  readonly #agent = new Agent();
  readonly #most: number;
  readonly #windowMs: number;
  #began = 0;
  #inWindow = 0;

  private constructor(graphUrl: string, most: number, windowMs: number) {
    this.#most = most;
    this.#windowMs = windowMs;
    this.#server = createServer((incoming, outgoing) => {
      this.#serve(graphUrl, incoming, outgoing).catch(() => outgoing.destroy());
    });
  }

  static async before(graphUrl: string, most: number, windowMs: number): Promise<Throttle> {
    const throttle = new Throttle(graphUrl, most, windowMs);
    throttle.#server.listen(0, '127.0.0.1');
    await once(throttle.#server, 'listening');
    return throttle;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#agent.destroy();
  }

  async #serve(graphUrl: string, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const now = Date.now();
    if (now >= this.#began + this.#windowMs) {
      this.#began = now;
      this.#inWindow = 0;
    }
    if (this.#inWindow >= this.#most) {
      this.refused += 1;
      incoming.resume();
      const seconds = Math.ceil((this.#began + this.#windowMs - now) / 1_000);
      outgoing.writeHead(429, { 'retry-after': String(seconds), 'content-type': 'application/json' });
      outgoing.end('{"error":{"code":"TooManyRequests","message":"Too many requests."}}');
      return;
    }
    this.#inWindow += 1;
    this.passed += 1;
    const { method = 'GET', url = '/', headers } = incoming;
    const {
      host: _host,
      connection: _connection,
      'content-length': _length,
      'transfer-encoding': _encoding,
      ...rest
    } = headers;
    const body = await buffer(incoming);
    const answer = await request(`${graphUrl}${url}`, {
      method: method as 'GET',
      headers: rest,
      body: body.length > 0 ? body : null,
      dispatcher: this.#agent,
    });
    const { connection: _theirs, 'transfer-encoding': _chunks, ...told } = answer.headers;
    outgoing.writeHead(answer.statusCode, told).end(Buffer.from(await answer.body.arrayBuffer()));
  }
}
