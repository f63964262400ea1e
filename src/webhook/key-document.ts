import { createLocalJWKSet, type JSONWebKeySet, type LocalJWKSet } from 'jose';
import { request } from 'undici';
import { isSafe } from '../loopback.ts';
import { readAll } from './answer-body.ts';
import { isFields, readText } from './fields.ts';

/**
 * Graph's signing keys, fetched once: OpenID document, its `jwks_uri`, the key set. The document's `issuer` is not
 * compared with anything: tokens name another one than the document's address implies
 * (https://github.com/microsoft/BotFramework-Services/issues/302), and which issuers hold is configured.
 *
 * Whoever serves these documents decides who may speak for Graph. So both addresses are `https:`, or on this machine,
 * and redirects are not followed.
 */

const SIZE_LIMIT = 512 * 1024;

export function isTrustworthy(address: string): boolean {
  return URL.canParse(address) && isSafe(new URL(address));
}

export async function fetchKeys(openIdUrl: string, signal: AbortSignal): Promise<LocalJWKSet> {
  const document = await fetchJson(openIdUrl, signal);
  const keysUrl = isFields(document) ? readText(document, 'jwks_uri') : undefined;
  if (keysUrl === undefined) throw new Error(`The document at ${openIdUrl} names no jwks_uri.`);
  const keys = await fetchJson(keysUrl, signal);
  // An empty set is an outage, not the news that no key holds any more.
  if (!isFields(keys) || !Array.isArray(keys['keys']) || keys['keys'].length === 0) {
    throw new Error(`The document at ${keysUrl} lists no keys.`);
  }
  return createLocalJWKSet(keys as unknown as JSONWebKeySet);
}

async function fetchJson(address: string, signal: AbortSignal): Promise<unknown> {
  if (!isTrustworthy(address)) throw new Error(`${address} is neither https: nor on a loopback address.`);
  const { statusCode, body } = await request(address, { signal, headers: { accept: 'application/json' }, reset: true });
  if (statusCode !== 200) {
    await body.dump({ limit: SIZE_LIMIT });
    throw new Error(`${address} answered ${statusCode}; redirects are not followed.`);
  }
  return JSON.parse((await readAll(body, SIZE_LIMIT)).toString()) as unknown;
}
