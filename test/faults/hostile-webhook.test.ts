import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toCallEstablished } from '../../src/contract/live-call.ts';
import { toCallEnd, toOperationUpdate, toRosterUpdate } from '../../src/contract/signals.ts';
import type { Deliverable } from '../../src/webhook/delivery/signal-workflows.ts';
import { payloadsOf, strictJson } from '../support/payloads.ts';
import {
  AUDIENCE,
  CALL,
  ISSUERS,
  makeKey,
  notifications,
  participant,
  rig,
  rosterEntry,
  signToken,
  type Rig,
} from '../support/webhook-kit.ts';
import { tell } from './tried.ts';

/**
 * The webhook under a fuzzer: whatever comes is answered by the contract's table and in its shape, hands over nothing that
 * a workflow would not take, tells an attacker nothing, and costs no more than it should. `HOSTILE` is how many of each.
 */

const RUNS = Number(process.env['HOSTILE'] ?? 60) * 5;
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const params = { seed, numRuns: RUNS, endOnFailure: process.env['SHRINK'] === undefined };

let hook: Rig;
beforeAll(async () => {
  hook = await rig({ requestTimeout: 2_000 });
});
afterAll(async () => await hook.close());

const ROSTER = notifications(rosterEntry(CALL, participant('bot', true)));

interface Answered {
  status: number;
  body: string;
  headers: string;
}

async function post(body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Answered> {
  const response = await hook.post(body, { headers });
  return await answered(response);
}

async function answered(response: Response): Promise<Answered> {
  const told = [...response.headers].filter(([name]) => name !== 'date');
  return { status: response.status, body: await response.text(), headers: JSON.stringify(told) };
}

function expectAnswer({ status, body }: Answered, allowed: readonly number[]): void {
  expect(allowed).toContain(status);
  if (status === 202) expect(body).toBe('');
  else expect(JSON.parse(body)).toEqual({ error: { code: expect.any(String), message: expect.any(String) } });
}

const READERS = {
  rosterUpdated: toRosterUpdate,
  callEnded: toCallEnd,
  operationUpdated: toOperationUpdate,
  callEstablished: toCallEstablished,
};

/** Nothing goes on that a workflow would refuse, or that the contract does not name. */
function expectFits({ kind, payload }: Deliverable): void {
  expect(READERS[kind](payload)).toStrictEqual(payload);
}

const SAMPLES = payloadsOf('notifications').flatMap(([, content]) => {
  try {
    return [JSON.parse(strictJson(content)) as unknown];
  } catch {
    return [];
  }
});

const hostileValue = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom<unknown>(1e308, -1e308, Number.MAX_SAFE_INTEGER + 2, -0, null, [], {}, '1e999', 'true', '../../x'),
  fc.constantFrom<unknown>(`/communications/calls/${CALL}`, `calls('${CALL}')`, `/app/calls/${'%2e%2e%2f'.repeat(20)}`),
);

const KEYS = [
  'value',
  'resource',
  'resourceUrl',
  'resourceData',
  'changeType',
  '@odata.type',
  '@odata.id',
  'participants',
];
const MORE_KEYS = [
  'id',
  'isMuted',
  'mediaStreams',
  'sequenceNumber',
  'state',
  'resultInfo',
  '__proto__',
  'constructor',
];

/** A published sample in which one thing is another. */
const mutated = fc.tuple(fc.constantFrom(...SAMPLES), fc.nat(), hostileValue).map(([sample, at, value]) => {
  let count = 0;
  const copy: unknown = JSON.parse(JSON.stringify(sample), (_key, given: unknown) => {
    count += 1;
    return given;
  });
  const target = at % Math.max(count, 1);
  let seen = -1;
  return JSON.stringify(copy, (_key, given: unknown) => {
    seen += 1;
    return seen === target ? value : given;
  });
});

const nested = fc
  .record({ depth: fc.integer({ min: 1, max: 150_000 }), opening: fc.constantFrom('[', '{"value":[', '{"a":') })
  .map(({ depth, opening }) => {
    const most = Math.min(depth, Math.floor(900_000 / (opening.length * 2)));
    const close = Array.from(opening)
      .toReversed()
      .map((letter) => ({ '[': ']', '{': '}' })[letter] ?? '')
      .join('');
    return `${opening.repeat(most)}1${close.repeat(most)}`;
  });

const bodies = fc.oneof(
  { weight: 5, arbitrary: mutated },
  {
    weight: 2,
    arbitrary: fc.dictionary(fc.constantFrom(...KEYS, ...MORE_KEYS), hostileValue).map((it) => JSON.stringify(it)),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.dictionary(fc.constantFrom(...KEYS, ...MORE_KEYS), hostileValue))
      .map((value) => JSON.stringify({ value })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '{"value":1e999}',
      '{"__proto__":{"value":[]}}',
      '{"value":[{"__proto__":{"polluted":1}}]}',
    ),
  },
  { weight: 1, arbitrary: nested },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
);

