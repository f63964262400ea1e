import { LRUCache } from 'lru-cache';
import { request } from 'undici';
import { outbound } from '../lib/outbound.ts';
import { fieldOf, GraphError } from './errors.ts';

/**
 * The IDs of tenants that are named by a domain, from the OpenID document that Entra ID publishes for each tenant: its
 * `issuer` contains the ID. A domain seldom moves to another tenant, so an ID is remembered for an hour.
 */

const REMEMBER = { max: 1_000, ttl: 3_600_000 };
const TIMEOUT_MS = 5_000;
const ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i;

export function tenantIds(authorityHost: string): (domain: string) => Promise<string> {
  const known = new LRUCache<string, string>(REMEMBER);
  return async (domain) => {
    const name = domain.toLowerCase();
    const id = known.get(name) ?? (await idFrom(authorityHost, name));
    known.set(name, id);
    return id;
  };
}

async function idFrom(authorityHost: string, domain: string): Promise<string> {
  const root = authorityHost.replace(/\/+$/, '');
  const url = `${root}/${encodeURIComponent(domain)}/v2.0/.well-known/openid-configuration`;
  const dispatcher = outbound({ maxResponseSize: 256 * 1024 });
  let issuer: unknown;
  try {
    const { statusCode, body } = await request(url, { dispatcher, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await body.text();
    if (statusCode >= 500 || statusCode === 429) throw new Error('not now');
    issuer = statusCode === 200 ? fieldOf(JSON.parse(text), 'issuer') : undefined;
  } catch {
    const message = `Microsoft Entra ID did not return the tenant of the domain ${domain}.`;
    throw new GraphError('GraphUnavailable', message, { isRetryable: true });
  } finally {
    await dispatcher.destroy();
  }
  const id = typeof issuer === 'string' ? ID.exec(issuer)?.[0] : undefined;
  if (id !== undefined) return id;
  throw new GraphError(
    'Unauthorized',
    `Nothing was sent to Graph, because Microsoft Entra ID knows no tenant with the domain ${domain}. Name the tenant by its ID.`,
  );
}
