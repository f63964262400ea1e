import { isIPv6 } from 'node:net';
import type { ClientConnectConfig } from '@temporalio/envconfig';
import { z } from 'zod';
import { DEFAULT_TASK_QUEUE } from './contract/names.ts';
import { ENDPOINT_NAME_FAULT, isEndpointName } from './contract/nexus-endpoint.ts';
import { isKeyId, PLAIN, type PayloadKeys } from './contract/payload-keys.ts';
import { CLOUDS, type Cloud } from './graph/clouds.ts';
import { keyOf } from './events/signature.ts';
import { isLoopback, isSafe } from './lib/safe-url.ts';
import {
  givenOf,
  IN_A_HEADER,
  malformedOf,
  unknownOf,
  untrimmedOf,
  type Environment,
  type Given,
} from './lib/environment.ts';
import { OperatorError } from './lib/operator-error.ts';
import { readTemporal } from './temporal/settings.ts';
import { canonicalPath } from './webhook/callback-path.ts';
import {
  canonicalGuid,
  canonicalIssuer,
  canonicalTenant,
  faultOfAudience,
  faultOfIssuer,
  faultOfTenants,
  isDomain,
  isGuid,
} from './auth/token-rules.ts';
import { proxyFaults } from './lib/outbound.ts';
import { grpcProxyFaults } from './temporal/proxy.ts';

/**
 * The environment, read here and nowhere else. Each process asks for what it needs, and hears of every fault at once: also
 * of values that could never work, or would mean something else than they seem to.
 *
 * `AZURE_*` are read by `@azure/identity` itself; of them only those stand here that mean something to us as well.
 */

export type { Environment } from './lib/environment.ts';

