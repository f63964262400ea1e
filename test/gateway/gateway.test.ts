import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadGatewayConfig } from '../../src/config/gateway.ts';
import type { RunningGateway } from '../../src/gateway.ts';
import { Service, undecided, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';
import { ask, AUDIENCE, CALLER, gatewayOf, HOME, OTHER, tokenOf, type Told } from './kit.ts';

let service: Service;
let gateway: RunningGateway;
let token: string;

beforeAll(async () => {
  service = await Service.start();
  gateway = await gatewayOf(service);
  token = await tokenOf(service);
  await until(
    async () => (await fetch(`${gateway.health}/readyz`)).status,
    (status) => status === 200,
  );
});

afterAll(async () => {
  await gateway.stop();
  await service.stop();
});

const at = (call: Pick<TestCall, 'id'>, below = 'mute', version = 'v1.0', root = gateway.url): string =>
  `${root}/${version}/communications/calls/${call.id}/${below}`;

async function requestOf(call: TestCall) {
  return (await service.moderation.getLatestOperation(call.id))?.status?.request;
}

async function untilEnded(url: string, by = token): Promise<Told> {
  for (;;) {
    const told = await ask(url, { method: 'GET', token: by });
    if (told.body.status !== 'running') return told;
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}

describe('an operation', () => {
  test('is completed once the roster has confirmed it, in the shape of Graph', async () => {
    const call = service.call();
    const told = await ask(at(call), {
      token,
      body: '{"clientContext":"ctx-1"}',
      headers: { 'client-request-id': 'mine-1' },
    });
    expect(told.status).toBe(200);
    expect(call.self.isMuted).toBe(true);
    expect(told.body).toMatchObject({
      '@odata.type': '#microsoft.graph.muteParticipantOperation',
      status: 'completed',
      clientContext: 'ctx-1',
      resultInfo: null,
    });
    expect(told.headers.get('client-request-id')).toBe('mine-1');
    expect(told.headers.get('request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(told.headers.get('location')).toBe(at(call, `operations/${told.body.id}`));
    expect(await requestOf(call)).toMatchObject({ requestedBy: CALLER, tenantId: HOME, clientContext: 'ctx-1' });
    const read = await ask(told.headers.get('location') ?? '', { method: 'GET', token });
    expect(read).toMatchObject({
      status: 200,
      body: { status: 'completed', id: told.body.id, clientContext: 'ctx-1' },
    });

    const unmuted = await ask(at(call, 'unmute', 'beta'), { token });
    expect(unmuted).toMatchObject({
      status: 200,
      body: { '@odata.type': '#microsoft.graph.unmuteParticipantOperation', status: 'completed', clientContext: null },
    });
    expect(call.self.isMuted).toBe(false);
  });

  test('mutes a participant', async () => {
    const call = service.call();
    const { participants } = service.graph.describe(call.id);
    const someone = participants.find(({ id }) => id !== call.participantId);
    const told = await ask(at(call, `participants/${someone?.id}/mute`), { token });
    expect(told).toMatchObject({ status: 200, body: { status: 'completed' } });
    expect(service.graph.describe(call.id).participants.find(({ id }) => id === someone?.id)?.isMuted).toBe(true);
    const absent = await ask(at(call, `participants/${randomUUID()}/mute`), { token });
    expect(absent).toMatchObject({ status: 404, body: { error: { code: 'ParticipantLeft' } } });
  });

  test('that is asked for with respond-async runs, and is completed when polled', async () => {
    const call = service.call();
    service.graph.setFaults(call.id, undecided);
    const told = await ask(at(call), { token, headers: { prefer: 'respond-async' } });
    expect(told).toMatchObject({ status: 202, body: { status: 'running' } });
    expect(told.headers.get('preference-applied')).toBe('respond-async');
    const location = told.headers.get('location') ?? '';
    expect(await ask(location, { method: 'GET', token })).toMatchObject({ status: 200, body: { status: 'running' } });
    await call.untilAsked('mute');
    await service.graph.clearFaults(call.id);
    expect(await untilEnded(location)).toMatchObject({ status: 200, body: { status: 'completed' } });
  });

  test('of which the wait runs out goes on, also if the caller goes away', async () => {
    const call = service.call();
    service.graph.setFaults(call.id, undecided);
    const told = await ask(at(call), { token, headers: { prefer: 'wait=1' } });
    expect(told).toMatchObject({ status: 202, body: { status: 'running' } });
    const gone = new AbortController();
    const left = ask(at(call), { token, signal: gone.signal });
    await call.untilAsked('mute');
    gone.abort();
    await expect(left).rejects.toThrow();
    await service.graph.clearFaults(call.id);
    expect((await untilEnded(told.headers.get('location') ?? '')).body.status).toBe('completed');
    expect(call.posts).toEqual(['mute']);
  });

  test('that fails has the type of the failure as the code', async () => {
    const absent = await ask(at({ id: randomUUID() }), { token, headers: { 'client-request-id': 'mine-2' } });
    expect(absent).toMatchObject({ status: 404, body: { error: { code: 'CallNotFound' } } });
    expect(absent.body.error?.innerError).toMatchObject({
      'client-request-id': 'mine-2',
      date: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]{8}$/),
    });
  });

  test('that is not confirmed is told as put back, at once and when polled', async () => {
    const call = service.call();
    service.graph.setFaults(call.id, {
      notifications: [{ on: 'roster', drop: true, times: 'forever' }],
      requests: [{ on: 'mute', effect: false, times: 'forever' }],
    });
    const told = await ask(at(call), { token, headers: { prefer: 'wait=1' } });
    expect(told.status).toBe(202);
    const again = await ask(at(call), { token });
    expect(again).toMatchObject({ status: 502, body: { error: { code: 'Unconfirmed' } } });
    expect(again.body.error?.innerError['restored']).toEqual(expect.any(Boolean));
    const polled = await untilEnded(told.headers.get('location') ?? '');
    expect(polled).toMatchObject({
      status: 200,
      body: { status: 'failed', resultInfo: { code: 502 }, error: { code: 'Unconfirmed' } },
    });
    expect(polled.body.error?.innerError['restored']).toBe(again.body.error?.innerError['restored']);
  }, 90_000);

  test('is the same one for the same Idempotency-Key, and another key is another', async () => {
    const call = service.call();
    const keyed = (key: string) => ask(at(call), { token, headers: { 'idempotency-key': key } });
    const first = await keyed('"key-1"');
    const second = await keyed('key-1');
    expect(second.body.id).toBe(first.body.id);
    expect(call.posts).toEqual(['mute']);
    expect((await keyed('key-2')).body.id).not.toBe(first.body.id);
    const other = await ask(at(call, 'unmute'), { token, headers: { 'idempotency-key': 'key-1' } });
    expect(other).toMatchObject({ status: 400, body: { error: { code: 'InvalidRequest' } } });
  });
});

describe('a caller', () => {
  test.each([
    ['without a token', undefined, 401, 'InvalidAuthenticationToken'],
    ['with a token for another API', { audience: randomUUID() }, 401, 'InvalidAuthenticationToken'],
    ['with an expired token', { expiresInSeconds: -1_000 }, 401, 'InvalidAuthenticationToken'],
    ['with a forged token', { isForged: true }, 401, 'InvalidAuthenticationToken'],
    [
      "with another tenant's issuer",
      { issuer: `https://sts.windows.net/${OTHER}/` },
      401,
      'InvalidAuthenticationToken',
    ],
    ['without the role', { roles: ['Something.Else'] }, 403, 'Authorization_RequestDenied'],
    ['of a tenant that is not allowed', { tenantId: randomUUID() }, 403, 'Authorization_RequestDenied'],
  ] as const)('%s is refused', async (_what, request, status, code) => {
    const call = service.call();
    const shown = request && (await tokenOf(service, request));
    const told = await ask(at(call), { token: shown });
    expect(told).toMatchObject({ status, body: { error: { code } } });
    if (status === 401) expect(told.headers.get('www-authenticate')).toMatch(/^Bearer/);
    const read = await ask(at(call, `operations/${'A'.repeat(32)}`), { method: 'GET', token: shown });
    expect(read.status).toBe(status);
    expect(call.posts).toEqual([]);
  });

  test('may have a token of version 1', async () => {
    const call = service.call();
    expect((await ask(at(call), { token: await tokenOf(service, { version: 1 }) })).status).toBe(200);
    expect((await requestOf(call))?.requestedBy).toBe(CALLER);
  });

  test('may get its token where Entra gives them out', async () => {
    const { authorityUrl, appId } = service.graph.addresses;
    const answer = await fetch(`${authorityUrl}/${HOME}/oauth2/v2.0/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: appId,
        client_secret: 'simulated-secret',
        scope: `api://${AUDIENCE}/.default`,
      }),
    });
    const { access_token } = (await answer.json()) as { access_token: string };
    expect((await ask(at(service.call()), { token: access_token })).status).toBe(200);
  });

  test('of another tenant finds no operation, and neither attaches nor takes over', async () => {
    const call = service.call();
    const others = await tokenOf(service, { tenantId: OTHER });
    service.graph.setFaults(call.id, undecided);
    const told = await ask(at(call), { token, headers: { prefer: 'respond-async' } });
    const location = told.headers.get('location') ?? '';
    expect(await ask(location, { method: 'GET', token: others })).toMatchObject({ status: 404 });
    for (const action of ['mute', 'unmute']) {
      const refused = await ask(at(call, action), { token: others });
      expect(refused).toMatchObject({ status: 404, body: { error: { code: 'CallNotFound' } } });
    }
    await call.untilAsked('mute');
    await service.graph.clearFaults(call.id);
    expect((await untilEnded(location)).body.status).toBe('completed');
    expect(call.posts).toEqual(['mute']);
  });

  test.each(['mute', 'unmute'])(
    "of another tenant that asks to %s at the same moment does not share the first one's operation",
    async (action) => {
      const others = await tokenOf(service, { tenantId: OTHER });
      const headers = { prefer: 'respond-async' };
      const answers = await Promise.all(
        Array.from({ length: 8 }, async () => {
          const call = service.call();
          service.graph.setFaults(call.id, undecided);
          const told = await Promise.all([
            ask(at(call), { token, headers }),
            ask(at(call, action), { token: others, headers }),
          ]);
          return told.map(({ status }) => status).toSorted((a, b) => a - b);
        }),
      );
      // Whoever is first has an operation, and for the other one the call does not exist.
      expect(answers).toEqual(answers.map(() => [202, 404]));
    },
  );

  test('of another tenant learns nothing of an idempotency key that is taken', async () => {
    const call = service.call();
    const headers = { 'idempotency-key': randomUUID() };
    expect((await ask(at(call), { token, headers })).status).toBe(200);
    const told = await ask(at(call), { token: await tokenOf(service, { tenantId: OTHER }), headers });
    expect(told).toMatchObject({ status: 404, body: { error: { code: 'CallNotFound' } } });
    expect(call.posts).toEqual(['mute']);
  });

  test('acts in the tenant of its token', async () => {
    const call = service.call({ tenantId: OTHER });
    const told = await ask(at(call), { token: await tokenOf(service, { tenantId: OTHER }) });
    expect(told.status).toBe(200);
    expect((await requestOf(call))?.tenantId).toBe(OTHER);
  });
});

