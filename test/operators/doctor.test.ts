import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ModerationClient } from '../../src/client/moderation-client.ts';
import type { Policies } from '../../src/client/policies/policies.ts';
import { loadClientConfig } from '../../src/config/common.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { SEARCH_ATTRIBUTE_TYPE } from '../../src/contract/names.ts';
import { bundleCheck } from '../../src/doctor/bundle.ts';
import { findingOf, type Finding } from '../../src/doctor/check.ts';
import { clockCheck } from '../../src/doctor/clock.ts';
import { examine, type DoctorOptions } from '../../src/doctor/doctor.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { closeClient, connectClient } from '../../src/temporal/connect.ts';
import { VERSION } from '../../src/lib/version.ts';
import { BIN, Command, killCommands } from '../support/command-kit.ts';
import { Service } from '../support/service.ts';
import { temporal } from '../support/temporal.ts';

/** The doctor over a deployment that is well, and over everything that can be wrong with one. */

const GRAPH = 'https://graph.microsoft.com';

let service: Service;
let env: Environment;
beforeAll(async () => {
  service = await Service.start();
  env = { ...service.env, MODERATION_GRAPH_TOKEN: tokenWith(['Calls.Initiate.All']) };
});
afterAll(async () => {
  await killCommands();
  await service.stop();
});

/** What Entra ID would issue, but for its signature: the doctor looks inside and shows it to nobody. */
function tokenWith(roles: readonly string[], audience = GRAPH, expires = '1h'): string {
  return `${new UnsecuredJWT({ roles }).setAudience(audience).setExpirationTime(expires).encode()}c2lnbmF0dXJl`;
}

async function findings(overrides: Environment = {}, options: DoctorOptions = {}): Promise<Finding[]> {
  return await examine({ ...env, ...overrides }, { webhookUrl: service.callbackUrl, ...options });
}

/** Somebody else, who answers as `listener` does. */
async function serve(listener: RequestListener): Promise<{ url: string; close: () => void }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => void server.close() };
}

const failed = (found: readonly Finding[]): string[] =>
  found.filter(({ state }) => state === 'failed').map(({ check }) => check);

const of = (found: readonly Finding[], name: string): Finding | undefined => found.find(({ check }) => check === name);

describe('of a deployment that is well', () => {
  test('every check passes, in a line each, with code 0', async () => {
    const { code, stdout, stderr } = await new Command(BIN, ['doctor', '--webhook-url', service.callbackUrl], env)
      .ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => /^(\w+) +([\w ]+): ./.exec(line)?.slice(1))).toEqual([
      ['ok', 'configuration of the worker'],
      ['ok', 'configuration of the webhook'],
      ['ok', 'encryption'],
      ['ok', 'bundle'],
      ['ok', 'temporal'],
      ['ok', 'namespace'],
      ['ok', 'search attributes'],
      ['ok', 'worker'],
      ['ok', 'schedules'],
      ['ok', 'token'],
      ['ok', 'permissions'],
      ['ok', 'webhook'],
      ['ok', 'signing keys'],
      ['ok', 'clock'],
    ]);
  });

  test('shows nobody the token', async () => {
    const text = JSON.stringify(await findings());
    for (const part of env['MODERATION_GRAPH_TOKEN']?.split('.') ?? []) expect(text).not.toContain(part);
  });
});

test('reports failed checks as JSON, with code 1', async () => {
  const args = ['doctor', '--webhook-url', `http://127.0.0.1:${await freePort()}/api/calls`, '--json'];
  const { code, stdout } = await new Command(BIN, args, env).ended;
  expect(code).toBe(1);
  const { isHealthy, findings: told } = JSON.parse(stdout) as { isHealthy: boolean; findings: Finding[] };
  expect(isHealthy).toBe(false);
  expect(failed(told)).toEqual(['webhook']);
  expect(of(told, 'webhook')?.said).toContain('ECONNREFUSED');
});

