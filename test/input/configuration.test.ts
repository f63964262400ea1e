import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configWarnings } from '../../src/config/warnings.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { loadClientConfig } from '../../src/config/common.ts';
import { loadDeploymentConfig } from '../../src/config/deployment.ts';
import { loadWebhookConfig } from '../../src/config/webhook.ts';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import type { Environment } from '../../src/lib/environment.ts';

/** Every variable of the contract: its default, its values, and what one hears of a bad one. */

const APP = '5b5b8a3f-1f83-4d3c-8b1d-6a1b2f5e7c11';

const worker = (env: Environment = {}) => loadWorkerConfig(env);

/** The webhook cannot do without an audience. */
const webhook = (env: Environment = {}) => loadWebhookConfig({ AZURE_CLIENT_ID: APP, ...env });

/** The faults that `load` finds, each with the variable that it names. */
function faultsOf(load: () => unknown): readonly string[] {
  try {
    load();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const { faults, message } = error as ConfigError;
    for (const fault of faults) expect(message).toContain(`\n  - ${fault}`);
    return faults;
  }
  throw new Error('the configuration was taken for good');
}

/** The variables that faults name, in the order of the alphabet. */
const variablesOf = (faults: readonly string[]): string[] =>
  faults.map((fault) => fault.split(':')[0] ?? '').toSorted((a, b) => a.localeCompare(b));

/** The one fault that there must be. */
function faultOf(load: () => unknown): string {
  const [fault, ...others] = faultsOf(load);
  expect(others).toEqual([]);
  return fault ?? '';
}

describe('without any variable', () => {
  test("the worker asks Microsoft's own Graph, and takes any tenant", () => {
    expect(worker()).toEqual({
      temporal: { namespace: undefined, connectionOptions: expect.any(Object) },
      taskQueue: 'call-moderation',
      logLevel: 'info',
      graph: {
        url: 'https://graph.microsoft.com/v1.0',
        cloud: { graphUrl: 'https://graph.microsoft.com', authorityHost: 'https://login.microsoftonline.com' },
        authorityHost: 'https://login.microsoftonline.com',
        token: undefined,
      },
      tenants: undefined,
      health: { host: '127.0.0.1', port: 9_465 },
      version: undefined,
      maxActivitiesPerSecond: undefined,
      maxActivities: undefined,
      maxWorkflowTasks: undefined,
      callStacks: false,
    });
  });

  test('but the ID of the application, the webhook listens where Graph expects bots', () => {
    expect(webhook()).toEqual({
      temporal: { namespace: undefined, connectionOptions: expect.any(Object) },
      taskQueue: 'call-moderation',
      logLevel: 'info',
      listen: { host: '0.0.0.0', port: 3_978 },
      path: '/api/calls',
      audience: APP,
      issuers: ['https://api.botframework.com', 'https://graph.microsoft.com'],
      openIdUrl: 'https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration',
      forwardUrl: undefined,
      tenants: undefined,
      health: undefined,
    });
  });

  test('the commands look for Temporal on this machine', () => {
    const { temporal, taskQueue } = loadClientConfig({});
    expect(taskQueue).toBe('call-moderation');
    expect(temporal.connectionOptions.address).toBeUndefined();
  });

  test('the webhook asks for the audience, and says how it is set', () => {
    expect(faultOf(() => loadWebhookConfig({}))).toMatch(/^MODERATION_WEBHOOK_AUDIENCE: required.*AZURE_CLIENT_ID/);
  });
});

/** One in capitals and braces beside a domain, one that is given twice, one without its dashes. */
const TENANT_LISTS: [string, object][] = [
  [`{${APP.toUpperCase()}}, contoso.COM ,`, { tenants: new Set([APP, 'contoso.com']) }],
  [`${APP},${APP.replaceAll('-', '')}`, { tenants: new Set([APP]) }],
];

