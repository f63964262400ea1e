import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forwardTo } from '../../src/webhook/bot/forward.ts';
import { WebhookMetrics } from '../../src/webhook/metrics.ts';
import {
  CALL,
  listen,
  notifications,
  participant,
  rig,
  rosterEntry,
  shut,
  type Listener,
  type Rig,
} from '../support/webhook-kit.ts';

const ROSTER = notifications(rosterEntry(CALL, participant('bot', true)));
/** Spaces, names and numbers that no parser would give back the same. */
const VERBATIM = `\r\n{ "value" : [ ], "a": 1.0, "a": 10000000000000000000001, "é": "\\u00e9" }\n`;

interface Seen {
  request: IncomingMessage;
  body: Buffer;
}

let bot: Awaited<ReturnType<typeof listen>>;
let seen: Seen[];
let answer: Listener;
let front: Rig;

beforeEach(async () => {
  seen = [];
  answer = (_request, response) => response.writeHead(202).end();
  bot = await listen((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push({ request, body: Buffer.concat(chunks) });
      answer(request, response);
    });
  });
  front = await rig({ forwardUrl: `${bot.url}/bot/calls?key=a%20b` });
});

afterEach(async () => {
  await front.close();
  if (bot.server.listening) await shut(bot.server);
});

describe('to the bot', () => {
  it('go the very bytes, with method, token, headers and both queries', async () => {
    const headers = {
      authorization: `Bearer ${front.token}`,
      'content-type': 'application/json',
      'X-Microsoft-Skype-Message-ID': 'm-1',
      'Scenario-Id': 's-1',
      'proxy-authorization': 'Basic x',
      'keep-alive': 'timeout=1',
      'x-hop': 'no',
      connection: 'x-hop, close',
      te: 'trailers',
    };
    const sent = httpRequest(`${front.url}/api/calls?bot=1&x=%2F`, { method: 'POST', headers }).end(VERBATIM);
    const [{ statusCode }] = (await once(sent, 'response')) as [IncomingMessage];
    expect(statusCode).toBe(202);
    const [{ request, body } = {} as Seen, ...more] = seen;
    expect(more).toEqual([]);
    expect(body.toString()).toBe(VERBATIM);
    expect([request.method, request.url]).toEqual(['POST', '/bot/calls?key=a%20b&bot=1&x=%2F']);
    expect(request.headers).toMatchObject({
      authorization: `Bearer ${front.token}`,
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(VERBATIM)),
      'x-microsoft-skype-message-id': 'm-1',
      'scenario-id': 's-1',
      host: new URL(bot.url).host,
    });
    for (const name of ['proxy-authorization', 'keep-alive', 'te', 'x-hop']) {
      expect(request.headers).not.toHaveProperty(name);
    }
    expect(request.rawHeaders).toContain('X-Microsoft-Skype-Message-ID');
  });

  it('goes what the path has below ours, behind the path of the bot', async () => {
    for (const below of ['', '/', '/0', '/eu/%C3%A4?x=1']) await front.post(ROSTER, { path: `/api/calls${below}` });
    expect(seen.map(({ request }) => request.url)).toEqual([
      '/bot/calls?key=a%20b',
      '/bot/calls/?key=a%20b',
      '/bot/calls/0?key=a%20b',
      '/bot/calls/eu/%C3%A4?key=a%20b&x=1',
    ]);
  });

  it('goes what concerns an operation, and to the operation as well', async () => {
    expect((await front.post(ROSTER)).status).toBe(202);
    expect(seen).toHaveLength(1);
    expect(front.recorder.handed).toHaveLength(1);
  });

  it.each(['{"callId":"legacy"}', 'null', '{', ''])('goes what is no commsNotifications: %s', async (body) => {
    answer = (_request, response) => response.writeHead(204).end();
    const response = await front.post(body);
    expect(response.status).toBe(204);
    expect(seen.map((one) => one.body.toString())).toEqual([body]);
    expect(front.recorder.handed).toEqual([]);
  });

  it.each<[number, Record<string, string>, string]>([
    [401, { authorization: 'Bearer x.y.z' }, '{}'],
    [415, { 'content-type': 'text/plain' }, '{}'],
    [413, {}, ' '.repeat(1024 * 1024 + 1)],
  ])('goes nothing that is refused with %d', async (status, headers, body) => {
    expect((await front.post(body, { headers })).status).toBe(status);
    expect(seen).toEqual([]);
  });
});

describe("the bot's answer", () => {
  it('is passed back with status, headers and body', async () => {
    answer = (_request, response) => {
      response.writeHead(418, {
        'content-type': 'text/x-tea; charset=utf-8',
        'set-cookie': ['a=1', 'b=2'],
        'x-bot': 'yes',
        'x-hop': 'no',
        connection: 'x-hop',
      });
      response.end('short and stout');
    };
    const response = await front.post(ROSTER);
    expect(response.status).toBe(418);
    expect(await response.text()).toBe('short and stout');
    expect(response.headers.get('content-type')).toBe('text/x-tea; charset=utf-8');
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(response.headers.get('x-bot')).toBe('yes');
    expect(response.headers.get('x-hop')).toBeNull();
  });

  it('is passed back where it sends elsewhere', async () => {
    answer = (_request, response) => response.writeHead(307, { location: 'https://eu.bot.example/calls' }).end();
    const response = await front.post(ROSTER);
    expect([response.status, response.headers.get('location')]).toEqual([307, 'https://eu.bot.example/calls']);
    expect(seen).toHaveLength(1);
  });

  it('has nothing added where it is empty', async () => {
    const response = await front.post(ROSTER);
    expect(response.headers.get('content-type')).toBeNull();
    expect(await response.text()).toBe('');
  });

  it('is overruled where Temporal did not take it', async () => {
    front.recorder.before = () => Promise.reject(new Error('down'));
    const response = await front.post(ROSTER);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).not.toBeNull();
    expect(await response.json()).toMatchObject({ error: { code: 'ServiceUnavailable' } });
  });

  it('is not waited for where Temporal did not take it', async () => {
    answer = () => undefined;
    front.recorder.before = () => Promise.reject(new Error('down'));
    const began = performance.now();
    expect((await front.post(ROSTER)).status).toBe(503);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it.each<[string, () => unknown]>([
    ['is down', () => shut(bot.server)],
    ['breaks off', () => (answer = (request) => request.socket.destroy())],
    ['answers too much', () => (answer = (_request, response) => response.end(Buffer.alloc(1024 * 1024 + 1)))],
  ])('is 503 where the bot %s', async (_what, spoil) => {
    await spoil();
    const response = await front.post(ROSTER);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).not.toBeNull();
    expect(await response.json()).toMatchObject({ error: { code: 'ServiceUnavailable' } });
    expect(front.recorder.handed).toHaveLength(1);
    const { values } = await front.metrics.forwards.get();
    expect(values).toEqual([{ labels: { outcome: 'failed' }, value: 1 }]);
  });
});

it('refuses an address that is none', () => {
  expect(() => forwardTo('nonsense', new WebhookMetrics())).toThrow(TypeError);
});
