import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GraphSimulator, type SimulatorOptions } from '../../src/simulator/index.ts';

/** What a bot was sent. */
export interface Received {
  headers: IncomingHttpHeaders;
  body: Envelope;
  at: number;
}

interface Envelope {
  '@odata.type'?: string;
  value: Entry[];
}

export interface Entry {
  '@odata.type'?: string;
  changeType: string;
  resource?: string;
  resourceUrl?: string;
  callbackUri?: string;
  resourceData: unknown;
}

/** The callback of a bot: takes everything down, and answers what it is told to, 202 by default. */
export class Bot {
  readonly received: Received[] = [];
  readonly url: string;
  /** Status for the next ones, in turn; then 202. */
  statuses: number[] = [];
  readonly #server: ReturnType<typeof createServer>;
  readonly #waiting = new Set<() => void>();

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/calls`;
  }

  static async start(): Promise<Bot> {
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const bot = new Bot(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as Envelope;
        response.statusCode = bot.statuses.shift() ?? 202;
        response.end();
        bot.received.push({ headers: request.headers, body, at: Date.now() });
        for (const look of bot.#waiting) look();
      });
    });
    return bot;
  }

  /** Every notification so far, whatever POST it came in. */
  get entries(): Entry[] {
    return this.received.flatMap(({ body }) => body.value);
  }

  async until(count: number): Promise<Received[]> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.received.length < count) return;
        this.#waiting.delete(look);
        resolve(this.received);
      };
      this.#waiting.add(look);
      look();
    });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

/** A simulator, a bot that it tells, and an app that asks it. */
export class Stage {
  readonly graph: GraphSimulator;
  readonly bot: Bot;
  #token: string;

  private constructor(graph: GraphSimulator, bot: Bot, token: string) {
    this.graph = graph;
    this.bot = bot;
    this.#token = token;
  }

  static async open(options: SimulatorOptions = {}): Promise<Stage> {
    const [graph, bot] = await Promise.all([
      GraphSimulator.start({ redelivery: { firstPauseMs: 10, longestPauseMs: 20 }, ...options }),
      Bot.start(),
    ]);
    return new Stage(graph, bot, await graph.issueToken());
  }

  async close(): Promise<void> {
    await this.graph.close();
    await this.bot.stop();
  }

  async ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(this.graph.url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
    return { status: response.status, headers: response.headers, body: isJson && text ? JSON.parse(text) : text };
  }

  /** The path of a call in the API. */
  path(callId: string, within = ''): string {
    return `/v1.0/communications/calls/${callId}${within}`;
  }
}
