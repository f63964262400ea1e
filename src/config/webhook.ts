import { z } from 'zod';
import type { Address } from '../lib/address.ts';
import { trimEnvironment, type Environment, type Given } from '../lib/environment.ts';
import { proxyFaults } from '../lib/outbound.ts';
import { isLoopback } from '../lib/safe-url.ts';
import { canonicalPath } from '../webhook/callback-path.ts';
import { host, port, safeUrl, webUrl } from './addresses.ts';
import { common, commonOf, type CommonConfig } from './common.ts';
import { ConfigError } from './config-error.ts';
import { cloudName, isGovernment } from './graph.ts';
import { HEALTH_PATHS, healthOf, healthVariables } from './health.ts';
import { audience, issuers, tenants } from './identities.ts';
import { read } from './read.ts';

export interface WebhookConfig extends CommonConfig {
  listen: Address;
  path: string;
  audience: string;
  issuers: readonly string[];
  openIdUrl: string;
  forwardUrl: string | undefined;
  tenants: ReadonlySet<string> | undefined;
  /** Where health is served; at the webhook's own address if absent. */
  health: Address | undefined;
}

/** Where the signing keys of the global cloud's notifications are found. */
const OPENID_URL = 'https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration';

/** Issuers of the tokens that Graph's notifications carry. */
const ISSUERS = 'https://api.botframework.com,https://graph.microsoft.com';

export const webhook = common.extend({
  ...healthVariables,
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
  AZURE_CLIENT_ID: audience.optional(),
});

export function loadWebhookConfig(env: Environment): WebhookConfig {
  const given = trimEnvironment(env);
  const { values, temporal } = read(webhook, env, given, [...requiredFaults(given), ...proxyFaults(given)]);
  const listen = { host: values.MODERATION_WEBHOOK_HOST, port: values.MODERATION_WEBHOOK_PORT };
  const path = values.MODERATION_WEBHOOK_PATH;
  const health = healthOf(values, listen);
  const forwardUrl = values.MODERATION_WEBHOOK_FORWARD_URL;
  requireApart(health, listen);
  requireOther(forwardUrl, listen, path);
  return {
    ...commonOf(values, temporal),
    listen,
    path,
    audience: values.MODERATION_WEBHOOK_AUDIENCE ?? values.AZURE_CLIENT_ID ?? '',
    issuers: values.MODERATION_WEBHOOK_ISSUERS,
    openIdUrl: values.MODERATION_WEBHOOK_OPENID_URL ?? OPENID_URL,
    forwardUrl,
    tenants: values.MODERATION_TENANTS,
    health,
  };
}

function requiredFaults(given: Given): string[] {
  const faults: string[] = [];
  if (given['MODERATION_WEBHOOK_AUDIENCE'] === undefined && given['AZURE_CLIENT_ID'] === undefined) {
    faults.push(
      "MODERATION_WEBHOOK_AUDIENCE: required, because without it every token would be accepted; set it, or AZURE_CLIENT_ID, to the application's ID",
    );
  }
  if (isGovernment(given) && given['MODERATION_WEBHOOK_OPENID_URL'] === undefined) {
    faults.push(
      `MODERATION_WEBHOOK_OPENID_URL: required in ${given['MODERATION_GRAPH_CLOUD']}, because Microsoft has not published where its signing keys are; ask its support`,
    );
  }
  return faults;
}

function requireApart(health: Address | undefined, listen: Address): void {
  if (health === undefined || health.port !== listen.port || health.port === 0) return;
  if (![health.host, listen.host].some(isWildcard)) return;
  throw new ConfigError([
    `MODERATION_HEALTH_PORT: must differ from MODERATION_WEBHOOK_PORT (${listen.port}), because ${listen.host} and ${health.host} overlap`,
  ]);
}

function requireOther(forwardUrl: string | undefined, listen: Address, path: string): void {
  if (forwardUrl === undefined || !isOwnAddress(new URL(forwardUrl), listen, path)) return;
  throw new ConfigError([
    "MODERATION_WEBHOOK_FORWARD_URL: is this webhook's own address, and would pass every notification on to itself; name the bot's",
  ]);
}

/** Listens on every address of the machine. */
function isWildcard(name: string): boolean {
  return name === '0.0.0.0' || name === '::';
}

/** True only if that is certain. */
function isOwnAddress(target: URL, listen: Address, path: string): boolean {
  const { hostname, pathname, protocol } = target;
  const isThisMachine = isLoopback(target) || hostname === listen.host;
  const isThisPort = listen.port !== 0 && Number(target.port || (protocol === 'https:' ? 443 : 80)) === listen.port;
  return isThisMachine && isThisPort && (pathname === path || pathname.startsWith(`${path}/`));
}