test('bodies of any kind are taken or refused, and what goes on fits', async (context) => {
  await fc.assert(
    fc.asyncProperty(fc.oneof({ weight: 8, arbitrary: bodies }, fc.uint8Array({ maxLength: 500 })), async (body) => {
      const from = hook.recorder.handed.length;
      expectAnswer(await post(body), [202, 400]);
      hook.recorder.handed.slice(from).forEach(expectFits);
      expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
    }),
    { ...params, numRuns: RUNS * 2 },
  );
  tell(context, {
    what: 'the webhook: hostile bodies',
    faults: RUNS * 2,
    operations: 0,
    violations: 0,
    note: `seed ${seed}`,
  });
}, 120_000);

const headerText = fc
  .string({ unit: fc.constantFrom(...Array.from('abzAZ09 ;,="/\\\t*+-._~')), maxLength: 60 })
  .map((value) => value.trim());

test('headers of any kind are answered by the table', async (context) => {
  const some = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    fc.option(arbitrary, { nil: undefined, freq: 3 });
  const headers = fc.record({
    'content-type': some(
      fc.oneof(
        headerText,
        fc.constantFrom('application/json', 'application/json;;', 'application/x+json;charset=utf-7'),
      ),
    ),
    'content-encoding': some(fc.oneof(headerText, fc.constantFrom('gzip', 'identity', 'br, gzip'))),
    authorization: some(
      fc.oneof(
        headerText,
        headerText.map((it) => `Bearer ${it}`),
      ),
    ),
    'x-forwarded-for': some(headerText),
    'content-language': some(headerText),
    cookie: some(headerText),
    expect: some(fc.constant('100-continue')),
  });
  await fc.assert(
    fc.asyncProperty(headers, async (given) => {
      const told = Object.entries(given).filter(
        (one): one is [string, string] => one[1] !== undefined && one[0] !== 'expect',
      );
      expectAnswer(await post(JSON.stringify(ROSTER), Object.fromEntries(told)), [202, 400, 401, 415]);
    }),
    params,
  );
  tell(context, { what: 'the webhook: hostile headers', faults: RUNS, operations: 0, violations: 0 });
});

test('tokens of any kind get one and the same answer, and start no fetch but of the keys', async (context) => {
  // A canary: addresses in a token's header must never be looked up.
  let isLookedUp = false;
  const canary = createServer((_request, response) => {
    isLookedUp = true;
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(canary, 'listening');
  const elsewhere = `http://127.0.0.1:${(canary.address() as AddressInfo).port}/keys`;
  const stranger = await makeKey('stranger');
  const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value) ?? '').toString('base64url');
  const header = fc.dictionary(
    fc.constantFrom('alg', 'kid', 'typ', 'cty', 'jku', 'x5u', 'jwk', 'x5c', 'crit', 'b64', 'zip', 'enc', '__proto__'),
    fc.oneof(
      fc.constantFrom<unknown>('RS256', 'HS256', 'none', 'ES256', 'graph-1', elsewhere, stranger.jwk, ['b64'], false),
      fc.jsonValue({ maxDepth: 1 }),
    ),
  );
  const now = Math.floor(Date.now() / 1_000);
  const claims = fc.dictionary(
    fc.constantFrom('iss', 'aud', 'tid', 'exp', 'nbf', 'iat', 'sub', '__proto__'),
    fc.oneof(
      fc.constantFrom<unknown>(ISSUERS[0], AUDIENCE, now + 300, 1e308, -1, [AUDIENCE]),
      fc.jsonValue({ maxDepth: 1 }),
    ),
  );
  const signature = fc.uint8Array({ maxLength: 300 }).map((it) => Buffer.from(it).toString('base64url'));
  const made = fc
    .tuple(header, claims, signature)
    .map(([head, body, sign]) => `${base64url(head)}.${base64url(body)}.${sign}`);
  const signed = fc.tuple(header, claims).map(async ([head, body]) => {
    const own = {
      ...head,
      alg: 'RS256',
      kid: head['kid'] === 'graph-1' ? 'graph-1' : 'stranger',
      crit: undefined,
      b64: undefined,
    };
    return await signToken(stranger, { header: own, claims: body }).catch(() => 'x.y.z');
  });
  const tokens = fc.oneof(made, signed, fc.base64String(), fc.constant(''));
  const before = hook.keys.fetches;
  const answers = new Set<string>();
  await fc.assert(
    fc.asyncProperty(tokens, async (token) => {
      const answer = await post(JSON.stringify(ROSTER), { authorization: `Bearer ${await token}` });
      expectAnswer(answer, [401]);
      answers.add(JSON.stringify(answer));
    }),
    params,
  );
  // The genuine article, and its ways not to hold.
  for (const wrong of [{ aud: 'x' }, { iss: 'x' }, { exp: 1 }, { nbf: now + 900 }, { tid: undefined }]) {
    const token = await signToken(hook.key, { claims: wrong });
    answers.add(JSON.stringify(await post(JSON.stringify(ROSTER), { authorization: `Bearer ${token}` })));
  }
  expect(answers.size, [...answers].join('\n')).toBe(1);
  expect(isLookedUp).toBe(false);
  expect(hook.keys.fetches - before).toBeLessThan(20);
  canary.close();
  tell(context, { what: 'the webhook: hostile tokens', faults: RUNS + 5, operations: 0, violations: 0 });
});

