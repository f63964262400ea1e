import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NativeConnection } from '@temporalio/worker';
import { generate } from 'selfsigned';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { loadClientConfig } from '../../src/config/common.ts';
import { loadWebhookConfig } from '../../src/config/webhook.ts';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { outbound } from '../../src/lib/outbound.ts';
import { closeClient, connectClient } from '../../src/temporal/connect.ts';
import { workerProxy } from '../../src/temporal/proxy.ts';
import { BIN, Command, killCommands } from '../support/command-kit.ts';
import { ConnectProxy } from '../support/connect-proxy.ts';
import { Deployment } from '../support/deployment.ts';
import { silenceTemporal } from '../support/service.ts';

/** What goes through a forward proxy, and what never does. `*.test` are hosts that only the proxy knows. */

const PASSWORD = 'the-password-of-the-proxy';

/** Nothing listens there. */
const DEAD = 'http://127.0.0.1:9';

const portOf = (address: string): number => Number(/:(\d+)(?=\/|$)/.exec(address)?.[1]);

const NAMES = ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy', 'grpc_proxy', 'no_grpc_proxy'];
beforeEach(() => {
  // Of whoever runs these tests.
  for (const name of NAMES.flatMap((one) => [one, one.toUpperCase()])) vi.stubEnv(name, undefined);
});
afterEach(() => vi.unstubAllEnvs());
afterAll(killCommands);

describe('of HTTP', () => {
  let server: Server;
  let proxy: ConnectProxy;
  beforeAll(async () => {
    server = createServer((_, response) => void response.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    const { port } = server.address() as AddressInfo;
    proxy = await ConnectProxy.start({ 'graph.test': port, 'bot.test': port });
  });
  afterEach(() => proxy.close());

  async function asked(url: string, env: (proxy: string) => Environment): Promise<string[]> {
    const dispatcher = outbound({}, env(`http://127.0.0.1:${proxy.port}`));
    try {
      const { body } = await request(url, { dispatcher });
      expect(await body.text()).toBe('hello');
    } finally {
      await dispatcher.close();
    }
    return proxy.targets;
  }

  test.each([['HTTP_PROXY'], ['http_proxy'], ['ALL_PROXY'], ['all_proxy']])('%s is used', async (name) => {
    expect(await asked('http://graph.test/', (url) => ({ [name]: url }))).toEqual(['graph.test:80']);
  });

  test.each(['127.0.0.1', '127.1.2.3', 'localhost'])('%s is asked directly', async (host) => {
    const { port } = server.address() as AddressInfo;
    const other = createServer((_, response) => void response.end('hello')).listen(port, '127.1.2.3');
    await once(other, 'listening');
    const all = (url: string): Environment => ({ HTTP_PROXY: url, HTTPS_PROXY: url, ALL_PROXY: url });
    expect(await asked(`http://${host}:${port}/`, all)).toEqual([]);
    other.close();
  });

  test('hosts of NO_PROXY are asked directly, others are not', async () => {
    const env = (url: string): Environment => ({ HTTP_PROXY: url, NO_PROXY: 'graph.test' });
    await expect(asked('http://graph.test/', env)).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(proxy.targets).toEqual([]);
    expect(await asked('http://bot.test/', env)).toEqual(['bot.test:80']);
  });

  test('the proxy gets its password', async () => {
    const env = (url: string): Environment => ({ HTTP_PROXY: url.replace('//', `//user:${PASSWORD}@`) });
    await asked('http://graph.test/', env);
    const expected = `Basic ${Buffer.from(`user:${PASSWORD}`).toString('base64')}`;
    expect(proxy.asked[0]?.headers['proxy-authorization']).toBe(expected);
  });
});

describe('a variable that is no proxy is refused at start, without its value:', () => {
  const WRONG = [`user:${PASSWORD}@proxy:3128`, `socks5://user:${PASSWORD}@proxy`, `http://u%:${PASSWORD}@proxy`];
  const webhookEnv = { MODERATION_WEBHOOK_AUDIENCE: randomUUID() };

  test.each(['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'ALL_PROXY', 'grpc_proxy'])('%s', (name) => {
    for (const value of WRONG) {
      for (const load of [loadWorkerConfig, loadWebhookConfig]) {
        const message = messageOf(() => load({ ...webhookEnv, [name]: value }));
        expect(message).toContain(`${name}: must be`);
        expect(message).not.toContain(PASSWORD);
      }
    }
  });

  test('GRPC_PROXY, which gRPC does not read', () => {
    expect(messageOf(() => loadClientConfig({ GRPC_PROXY: DEAD }))).toContain('set grpc_proxy');
  });

  test('also where there is no configuration', () => {
    expect(messageOf(() => outbound({}, { HTTPS_PROXY: WRONG[0] }))).not.toContain(PASSWORD);
  });
});

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return String(error);
  }
  throw new Error('nothing was thrown');
}