/** For each variable, values that mute lock and where they end up. */
describe.each<[string, (env: Environment) => unknown, [value: string, ends: object][]]>([
  [
    'MODERATION_TASK_QUEUE',
    loadClientConfig,
    [
      ['other', { taskQueue: 'other' }],
      [' other\n', { taskQueue: 'other' }],
    ],
  ],
  [
    'LOG_LEVEL',
    loadClientConfig,
    [
      ['trace', { logLevel: 'trace' }],
      ['WARN', { logLevel: 'warn' }],
      ['silent', { logLevel: 'silent' }],
    ],
  ],
  [
    'MODERATION_GRAPH_CLOUD',
    worker,
    [
      ['global', { graph: { url: 'https://graph.microsoft.com/v1.0' } }],
      [
        'usgov-l4',
        { graph: { url: 'https://graph.microsoft.us/v1.0', authorityHost: 'https://login.microsoftonline.us' } },
      ],
      [
        'usgov-l5',
        {
          graph: {
            url: 'https://dod-graph.microsoft.us/v1.0',
            authorityHost: 'https://login.microsoftonline.us',
            // What tokens are asked for: `{graphUrl}/.default`.
            cloud: { graphUrl: 'https://dod-graph.microsoft.us' },
          },
        },
      ],
    ],
  ],
  [
    'MODERATION_GRAPH_VERSION',
    worker,
    [
      ['v1.0', { graph: { url: 'https://graph.microsoft.com/v1.0' } }],
      ['beta', { graph: { url: 'https://graph.microsoft.com/beta' } }],
    ],
  ],
  [
    'MODERATION_GRAPH_URL',
    worker,
    [
      ['https://proxy.example.com', { graph: { url: 'https://proxy.example.com/v1.0' } }],
      ['https://proxy.example.com/graph//', { graph: { url: 'https://proxy.example.com/graph/v1.0' } }],
      ['http://127.0.0.1:4000', { graph: { url: 'http://127.0.0.1:4000/v1.0' } }],
      ['http://127.9.9.9/', { graph: { url: 'http://127.9.9.9/v1.0' } }],
      ['http://localhost:4000/', { graph: { url: 'http://localhost:4000/v1.0' } }],
      ['http://[::1]:4000', { graph: { url: 'http://[::1]:4000/v1.0' } }],
      // Tokens are issued for Graph itself, also where requests go through a proxy.
      ['https://proxy.example.com', { graph: { cloud: { graphUrl: 'https://graph.microsoft.com' } } }],
    ],
  ],
  [
    'AZURE_AUTHORITY_HOST',
    worker,
    [
      ['https://login.example.com', { graph: { authorityHost: 'https://login.example.com' } }],
      ['http://127.0.0.1:4000', { graph: { authorityHost: 'http://127.0.0.1:4000' } }],
    ],
  ],
  ['MODERATION_TENANTS', worker, TENANT_LISTS],
  ['MODERATION_TENANTS', webhook, TENANT_LISTS],
  ['MODERATION_HEALTH_HOST', worker, [['0.0.0.0', { health: { host: '0.0.0.0', port: 9_465 } }]]],
  [
    'MODERATION_HEALTH_PORT',
    worker,
    [
      ['0', { health: { host: '127.0.0.1', port: 0 } }],
      ['65535', { health: { host: '127.0.0.1', port: 65_535 } }],
    ],
  ],
  [
    'MODERATION_WEBHOOK_HOST',
    webhook,
    [
      ['127.0.0.1', { listen: { host: '127.0.0.1', port: 3_978 } }],
      ['[::1]', { listen: { host: '::1', port: 3_978 } }],
      ['bot.internal', { listen: { host: 'bot.internal', port: 3_978 } }],
    ],
  ],
  ['MODERATION_WEBHOOK_PORT', webhook, [['0', { listen: { host: '0.0.0.0', port: 0 } }]]],
  [
    'MODERATION_WEBHOOK_PATH',
    webhook,
    [
      ['/', { path: '/' }],
      ['/graph/calls', { path: '/graph/calls' }],
      ['/graph/calls/', { path: '/graph/calls' }],
    ],
  ],
  [
    'MODERATION_WEBHOOK_AUDIENCE',
    webhook,
    [
      ['another', { audience: 'another' }],
      [` ${APP.toUpperCase()}\r\n`, { audience: APP }],
      [`{${APP}}`, { audience: APP }],
      [APP.replaceAll('-', ''), { audience: APP }],
    ],
  ],
  [
    'MODERATION_WEBHOOK_ISSUERS',
    webhook,
    [
      ['https://a , https://b,', { issuers: ['https://a', 'https://b'] }],
      ['https://a/,HTTPS://A,https://a', { issuers: ['https://a'] }],
      ['https://sts.windows.net/x/', { issuers: ['https://sts.windows.net/x'] }],
    ],
  ],
  [
    'MODERATION_WEBHOOK_OPENID_URL',
    webhook,
    [
      ['https://keys.example.com/c', { openIdUrl: 'https://keys.example.com/c' }],
      ['http://127.0.0.1:1/c', { openIdUrl: 'http://127.0.0.1:1/c' }],
    ],
  ],
  [
    'MODERATION_WEBHOOK_FORWARD_URL',
    webhook,
    [
      ['https://bot.example.com/calls', { forwardUrl: 'https://bot.example.com/calls' }],
      // A bot in the same cluster.
      ['http://bot:8080/calls', { forwardUrl: 'http://bot:8080/calls' }],
    ],
  ],
  ['MODERATION_HEALTH_PORT', webhook, [['9000', { health: { host: '0.0.0.0', port: 9_000 } }]]],
])('%s', (name, load, cases) => {
  test.each(cases)('may be %s', (value, ends) => {
    expect(load({ [name]: value })).toMatchObject(ends);
  });

  test.each(['', '   '])('that is empty (%j) counts as not set', (empty) => {
    expect(load({ [name]: empty })).toEqual(load({}));
  });
});

const HOST = /must be an IP address or a host name, without scheme and port/;
const PORT = /must be a port, 0 to 65535/;
const SAFE = /must be https:; http: is allowed on a loopback address only/;
const WITHOUT_USER = /must be an address without user, fragment, quotes and white space/;
const ABSOLUTE = /must be an absolute URL, such as https:/;