test('a flood of unknown keys is no flood of fetches, and delays nobody', async (context) => {
  const flooded = await rig();
  await flooded.post(ROSTER);
  const before = flooded.keys.fetches;
  const stranger = await makeKey('stranger');
  const tokens = await Promise.all(
    Array.from({ length: 300 }, (_, index) => signToken(stranger, { header: { kid: `made-up-${index}` } })),
  );
  const began = performance.now();
  const send = async (authorization: string): Promise<number> =>
    (await answered(await flooded.post(ROSTER, { headers: { authorization } }))).status;
  const statuses = await Promise.all(tokens.map(async (token) => await send(`Bearer ${token}`)));
  const seconds = (performance.now() - began) / 1_000;
  expect(new Set(statuses)).toEqual(new Set([401]));
  expect(flooded.keys.fetches - before).toBeLessThanOrEqual(4 + Math.ceil(seconds / 5));
  expect(await send(`Bearer ${flooded.token}`)).toBe(202);
  await flooded.close();
  tell(context, { what: 'the webhook: unknown keys', faults: tokens.length, operations: 0, violations: 0 });
});

test('a token and a body that are replayed are handed over ten times a second at most', async (context) => {
  const replayed = await rig();
  const began = performance.now();
  const answers = await Promise.all(Array.from({ length: 400 }, async () => (await replayed.post(ROSTER)).status));
  const tenths = (performance.now() - began) / 100;
  expect(new Set(answers)).toEqual(new Set([202]));
  expect(replayed.recorder.handed.length).toBeLessThanOrEqual(tenths + 2);
  await replayed.close();
  tell(context, { what: 'the webhook: replays', faults: 400, operations: 0, violations: 0 });
});

test('a body of thousands of calls is handed over a hundred at a time, and given up in time', async (context) => {
  const crowded = await rig();
  crowded.recorder.before = async () => await sleep(50);
  const body = JSON.stringify({
    value: Array.from({ length: 18_000 }, (_, index) => ({ changeType: 'deleted', resource: `/calls/${index}` })),
  });
  const began = performance.now();
  const crowd = crowded.post(body);
  await sleep(500);
  // Somebody else's notification is not held up.
  const sent = performance.now();
  expect((await crowded.post(ROSTER)).status).toBe(202);
  expect(performance.now() - sent).toBeLessThan(2_000);
  expect((await crowd).status).toBe(503);
  // 4 s of its own, on a machine that may be busy; all at once took 22.
  expect(performance.now() - began).toBeLessThan(8_000);
  expect(crowded.recorder.mostAtOnce).toBeLessThanOrEqual(101);
  await crowded.close();
  tell(context, { what: 'the webhook: thousands of calls in a body', faults: 18_000, operations: 0, violations: 0 });
});

function open(url: string): Socket {
  const { port } = new URL(url);
  return connect(Number(port), '127.0.0.1').on('error', () => undefined);
}

test('slow clients are cut, and delay nobody', async (context) => {
  const slow = Array.from({ length: 200 }, (_, index) => {
    const socket = open(hook.url);
    const head = `POST /api/calls HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
    socket.write(index % 2 === 0 ? head : `${head}Content-Length: 1000000\r\n\r\n{`);
    return socket;
  });
  const drip = setInterval(() => slow.forEach((socket) => socket.writable && socket.write('a')), 100);
  const closed = Promise.all(slow.map(async (socket) => await text(socket).catch(() => '')));
  const began = performance.now();
  expect((await post(JSON.stringify(ROSTER))).status).toBe(202);
  expect(performance.now() - began).toBeLessThan(2_000);
  await closed;
  clearInterval(drip);
  expect(performance.now() - began).toBeLessThan(15_000);
  expect((await post(JSON.stringify(ROSTER))).status).toBe(202);
  tell(context, { what: 'the webhook: slow clients', faults: slow.length, operations: 0, violations: 0 });
});

test('bytes that are no HTTP are answered or cut', async (context) => {
  const line = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((it) => Buffer.from(it)),
    fc.constantFrom(
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n',
      'POST /api/calls HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      'POST /api/calls HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
      'POST /api/calls HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n',
      'GET /readyz HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\r\n',
      `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    ),
  );
  await fc.assert(
    fc.asyncProperty(line, async (bytes) => {
      const socket = open(hook.url);
      socket.write(bytes);
      socket.end();
      const said = await text(socket).catch(() => '');
      expect(said === '' || /^HTTP\/1\.1 [1-5]\d\d /.test(said)).toBe(true);
      expect(/^HTTP\/1\.1 (5|202)/.test(said) && !said.includes('not ready')).toBe(false);
    }),
    params,
  );
  expect((await post(JSON.stringify(ROSTER))).status).toBe(202);
  tell(context, { what: 'the webhook: bytes that are no HTTP', faults: RUNS, operations: 0, violations: 0 });
});
