import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from '../../src/lib/free-port.ts';
import { GraphClient } from '../../src/graph/client.ts';
import { fromAnswer, GraphError } from '../../src/graph/errors.ts';
import type { TokenSource } from '../../src/graph/tokens.ts';
import { quickLimits } from '../support/quick-limits.ts';

/** What the client sends over a real connection, and what it makes of everything that may come back. */

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Asked {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** A server that answers as a test wants, and keeps what it was asked. */
class Graph {
  readonly asked: Asked[] = [];
  readonly sockets = new Set<Socket>();
  answer: Answer = (_, response) => response.end('{}');
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#take(request, response));
    this.#server.on('connection', (socket) => this.sockets.add(socket));
  }

  static async start(): Promise<Graph> {
    const graph = new Graph();
    graph.#server.listen(0, '127.0.0.1');
    await once(graph.#server, 'listening');
    return graph;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1.0`;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
    this.asked.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
    this.answer(request, response);
  }
}

const mute = { what: 'mute call 1', path: ['communications', 'calls', '1', 'mute'] };

let graph: Graph;
let clients: GraphClient[];
beforeEach(async () => {
  graph = await Graph.start();
  clients = [];
});
afterEach(async () => {
  await graph.stop();
  for (const client of clients) await client.close();
});

function clientOf(
  url = graph.url,
  tokens: TokenSource = (tenantId = 'home') => Promise.resolve(`token-of-${tenantId}`),
) {
  const client = new GraphClient({ url, tokens, userAgent: 'call-moderation/test' });
  clients.push(client);
  return client;
}

async function errorOf(work: Promise<unknown>): Promise<GraphError> {
  const outcome: unknown = await work.catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(GraphError);
  return outcome as GraphError;
}

/** The error for an answer of the server. */
async function errorFor(status: number, body: unknown, headers: Record<string, string> = {}): Promise<GraphError> {
  graph.answer = (_, response) => {
    response.writeHead(status, headers);
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
  return await errorOf(clientOf().post(mute, {}));
}

describe('a request', () => {
  test('carries token, tracing and content as Graph wants them', async () => {
    await clientOf().post(mute, { clientContext: 'ctx' });
    const [asked] = graph.asked;
    expect(asked).toMatchObject({
      method: 'POST',
      url: '/v1.0/communications/calls/1/mute',
      body: '{"clientContext":"ctx"}',
      headers: {
        authorization: 'Bearer token-of-home',
        accept: 'application/json',
        'content-type': 'application/json',
        'user-agent': 'call-moderation/test',
        'client-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    });
  });

  test('that reads has neither body nor content type', async () => {
    await clientOf().get({ what: 'read call 1', path: ['communications', 'calls', '1'] });
    const [asked] = graph.asked;
    expect(asked).toMatchObject({ method: 'GET', body: '' });
    expect(asked?.headers).not.toHaveProperty('content-type');
  });

  test('has an ID of its own each time', async () => {
    const client = clientOf();
    await client.get(mute);
    await client.get(mute);
    expect(new Set(graph.asked.map(({ headers }) => headers['client-request-id'])).size).toBe(2);
  });

  test('takes the token of the tenant that it names', async () => {
    await clientOf().get({ ...mute, tenantId: 'contoso' });
    expect(graph.asked[0]?.headers.authorization).toBe('Bearer token-of-contoso');
  });

  test('does not leave its place in the path, whatever an ID contains', async () => {
    await clientOf().get({ what: 'read', path: ['calls', '../../me?$select=id#', 'ä/b%2e'] });
    expect(graph.asked[0]?.url).toBe('/v1.0/calls/..%2F..%2Fme%3F%24select%3Did%23/%C3%A4%2Fb%252e');
  });

  test('uses the connection of the one before it', async () => {
    const client = clientOf();
    for (let index = 0; index < 10; index += 1) {
      // Undici takes a connection for free one turn after it has given the answer.
      await nextTurn();
      if (index % 2 === 0) await client.get(mute);
      // Failures leave the connection whole too.
      else await errorOf(client.post(mute, {}));
      graph.answer = (_, response) => {
        response.writeHead(index % 2 === 0 ? 503 : 200);
        response.end('{}');
      };
    }
    expect(graph.asked).toHaveLength(10);
    expect(graph.sockets.size).toBe(1);
  });
});

describe('an answer', () => {
  test.each([200, 201, 202, 204])('of status %i is a success', async (status) => {
    graph.answer = (_, response) => {
      response.writeHead(status, { location: '/operations/7' });
      response.end(status === 204 ? undefined : '{"id":"7"}');
    };
    const success = await clientOf().post(mute, {});
    expect(success.body).toEqual(status === 204 ? undefined : { id: '7' });
    expect(success.headers['location']).toBe('/operations/7');
    expect(success.status).toBe(status);
    expect(success.clientRequestId).toBe(graph.asked[0]?.headers['client-request-id']);
  });

  test.each(['', 'OK', '<html></html>', '{"id":', '\u0000'])(
    'whose body is %j and no JSON is one without a body',
    async (text) => {
      graph.answer = (_, response) => response.end(text);
      expect((await clientOf().get(mute)).body).toBeUndefined();
    },
  );

  test.each([301, 302, 303, 307, 308])('of status %i does not lead elsewhere', async (status) => {
    const error = await errorFor(status, '', { location: `${graph.url}/elsewhere` });
    expect(graph.asked).toHaveLength(1);
    expect(error).toMatchObject({ type: 'OperationFailed', isRetryable: false, details: { status } });
    expect(error.message).toContain('MODERATION_GRAPH_URL');
  });

  test('that is larger than any roster is not taken in', async () => {
    graph.answer = (_, response) => response.end(Buffer.alloc(9 * 1024 * 1024, 0x20));
    expect(await errorOf(clientOf().get(mute))).toMatchObject({ type: 'GraphUnavailable', isRetryable: true });
  });
});

describe('a failure', () => {
  test.each([
    [400, 'OperationFailed', false],
    [401, 'Unauthorized', false],
    [403, 'PermissionDenied', false],
    [404, 'CallNotFound', false],
    [405, 'OperationFailed', false],
    [408, 'GraphUnavailable', true],
    [409, 'OperationFailed', false],
    [410, 'CallNotFound', false],
    [429, 'GraphUnavailable', true],
    [500, 'GraphUnavailable', true],
    [502, 'GraphUnavailable', true],
    [503, 'GraphUnavailable', true],
    [504, 'GraphUnavailable', true],
  ])('of status %i is %s, with a message that says what was asked', async (status, type, isRetryable) => {
    const error = await errorFor(status, { error: { code: 'SomeCode', message: 'Adele is not here' } });
    expect(error).toMatchObject({ type, isRetryable, details: { status, code: 'SomeCode' } });
    expect(error.message).toMatch(
      new RegExp(`^Graph answered ${status} \\(code SomeCode\\) when asked to mute call 1: .+\\.$`),
    );
    // Graph's own message may name people.
    expect(JSON.stringify([error.message, error.details])).not.toContain('Adele');
    expect(error.details.clientRequestId).toBe(graph.asked[0]?.headers['client-request-id']);
  });

  test.each([
    '',
    'Bad gateway',
    '<html>',
    'null',
    '[]',
    '"error"',
    '{"error":null}',
    '{"error":"code"}',
    '{"error":[]}',
  ])('has no code where its body is %j', async (body) => {
    const error = await errorFor(502, body);
    expect(error).toMatchObject({ type: 'GraphUnavailable', details: { status: 502 } });
    expect(error.details.code).toBeUndefined();
    expect(error.message).toContain('Graph answered 502 when asked to');
  });

  test.each([
    ['in the header', {}, { 'request-id': 'from-header' }, 'from-header'],
    ['in innerError', { innerError: { 'request-id': 'from-body' } }, {}, 'from-body'],
    ['in innererror, as older answers spell it', { innererror: { 'request-id': 'from-body' } }, {}, 'from-body'],
    [
      'in both, where the header counts',
      { innerError: { 'request-id': 'body' } },
      { 'request-id': 'header' },
      'header',
    ],
    ['in none', {}, {}, undefined],
    ['in a form that may be anything', {}, { 'request-id': 'a b' }, undefined],
  ])("names Graph's request ID that stands %s", async (_, error, headers, requestId) => {
    expect((await errorFor(503, { error }, headers)).details.requestId).toBe(requestId);
  });

  test.each([
    ['a word', 'UnknownError', 'UnknownError'],
    ['a number as text', '8522', '8522'],
    ['a number', 8_522, '8522'],
    ['a dotted name', 'Request_Bad.Thing-1', 'Request_Bad.Thing-1'],
    ['64 letters', 'c'.repeat(64), 'c'.repeat(64)],
    ['too long', 'c'.repeat(65), undefined],
    ['a sentence', 'Adele Vance is not here', undefined],
    ['an address', 'adele@contoso.com', undefined],
    ['more than one line', 'Bad\nLine', undefined],
    ['empty', '', undefined],
    ['an object', { name: 'Adele' }, undefined],
    ['null', null, undefined],
  ])('lets its code through only as a word or number: %s', async (_, given, code) => {
    const error = await errorFor(400, { error: { code: given } });
    expect(error.details.code).toBe(code);
    if (code === undefined) expect(error.message).toMatch(/^Graph answered 400 when asked/);
  });
});

/** As Graph's calling service gives it: JSON in the text of the message. */
const wrapped = (errorCode: unknown) => ({
  error: {
    code: 'Forbidden',
    message: JSON.stringify({ errorCode, message: 'Adele may not', instanceAnnotations: [] }),
  },
});

describe('a refusal', () => {
  test.each([
    ['7503', /not registered for calling. Enable calling for the bot/],
    ['7504', /administrator consent to Calls.Initiate.All/],
  ])('with code %s hidden in its message says what to do', async (code, remedy) => {
    const error = await errorFor(403, wrapped(code));
    expect(error).toMatchObject({ type: 'PermissionDenied', isRetryable: false, details: { status: 403, code } });
    expect(error.message).toMatch(remedy);
    expect(error.message).not.toContain('Adele');
  });

  test('takes the hidden code as a number too', async () => {
    expect((await errorFor(403, wrapped(7_503))).details.code).toBe('7503');
  });

  test.each([wrapped('Adele may not'), wrapped(undefined), { error: { code: 'Forbidden', message: '{"errorCode":' } }])(
    'whose message hides no code keeps its own',
    async (body) => {
      const error = await errorFor(403, body);
      expect(error.details.code).toBe('Forbidden');
      expect(error.message).toContain('It needs Calls.Initiate.All');
    },
  );
});

const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toUTCString();

describe('Retry-After', () => {
  test.each([
    ['7', 7],
    ['0', 0],
    [' 7 ', 7],
    ['1.5', 2],
  ])('of %j is %i seconds', async (value, seconds) => {
    const error = await errorFor(429, {}, { 'retry-after': value });
    expect(error.details.retryAfterSeconds).toBe(seconds);
    expect(error.message).toContain(`throttling. Retry after ${seconds} s`);
  });

  test('may be a date', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const seconds = (await errorFor(503, {}, { 'retry-after': inSeconds(30) })).details.retryAfterSeconds;
    expect(seconds).toBeGreaterThanOrEqual(28);
    expect(seconds).toBeLessThanOrEqual(30);
  });

  test('in the past means at once', async () => {
    expect((await errorFor(503, {}, { 'retry-after': inSeconds(-30) })).details.retryAfterSeconds).toBe(0);
  });

  test.each(['', 'soon', 'NaN', 'Infinity', '0x10', '1e3s', '9'.repeat(400)])(
    'of %.20s means nothing',
    async (value) => {
      const error = await errorFor(429, {}, { 'retry-after': value });
      expect(error).toMatchObject({ type: 'GraphUnavailable', isRetryable: true });
      expect(error.details.retryAfterSeconds).toBeUndefined();
      expect(error.message).toMatch(/throttling\.$/);
    },
  );

  test('that comes more than once means nothing', () => {
    const answer = { status: 429, clientRequestId: 'id', headers: { 'retry-after': ['1', '2'] }, body: undefined };
    expect(fromAnswer('mute', answer).details.retryAfterSeconds).toBeUndefined();
  });
});

describe('no answer', () => {
  test('because nobody listens can be tried again', async () => {
    const url = `http://127.0.0.1:${await freePort()}/v1.0`;
    const error = await errorOf(clientOf(url).post(mute, {}));
    expect(error).toMatchObject({ type: 'GraphUnavailable', isRetryable: true, details: { code: 'ECONNREFUSED' } });
    expect(error.message).toContain('asked to mute call 1 (ECONNREFUSED)');
    expect(error.details.clientRequestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('because the connection was reset can be tried again, and is not tried behind our back', async () => {
    graph.answer = ({ socket }) => socket.resetAndDestroy();
    const client = clientOf();
    expect(await errorOf(client.get(mute))).toMatchObject({ type: 'GraphUnavailable', isRetryable: true });
    expect(graph.asked).toHaveLength(1);
    graph.answer = (_, response) => response.end('{}');
    expect((await client.get(mute)).body).toEqual({});
  });

  test('because it broke off in the middle can be tried again', async () => {
    graph.answer = ({ socket }, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"id":', () => socket.destroy());
    };
    expect(await errorOf(clientOf().post(mute, {}))).toMatchObject({ type: 'GraphUnavailable', isRetryable: true });
  });

  test('because it is not HTTP can be tried again', async () => {
    graph.answer = ({ socket }) => socket.end('220 mail.example.com ESMTP\r\n\r\n');
    expect(await errorOf(clientOf().get(mute))).toMatchObject({ type: 'GraphUnavailable', isRetryable: true });
  });

  test('because no token is to be had is what the token source says', async () => {
    const reason = new GraphError('Unauthorized', 'no token');
    const client = clientOf(graph.url, () => Promise.reject(reason));
    expect(await errorOf(client.post(mute, {}))).toBe(reason);
    expect(graph.asked).toHaveLength(0);
  });

  test('within 10 s ends the attempt, wherever it hangs', async () => {
    const limits = quickLimits();
    const trickles: NodeJS.Timeout[] = [];
    graph.answer = ({ url }, response) => {
      if (url?.endsWith('/silent') === true) return;
      response.writeHead(200);
      // No pause is long, and it never comes to an end.
      trickles.push(setInterval(() => response.write(' '), 50));
    };
    const started = Date.now();
    const hangs = [
      clientOf().get({ what: 'wait', path: ['silent'] }),
      clientOf().get({ what: 'wait', path: ['trickle'] }),
      clientOf(graph.url, () => new Promise(() => {})).get({ what: 'wait', path: ['token'] }),
    ].map(async (hang) => {
      const error = await errorOf(hang);
      return { error, ms: Date.now() - started };
    });
    for (const { error, ms } of await Promise.all(hangs)) {
      expect(error).toMatchObject({ type: 'GraphUnavailable', isRetryable: true });
      expect(ms).toBeGreaterThan(850);
      expect(ms).toBeLessThan(1_900);
    }
    expect(limits).toEqual([9_000, 9_000, 9_000]);
    for (const trickle of trickles) clearInterval(trickle);
    expect(graph.asked.map(({ url }) => url).toSorted()).toEqual(['/v1.0/silent', '/v1.0/trickle']);
  });
});
