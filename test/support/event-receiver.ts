import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HTTP, type CloudEvent } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import type { ModerationEvent } from '../../src/contract/event.ts';

/** One attempt to deliver an event, which `standardwebhooks` has verified and `cloudevents` has read. */
export interface Attempt {
  event: ModerationEvent;
  headers: IncomingMessage['headers'];
  body: string;
  /** Of this process. */
  at: number;
  status: number | 'none';
}

/** How an attempt is answered: a status, with more beside it if need be, or not at all. */
export type Answer = number | { status: number; headers?: Record<string, string>; body?: string } | 'none';

export function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

/** A receiver of events as others write one, over HTTP on this machine. */
export class EventReceiver {
  readonly secret: string;
  readonly attempts: Attempt[] = [];
  /** What could not be verified or read. */
  readonly refused: unknown[] = [];
  answer: (event: ModerationEvent, attempt: number) => Answer = () => 204;
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();

  private constructor(secret: string, server: Server) {
    this.secret = secret;
    this.#server = server;
    server.on('request', (request, response) => this.#take(request, response));
  }

  static async start(secret = newSecret()): Promise<EventReceiver> {
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return new EventReceiver(secret, server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hooks?key=in-the-query`;
  }

  /** Variables of a worker that sends events here. */
  get env(): Record<string, string> {
    return { MODERATION_EVENTS_URL: this.url, MODERATION_EVENTS_SECRETS: this.secret };
  }

  /** Events that were taken, each once, in the order in which they came. */
  get events(): ModerationEvent[] {
    const taken = this.attempts.filter(({ status }) => typeof status === 'number' && status < 300);
    return [...new Map(taken.map(({ event }) => [event.id, event])).values()];
  }

  /** Events about a call. */
  of(callId: string): ModerationEvent[] {
    return this.events.filter(({ subject }) => subject === callId);
  }

  attemptsOf(callId: string): Attempt[] {
    return this.attempts.filter(({ event }) => event.subject === callId);
  }

  /** Until something is so, looked at whenever a request was answered. */
  async until(isDone: () => boolean, ms = 45_000): Promise<void> {
    const deadline = Date.now() + ms;
    while (!isDone()) {
      if (Date.now() > deadline) throw new Error(`not so after ${ms} ms: ${JSON.stringify(this.attempts)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000);
        this.#waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Until the call has so many events. */
  async untilOf(callId: string, count: number, ms?: number): Promise<ModerationEvent[]> {
    await this.until(() => this.of(callId).length >= count, ms);
    return this.of(callId);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const answer = this.#read(request, body);
      if (answer !== 'none') {
        const { status, headers = {}, body: text } = typeof answer === 'number' ? { status: answer } : answer;
        response.writeHead(status, headers).end(text);
      }
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
    });
  }

  #read({ method, headers }: IncomingMessage, body: string): Answer {
    try {
      new Webhook(this.secret).verify(body, headers as Record<string, string>);
      const read = HTTP.toEvent({ headers, body }) as CloudEvent;
      if (method !== 'POST' || !read.validate()) throw new Error('not a POST of a CloudEvent');
      const event = JSON.parse(body) as ModerationEvent;
      if (read.id !== event.id || headers['webhook-id'] !== event.id) throw new Error('another ID');
      const before = this.attempts.filter((attempt) => attempt.event.id === event.id).length;
      const answer = this.answer(event, before + 1);
      const status = typeof answer === 'object' ? answer.status : answer;
      this.attempts.push({ event, headers, body, at: Date.now(), status });
      return answer;
    } catch (error) {
      this.refused.push(error);
      return 401;
    }
  }
}
