import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * Graph as a stranger would write it in an afternoon, after the reference pages and without a look at this code: one
 * call that answers GETs and two POSTs. Where the pages leave room, each call may answer in its own way.
 */
export interface Manner {
  /** Body of `GET /communications/calls/{id}`. */
  call?: object;
  /** The application's own participant, as it stands. */
  self?: (isMuted: boolean) => object;
  /** Answer to a mute or unmute that is done. */
  answer?: { status?: number; headers?: Record<string, string>; body?: unknown };
  /** Whether a mute or unmute does anything. */
  isDeaf?: boolean;
}

export interface Received {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export class StandIn {
  readonly requests: Received[] = [];
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #calls = new Map<string, { manner: Manner; isMuted: boolean }>();

  static async start(): Promise<StandIn> {
    const standIn = new StandIn();
    standIn.#server.listen(0, '127.0.0.1');
    await once(standIn.#server, 'listening');
    return standIn;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  call(id: string, manner: Manner = {}): void {
    this.#calls.set(id, { manner, isMuted: false });
  }

  isMuted(id: string): boolean | undefined {
    return this.#calls.get(id)?.isMuted;
  }

  posts(id: string): Received[] {
    return this.requests.filter(({ method, url }) => method === 'POST' && url.includes(id));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
    const { method = '', url = '', headers } = request;
    this.requests.push({ method, url, headers, body });
    const [, version, communications, calls, id = '', ...rest] = url.split('/');
    const call = this.#calls.get(id);
    if (version !== 'v1.0' || communications !== 'communications' || calls !== 'calls' || call === undefined) {
      return answer(response, 404, {}, { error: { code: '8522', message: 'Call not found.' } });
    }
    const { manner } = call;
    const self = { ...PARTICIPANT, isMuted: call.isMuted, ...manner.self?.(call.isMuted) };
    switch (`${method} ${rest.join('/')}`) {
      case 'GET ':
        return answer(response, 200, {}, { id, ...CALL, ...manner.call });
      case 'GET participants':
        return answer(response, 200, {}, { value: [self] });
      case `GET participants/${PARTICIPANT.id}`:
        return answer(response, 200, {}, self);
      case 'POST mute':
      case 'POST unmute': {
        if (manner.isDeaf !== true) call.isMuted = rest[0] === 'mute';
        const { status = 200, headers: extra = {}, body: said = COMPLETED } = manner.answer ?? {};
        return answer(response, status, extra, said);
      }
      default:
        return answer(response, 400, {}, { error: { code: 'BadRequest', message: 'Resource not found.' } });
    }
  }
}

export const PARTICIPANT = { id: '0b7f8a4e-3f3c-4d57-9d0a-6d6f5b1c2e3a' };
export const OPERATION_ID = '17e3b46c-f61d-4f4d-9635-c626ef18e6ad';
const CALL = { state: 'established', myParticipantId: PARTICIPANT.id, chatInfo: { threadId: '19:meeting@thread.v2' } };
export const COMPLETED = { id: OPERATION_ID, status: 'completed' };

function answer(response: ServerResponse, status: number, headers: Record<string, string>, body: unknown): void {
  const text = body === '' ? '' : JSON.stringify(body);
  response.writeHead(status, { ...(text !== '' && { 'content-type': 'application/json' }), ...headers }).end(text);
}