/** Thrown with every fault of the environment in its message, each with the variable's name and the remedy. */
export class ConfigError extends OperatorError {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The configuration does not hold:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Address {
  host: string;
  port: number;
}

/** What every process needs. */
export interface CommonConfig {
  temporal: ClientConnectConfig;
  taskQueue: string;
  /** Of what Temporal keeps: the first encrypts, all decrypt. Nothing is encrypted where absent. */
  payloadKeys: PayloadKeys | undefined;
  logLevel: LogLevel;
}

/** A build of the workers, as Temporal's Worker Deployment Versioning knows it. */
export interface DeploymentVersion {
  deploymentName: string;
  buildId: string;
}

export interface WorkerConfig extends CommonConfig {
  graph: {
    /** Root and version. */
    url: string;
    cloud: Cloud;
    authorityHost: string;
    /** In place of Microsoft Entra ID. */
    token: string | undefined;
  };
  tenants: ReadonlySet<string> | undefined;
  health: Address;
  /** Where present, operations stay on the build that they began on. */
  version: DeploymentVersion | undefined;
  /** Of all workers of the task queue together. */
  maxActivitiesPerSecond: number | undefined;
  /** Of one worker at a time. */
  maxActivities: number | undefined;
  maxWorkflowTasks: number | undefined;
  /** Where events are sent, and the keys that sign them; none are sent if absent. */
  events: { url: string; keys: readonly Uint8Array[] } | undefined;
  /** Records where workflows wait, for the tab *Call Stack* of Temporal's UI. */
  callStacks: boolean;
  /** The Nexus endpoint that leads to the workers. Absent, they do not serve Nexus. */
  nexusEndpoint: string | undefined;
}

/** For the command that says which build new operations begin on. */
export interface DeploymentConfig extends CommonConfig {
  version: DeploymentVersion;
}

export interface WebhookConfig extends CommonConfig {
  listen: Address;
  path: string;
  audience: string;
  issuers: readonly string[];
  openIdUrl: string;
  forwardUrl: string | undefined;
  tenants: ReadonlySet<string> | undefined;
  /** Where health is served; the webhook's own address where absent. */
  health: Address | undefined;
}

export interface GatewayConfig extends CommonConfig {
  listen: Address;
  /** Nobody is asked for a token where absent. */
  authentication:
    | {
        audience: string;
        role: string;
        issuers: (tenantId: string) => readonly string[];
        openIdUrl: string;
        tenants: readonly string[];
      }
    | undefined;
  homeTenant: string | undefined;
  publicUrl: string | undefined;
  requestsPerSecond: number;
  /** Where health is served; the gateway's own address where absent. */
  health: Address | undefined;
}

/** Where the signing keys of the global cloud's notifications are found. */
const OPENID_URL = 'https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration';

/** Issuers of the tokens that Graph's notifications carry. */
const ISSUERS = 'https://api.botframework.com,https://graph.microsoft.com';

const port = z
  .string()
  .refine((value) => /^\d{1,5}$/.test(value) && Number(value) <= 65_535, {
    // Kubernetes sets such a value for a Service of that name.
    error: ({ input }) =>
      /^(tcp|udp):/.test(String(input))
        ? 'must be a port, 0 to 65535; where Kubernetes has set it for a Service, set enableServiceLinks: false'
        : 'must be a port, 0 to 65535',
  })
  .transform(Number);

/** What somebody else is asked at. A user in an address would not be sent, and a fragment neither. */
const url = z
  .string()
  .refine((value) => URL.canParse(value), 'must be an absolute URL, such as https://bot.example.com/calls')
  .refine((value) => {
    if (!URL.canParse(value)) return true;
    const { hash, username, password } = new URL(value);
    return `${hash}${username}${password}` === '' && !/[\s"'<>\\]/.test(value);
  }, 'must be an address without user, fragment, quotes and white space');

const webUrl = url.refine(
  (value) => !URL.canParse(value) || /^https?:$/.test(new URL(value).protocol),
  'must be http: or https:',
);

/** An address to listen on. */
const host = z
  .string()
  .transform((value) => value.replace(/^\[(.*)\]$/, '$1'))
  .refine(
    (value) => isIPv6(value) || /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$/.test(value),
    'must be an IP address or a host name, without scheme and port, such as 0.0.0.0',
  );

/** HTTPS, or HTTP on this machine. */
const safeUrl = url.refine(
  (value) => !URL.canParse(value) || isSafe(new URL(value)),
  'must be https:, for http: is allowed on a loopback address only',
);

/** A version and paths are appended to it. */
const graphUrl = safeUrl
  .refine(
    (value) => !URL.canParse(value) || new URL(value).search === '',
    'must be a root without query, fragment and user, such as http://127.0.0.1:3979',
  )
  .refine(
    (value) => !URL.canParse(value) || !/\/(v1\.0|beta)\/*$/i.test(new URL(value).pathname),
    'must be a root without the version, which MODERATION_GRAPH_VERSION names',
  );

/** The tenant is appended to it. */
const authorityHost = safeUrl.refine((value) => {
  if (!URL.canParse(value)) return true;
  const { origin, pathname, search } = new URL(value);
  const isPublished = Object.values(CLOUDS).some((cloud) => cloud.authorityHost === origin);
  return search === '' && (!isPublished || pathname === '/');
}, 'must be a root without tenant and query, such as https://login.microsoftonline.com');

const HEALTH_PATHS: ReadonlySet<string> = new Set(['/livez', '/readyz', '/metrics']);

const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

const tenants = list
  .refine((items) => items.length > 0, 'must name at least one tenant; leave it out to allow any')
  .transform((items, context) => {
    const canonical = items.map(canonicalTenant);
    const fault = faultOfTenants(canonical);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    return new Set(canonical);
  });

const audience = z.string().transform((value, context) => {
  const fault = faultOfAudience(value);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  return canonicalGuid(value);
});

const issuers = list
  .refine((items) => items.length > 0, 'must name at least one issuer')
  .transform((items, context) => {
    const fault = items.map(faultOfIssuer).find((found) => found !== undefined);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    return [...new Set(items.map(canonicalIssuer))];
  });

/** In Temporal's lists it stands between quotes. */
const taskQueue = z
  .string()
  .max(1_000, 'must be at most 1000 characters')
  .regex(/^[^\s"'`\\]*$/, 'must be a name without white space, quotes and backslashes, such as call-moderation')
  .refine((value) => !value.startsWith('/_sys/'), "must not begin with /_sys/, which is Temporal's own");

/** No message quotes any of it. */
const payloadKeys = list.transform((items, context): PayloadKeys => {
  const isPlain = items[0] === PLAIN;
  const keys = items.slice(isPlain ? 1 : 0).map((item) => {
    const [, id = '', text = ''] = /^([^:]*):([A-Za-z0-9+/]{43}=)$/.exec(item) ?? [];
    return { id, key: Buffer.from(text, 'base64') };
  });
  const wrong = keys.findIndex(({ id, key }) => !isKeyId(id) || key.length !== 32);
  const fault =
    keys.length === 0
      ? 'must name at least one key; leave it out for no encryption'
      : wrong >= 0
        ? `key ${wrong + 1} must be ID:KEY, its ID 1 to 64 of A-Z a-z 0-9 _ . -, its key 32 bytes in base64, such as 'openssl rand -base64 32' prints`
        : new Set(keys.map(({ id }) => id)).size < keys.length
          ? 'must not give two keys one ID'
          : undefined;
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  return isPlain ? [PLAIN, ...keys] : keys;
});

/** No message quotes any of it. */
const eventSecrets = z.string().transform((value, context) => {
  const keys = value.split(/[\s,]+/).flatMap((secret) => (secret === '' ? [] : [keyOf(secret)]));
  const known = keys.filter((key) => key !== undefined);
  const wrong = keys.indexOf(undefined);
  const fault =
    keys.length === 0
      ? 'must name at least one secret'
      : `secret ${wrong + 1} must be whsec_ and 24 to 64 bytes in base64, such as "whsec_$(openssl rand -base64 32)"`;
  if (known.length === 0 || wrong >= 0) context.addIssue({ code: 'custom', message: fault });
  return known;
});

const common = z.object({
  MODERATION_PAYLOAD_KEYS: payloadKeys.optional(),
  MODERATION_TASK_QUEUE: taskQueue.default(DEFAULT_TASK_QUEUE),
  LOG_LEVEL: z
    .string()
    .toLowerCase()
    .pipe(z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`))
    .default('info'),
  // The rest of OTEL_* is read by OpenTelemetry's SDK itself.
  OTEL_EXPORTER_OTLP_ENDPOINT: webUrl.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: webUrl.optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: z
    .literal('http/protobuf', 'must be http/protobuf, which collectors take on port 4318; leave it out for that')
    .optional(),
});

/** Temporal joins the two with a colon or a dot. The Worker Controller's names have a slash. */
const deploymentName = z
  .string()
  .regex(/^[A-Za-z0-9_/-]{1,128}$/, 'must be 1 to 128 of A-Z a-z 0-9 _ / -, such as call-moderation')
  .optional();

const buildId = z
  .string()
  .regex(/^[A-Za-z0-9_.+-]{1,128}$/, "must be 1 to 128 of A-Z a-z 0-9 _ . + -, such as a commit's hash")
  .optional();

/** The first pair is ours, and has priority. The second one is what Temporal's Worker Controller sets in the pods that it makes. */
const VERSION_NAMES = [
  ['MODERATION_DEPLOYMENT_NAME', 'MODERATION_BUILD_ID'],
  ['TEMPORAL_DEPLOYMENT_NAME', 'TEMPORAL_WORKER_BUILD_ID'],
] as const;

const version = {
  MODERATION_DEPLOYMENT_NAME: deploymentName,
  MODERATION_BUILD_ID: buildId,
  TEMPORAL_DEPLOYMENT_NAME: deploymentName,
  TEMPORAL_WORKER_BUILD_ID: buildId,
};

const cloudName = z.string().superRefine((value, context) => {
  if (Object.hasOwn(CLOUDS, value)) return;
  const message =
    value === 'china'
      ? "cannot be china: Graph's cloud communications API does not exist in the cloud operated by 21Vianet"
      : `must be one of ${Object.keys(CLOUDS).join(', ')}`;
  context.addIssue({ code: 'custom', message });
});

/** For Entra ID, which knows no other form. */
const applicationId = z
  .string()
  .refine((value) => isGuid(value.toLowerCase()), "must be the application's or the managed identity's ID, a GUID");

const tenantId = z
  .string()
  .refine(
    (value) => isGuid(value.toLowerCase()) || isDomain(value.toLowerCase()),
    'must be the ID of a tenant, or one of its domains',
  );

const identity = z.object({ AZURE_CLIENT_ID: applicationId.optional(), AZURE_TENANT_ID: tenantId.optional() });

const slots = (least: number) =>
  z
    .string()
    .regex(/^\d{1,4}$/, `must be a whole number from ${least} to 1000`)
    .transform(Number)
    .refine((count) => count >= least && count <= 1_000, `must be a whole number from ${least} to 1000`)
    .optional();

const worker = common.extend({
  MODERATION_GRAPH_CLOUD: cloudName.default('global'),
  MODERATION_GRAPH_VERSION: z.enum(['v1.0', 'beta'], 'must be v1.0 or beta').default('v1.0'),
  MODERATION_GRAPH_URL: graphUrl.optional(),
  MODERATION_GRAPH_TOKEN: z
    .string()
    .regex(IN_A_HEADER, 'must be a bearer token, without spaces and line breaks, for it is sent in a header')
    .optional(),
  MODERATION_TENANTS: tenants.optional(),
  MODERATION_HEALTH_HOST: host.default('127.0.0.1'),
  MODERATION_HEALTH_PORT: port.default(9_465),
  MODERATION_MAX_ACTIVITIES_PER_SECOND: z
    .string()
    .regex(/^(?=.*[1-9])\d{1,6}(\.\d{1,3})?$/, 'must be a number above 0, such as 500 or 0.5')
    .transform(Number)
    .optional(),
  MODERATION_MAX_ACTIVITIES: slots(1),
  // The SDK needs two: one for the queue, one for the runs that it has in its cache.
  MODERATION_MAX_WORKFLOW_TASKS: slots(2),
  MODERATION_EVENTS_URL: safeUrl.optional(),
  MODERATION_EVENTS_SECRETS: eventSecrets.optional(),
  MODERATION_CALL_STACKS: z.enum(['true', 'false'], 'must be true or false').default('false'),
  MODERATION_NEXUS_ENDPOINT: z.string().refine(isEndpointName, ENDPOINT_NAME_FAULT).optional(),
  AZURE_AUTHORITY_HOST: authorityHost.optional(),
  ...version,
});

const deployment = common.extend(version);

const webhook = common.extend({
  MODERATION_GRAPH_CLOUD: cloudName.default('global'),
  MODERATION_WEBHOOK_HOST: host.default('0.0.0.0'),
  MODERATION_WEBHOOK_PORT: port.default(3_978),
  MODERATION_WEBHOOK_PATH: z
    .string()
    .regex(/^(\/(?!\.{1,2}(\/|$))[\w.~!$&',;=@+-]*)+$/, 'must be a path that begins with a slash, such as /api/calls')
    .refine((path) => !path.includes('//'), 'must be a path that begins with a slash and has no empty part')
    // Callbacks may have more behind it, a slash at least.
    .transform(canonicalPath)
    .refine(
      (path) => !HEALTH_PATHS.has(path),
      `must not be one of ${[...HEALTH_PATHS].join(', ')}, where health is served`,
    )
    .default('/api/calls'),
  MODERATION_WEBHOOK_AUDIENCE: audience.optional(),
  MODERATION_WEBHOOK_ISSUERS: issuers.prefault(ISSUERS),
  MODERATION_WEBHOOK_OPENID_URL: safeUrl.optional(),
  MODERATION_WEBHOOK_FORWARD_URL: webUrl.optional(),
  MODERATION_TENANTS: tenants.optional(),
  MODERATION_HEALTH_HOST: host.optional(),
  MODERATION_HEALTH_PORT: port.optional(),
  AZURE_CLIENT_ID: audience.optional(),
});

const gateway = common.extend({
  MODERATION_GRAPH_CLOUD: cloudName.default('global'),
  MODERATION_GATEWAY_HOST: host.default('127.0.0.1'),
  MODERATION_GATEWAY_PORT: port.default(3_980),
  MODERATION_GATEWAY_URL: webUrl
    .refine((value) => !URL.canParse(value) || new URL(value).search === '', 'must be a root without query')
    .transform((value) => value.replace(/\/+$/, ''))
    .optional(),
  MODERATION_GATEWAY_AUDIENCE: applicationId.transform(canonicalGuid).optional(),
  MODERATION_GATEWAY_ROLE: z
    .string()
    .regex(/^[\w.-]{1,120}$/, 'must be the value of an app role, such as CallModeration.Mute')
    .default('CallModeration.Mute'),
  MODERATION_GATEWAY_REQUESTS_PER_SECOND: z
    .string()
    .regex(/^[1-9]\d{0,5}$/, 'must be a whole number above 0, such as 50')
    .transform(Number)
    .default(50),
  MODERATION_TENANTS: tenants.optional(),
  MODERATION_HEALTH_HOST: host.optional(),
  MODERATION_HEALTH_PORT: port.optional(),
  AZURE_AUTHORITY_HOST: authorityHost.optional(),
  AZURE_TENANT_ID: tenantId.optional(),
});

export function loadWorkerConfig(env: Environment): WorkerConfig {
  const given = givenOf(env);
  const faults: string[] = [];
  if (given['MODERATION_GRAPH_VERSION'] === 'beta' && isGovernment(given)) {
    faults.push('MODERATION_GRAPH_VERSION: beta exists in the global cloud only; leave it out or set v1.0');
  }
  const override = given['MODERATION_GRAPH_URL'];
  const isLocal = override !== undefined && URL.canParse(override) && isLoopback(new URL(override));
  if (given['MODERATION_GRAPH_TOKEN'] !== undefined && !isLocal) {
    faults.push(
      'MODERATION_GRAPH_TOKEN: a fixed token is for a Graph on this machine; set MODERATION_GRAPH_URL to a loopback address, or leave it out and set AZURE_*',
    );
  }
  faults.push(...halfVersion(given), ...halfEvents(given), ...proxyFaults(given));
  // A fixed token is shown in place of what `@azure/identity` would get.
  if (given['MODERATION_GRAPH_TOKEN'] === undefined) {
    faults.push(...untrimmedOf(env, 'identity'), ...faultsIn(identity.safeParse(given).error));
  }
  const { values, temporal } = read(worker, env, given, faults);
  const cloud: Cloud = CLOUDS[values.MODERATION_GRAPH_CLOUD as keyof typeof CLOUDS];
  const root = (values.MODERATION_GRAPH_URL ?? cloud.graphUrl).replace(/\/+$/, '');
  return {
    ...commonOf(values, temporal),
    graph: {
      url: `${root}/${values.MODERATION_GRAPH_VERSION}`,
      cloud,
      authorityHost: values.AZURE_AUTHORITY_HOST ?? cloud.authorityHost,
      token: values.MODERATION_GRAPH_TOKEN,
    },
    tenants: values.MODERATION_TENANTS,
    health: { host: values.MODERATION_HEALTH_HOST, port: values.MODERATION_HEALTH_PORT },
    version: versionOf(values),
    maxActivitiesPerSecond: values.MODERATION_MAX_ACTIVITIES_PER_SECOND,
    maxActivities: values.MODERATION_MAX_ACTIVITIES,
    maxWorkflowTasks: values.MODERATION_MAX_WORKFLOW_TASKS,
    events: eventsOf(values),
    callStacks: values.MODERATION_CALL_STACKS === 'true',
    nexusEndpoint: values.MODERATION_NEXUS_ENDPOINT,
  };
}

export function loadWebhookConfig(env: Environment): WebhookConfig {
  const given = givenOf(env);
  const faults: string[] = [];
  if (given['MODERATION_WEBHOOK_AUDIENCE'] === undefined && given['AZURE_CLIENT_ID'] === undefined) {
    faults.push(
      "MODERATION_WEBHOOK_AUDIENCE: required, for without it every token would do; set it, or AZURE_CLIENT_ID, to the application's ID",
    );
  }
  if (isGovernment(given) && given['MODERATION_WEBHOOK_OPENID_URL'] === undefined) {
    faults.push(
      `MODERATION_WEBHOOK_OPENID_URL: required in ${given['MODERATION_GRAPH_CLOUD']}, for Microsoft has not published where its signing keys are; ask its support`,
    );
  }
  faults.push(...proxyFaults(given));
  const { values, temporal } = read(webhook, env, given, faults);
  const listen = { host: values.MODERATION_WEBHOOK_HOST, port: values.MODERATION_WEBHOOK_PORT };
  const health = {
    host: values.MODERATION_HEALTH_HOST ?? listen.host,
    port: values.MODERATION_HEALTH_PORT ?? listen.port,
  };
  const isApart = health.host !== listen.host || health.port !== listen.port;
  if (isApart && health.port === listen.port && health.port !== 0 && [health.host, listen.host].some(isWildcard)) {
    throw new ConfigError([
      `MODERATION_HEALTH_PORT: must differ from MODERATION_WEBHOOK_PORT (${listen.port}), for ${listen.host} and ${health.host} overlap`,
    ]);
  }
  const forwardUrl = values.MODERATION_WEBHOOK_FORWARD_URL;
  if (forwardUrl !== undefined && isOwnAddress(new URL(forwardUrl), listen, values.MODERATION_WEBHOOK_PATH)) {
    throw new ConfigError([
      "MODERATION_WEBHOOK_FORWARD_URL: is this webhook's own address, and would pass every notification on to itself; name the bot's",
    ]);
  }
  return {
    ...commonOf(values, temporal),
    listen,
    path: values.MODERATION_WEBHOOK_PATH,
    audience: values.MODERATION_WEBHOOK_AUDIENCE ?? values.AZURE_CLIENT_ID ?? '',
    issuers: values.MODERATION_WEBHOOK_ISSUERS,
    openIdUrl: values.MODERATION_WEBHOOK_OPENID_URL ?? OPENID_URL,
    forwardUrl,
    tenants: values.MODERATION_TENANTS,
    health: isApart ? health : undefined,
  };
}

export function loadGatewayConfig(env: Environment): GatewayConfig {
  const given = givenOf(env);
  const faults = proxyFaults(given);
  const hasAudience = given['MODERATION_GATEWAY_AUDIENCE'] !== undefined;
  const name = given['MODERATION_GATEWAY_HOST']?.replace(/^\[(.*)\]$/, '$1') ?? '127.0.0.1';
  if (!hasAudience && !isLoopback(new URL(`http://${isIPv6(name) ? `[${name}]` : name.replace(/[^\w.-]/g, '-')}`))) {
    faults.push(
      "MODERATION_GATEWAY_AUDIENCE: required unless MODERATION_GATEWAY_HOST is a loopback address, because anybody could ask otherwise; set it to the ID of the gateway's own application",
    );
  }
  if (
    hasAudience &&
    given['MODERATION_TENANTS'] === undefined &&
    !isGuid(canonicalGuid(given['AZURE_TENANT_ID'] ?? ''))
  ) {
    faults.push(
      'MODERATION_TENANTS: required beside MODERATION_GATEWAY_AUDIENCE, because Entra ID issues tokens in any tenant that has taken on the application; name the IDs of the tenants',
    );
  }
  const { values, temporal } = read(gateway, env, given, faults);
  const listen = { host: values.MODERATION_GATEWAY_HOST, port: values.MODERATION_GATEWAY_PORT };
  const health = {
    host: values.MODERATION_HEALTH_HOST ?? listen.host,
    port: values.MODERATION_HEALTH_PORT ?? listen.port,
  };
  const isApart = health.host !== listen.host || health.port !== listen.port;
  const allowed = [...(values.MODERATION_TENANTS ?? [values.AZURE_TENANT_ID ?? ''])].map(canonicalTenant);
  const audienceId = values.MODERATION_GATEWAY_AUDIENCE;
  const cloud: Cloud = CLOUDS[values.MODERATION_GRAPH_CLOUD as keyof typeof CLOUDS];
  const authority = (values.AZURE_AUTHORITY_HOST ?? cloud.authorityHost).replace(/\/+$/, '');
  return {
    ...commonOf(values, temporal),
    listen,
    authentication:
      audienceId === undefined
        ? undefined
        : {
            audience: audienceId,
            role: values.MODERATION_GATEWAY_ROLE,
            // Of tokens of version 2, and of version 1.
            issuers: (tenant) => [`${authority}/${tenant}/v2.0`, `https://sts.windows.net/${tenant}`],
            openIdUrl: `${authority}/common/v2.0/.well-known/openid-configuration`,
            tenants: allowed,
          },
    homeTenant: values.AZURE_TENANT_ID ?? (allowed.length === 1 ? allowed[0] : undefined),
    publicUrl: values.MODERATION_GATEWAY_URL,
    requestsPerSecond: values.MODERATION_GATEWAY_REQUESTS_PER_SECOND,
    health: isApart ? health : undefined,
  };
}

/** Whether traces are to be sent anywhere. */
export function wantsTraces(env: Environment): boolean {
  const given = givenOf(env);
  const isNamed = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'].some((name) => name in given);
  return isNamed && given['OTEL_SDK_DISABLED']?.toLowerCase() !== 'true' && given['OTEL_TRACES_EXPORTER'] !== 'none';
}

/** For the commands that talk to Temporal only. */
export function loadClientConfig(env: Environment): CommonConfig {
  const { values, temporal } = read(common, env, givenOf(env), []);
  return commonOf(values, temporal);
}

/** For `set-current-version`. */
export function loadDeploymentConfig(env: Environment): DeploymentConfig {
  const given = givenOf(env);
  const missing = versionNamesOf(given).filter((name) => given[name] === undefined);
  const faults = missing.map((name) => `${name}: required; set it to what the workers of this build have`);
  const { values, temporal } = read(deployment, env, given, faults);
  const known = versionOf(values);
  if (known === undefined) throw new ConfigError(faults);
  return { ...commonOf(values, temporal), version: known };
}

/** The pair that is in use. */
function versionNamesOf(given: Readonly<Record<string, unknown>>): (typeof VERSION_NAMES)[number] {
  return VERSION_NAMES.find((pair) => pair.some((name) => name in given)) ?? VERSION_NAMES[0];
}

/** One of the two alone would be a worker that takes nothing, or one that is not versioned though somebody meant it. */
function halfVersion(given: Given): string[] {
  const names = versionNamesOf(given);
  const [present, absent] = [true, false].map((is) => names.filter((name) => name in given === is));
  if (present?.length !== 1) return [];
  return [`${absent?.[0]}: required beside ${present[0]}; set both, or neither for workers without versions`];
}

/** Events are always signed; and a secret alone is most likely a URL that is misspelt. */
function halfEvents(given: Given): string[] {
  const names = ['MODERATION_EVENTS_URL', 'MODERATION_EVENTS_SECRETS'];
  const [present, absent] = [true, false].map((is) => names.filter((name) => name in given === is));
  if (present?.length !== 1) return [];
  return [`${absent?.[0]}: required beside ${present[0]}; set both, or neither if no events are to be sent`];
}

function eventsOf(values: z.infer<typeof worker>): WorkerConfig['events'] {
  const { MODERATION_EVENTS_URL: target, MODERATION_EVENTS_SECRETS: keys } = values;
  return target === undefined || keys === undefined ? undefined : { url: target, keys };
}

function versionOf(values: z.infer<typeof deployment>): DeploymentVersion | undefined {
  const [name, id] = versionNamesOf(values);
  const [named, built] = [values[name], values[id]];
  return named === undefined || built === undefined ? undefined : { deploymentName: named, buildId: built };
}

function commonOf(values: z.infer<typeof common>, temporal: ClientConnectConfig): CommonConfig {
  return {
    temporal,
    taskQueue: values.MODERATION_TASK_QUEUE,
    payloadKeys: values.MODERATION_PAYLOAD_KEYS,
    logLevel: values.LOG_LEVEL,
  };
}

/** Listens on every address of the machine. */
function isWildcard(name: string): boolean {
  return name === '0.0.0.0' || name === '::';
}

function isGovernment(given: Given): boolean {
  return given['MODERATION_GRAPH_CLOUD']?.startsWith('usgov-') === true;
}

/** Only where that can be told for sure. */
function isOwnAddress(target: URL, listen: Address, path: string): boolean {
  const { hostname, pathname, protocol } = target;
  const isThisMachine = isLoopback(target) || hostname === listen.host;
  const isThisPort = listen.port !== 0 && Number(target.port || (protocol === 'https:' ? 443 : 80)) === listen.port;
  return isThisMachine && isThisPort && (pathname === path || pathname.startsWith(`${path}/`));
}

const KNOWN: readonly string[] = [
  ...new Set([worker, webhook, gateway, deployment].flatMap((schema) => Object.keys(schema.shape))),
  'MODERATION_TEMPORAL_CLI',
  'MODERATION_TEMPORAL_TEST_SERVER',
];

/** What is worth a word in the log, and keeps nothing from starting. */
export function configWarnings(env: Environment): string[] {
  const given = givenOf(env);
  const audienceName = 'MODERATION_WEBHOOK_AUDIENCE' in given ? 'MODERATION_WEBHOOK_AUDIENCE' : 'AZURE_CLIENT_ID';
  const domains = (given['MODERATION_TENANTS'] ?? '').split(',').map(canonicalTenant).filter(isDomain);
  return [
    ...unknownOf(given, KNOWN),
    ...(audienceName in given && !isGuid(canonicalGuid(given[audienceName] ?? ''))
      ? [`${audienceName}: is not a GUID, as the IDs of applications are; tokens of Graph will not match it`]
      : []),
    ...domains.map(
      (domain) =>
        `MODERATION_TENANTS: ${domain} allows requests that name it; notifications of that tenant come with its ID (GUID) and need that in the list`,
    ),
  ];
}

/** The values of `schema` and of Temporal's own variables, or one error with their faults beside those found before. */
function read<T extends z.ZodType>(
  schema: T,
  env: Environment,
  given: Given,
  found: readonly string[],
): { values: z.infer<T>; temporal: ClientConnectConfig } {
  const parsed = schema.safeParse(given);
  const temporal = readTemporal(given);
  const faults = [
    ...faultsIn(parsed.error),
    ...found,
    ...grpcProxyFaults(given),
    ...(wantsTraces(env) ? untrimmedOf(env, 'traces') : []),
    ...temporal.faults,
  ];
  // One fault a variable is enough.
  const isNamed = new Set(faults.map(nameOf));
  faults.push(...malformedOf(given).filter((fault) => !isNamed.has(nameOf(fault))));
  if (!parsed.success || temporal.config === undefined || faults.length > 0) throw new ConfigError(faults);
  return { values: parsed.data, temporal: temporal.config };
}

function faultsIn(error: z.ZodError | undefined): string[] {
  const faults = new Map<string, string>();
  for (const { path, message } of error?.issues ?? []) {
    const name = path.join('.');
    if (!faults.has(name)) faults.set(name, `${name}: ${message}`);
  }
  return [...faults.values()];
}

const nameOf = (fault: string): string | undefined => fault.split(':')[0];