describe.each<[string, (env: Environment) => unknown, RegExp, string[]]>([
  ['MODERATION_TASK_QUEUE', loadClientConfig, /at most 1000 characters/, ['q'.repeat(1_001)]],
  ['MODERATION_TASK_QUEUE', loadClientConfig, /without white space, quotes/, ['a b', "a'b", 'a\\b', 'a\nb', '"a"']],
  ['MODERATION_TASK_QUEUE', loadClientConfig, /must not begin with \/_sys\//, ['/_sys/a/1']],
  ['LOG_LEVEL', loadClientConfig, /must be one of trace, debug, info, warn, error, fatal, silent/, ['loud', '1']],
  [
    'MODERATION_GRAPH_CLOUD',
    worker,
    /must be one of global, usgov-l4, usgov-l5/,
    ['Global', 'usgov', 'usgov-l3', 'constructor', '__proto__'],
  ],
  ['MODERATION_GRAPH_VERSION', worker, /must be v1.0 or beta/, ['v2.0', '1.0', 'V1.0']],
  ['MODERATION_GRAPH_URL', worker, ABSOLUTE, ['graph.microsoft.com', '/v1.0', 'https://']],
  [
    'MODERATION_GRAPH_URL',
    worker,
    SAFE,
    [
      'http://graph.microsoft.com',
      'http://10.0.0.1',
      'http://0.0.0.0',
      'http://127.0.0.1.example.com',
      'http://localhost.example.com',
      'ftp://localhost',
      'file:///etc/passwd',
    ],
  ],
  ['MODERATION_GRAPH_URL', worker, /must be a root without query/, ['https://proxy.example.com/?tenant=1']],
  [
    'MODERATION_GRAPH_URL',
    worker,
    WITHOUT_USER,
    ['https://proxy.example.com/#v1.0', 'https://user:secret@proxy.example.com'],
  ],
  [
    'MODERATION_GRAPH_URL',
    worker,
    /without the version, which MODERATION_GRAPH_VERSION names/,
    ['https://graph.microsoft.com/v1.0', 'https://proxy.example.com/graph/beta/'],
  ],
  ['MODERATION_TENANTS', worker, /by domain only; give the ID \(GUID\)/, ['contoso.com', 'contoso.com, fabrikam.com']],
  ['MODERATION_TENANTS', webhook, /by domain only; give the ID \(GUID\)/, ['contoso.com']],
  ['MODERATION_TENANTS', webhook, /must be the IDs/, ['contoso', `${APP};${APP}`, `https://sts.windows.net/${APP}/`]],
  [
    'MODERATION_WEBHOOK_AUDIENCE',
    webhook,
    /must be the application's ID.*without a scheme such as api:/,
    [`api://${APP}`, `API://${APP}`, 'https://bot.example.com', 'My-Bot', `${APP},${APP}`, 'a b'],
  ],
  ['AZURE_CLIENT_ID', webhook, /must be the application's ID/, [`api://${APP}`]],
  [
    'MODERATION_WEBHOOK_ISSUERS',
    webhook,
    /must be https: addresses as tokens name them/,
    ['graph.microsoft.com', 'http://graph.microsoft.com', 'https://a https://b', 'https://a?b', "https://a'"],
  ],
  ['MODERATION_TENANTS', worker, /must name at least one tenant; leave it out to allow any/, [',', ' , ,']],
  ['MODERATION_TENANTS', webhook, /must name at least one tenant; leave it out to allow any/, [',']],
  ['AZURE_AUTHORITY_HOST', worker, SAFE, ['http://login.microsoftonline.com']],
  ['AZURE_AUTHORITY_HOST', worker, WITHOUT_USER, ['http://127.0.0.1@example.com']],
  [
    'AZURE_AUTHORITY_HOST',
    worker,
    /must be a root without tenant and query/,
    [
      'https://login.microsoftonline.com/common',
      `https://login.microsoftonline.us/${APP}/`,
      'https://adfs.example.com/?x=1',
    ],
  ],
  ['AZURE_CLIENT_ID', worker, /must be the application's/, ['my-bot', `{${APP}}`, `api://${APP}`]],
  ['AZURE_TENANT_ID', worker, /must be the ID of a tenant/, ['contoso', `{${APP}}`, 'https://contoso.com']],
  ['AZURE_AUTHORITY_HOST', worker, ABSOLUTE, ['login.microsoftonline.com']],
  ['MODERATION_HEALTH_PORT', worker, PORT, ['-1', '+80', '65536', '80.5', '0x50', '8e1', 'http', 'NaN', 'Infinity']],
  ['MODERATION_WEBHOOK_PORT', webhook, /set enableServiceLinks: false/, ['tcp://10.0.0.1:3978']],
  ['MODERATION_HEALTH_HOST', worker, HOST, ['http://127.0.0.1', '127.0.0.1:9465', 'a b', '*', '/']],
  ['MODERATION_HEALTH_HOST', webhook, HOST, ['https://bot.example.com', '[::1]:80']],
  ['MODERATION_WEBHOOK_HOST', webhook, HOST, ['bot.example.com/', '-', '::1::2']],
  ['MODERATION_HEALTH_PORT', webhook, PORT, ['-1', '65536']],
  ['MODERATION_WEBHOOK_PORT', webhook, PORT, ['-1', '65536', 'https', '80,81']],
  ['MODERATION_WEBHOOK_PATH', webhook, /begins with a slash/, ['api/calls', '/a b', '/a?b', '/a#b', '/a*', '/:id']],
  ['MODERATION_WEBHOOK_PATH', webhook, /begins with a slash/, ['/../x', '/a/.', '/%zz', '/\u00e4', '/{x}']],
  ['MODERATION_WEBHOOK_PATH', webhook, /has no empty part/, ['//', '/api//calls', '/api/calls//']],
  ['MODERATION_WEBHOOK_PATH', webhook, /where health is served/, ['/livez/']],
  ['MODERATION_WEBHOOK_PATH', webhook, /where health is served/, ['/livez', '/readyz', '/metrics']],
  ['MODERATION_WEBHOOK_ISSUERS', webhook, /must name at least one issuer/, [',', ' , ,']],
  ['MODERATION_WEBHOOK_OPENID_URL', webhook, SAFE, ['http://keys.example.com/c']],
  ['MODERATION_WEBHOOK_OPENID_URL', webhook, ABSOLUTE, ['keys.example.com/c']],
  ['MODERATION_WEBHOOK_FORWARD_URL', webhook, /must be http: or https:/, ['ftp://bot', 'javascript:alert(1)']],
  [
    'MODERATION_WEBHOOK_FORWARD_URL',
    webhook,
    /own address/,
    ['http://127.0.0.1:3978/api/calls', 'http://localhost:3978/api/calls/0'],
  ],
  ['MODERATION_WEBHOOK_FORWARD_URL', webhook, WITHOUT_USER, ['http://user:secret@bot/calls', 'http://bot/calls#1']],
  ['MODERATION_WEBHOOK_OPENID_URL', webhook, WITHOUT_USER, ['https://user@keys.example.com/c']],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', loadClientConfig, /must be http: or https:/, ['grpc://collector:4317']],
  ['TEMPORAL_TLS', loadClientConfig, /must be true or false/, ['yes', 'on', 'TRU']],
  ['TEMPORAL_TLS_DISABLE_HOST_VERIFICATION', loadClientConfig, /always verifies/, ['true', '1']],
  [
    'TEMPORAL_ADDRESS',
    loadClientConfig,
    /must be a host and a port without scheme and path/,
    ['https://temporal:7233', 'temporal:7233/', 'temporal:http', 'temporal:70000', 'temporal:0', 'a b:7233', ':7233'],
  ],
  ['TEMPORAL_NAMESPACE', loadClientConfig, /must be the name of a namespace/, ['a b', "a'b", 'n'.repeat(256)]],
  ['TEMPORAL_CONFIG_FILE', loadClientConfig, /cannot be read \(no such file/, ['/nowhere/temporal.toml']],
  ['MODERATION_WEBHOOK_FORWARD_URL', webhook, ABSOLUTE, ['bot/calls']],
])('a bad %s', (name, load, remedy, values) => {
  test.each(values)('is refused: %s', (value) => {
    const fault = faultOf(() => load({ [name]: value }));
    expect(fault).toMatch(remedy);
    expect(fault.startsWith(`${name}: `)).toBe(true);
  });
});

describe('the clouds', () => {
  test.each([
    ['worker', worker],
    ['webhook', webhook],
  ])('do not have china, and the %s says why', (_, load) => {
    const fault = faultOf(() => load({ MODERATION_GRAPH_CLOUD: 'china' }));
    expect(fault).toMatch(/^MODERATION_GRAPH_CLOUD: cannot be china: .*does not exist.*21Vianet/);
  });

  test.each(['usgov-l4', 'usgov-l5'])('have beta in the global one only, not in %s', (cloud) => {
    const fault = faultOf(() => worker({ MODERATION_GRAPH_CLOUD: cloud, MODERATION_GRAPH_VERSION: 'beta' }));
    expect(fault).toMatch(/^MODERATION_GRAPH_VERSION: beta .* global cloud only; leave it out or set v1.0/);
  });

  test.each(['usgov-l4', 'usgov-l5'])(
    'have no published signing keys in %s, so the webhook asks where they are',
    (cloud) => {
      const fault = faultOf(() => webhook({ MODERATION_GRAPH_CLOUD: cloud }));
      expect(fault).toMatch(new RegExp(`^MODERATION_WEBHOOK_OPENID_URL: required in ${cloud}`));
      const openIdUrl = 'https://keys.example.us/c';
      expect(webhook({ MODERATION_GRAPH_CLOUD: cloud, MODERATION_WEBHOOK_OPENID_URL: openIdUrl }).openIdUrl).toBe(
        openIdUrl,
      );
    },
  );
});

describe('a fixed token', () => {
  const token = { MODERATION_GRAPH_TOKEN: 'secret-token' };

  test.each(['x y', 'a\r\nb: c', '\u00e4'])('that cannot be sent in a header is refused: %j', (value) => {
    const env = { MODERATION_GRAPH_URL: 'http://127.0.0.1:1', MODERATION_GRAPH_TOKEN: value };
    const faults = faultsOf(() => worker(env));
    expect(faults).toEqual([expect.stringMatching(/^MODERATION_GRAPH_TOKEN: must be a bearer token/)]);
    expect(faults.join()).not.toContain(value);
  });

  test.each(['http://127.0.0.1:4000', 'http://localhost', 'http://[::1]:4000', 'https://localhost'])(
    'is taken for a Graph at %s',
    (url) => {
      expect(worker({ ...token, MODERATION_GRAPH_URL: url }).graph.token).toBe('secret-token');
    },
  );

  test.each([undefined, '', 'https://graph.microsoft.com', 'https://127.0.0.1.example.com'])(
    'is refused for a Graph at %s, and not shown',
    (url) => {
      const fault = faultOf(() => worker({ ...token, MODERATION_GRAPH_URL: url }));
      expect(fault).toMatch(/^MODERATION_GRAPH_TOKEN: .*set MODERATION_GRAPH_URL to a loopback address.*AZURE_/);
      expect(fault).not.toContain('secret-token');
    },
  );

  test('is refused beside a Graph that is none', () => {
    const faults = faultsOf(() => worker({ ...token, MODERATION_GRAPH_URL: 'nonsense' }));
    expect(faults.map((fault) => fault.split(':')[0])).toEqual(['MODERATION_GRAPH_URL', 'MODERATION_GRAPH_TOKEN']);
  });
});

describe("the webhook's health", () => {
  test('has the address of its own that it is given', () => {
    const { health } = webhook({ MODERATION_HEALTH_HOST: '127.0.0.1', MODERATION_HEALTH_PORT: '9000' });
    expect(health).toEqual({ host: '127.0.0.1', port: 9_000 });
  });

  test('takes from the webhook what it is not given', () => {
    const { health } = webhook({ MODERATION_WEBHOOK_HOST: '10.0.0.1', MODERATION_HEALTH_PORT: '9000' });
    expect(health).toEqual({ host: '10.0.0.1', port: 9_000 });
  });
});

describe('every fault', () => {
  test('of the worker stands in one message', () => {
    const faults = faultsOf(() =>
      worker({
        LOG_LEVEL: 'loud',
        MODERATION_TASK_QUEUE: 'q'.repeat(2_000),
        MODERATION_GRAPH_CLOUD: 'usgov-l4',
        MODERATION_GRAPH_VERSION: 'beta',
        MODERATION_GRAPH_URL: 'http://graph.example.com',
        MODERATION_GRAPH_TOKEN: 'secret-token',
        MODERATION_HEALTH_PORT: 'http',
        AZURE_AUTHORITY_HOST: 'login',
        TEMPORAL_TLS_CLIENT_CERT_PATH: '/nowhere/cert.pem',
        TEMPORAL_TLS_CLIENT_KEY_PATH: '/nowhere/key.pem',
      }),
    );
    expect(variablesOf(faults)).toEqual([
      'AZURE_AUTHORITY_HOST',
      'LOG_LEVEL',
      'MODERATION_GRAPH_TOKEN',
      'MODERATION_GRAPH_URL',
      'MODERATION_GRAPH_VERSION',
      'MODERATION_HEALTH_PORT',
      'MODERATION_TASK_QUEUE',
      'TEMPORAL_TLS_CLIENT_CERT_PATH',
      'TEMPORAL_TLS_CLIENT_KEY_PATH',
    ]);
    expect(faults.join()).not.toContain('secret-token');
  });

  test('of the webhook stands in one message', () => {
    const faults = faultsOf(() =>
      loadWebhookConfig({
        LOG_LEVEL: 'loud',
        MODERATION_GRAPH_CLOUD: 'usgov-l5',
        MODERATION_WEBHOOK_PORT: '70000',
        MODERATION_WEBHOOK_PATH: 'calls',
        MODERATION_WEBHOOK_ISSUERS: ',',
        MODERATION_WEBHOOK_FORWARD_URL: 'ftp://bot',
        MODERATION_HEALTH_PORT: '-1',
      }),
    );
    expect(variablesOf(faults)).toEqual([
      'LOG_LEVEL',
      'MODERATION_HEALTH_PORT',
      'MODERATION_WEBHOOK_AUDIENCE',
      'MODERATION_WEBHOOK_FORWARD_URL',
      'MODERATION_WEBHOOK_ISSUERS',
      'MODERATION_WEBHOOK_OPENID_URL',
      'MODERATION_WEBHOOK_PATH',
      'MODERATION_WEBHOOK_PORT',
    ]);
  });
});

describe("Temporal's own variables", () => {
  let folder: string;
  let pair: Awaited<ReturnType<typeof generate>>;
  beforeAll(async () => {
    pair = await generate([{ name: 'commonName', value: 'client' }]);
    folder = await mkdtemp(join(tmpdir(), 'call-moderation-config-'));
  });
  afterAll(async () => await rm(folder, { recursive: true }));

  test('are those of its other tools', () => {
    const { temporal } = loadClientConfig({
      TEMPORAL_ADDRESS: 'temporal.example.com:7233',
      TEMPORAL_NAMESPACE: 'moderation',
      TEMPORAL_API_KEY: 'key',
      TEMPORAL_TLS_SERVER_NAME: 'name',
    });
    expect(temporal).toMatchObject({
      namespace: 'moderation',
      connectionOptions: { address: 'temporal.example.com:7233', apiKey: 'key', tls: { serverNameOverride: 'name' } },
    });
  });

  test('contain the client certificate', async () => {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    await writeFile(cert, pair.cert);
    await writeFile(key, pair.private);
    const { temporal } = loadClientConfig({ TEMPORAL_TLS_CLIENT_CERT_PATH: cert, TEMPORAL_TLS_CLIENT_KEY_PATH: key });
    const { tls } = temporal.connectionOptions;
    const { crt } = (typeof tls === 'object' && tls?.clientCertPair) || {};
    expect(Buffer.from(crt ?? []).toString()).toBe(pair.cert);
  });

  test('contain a client certificate that can be used, and the whole of it', async () => {
    const other = await generate([{ name: 'commonName', value: 'other' }]);
    const cert = { TEMPORAL_TLS_CLIENT_CERT_DATA: pair.cert };
    const key = { TEMPORAL_TLS_CLIENT_KEY_DATA: pair.private };
    expect(loadClientConfig({ ...cert, ...key }).temporal.connectionOptions.tls).toBeTypeOf('object');
    expect(faultOf(() => loadClientConfig(cert))).toMatch(/^TEMPORAL_TLS_CLIENT_KEY_PATH: required beside/);
    expect(faultOf(() => loadClientConfig(key))).toMatch(/^TEMPORAL_TLS_CLIENT_CERT_PATH: required beside/);
    const mixed = { ...cert, TEMPORAL_TLS_CLIENT_KEY_DATA: other.private };
    expect(faultOf(() => loadClientConfig(mixed))).toContain('the key is not the key of the certificate');
    // As a dashboard's single line has it.
    const flat = { ...cert, TEMPORAL_TLS_CLIENT_KEY_DATA: pair.private.replaceAll('\n', '\\n') };
    const fault = faultOf(() => loadClientConfig(flat));
    expect(fault).toContain('must be PEM');
    expect(fault).not.toContain(pair.private.split('\n')[1]);
    expect(faultOf(() => loadClientConfig({ TEMPORAL_TLS_SERVER_CA_CERT_DATA: 'ca' }))).toContain('must be PEM');
  });

  test.each(['true', 'True', 'TRUE', '1', ' true\n'])('turn TLS on with %j, and off with its contrary', (value) => {
    const tlsOf = (given: string) =>
      loadClientConfig({ TEMPORAL_API_KEY: 'key', TEMPORAL_TLS: given }).temporal.connectionOptions.tls;
    expect(tlsOf(value)).toBeTruthy();
    for (const off of ['false', 'False', '0']) expect(tlsOf(off)).toBe(false);
  });

  test.each(['key\n', ' key', 'key\r\n', '\ufeffkey'])(
    'may be a key with what a secret file adds: %j',
    async (apiKey) => {
      expect(loadClientConfig({ TEMPORAL_API_KEY: apiKey }).temporal.connectionOptions.apiKey).toBe('key');
      const meta = { TEMPORAL_GRPC_META_X_SECRET: apiKey };
      expect(loadClientConfig(meta).temporal.connectionOptions.metadata).toEqual({ 'x-secret': 'key' });
      const file = join(folder, 'key.toml');
      await writeFile(file, `[profile.default]\napi_key = ${JSON.stringify(apiKey)}\n`);
      expect(loadClientConfig({ TEMPORAL_CONFIG_FILE: file }).temporal.connectionOptions.apiKey).toBe('key');
    },
  );

  test.each(['sec\nret', 'sec\rret', 'sec\0ret', 'sec ret', 's\u00e9cret', '"secret"', "'secret'", 'Bearer secret'])(
    'cannot be a key that no header can carry, and no fault quotes it: %j',
    async (apiKey) => {
      const file = join(folder, 'bad-key.toml');
      await writeFile(file, `[profile.default]\napi_key = ${JSON.stringify(apiKey)}\n`);
      const places: [Environment, RegExp][] = [
        [{ TEMPORAL_API_KEY: apiKey }, /^TEMPORAL_API_KEY: /],
        [{ TEMPORAL_CONFIG_FILE: file }, /^TEMPORAL_CONFIG_FILE, api_key: /],
      ];
      for (const [env, named] of places) {
        const fault = faultOf(() => loadClientConfig(env));
        expect(fault).toMatch(named);
        expect(fault).not.toMatch(/sec|ret/);
      }
    },
  );

  test('cannot be further headers that gRPC would refuse, and no fault quotes them', () => {
    for (const value of ['sec\nret', 's\u00e9cret', '"secret"']) {
      const fault = faultOf(() => loadClientConfig({ TEMPORAL_GRPC_META_X_SECRET: value }));
      expect(fault).toMatch(/^TEMPORAL_GRPC_META_X_SECRET: /);
      expect(fault).not.toMatch(/sec.|ret/);
    }
    for (const name of ['A B', 'GRPC_X', 'X_BIN', '\u00c4']) {
      expect(faultOf(() => loadClientConfig({ [`TEMPORAL_GRPC_META_${name}`]: 'x' }))).toContain(
        'TEMPORAL_GRPC_META_*',
      );
    }
    const { metadata } = loadClientConfig({ TEMPORAL_GRPC_META_AUTHORIZATION: 'Bearer x' }).temporal.connectionOptions;
    expect(metadata).toEqual({ authorization: 'Bearer x' });
  });

  test('that name a file with a key on a line that is no TOML do not quote the line', async () => {
    const file = join(folder, 'broken.toml');
    await writeFile(file, '[profile.default]\napi_key = "sec\nret"\n');
    const fault = faultOf(() => loadClientConfig({ TEMPORAL_CONFIG_FILE: file }));
    expect(fault).toMatch(/is not TOML \(line 2, column \d+\)/);
    expect(fault).not.toMatch(/"sec|ret"/);
  });

  test('name a file, whose profile they come before', async () => {
    const file = join(folder, 'temporal.toml');
    await writeFile(file, '[profile.default]\naddress = "file.example.com:7233"\nnamespace = "of-the-file"\n');
    const { temporal } = loadClientConfig({ TEMPORAL_CONFIG_FILE: file, TEMPORAL_NAMESPACE: 'of-the-environment' });
    expect(temporal).toMatchObject({
      namespace: 'of-the-environment',
      connectionOptions: { address: 'file.example.com:7233' },
    });
  });

  test.each([
    ['a file that is no TOML', '[profile.default\naddress =', {}, /TOML/],
    [
      'a profile that the file does not have',
      '[profile.default]\n',
      { TEMPORAL_PROFILE: 'other' },
      /'other' not found/,
    ],
  ])('that name %s are a fault beside the others', async (what, content, more, reason) => {
    const file = join(folder, `${what.replaceAll(' ', '-')}.toml`);
    await writeFile(file, content);
    const faults = faultsOf(() => loadClientConfig({ TEMPORAL_CONFIG_FILE: file, LOG_LEVEL: 'loud', ...more }));
    expect(faults).toHaveLength(2);
    expect(faults[0]).toMatch(/^LOG_LEVEL: /);
    expect(faults[1]).toMatch(/^TEMPORAL_\*: /);
    expect(faults[1]).toMatch(reason);
  });

  test('are read from what is given, not from this process', () => {
    const before = process.env['TEMPORAL_ADDRESS'];
    process.env['TEMPORAL_ADDRESS'] = 'elsewhere:7233';
    try {
      expect(loadClientConfig({}).temporal.connectionOptions.address).toBeUndefined();
    } finally {
      if (before === undefined) delete process.env['TEMPORAL_ADDRESS'];
      else process.env['TEMPORAL_ADDRESS'] = before;
    }
  });
});

describe('the version of a worker', () => {
  const name = { MODERATION_DEPLOYMENT_NAME: 'call-moderation' };
  const build = { MODERATION_BUILD_ID: '1.2.0+3f2a9c1' };

  test('is its deployment and its build, for the worker and for the command that makes it the current one', () => {
    const version = { deploymentName: 'call-moderation', buildId: '1.2.0+3f2a9c1' };
    expect(worker({ ...name, ...build }).version).toEqual(version);
    expect(loadDeploymentConfig({ ...name, ...build }).version).toEqual(version);
  });

  test('is both or none, for half of it would be a worker that takes nothing', () => {
    expect(faultOf(() => worker(name))).toMatch(/^MODERATION_BUILD_ID: required beside MODERATION_DEPLOYMENT_NAME/);
    expect(faultOf(() => worker(build))).toMatch(/^MODERATION_DEPLOYMENT_NAME: required beside MODERATION_BUILD_ID/);
    expect(variablesOf(faultsOf(() => loadDeploymentConfig({})))).toEqual([
      'MODERATION_BUILD_ID',
      'MODERATION_DEPLOYMENT_NAME',
    ]);
  });

  test("is what Temporal's Worker Controller sets, unless ours is set", () => {
    const controlled = {
      TEMPORAL_DEPLOYMENT_NAME: 'production/call-moderation-worker',
      TEMPORAL_WORKER_BUILD_ID: '1.2.0-7c9d',
    };
    const version = { deploymentName: 'production/call-moderation-worker', buildId: '1.2.0-7c9d' };
    expect(worker(controlled).version).toEqual(version);
    expect(loadDeploymentConfig(controlled).version).toEqual(version);
    expect(worker({ ...controlled, ...name, ...build }).version?.deploymentName).toBe('call-moderation');
    expect(faultOf(() => worker({ ...controlled, TEMPORAL_WORKER_BUILD_ID: '' }))).toMatch(
      /^TEMPORAL_WORKER_BUILD_ID: required beside TEMPORAL_DEPLOYMENT_NAME/,
    );
    expect(faultOf(() => worker({ ...controlled, ...name }))).toMatch(/^MODERATION_BUILD_ID: required/);
  });

  test.each([
    ['MODERATION_DEPLOYMENT_NAME', 'a.b', build],
    ['MODERATION_DEPLOYMENT_NAME', 'a:b', build],
    ['MODERATION_DEPLOYMENT_NAME', 'a'.repeat(129), build],
    ['MODERATION_BUILD_ID', 'sha256:abc', name],
    ['MODERATION_BUILD_ID', 'a b', name],
  ])('has a %s that cannot be %s', (variable, value, other) => {
    expect(faultOf(() => worker({ ...other, [variable]: value }))).toMatch(
      new RegExp(`^${variable}: must be 1 to 128`),
    );
  });
});

describe('the tasks at a time', () => {
  const of = (activities: string, tasks: string) =>
    worker({ MODERATION_MAX_ACTIVITIES: activities, MODERATION_MAX_WORKFLOW_TASKS: tasks });

  test('are whole numbers up to 1000', () => {
    expect(of('1', '2')).toMatchObject({ maxActivities: 1, maxWorkflowTasks: 2 });
    expect(of('1000', '1000')).toMatchObject({ maxActivities: 1_000, maxWorkflowTasks: 1_000 });
  });

  test.each(['0', '1001', '-1', '1.5', 'many'])('cannot be %s', (value) => {
    expect(faultOf(() => of(value, '2'))).toContain('MODERATION_MAX_ACTIVITIES: must be a whole number from 1 to 1000');
    expect(faultOf(() => of('1', value))).toContain(
      'MODERATION_MAX_WORKFLOW_TASKS: must be a whole number from 2 to 1000',
    );
  });
});

describe('the rate of activities', () => {
  const rate = (value: string) => worker({ MODERATION_MAX_ACTIVITIES_PER_SECOND: value }).maxActivitiesPerSecond;

  test('is not limited by default, else a number a second', () => {
    expect(worker().maxActivitiesPerSecond).toBeUndefined();
    expect(['500', '0.5', '0.001'].map(rate)).toEqual([500, 0.5, 0.001]);
  });

  test.each(['0', '0.0', '-1', 'many', '1e3', '1,5'])('cannot be %s', (value) => {
    expect(faultOf(() => rate(value))).toContain('MODERATION_MAX_ACTIVITIES_PER_SECOND: must be a number above 0');
  });
});

describe('the stacks of promises', () => {
  const stacks = (value: string) => worker({ MODERATION_CALL_STACKS: value }).callStacks;

  test('are recorded if that is asked for', () => {
    expect(worker().callStacks).toBe(false);
    expect(['', 'false', 'true'].map(stacks)).toEqual([false, false, true]);
  });

  test.each(['1', 'yes', 'TRUE'])('cannot be %s', (value) => {
    expect(faultOf(() => stacks(value))).toContain('MODERATION_CALL_STACKS: must be true or false');
  });
});

describe('the Nexus endpoint', () => {
  const endpoint = (value: string) => worker({ MODERATION_NEXUS_ENDPOINT: value }).nexusEndpoint;

  test('is none by default, so that nobody polls for Nexus', () => {
    expect([worker().nexusEndpoint, endpoint('')]).toEqual([undefined, undefined]);
    expect(endpoint('call-moderation')).toBe('call-moderation');
  });

  test.each(['a', '-a', 'a-', 'a_b', 'a b', '1a', 'a'.repeat(201)])('cannot be %s', (value) => {
    expect(faultOf(() => endpoint(value))).toContain('MODERATION_NEXUS_ENDPOINT: must be the name of a Nexus endpoint');
  });
});

describe('the keys of payloads', () => {
  const key = Buffer.alloc(32, 7).toString('base64');
  const keys = (value: string) => loadClientConfig({ MODERATION_PAYLOAD_KEYS: value }).payloadKeys;

  test('are none by default, else in the order in which they are given', () => {
    expect(loadClientConfig({}).payloadKeys).toBeUndefined();
    expect(keys(`new-1:${key}, old:${key}`)).toEqual([
      { id: 'new-1', key: Buffer.alloc(32, 7) },
      { id: 'old', key: Buffer.alloc(32, 7) },
    ]);
  });

  test('may follow `plain`, and then only decrypt', () => {
    expect(keys(`plain, a:${key}`)).toEqual(['plain', { id: 'a', key: Buffer.alloc(32, 7) }]);
  });

  test.each([
    [',', 'must name at least one key'],
    ['plain', 'must name at least one key'],
    [`a:${key},plain`, 'key 2 must be ID:KEY'],
    [`plain,plain,a:${key}`, 'key 1 must be ID:KEY'],
    [key, 'key 1 must be ID:KEY'],
    [`a:${key},b:c2hvcnQ=`, 'key 2 must be ID:KEY'],
    [`a b:${key}`, 'key 1 must be ID:KEY'],
    [`a:${key},a:${key}`, 'must not give two keys one ID'],
  ])('cannot be %s, and what is wrong is told without them', (value, reason) => {
    const fault = faultOf(() => keys(value));
    expect(fault).toContain(`MODERATION_PAYLOAD_KEYS: ${reason}`);
    for (const secret of [key, 'c2hvcnQ=']) expect(fault).not.toContain(secret);
  });
});

describe('what is read by a library from the process itself', () => {
  const identity = { AZURE_TENANT_ID: APP, AZURE_CLIENT_ID: APP };

  test.each([
    'AZURE_CLIENT_SECRET',
    'AZURE_CLIENT_CERTIFICATE_PATH',
    'AZURE_FEDERATED_TOKEN_FILE',
    'AZURE_TENANT_ID',
    'AZURE_CLIENT_ID',
    'IDENTITY_HEADER',
  ])('must be trimmed already: %s', (name) => {
    const value = name.endsWith('_ID') ? APP : 'secret';
    for (const spoilt of [`${value}\n`, ` ${value}`, `${value}\r\n`]) {
      const fault = faultOf(() => worker({ ...identity, [name]: spoilt }));
      expect(fault).toMatch(new RegExp(`^${name}: has white space or a line break`));
      expect(fault).not.toContain(value);
    }
    expect(worker({ ...identity, [name]: value }).graph.token).toBeUndefined();
  });

  test.each(['sec\0ret', 'sec ret', 's\u00e9cret', '"secret"'])('is no secret that cannot be sent: %j', (secret) => {
    const fault = faultOf(() => worker({ ...identity, AZURE_CLIENT_SECRET: secret }));
    expect(fault).toMatch(/^AZURE_CLIENT_SECRET: /);
    expect(fault).not.toMatch(/sec.|ret"/);
  });

  test('is of no concern where a fixed token is shown', () => {
    const env = { MODERATION_GRAPH_TOKEN: 'token', MODERATION_GRAPH_URL: 'http://127.0.0.1:1', AZURE_CLIENT_ID: 'sim' };
    expect(worker(env).graph.token).toBe('token');
  });

  test('is what traces are sent with, where they are', () => {
    const headers = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=secret\n' };
    expect(loadClientConfig(headers).taskQueue).toBe('call-moderation');
    const fault = faultOf(() => loadClientConfig({ ...headers, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }));
    expect(fault).toMatch(/^OTEL_EXPORTER_OTLP_HEADERS: has white space/);
    expect(fault).not.toContain('secret');
  });
});

test.each([
  ['MODERATION_TENANTS', `"${APP}"`],
  ['MODERATION_DEPLOYMENT_NAME', "'call-moderation'"],
  ['MODERATION_GRAPH_VERSION', '"v1.0"'],
])('quotes that were copied along are named or refused: %s=%s', (name, value) => {
  expect(faultsOf(() => worker({ MODERATION_BUILD_ID: '1', [name]: value })).join()).toContain(`${name}: `);
});

test('the ID of the application is the audience, in the form that tokens have', () => {
  expect(loadWebhookConfig({ AZURE_CLIENT_ID: `{${APP.toUpperCase()}}\n` }).audience).toBe(APP);
});

describe('a warning', () => {
  test.each([
    ['MODERATION_TASK_QEUE', 'did you mean MODERATION_TASK_QUEUE?'],
    ['MODERATION_WEBHOOK_AUDIENCES', 'did you mean MODERATION_WEBHOOK_AUDIENCE?'],
    ['MODERATION_SOMETHING_ELSE_ENTIRELY', 'remove it'],
  ])('is given of %s, which nobody reads', (name, hint) => {
    expect(configWarnings({ [name]: 'secret' })).toEqual([expect.stringContaining(hint)]);
    expect(configWarnings({ [name]: 'secret' }).join()).not.toContain('secret');
    expect(worker({ [name]: 'x' }).taskQueue).toBe('call-moderation');
  });

  test('is given of a domain among tenants, and of an audience that is no ID', () => {
    const env = { MODERATION_TENANTS: `${APP},contoso.com`, MODERATION_WEBHOOK_AUDIENCE: 'my-bot' };
    expect(variablesOf(configWarnings(env))).toEqual(['MODERATION_TENANTS', 'MODERATION_WEBHOOK_AUDIENCE']);
  });

  test('is given of nothing else', () => {
    const known = { MODERATION_TEMPORAL_CLI: '/bin/temporal', MODERATION_TENANTS: APP, AZURE_CLIENT_ID: APP };
    const kubernetes = { MODERATION_WEBHOOK_SERVICE_HOST: '10.0.0.1', MODERATION_WEBHOOK_PORT_3978_TCP: 'tcp://x' };
    expect(configWarnings({ ...known, ...kubernetes, MODERATION_TASK_QUEUE: '', PATH: '/bin' })).toEqual([]);
  });
});
