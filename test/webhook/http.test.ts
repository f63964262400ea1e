import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LINGER_MS } from '../../src/http/lingering-close.ts';
import { closeClient, lazyClient } from '../../src/temporal/connect.ts';
import { createWebhookServer } from '../../src/webhook/server.ts';
import {
  AUDIENCE,
  CALL,
  entry,
  ISSUERS,
  listen,
  makeKey,
  notifications,
  participant,
  rig,
  rosterEntry,
  shut,
  signToken,
  silent,
  TENANT,
  type Rig,
} from '../support/webhook-kit.ts';

const MIB = 1024 * 1024;
const ROSTER = notifications(rosterEntry(CALL, participant('bot', true)));

let hook: Rig;

beforeAll(async () => {
  hook = await rig();
});

afterAll(async () => hook.close());

beforeEach(() => {
  hook.recorder.handed.length = 0;
  hook.recorder.outcome = 'handed-over';
  hook.recorder.before = () => undefined;
});

/** Every error has the one shape. */
async function expectError(response: Response, status: number, code: string): Promise<void> {
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  expect(await response.json()).toEqual({ error: { code, message: expect.stringMatching(/\S/) } });
}

/** What comes back for bytes that no HTTP client would send. */
async function raw(bytes: string, url = hook.url): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(bytes);
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  await once(socket, 'close');
  return answer;
}

describe('202', () => {
  it('when the roster has been handed over, with nothing in the answer', async () => {
    const response = await hook.post(ROSTER);
    expect(response.status).toBe(202);
    expect(await response.text()).toBe('');
    expect(response.headers.get('content-type')).toBeNull();
    expect(hook.recorder.handed).toEqual([
      {
        kind: 'rosterUpdated',
        callId: CALL,
        payload: { participants: [{ id: 'bot', isMuted: true }], full: true },
        at: expect.any(Number),
      },
    ]);
  });

  it('not before it has been handed over', async () => {
    let arrived!: () => void;
    let release!: () => void;
    const begun = new Promise<void>((resolve) => (arrived = resolve));
    hook.recorder.before = () => {
      arrived();
      return new Promise<void>((resolve) => (release = resolve));
    };
    let answered = false;
    const answer = hook.post(ROSTER).finally(() => (answered = true));
    await begun;
    await new Promise(setImmediate);
    expect(answered).toBe(false);
    release();
    expect((await answer).status).toBe(202);
  });

  it('when nothing is in flight on the call', async () => {
    hook.recorder.outcome = 'no-operation';
    expect((await hook.post(ROSTER)).status).toBe(202);
  });

  it.each([
    ['a bare notification', rosterEntry(CALL, participant('bot', true)), ['rosterUpdated']],
    ['an empty collection', { value: [] }, []],
    ['a roster that tells nothing', notifications(rosterEntry(CALL, participant('', true))), []],
    ['a state of the call', notifications(entry(`/app/calls/${CALL}`, { state: 'hold' })), []],
    ['a kind that is not known', notifications(entry('/communications/dances/1', { steps: 2 })), []],
    [
      'a batch, in its order',
      notifications(
        rosterEntry(CALL, participant('bot', true)),
        entry(`/app/calls/${CALL}/operations/op`, { status: 'failed' }),
        entry(`/app/calls/${CALL}`, undefined, 'deleted'),
      ),
      ['rosterUpdated', 'operationUpdated', 'callEnded'],
    ],
  ])('for %s', async (_what, body, kinds) => {
    const response = await hook.post(body);
    expect(response.status).toBe(202);
    expect(hook.recorder.handed.map(({ kind }) => kind)).toEqual(kinds);
  });

  it.each(['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/vnd.graph+json', 'application/json ;'])(
    'for the content type %s',
    async (type) => {
      expect((await hook.post(ROSTER, { headers: { 'content-type': type } })).status).toBe(202);
    },
  );

  it.each(['/', '/0', '/0/', '/eu/bot-1', '/%C3%A4', '/0?tenant=a', `/${'a'.repeat(128)}`, '/1/2/3/4/5/6/7/8'])(
    'at %s below the path, as bots have a callback for each instance',
    async (below) => {
      expect((await hook.post(ROSTER, { path: `/api/calls${below}` })).status).toBe(202);
    },
  );

  it('with a query on the path', async () => {
    expect((await hook.post(ROSTER, { path: '/api/calls?tenant=a' })).status).toBe(202);
  });

  it('for a body of exactly a mebibyte', async () => {
    const short = JSON.stringify(ROSTER);
    expect((await hook.post(short + ' '.repeat(MIB - short.length))).status).toBe(202);
  });
});