describe('a request', () => {
  test.each([
    ['an ID that is none', 'mute', '!', undefined, 400],
    ['a body that is no JSON', 'mute', undefined, '{', 400],
    ['a body that is no object', 'mute', undefined, '[]', 400],
    ['a field that is none', 'mute', undefined, '{"tenantId":"x"}', 400],
    ['a context that is too long', 'mute', undefined, JSON.stringify({ clientContext: 'x'.repeat(257) }), 400],
    ['a body that is too large', 'mute', undefined, JSON.stringify({ clientContext: 'x'.repeat(20_000) }), 413],
  ])('with %s is refused', async (_what, below, id, body, status) => {
    const call = service.call();
    const told = await ask(at({ id: id ?? call.id }, below), { token, ...(body !== undefined && { body }) });
    expect(told.status).toBe(status);
    expect(told.body.error?.innerError).toMatchObject({ 'request-id': expect.any(String) });
    expect(call.posts).toEqual([]);
  });

  test('in gzip is read, as SDKs of Graph compress theirs, and in another encoding refused', async () => {
    const call = service.call();
    const sent = async (encoding: string, body: Buffer) =>
      await fetch(at(call), {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'content-encoding': encoding,
        },
        body: new Uint8Array(body),
      });
    const told = await sent('gzip', gzipSync('{"clientContext":"small"}'));
    expect(told.status).toBe(200);
    expect(await told.json()).toMatchObject({ status: 'completed', clientContext: 'small' });
    const bomb = gzipSync(JSON.stringify({ clientContext: 'x'.repeat(1_000_000) }));
    expect(bomb.length).toBeLessThan(16 * 1024);
    expect((await sent('gzip', bomb)).status).toBe(413);
    expect((await sent('gzip', Buffer.from('{}'))).status).toBe(400);
    const other = await sent('zstd', Buffer.from('{}'));
    expect(other.status).toBe(415);
    expect(other.headers.get('accept-encoding')).toBe('gzip');
    expect((await sent('identity', Buffer.from('{}'))).status).toBe(200);
  });

  test('for a path that is none, or that cannot be read, is refused in the shape of Graph', async () => {
    const call = service.call();
    for (const [path, status] of [
      ['participants/muteAll', 404],
      ['participants/%zz/mute', 400],
    ] as const) {
      const told = await ask(at(call, path), { token, headers: { 'client-request-id': 'mine-3' } });
      expect(told.status).toBe(status);
      expect(told.body.error?.innerError).toMatchObject({
        'request-id': told.headers.get('request-id'),
        'client-request-id': 'mine-3',
      });
      expect(told.headers.get('client-request-id')).toBe('mine-3');
    }
    expect((await ask(at(call, 'participants/muteAll'), { token })).body.error?.code).toBe('ResourceNotFound');
  });

  test('with another method, type or version is refused', async () => {
    const call = service.call();
    expect((await ask(at(call), { method: 'DELETE', token })).status).toBe(405);
    expect((await ask(at(call), { token, body: 'x', headers: { 'content-type': 'text/plain' } })).status).toBe(415);
    expect((await ask(at(call, 'mute', 'v2.0'), { token })).status).toBe(404);
    expect((await ask(at(call), { token, headers: { 'idempotency-key': 'a\u00e9' } })).status).toBe(400);
  });

  test('for an operation that is not there is answered 404', async () => {
    const call = service.call();
    const { body } = await ask(at(call), { token });
    const id = body.id ?? '';
    const wrong = [id.slice(0, -1), `${id}A`, id.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')), 'A'.repeat(32)];
    for (const one of wrong) {
      expect((await ask(at(call, `operations/${one}`), { method: 'GET', token })).status).toBe(404);
    }
    const elsewhere = service.call();
    expect((await ask(at(elsewhere, `operations/${id}`), { method: 'GET', token })).status).toBe(404);
  });

  test('that one application makes too often is put off, and another one is not', async () => {
    const limited = await gatewayOf(service, { MODERATION_GATEWAY_REQUESTS_PER_SECOND: '1' });
    const url = at(service.call(), `operations/${'A'.repeat(32)}`, 'v1.0', limited.url);
    const told = await Promise.all([1, 2, 3, 4].map(async () => await ask(url, { method: 'GET', token })));
    const refused = told.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.headers.get('retry-after')).toBe('1');
    const another = await tokenOf(service, { appId: randomUUID() });
    expect((await ask(url, { method: 'GET', token: another })).status).toBe(404);
    await limited.stop();
  });
});