test('finds Temporal missing, and everything else all the same', async () => {
  const found = await findings({ TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}` });
  expect(failed(found)).toEqual(['temporal', 'namespace', 'search attributes', 'worker', 'schedules']);
  expect(of(found, 'temporal')?.remedy).toContain('TEMPORAL_ADDRESS');
  expect(of(found, 'webhook')?.state).toBe('ok');
});

test('ends in order where Temporal is not there, however late its last try is due', async () => {
  // Without a token of its own the process is so busy with credentials that its timers fire late.
  const { code, stderr } = await new Command(BIN, ['doctor'], { TEMPORAL_ADDRESS: '127.0.0.1:1' }).ended;
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
});

test('finds a namespace missing', async () => {
  const found = await findings({ TEMPORAL_NAMESPACE: 'nowhere' });
  expect(failed(found)).toEqual(['namespace', 'search attributes', 'worker', 'schedules']);
  expect(of(found, 'namespace')?.said).toBe("Namespace not found: 'nowhere'");
});

test('finds search attributes missing, and names the command', async () => {
  const namespace = `bare-${randomUUID()}`;
  expect((await temporal('operator', 'namespace', 'create', '--namespace', namespace)).code).toBe(0);
  const seen = async (): Promise<string[]> => failed(await findings({ TEMPORAL_NAMESPACE: namespace }));
  // The server's caches learn of a namespace a little later.
  await expect.poll(seen, { timeout: 30_000 }).toEqual(['search attributes', 'worker']);
  const found = of(await findings({ TEMPORAL_NAMESPACE: namespace }), 'search attributes');
  for (const [name, type] of Object.entries(SEARCH_ATTRIBUTE_TYPE)) expect(found?.said).toContain(`${name} (${type})`);
  expect(found?.remedy).toContain('call-moderation setup');
});

test('finds no worker on another task queue', async () => {
  const found = await findings({ MODERATION_TASK_QUEUE: 'nobody-polls' });
  expect(failed(found)).toEqual(['worker']);
  expect(of(found, 'worker')?.said).toBe('no worker polls task queue nobody-polls for workflows and activities');
});

test('counts the schedules of policies, and those that are paused', async () => {
  const scheduleId = `call-moderation/policy-${randomUUID()}`;
  const action = { type: 'startWorkflow', workflowType: 'nothing', taskQueue: service.taskQueue } as const;
  const handle = await service.client.schedule.create({ scheduleId, action, spec: {}, state: { paused: true } });
  const said = async (): Promise<string | undefined> => of(await findings(), 'schedules')?.said;
  await expect.poll(said, { timeout: 15_000 }).toMatch(/^can be listed; [1-9]\d* of ours, [1-9]\d* of them paused$/);
  await handle.delete();
});

test('lists the policies that are not written with the first key, until they are written again', async () => {
  const key = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`;
  const [a, b] = [key('a'), key('b')];
  const id = `keys-${randomUUID()}`;
  const withKeys = async (keys: string, work: (policies: Policies) => Promise<unknown>): Promise<void> => {
    const client = await connectClient(loadClientConfig({ ...env, MODERATION_PAYLOAD_KEYS: keys }));
    const { taskQueue } = service;
    try {
      await work(new ModerationClient({ client, taskQueue }).policies);
    } finally {
      await closeClient(client);
    }
  };
  const said = async (keys: string) => of(await findings({ MODERATION_PAYLOAD_KEYS: keys }), 'keys of policies');
  const policy = { id, action: 'mute', target: { live: {} }, when: { once: '2099-01-01' } } as const;
  await withKeys(a, async (policies) => await policies.create(policy));
  await expect
    .poll(async () => await said(`${b},${a}`), { timeout: 15_000 })
    .toMatchObject({
      state: 'warning',
      said: expect.stringContaining(id) as string,
      remedy: expect.stringContaining('policy update') as string,
    });
  await withKeys(`${b},${a}`, async (policies) => await policies.update(id, {}));
  expect(await said(b)).toMatchObject({ state: 'ok', said: 'every policy is written with key b' });
  await withKeys(b, async (policies) => await policies.delete(id));
  expect(of(await findings(), 'keys of policies')).toBeUndefined();
});

describe('of the token, finds', () => {
  test.each<[string, string, Partial<Finding>]>([
    [
      'the permission missing',
      tokenWith(['Calls.AccessMedia.All']),
      { check: 'permissions', state: 'failed', said: 'Calls.Initiate.All is missing; granted: Calls.AccessMedia.All' },
    ],
    [
      'nothing granted',
      tokenWith([]),
      { check: 'permissions', state: 'failed', said: 'Calls.Initiate.All is missing; granted: nothing' },
    ],
    [
      'more than is needed',
      tokenWith(['Calls.Initiate.All', 'Calls.JoinGroupCalls.All', 'User.ReadWrite.All']),
      {
        check: 'permissions',
        state: 'warning',
        said: 'Calls.Initiate.All; other participants can be muted too. Moderation does not need User.ReadWrite.All',
      },
    ],
    [
      'that of another cloud',
      tokenWith(['Calls.Initiate.All'], 'https://graph.microsoft.us/'),
      { check: 'token', state: 'failed', said: `the token is for https://graph.microsoft.us, not for ${GRAPH}` },
    ],
    [
      'one that has expired',
      tokenWith([], GRAPH, '1 hour ago'),
      { check: 'token', state: 'failed', said: 'the token has expired' },
    ],
    ['one that tells nothing', 'opaque', { check: 'permissions', state: 'warning', said: 'the token is opaque' }],
  ])('%s', async (_, token, expected) => {
    const found = of(await findings({ MODERATION_GRAPH_TOKEN: token }), expected.check ?? '');
    expect(found).toMatchObject(expected);
    expect(found?.remedy).toBeDefined();
  });

  test('none, without credentials', async () => {
    const none = { MODERATION_GRAPH_TOKEN: undefined, AZURE_TOKEN_CREDENTIALS: 'EnvironmentCredential' };
    const { code, stdout } = await new Command(BIN, ['doctor', '--webhook-url', service.callbackUrl], {
      ...env,
      ...none,
    }).ended;
    expect(code).toBe(1);
    expect(stdout).toMatch(/^failed {3}token: Microsoft Entra ID issued no token/m);
    expect(stdout).toMatch(/^failed {3}permissions: .*AZURE_\*/m);
  });
});

describe('of the webhook, finds', () => {
  test('another path', async () => {
    const found = of(await findings({}, { webhookUrl: service.callbackUrl.replace('calls', 'elsewhere') }), 'webhook');
    expect(found).toMatchObject({ state: 'failed', said: expect.stringContaining('answers 404 to a bad token') });
  });

  test('somebody who takes any token', async () => {
    const careless = await serve((_, response) => response.writeHead(202).end());
    const found = of(await findings({}, { webhookUrl: careless.url }), 'webhook');
    expect(found).toMatchObject({ state: 'failed', said: expect.stringContaining('answers 202 to a bad token') });
    careless.close();
  });

  test('no signing keys, and an invalid configuration', async () => {
    const nowhere = `http://127.0.0.1:${await freePort()}/openid`;
    const found = await findings({ MODERATION_WEBHOOK_OPENID_URL: nowhere, MODERATION_GRAPH_VERSION: 'v3' });
    expect(failed(found)).toEqual(['configuration of the worker', 'signing keys']);
    expect(of(found, 'configuration of the worker')?.said).toContain('MODERATION_GRAPH_VERSION');
    expect(of(found, 'clock')).toMatchObject({ state: 'warning', said: expect.stringContaining('ECONNREFUSED') });
  });
});

test('finds the clock wrong by the Date of others', async () => {
  for (const [seconds, state] of [
    [60, 'warning'],
    [200, 'failed'],
  ] as const) {
    const ahead = new Date(Date.now() + seconds * 1_000).toUTCString();
    const other = await serve((_, response) => response.writeHead(200, { date: ahead }).end());
    const finding = await findingOf(clockCheck([other.url]));
    expect(finding).toMatchObject({ state, remedy: expect.stringContaining('NTP') });
    expect(Math.abs(Number.parseInt(finding.said, 10) - seconds)).toBeLessThanOrEqual(1);
    other.close();
  }
});

test('gives a check its time and no more', async () => {
  const stuck = { name: 'stuck', run: () => new Promise<string>(() => undefined) };
  const began = Date.now();
  expect(await findingOf(stuck)).toMatchObject({ state: 'failed', said: 'no answer in 8 s' });
  expect(Date.now() - began).toBeLessThan(12_000);
});

test('finds a bundle of another version', async () => {
  const path = inject('workflowBundle');
  expect(await findingOf(bundleCheck(path))).toMatchObject({ state: 'ok', said: `built from version ${VERSION}` });
  const folder = await mkdtemp(join(tmpdir(), 'call-moderation-bundle-'));
  const old = join(folder, 'old.js');
  await writeFile(
    old,
    (await readFile(path, 'utf8')).replace(`\n// call-moderation ${VERSION}\n`, '\n// call-moderation 0.0.1\n'),
  );
  expect(await findingOf(bundleCheck(old))).toMatchObject({
    state: 'failed',
    said: `was built from version 0.0.1, and this is ${VERSION}`,
  });
  await rm(folder, { recursive: true });
});