describe('400', () => {
  it.each(['', '{', 'null', '[]', '{}', '{"value":1}', '{"value":[1]}', '{"callId":"legacy"}'])(
    'for %s',
    async (body) => {
      await expectError(await hook.post(body), 400, 'BadRequest');
      expect(hook.recorder.handed).toEqual([]);
    },
  );

  it('for bytes that are not UTF-8', async () => {
    await expectError(await hook.post(new Uint8Array([0x7b, 0xff, 0x7d])), 400, 'BadRequest');
  });

  it('takes nothing of a body with one entry that is not an object', async () => {
    const body = { value: [rosterEntry(CALL, participant('bot', true)), null] };
    await expectError(await hook.post(body), 400, 'BadRequest');
    expect(hook.recorder.handed).toEqual([]);
  });
});

describe('401', () => {
  it('is the same whatever is wrong with the token', async () => {
    const stranger = await makeKey('stranger');
    const tokens = [
      undefined,
      'Basic eDp5',
      'Bearer x.y.z',
      `Bearer ${await signToken(stranger)}`,
      `Bearer ${await signToken(hook.key, { claims: { aud: 'another' } })}`,
      `Bearer ${await signToken(hook.key, { claims: { exp: 1 } })}`,
    ];
    const answers = await Promise.all(
      tokens.map(async (authorization) => {
        const headers = { 'content-type': 'application/json', ...(authorization !== undefined && { authorization }) };
        const response = await fetch(`${hook.url}/api/calls`, {
          method: 'POST',
          headers,
          body: JSON.stringify(ROSTER),
        });
        expect(response.headers.get('www-authenticate')).toBe('Bearer');
        return { status: response.status, body: await response.text() };
      }),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 401, body: expect.stringContaining('"code":"Unauthorized"') });
    expect(hook.recorder.handed).toEqual([]);
  });
});

describe('the order of the checks', () => {
  const bad = { authorization: 'Bearer x.y.z' };
  const big = ' '.repeat(2 * MIB);

  it.each<[string, Record<string, string>, string, number]>([
    ['content type before size and token', { ...bad, 'content-type': 'text/plain' }, big, 415],
    ['content type before token', { ...bad, 'content-type': 'text/plain' }, '{', 415],
    ['size before token', bad, big, 413],
    ['token before body', bad, '{', 401],
    ['body last', {}, '{', 400],
  ])('%s', async (_what, headers, body, status) => {
    expect((await hook.post(body, { headers })).status).toBe(status);
  });
});

describe('413 and 415', () => {
  it.each([MIB + 1, 4 * MIB])('for %d bytes', async (size) => {
    await expectError(await hook.post(' '.repeat(size)), 413, 'PayloadTooLarge');
  });

  it('for a body that turns out too large as it comes, in chunks', async () => {
    const headers = { authorization: `Bearer ${hook.token}`, 'content-type': 'application/json' };
    const request = httpRequest(`${hook.url}/api/calls`, { method: 'POST', headers });
    for (let sent = 0; sent < 2 * MIB; sent += 64 * 1024) request.write(Buffer.alloc(64 * 1024, ' '));
    // It never ends: the answer comes all the same.
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(request.getHeader('content-length')).toBeUndefined();
    expect(response.statusCode).toBe(413);
    expect(await text(response)).toContain('"code":"PayloadTooLarge"');
    request.destroy();
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'text/json', 'application/jsonx', 'json', ';'])(
    'for the content type %s',
    async (type) => {
      await expectError(await hook.post('{}', { headers: { 'content-type': type } }), 415, 'UnsupportedMediaType');
    },
  );

  it('for no content type at all', async () => {
    const headers = { authorization: `Bearer ${hook.token}` };
    const body = new Uint8Array(Buffer.from('{}'));
    const response = await fetch(`${hook.url}/api/calls`, { method: 'POST', headers, body });
    await expectError(response, 415, 'UnsupportedMediaType');
  });

  it('for a compressed body, but not for one that says it is none', async () => {
    const gzip = await hook.post(ROSTER, { headers: { 'content-encoding': 'gzip' } });
    await expectError(gzip, 415, 'UnsupportedMediaType');
    expect((await hook.post(ROSTER, { headers: { 'content-encoding': 'Identity' } })).status).toBe(202);
  });
});