describe('the process', () => {
  test('takes operations that name no tenant for those of the one that callers come from', () => {
    const read = (tenants: string, home?: string) =>
      loadGatewayConfig({
        MODERATION_GATEWAY_AUDIENCE: AUDIENCE,
        MODERATION_TENANTS: tenants,
        ...(home !== undefined && { AZURE_TENANT_ID: home }),
      }).homeTenant;
    expect(read(HOME)).toBe(HOME);
    expect(read(HOME, OTHER)).toBe(OTHER);
    // No token names a domain.
    expect(read(HOME, 'contoso.onmicrosoft.com')).toBe(HOME);
    expect(() => read(`${HOME},${OTHER}`, 'contoso.onmicrosoft.com')).toThrow(/AZURE_TENANT_ID: .*ID/);
  });

  test('that ends answers those who wait, and another one finds their operations', async () => {
    const call = service.call();
    service.graph.setFaults(call.id, undecided);
    const first = await gatewayOf(service);
    const waiting = ask(at(call, 'mute', 'v1.0', first.url), { token });
    await call.untilAsked('mute');
    first.drain();
    expect((await fetch(`${first.health}/readyz`)).status).toBe(503);
    await first.stop();
    const told = await waiting;
    expect(told).toMatchObject({ status: 202, body: { status: 'running' } });
    await service.graph.clearFaults(call.id);
    expect((await untilEnded(at(call, `operations/${told.body.id}`))).body.status).toBe('completed');
  });

  test('without authentication asks nobody for a token, on this machine alone', async () => {
    const open = { MODERATION_GATEWAY_AUDIENCE: undefined, MODERATION_TENANTS: undefined };
    const local = await gatewayOf(service, open);
    const call = service.call();
    expect((await ask(at(call, 'mute', 'v1.0', local.url))).status).toBe(200);
    await local.stop();
    for (const host of ['0.0.0.0', '::', 'gateway.example.com']) {
      await expect(gatewayOf(service, { ...open, MODERATION_GATEWAY_HOST: host })).rejects.toThrow(
        /MODERATION_GATEWAY_AUDIENCE: required unless/,
      );
    }
    await expect(gatewayOf(service, { MODERATION_TENANTS: undefined, AZURE_TENANT_ID: undefined })).rejects.toThrow(
      /MODERATION_TENANTS: required/,
    );
  });

  test('counts what it answers', async () => {
    await ask(at(service.call()), { token });
    const metrics = await (await fetch(`${gateway.health}/metrics`)).text();
    expect(metrics).toMatch(/call_moderation_gateway_answers_total\{asked="mute",status="200"\} [1-9]/);
    expect(metrics).not.toContain(CALLER);
  });

  test('takes the address for Location from the setting, and never a Host that is none', async () => {
    const named = await gatewayOf(service, { MODERATION_GATEWAY_URL: 'https://moderation.example.com/graph/' });
    const call = service.call();
    const told = await ask(at(call, 'mute', 'v1.0', named.url), { token });
    expect(told.headers.get('location')).toMatch(
      `https://moderation.example.com/graph/v1.0/communications/calls/${call.id}/operations/`,
    );
    await named.stop();
    const location = await new Promise<string | undefined>((resolve, reject) => {
      const sent = httpRequest(
        at(call),
        { method: 'POST', headers: { host: 'a"b<c', authorization: `Bearer ${token}` } },
        (answer) => resolve(answer.resume().headers.location),
      );
      sent.on('error', reject).end();
    });
    expect(location ?? '').not.toContain('<');
  });
});