describe('of Temporal', () => {
  let proxy: ConnectProxy;
  beforeAll(async () => {
    silenceTemporal();
    proxy = await ConnectProxy.start({ 'temporal.test': portOf(inject('temporalAddress')) });
  });
  afterAll(() => proxy.close());
  beforeEach(() => void (proxy.asked.length = 0));

  async function ask(address: string): Promise<void> {
    const client = await connectClient(loadClientConfig({ TEMPORAL_ADDRESS: address }));
    await closeClient(client);
    const connection = await NativeConnection.connect({ address, ...workerProxy(address) });
    await connection.close();
  }

  test('clients and workers go through grpc_proxy alike', async () => {
    vi.stubEnv('grpc_proxy', `http://user:${PASSWORD}@127.0.0.1:${proxy.port}`);
    await ask('temporal.test:7233');
    expect(new Set(proxy.targets)).toEqual(new Set(['temporal.test:7233']));
    const expected = `Basic ${Buffer.from(`user:${PASSWORD}`).toString('base64')}`;
    expect(new Set(proxy.asked.map(({ headers }) => headers['proxy-authorization']))).toEqual(new Set([expected]));
    expect(proxy.asked.length).toBeGreaterThanOrEqual(2);
  });

  test.each(['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'grpc_proxy'])('%s is not for this machine', async (name) => {
    vi.stubEnv(name, DEAD);
    await ask(inject('temporalAddress'));
  });

  test.each(['http_proxy', 'https_proxy'])('%s is not for Temporal elsewhere, either', async (name) => {
    vi.stubEnv(name, `http://127.0.0.1:${proxy.port}`);
    await expect(connectClient(loadClientConfig({ TEMPORAL_ADDRESS: 'temporal.test:7233' }))).rejects.toThrow();
    expect(proxy.targets).toEqual([]);
  });

  test.each([
    ['temporal.test:7233', 'other.test,.test'],
    ['10.1.2.3:7233', '10.0.0.0/8'],
  ])('%s is not asked through it when no_proxy says %s', (address, no_proxy) => {
    expect(workerProxy(address, { grpc_proxy: DEAD, no_proxy })).toEqual({});
    expect(workerProxy(address, { grpc_proxy: DEAD, no_proxy, no_grpc_proxy: 'else' })).not.toEqual({});
  });
});

test('the processes reach Graph and the signing keys through HTTPS_PROXY, over TLS', async () => {
  const app = { appId: randomUUID(), tenantId: randomUUID(), clientSecret: 'the-client-secret-of-the-tests' };
  const altNames = [
    { type: 2, value: 'graph.test' },
    { type: 7, ip: '127.0.0.1' },
  ] as const;
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'graph.test' }], {
    extensions: [{ name: 'subjectAltName', altNames: [...altNames] }],
  });
  const folder = await mkdtemp(join(tmpdir(), 'call-moderation-proxies-'));
  const ca = join(folder, 'ca.pem');
  await writeFile(ca, cert);
  const service = await Deployment.start({ MODERATION_GRAPH_TOKEN: undefined }, { ...app, tls: { cert, key } });
  const proxy = await ConnectProxy.start({ 'graph.test': portOf(service.graph.url) });
  const there = (address: string): string => address.replace(/127\.0\.0\.1:\d+/, 'graph.test');
  const env = {
    HTTPS_PROXY: `http://user:${PASSWORD}@127.0.0.1:${proxy.port}`,
    NODE_EXTRA_CA_CERTS: ca,
    AZURE_TENANT_ID: app.tenantId,
    AZURE_CLIENT_ID: app.appId,
    AZURE_CLIENT_SECRET: app.clientSecret,
    // `@azure/identity` uses the proxy by itself, and would ask login.microsoft.com about an authority that it does not know.
    NO_PROXY: '127.0.0.1',
    AZURE_AUTHORITY_HOST: service.graph.authorityUrl,
    MODERATION_GRAPH_URL: there(service.graph.url),
    MODERATION_WEBHOOK_OPENID_URL: there(service.graph.openIdUrl),
  };
  try {
    const webhook = await service.webhook(env);
    const worker = await service.worker(env);
    expect(proxy.targets).toEqual(['graph.test:443']);
    const handle = await service.moderation().mute({ callId: service.call().id });
    expect(await handle.result()).toMatchObject({ isMuted: true, confirmedBy: 'notification' });
    expect(proxy.targets.length).toBeGreaterThanOrEqual(3);
    expect(new Set(proxy.targets)).toEqual(new Set(['graph.test:443']));
    for (const { stderr } of [worker, webhook]) expect(stderr).not.toContain(PASSWORD);
  } finally {
    await service.stop();
    proxy.close();
    await rm(folder, { recursive: true });
  }
});

test('dev asks nobody through a proxy', { timeout: 180_000 }, async () => {
  const proxies = Object.fromEntries(NAMES.filter((name) => !name.startsWith('no_')).map((name) => [name, DEAD]));
  const env = { ...proxies, HTTP_PROXY: DEAD, HTTPS_PROXY: DEAD };
  const anyPorts = ['temporal', 'ui', 'graph', 'webhook'].flatMap((name) => [`--${name}-port`, '0']);
  const dev = new Command(BIN, ['dev', ...anyPorts], { ...env, MODERATION_TEMPORAL_CLI: inject('temporalCli') });
  const [, address = '', callId = ''] = await dev.untilSaid(/TEMPORAL_ADDRESS=(\S+) npx call-moderation mute (\S+)/);
  const mute = await new Command(BIN, ['mute', callId], { ...env, TEMPORAL_ADDRESS: address }).ended;
  expect(mute).toMatchObject({ code: 0, stdout: `muted ${callId}\n` });
  dev.interrupt();
  expect(await dev.ended).toMatchObject({ code: 0 });
});