describe('404 and 405', () => {
  it.each([
    ['GET', '/'],
    ['GET', '/api'],
    ['POST', '/api/call'],
    ['POST', '/'],
    ['DELETE', '/x'],
    ['POST', '/api/calls0'],
    ['POST', '/api/calls//'],
    ['POST', '/api/calls/0//1'],
    ['POST', '/api/calls/1/2/3/4/5/6/7/8/9'],
    ['POST', `/api/calls/${'a'.repeat(129)}`],
    ['GET', '/api/calls/1/2/3/4/5/6/7/8/9'],
  ])('%s %s is not there', async (method, path) => {
    const response = await fetch(hook.url + path, { method, ...(method === 'POST' && { body: '{' }) });
    await expectError(response, 404, 'NotFound');
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'])('%s is not for the webhook', async (method) => {
    const body = method === 'PUT' ? { body: '<x/>' } : {};
    const response = await fetch(`${hook.url}/api/calls`, { method, ...body });
    expect(response.headers.get('allow')).toBe('POST');
    await expectError(response, 405, 'MethodNotAllowed');
  });

  it('a dot is no instance, however it is spelt', async () => {
    for (const dots of ['/.', '/..', '/0/../1', '/%2e%2E', '/0/%2e']) {
      const head = `POST /api/calls${dots} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
      expect(await raw(`${head}Content-Length: 2\r\nConnection: close\r\n\r\n{}`), dots).toMatch(/^HTTP\/1.1 404 /);
    }
  });

  it('another method is not for the paths below the webhook either', async () => {
    const response = await fetch(`${hook.url}/api/calls/0`);
    expect(response.headers.get('allow')).toBe('POST');
    await expectError(response, 405, 'MethodNotAllowed');
  });

  it('HEAD is not for the webhook', async () => {
    const response = await fetch(`${hook.url}/api/calls`, { method: 'HEAD' });
    expect(response.status).toBe(405);
  });

  it.each(['/livez', '/readyz', '/metrics'])('POST is not for %s', async (path) => {
    const response = await hook.post('{}', { path });
    expect(response.headers.get('allow')).toBe('GET, HEAD');
    await expectError(response, 405, 'MethodNotAllowed');
  });
});

describe('what is no good HTTP', () => {
  it('is answered in the same shape', async () => {
    expect(await raw('NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [\s\S]*"error":\{"code":"BadRequest"/);
    const header = `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`;
    expect(await raw(header)).toMatch(/^HTTP\/1.1 431 [\s\S]*"error":\{"code":"RequestHeaderFieldsTooLarge"/);
    const path = 'GET /%ZZ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    expect(await raw(path)).toMatch(/^HTTP\/1.1 400 [\s\S]*"error":\{"code":"BadRequest"/);
  });

  it('is cut when it is slow', async () => {
    const slow = await rig({ requestTimeout: 200 });
    const head = 'POST /api/calls HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{';
    expect(await raw(head, slow.url)).toMatch(/^HTTP\/1.1 408 [\s\S]*"error":\{"code":"RequestTimeout"/);
    await slow.close();
  });
});

/**
 * A client on a socket of its own: it sends a head, reads nothing until it has sent all of its body, or been told that it
 * cannot, and then everything that came.
 */
async function slowReader(head: string, body: Buffer): Promise<{ answer: string; error: string | undefined }> {
  const socket = connect(Number(new URL(hook.url).port), '127.0.0.1');
  let error: string | undefined;
  socket.on('error', (caught: NodeJS.ErrnoException) => (error = caught.code));
  socket.pause();
  socket.write(head);
  // In pieces, so that the answer is there long before the last of them.
  for (let at = 0; at < body.length; at += 64 * 1024) {
    socket.write(body.subarray(at, at + 64 * 1024));
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  socket.resume();
  socket.once('end', () => socket.end());
  await once(socket, 'close');
  return { answer, error };
}

describe('an answer before the body has arrived', () => {
  const json = 'Content-Type: application/json\r\n';
  const size = 2 * MIB;
  const body = Buffer.alloc(size, ' ');
  const chunk = Buffer.concat([Buffer.from(`${size.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]);
  const length = `Content-Length: ${size}\r\n`;
  const chunked = 'Transfer-Encoding: chunked\r\n';

  it.each<[string, string, Buffer, number]>([
    ['too large, by its length', `POST /api/calls HTTP/1.1\r\n${json}${length}`, body, 413],
    ['too large, in chunks', `POST /api/calls HTTP/1.1\r\n${json}${chunked}`, chunk, 413],
    ['of another type', `POST /api/calls HTTP/1.1\r\nContent-Type: text/plain\r\n${length}`, body, 415],
    ['of another type, in chunks', `POST /api/calls HTTP/1.1\r\nContent-Type: text/plain\r\n${chunked}`, chunk, 415],
    [
      'below the path, of another type',
      `POST /api/calls/0 HTTP/1.1\r\nContent-Type: text/plain\r\n${length}`,
      body,
      415,
    ],
    ['of another method', `PUT /api/calls HTTP/1.1\r\n${json}${length}`, body, 405],
    ['for nobody', `POST /nowhere HTTP/1.1\r\n${json}${length}`, body, 404],
    ['for health', `POST /readyz HTTP/1.1\r\n${json}${length}`, body, 405],
  ])('closes the connection, says so, and arrives: %s', async (_what, start, sent, status) => {
    for (const more of ['', 'Connection: keep-alive\r\n', 'Connection: close\r\n', 'Expect: 100-continue\r\n']) {
      const { answer, error } = await slowReader(`${start}Host: x\r\n${more}\r\n`, sent);
      const [, final = ''] = /^(?:HTTP\/1.1 100 Continue\r\n\r\n)?([\s\S]*)$/.exec(answer) ?? [];
      expect(error, more).toBeUndefined();
      expect(final, more).toMatch(new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*"error":\\{"code"`));
      expect(final.match(/^connection: .*$/gim), more).toEqual(['connection: close']);
    }
  });

  it('is the last one on its connection, whatever is sent behind it', async () => {
    const second = `POST /api/calls HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}`;
    const start = `POST /api/calls HTTP/1.1\r\nHost: x\r\n${json}${length}\r\n`;
    const { answer } = await slowReader(start, Buffer.concat([body, Buffer.from(second)]));
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 413']);
  });

  it('does not keep a connection for a client that never ends', async () => {
    const socket = connect(Number(new URL(hook.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(`POST /api/calls HTTP/1.1\r\nHost: x\r\n${json}${length}\r\n`);
    const began = performance.now();
    const drip = setInterval(() => socket.write(' '), 50);
    await once(socket, 'close');
    clearInterval(drip);
    expect(performance.now() - began).toBeLessThan(LINGER_MS + 2_000);
  });

  it('leaves the connection open where the body has arrived', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<unknown>();
    for (const [status, bearer, type] of [
      [401, 'x.y.z', 'application/json'],
      [400, hook.token, 'application/json'],
    ] as const) {
      const headers = { authorization: `Bearer ${bearer}`, 'content-type': type };
      const request = httpRequest(`${hook.url}/api/calls`, { method: 'POST', headers, agent });
      request.end('{}');
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      sockets.add(response.socket);
      await text(response);
      expect([response.statusCode, response.headers.connection]).toEqual([status, 'keep-alive']);
    }
    expect(sockets.size).toBe(1);
    agent.destroy();
  });
});

describe('503', () => {
  it('when Temporal did not take it, for those calls only', async () => {
    hook.recorder.before = ({ callId }) => {
      if (callId === 'broken') throw new Error('unavailable');
    };
    const response = await hook.post(
      notifications(rosterEntry(CALL, participant('bot', true)), rosterEntry('broken', participant('bot', true))),
    );
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    await expectError(response, 503, 'ServiceUnavailable');
    expect((await hook.post(ROSTER)).status).toBe(202);
  });

  it('within 5 s when Temporal cannot be reached', async () => {
    const { server: gone, port } = await listen(() => undefined);
    await shut(gone);
    const client = lazyClient({ temporal: { connectionOptions: { address: `127.0.0.1:${port}` } } });
    const server = createWebhookServer({
      path: '/api/calls',
      audience: AUDIENCE,
      issuers: ISSUERS,
      openIdUrl: hook.keys.openIdUrl,
      log: silent,
      client,
    });
    const { url: webhook } = await server.listen({ host: '127.0.0.1', port: 0 });
    const began = performance.now();
    const headers = { authorization: `Bearer ${hook.token}`, 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify(ROSTER) };
    // The second waits behind the first and still has its answer in time.
    const answers = await Promise.all([
      fetch(`${webhook}/api/calls`, init),
      fetch(`${webhook}/api/calls`, init),
      fetch(`${webhook}/readyz`),
    ]);
    expect(performance.now() - began).toBeLessThan(5000);
    const [first, second, ready] = answers;
    expect(first.headers.get('retry-after')).not.toBeNull();
    await expectError(first, 503, 'ServiceUnavailable');
    await expectError(second, 503, 'ServiceUnavailable');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ error: { code: 'ServiceUnavailable' }, checks: { draining: 'ok' } });
    await server.close();
    await closeClient(client);
  });

  it('when the keys cannot be fetched, and 202 as soon as they can', async () => {
    const other = await rig();
    await other.close();
    const late = await rig({ openIdUrl: other.keys.openIdUrl });
    const response = await late.post(ROSTER);
    expect(response.headers.get('retry-after')).not.toBeNull();
    await expectError(response, 503, 'ServiceUnavailable');
    await other.keys.up();
    expect((await late.post(ROSTER)).status).toBe(202);
    await late.close();
    await other.keys.down();
  });
});

describe('closing', () => {
  it('lets a request that has begun have its answer', async () => {
    const closing = await rig();
    let arrived!: () => void;
    let release!: () => void;
    const begun = new Promise<void>((resolve) => (arrived = resolve));
    closing.recorder.before = () => {
      arrived();
      return new Promise<void>((resolve) => (release = resolve));
    };
    const answer = closing.post(ROSTER);
    await begun;
    const closed = closing.close();
    release();
    expect((await answer).status).toBe(202);
    await closed;
    await expect(closing.post(ROSTER)).rejects.toThrow(TypeError);
  });
});

describe('the log', () => {
  it('has one line a refusal, with a reason, and never token, body or name', async () => {
    const lines: { fields: Record<string, unknown>; level: string }[] = [];
    const log = (level: string) => (fields: object) => void lines.push({ fields: { ...fields }, level });
    const logged = await rig({ log: { info: log('info'), warn: log('warn'), error: log('error') } });
    await logged.post(ROSTER, { headers: { 'content-type': 'text/plain' } });
    await logged.post(ROSTER, { headers: { authorization: 'Bearer secret.secret.secret' } });
    await logged.post('{"value":["Bob"]}');
    const other = await signToken(logged.key, { claims: { aud: 'another\nline', name: 'Bob' } });
    for (let sent = 0; sent < 12; sent += 1) {
      await logged.post(ROSTER, { headers: { authorization: `Bearer ${other}` } });
    }
    logged.recorder.before = () => Promise.reject(new Error('down'));
    await logged.post(ROSTER);
    await logged.close();
    expect(lines.map(({ level, fields }) => [level, fields['status'], fields['reason']])).toEqual([
      ['warn', 415, 'content-type'],
      ['warn', 401, 'token-malformed'],
      ['warn', 400, 'body-not-an-object'],
      ...Array.from({ length: 12 }, () => ['warn', 401, 'token-audience']),
      ['error', 503, 'temporal-unavailable'],
    ]);
    expect(lines.at(-1)?.fields).toMatchObject({ callIds: [CALL] });
    // What an operator has to compare with the configuration; a few times, however many come.
    const told = lines.flatMap(({ fields }) => fields['refused'] ?? []);
    expect(told[0]).toMatchObject({ iss: ISSUERS[1], aud: 'another?line', tid: TENANT });
    expect(told).toHaveLength(10);
    expect(JSON.stringify(lines)).not.toMatch(/secret|Bob|displayName/);
  });
});
