import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { canonicalGuid, canonicalTenant, isGuid } from '../auth/token-rules.ts';
import type { Address } from '../lib/address.ts';
import { trimEnvironment, type Environment, type Given } from '../lib/environment.ts';
import { proxyFaults } from '../lib/outbound.ts';
import { isLoopback } from '../lib/safe-url.ts';
import { host, port, webUrl } from './addresses.ts';
import { common, commonOf, type CommonConfig } from './common.ts';
import { authorityHost, cloudName, cloudOf } from './graph.ts';
import { healthOf, healthVariables } from './health.ts';
import { applicationId, tenantId, tenants } from './identities.ts';
import { read } from './read.ts';

export interface GatewayConfig extends CommonConfig {
  listen: Address;
  /** If absent, nobody is asked for a token. */
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
  /** Where health is served; at the gateway's own address if absent. */
  health: Address | undefined;
}

export const gateway = common.extend({
  ...healthVariables,
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
  AZURE_AUTHORITY_HOST: authorityHost.optional(),
  AZURE_TENANT_ID: tenantId.optional(),
});

export function loadGatewayConfig(env: Environment): GatewayConfig {
  const given = trimEnvironment(env);
  const { values, temporal } = read(gateway, env, given, [...proxyFaults(given), ...requiredFaults(given)]);
  const listen = { host: values.MODERATION_GATEWAY_HOST, port: values.MODERATION_GATEWAY_PORT };
  const allowed = [...(values.MODERATION_TENANTS ?? [values.AZURE_TENANT_ID ?? ''])].map(canonicalTenant);
  return {
    ...commonOf(values, temporal),
    listen,
    authentication: authenticationOf(values, allowed),
    homeTenant: homeTenantOf(given, allowed),
    publicUrl: values.MODERATION_GATEWAY_URL,
    requestsPerSecond: values.MODERATION_GATEWAY_REQUESTS_PER_SECOND,
    health: healthOf(values, listen),
  };
}

/** Compared with the tenant of tokens, which is always an ID: a domain would equal none. */
function homeTenantOf(given: Given, allowed: readonly string[]): string | undefined {
  const id = canonicalGuid(given['AZURE_TENANT_ID'] ?? '');
  if (isGuid(id)) return id;
  return allowed.length === 1 ? allowed[0] : undefined;
}

function requiredFaults(given: Given): string[] {
  const faults: string[] = [];
  const hasAudience = given['MODERATION_GATEWAY_AUDIENCE'] !== undefined;
  const name = given['MODERATION_GATEWAY_HOST']?.replace(/^\[(.*)\]$/, '$1') ?? '127.0.0.1';
  if (!hasAudience && !isLoopback(new URL(`http://${isIPv6(name) ? `[${name}]` : name.replace(/[^\w.-]/g, '-')}`))) {
    faults.push(
      "MODERATION_GATEWAY_AUDIENCE: required unless MODERATION_GATEWAY_HOST is a loopback address, because anybody could ask otherwise; set it to the ID of the gateway's own application",
    );
  }
  const home = given['AZURE_TENANT_ID'];
  const isOneTenant = isGuid(canonicalGuid(home ?? ''));
  const allowed = given['MODERATION_TENANTS']?.split(',').filter((tenant) => tenant.trim() !== '') ?? [];
  if (hasAudience && home !== undefined && !isOneTenant && allowed.length > 1) {
    faults.push(
      "AZURE_TENANT_ID: must be the tenant's ID beside MODERATION_GATEWAY_AUDIENCE and several MODERATION_TENANTS, because operations without a tenant belong to it, and tokens name no domain",
    );
  }
  if (hasAudience && given['MODERATION_TENANTS'] === undefined && !isOneTenant) {
    faults.push(
      'MODERATION_TENANTS: required beside MODERATION_GATEWAY_AUDIENCE, because Entra ID issues tokens in any tenant that has taken on the application; name the IDs of the tenants',
    );
  }
  return faults;
}

function authenticationOf(
  values: z.infer<typeof gateway>,
  allowed: readonly string[],
): GatewayConfig['authentication'] {
  const audience = values.MODERATION_GATEWAY_AUDIENCE;
  if (audience === undefined) return undefined;
  const authority = (values.AZURE_AUTHORITY_HOST ?? cloudOf(values).authorityHost).replace(/\/+$/, '');
  return {
    audience,
    role: values.MODERATION_GATEWAY_ROLE,
    // Of tokens of version 2, and of version 1.
    issuers: (tenant) => [`${authority}/${tenant}/v2.0`, `https://sts.windows.net/${tenant}`],
    openIdUrl: `${authority}/common/v2.0/.well-known/openid-configuration`,
    tenants: allowed,
  };
}
