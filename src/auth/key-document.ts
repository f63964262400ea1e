import { X509Certificate } from 'node:crypto';
import { calculateJwkThumbprint, importJWK, type JWK } from 'jose';
import { request } from 'undici';
import { isSafe } from '../lib/safe-url.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { seldom } from '../lib/outbound.ts';
import { readAll } from '../lib/read-body.ts';
import { isFields, type Fields } from '../contract/check.ts';
import { readText } from '../lib/fields.ts';

/**
 * Graph's signing keys, fetched once: OpenID document, its `jwks_uri`, the key set. The document's `issuer` is not
 * compared with anything: tokens name another one than the document's address implies
 * (https://github.com/microsoft/BotFramework-Services/issues/302), and the valid issuers are configured.
 *
 * Whoever serves these documents decides who may speak for Graph. So both addresses are `https:`, or on this machine,
 * and redirects are not followed.
 *
 * Each key is read on its own: one of an unknown kind, or that cannot be read, does not affect the others.
 */

const SIZE_LIMIT = 512 * 1024;

/** Thrown if the documents are invalid. It quotes nothing of them. */
export class KeyDocumentError extends OperatorError {
  override readonly name = 'KeyDocumentError';
}

/** A key that can verify signatures. */
export interface VerifyingKey {
  /** The same for the same key under the same ID, however it is written. */
  id: string;
  jwk: JWK;
}

export function isTrustworthy(address: string): boolean {
  return URL.canParse(address) && isSafe(new URL(address));
}

/** Every key once. @throws if there is none, or the documents cannot be fetched */
export async function fetchKeys(openIdUrl: string, signal: AbortSignal): Promise<VerifyingKey[]> {
  const document = await fetchJson(openIdUrl, openIdUrl, signal);
  const keysUrl = isFields(document) ? readText(document, 'jwks_uri') : undefined;
  if (keysUrl === undefined) throw new KeyDocumentError(`the document at ${openIdUrl} names no jwks_uri`);
  const set = await fetchJson(keysUrl, `the jwks_uri of ${openIdUrl}`, signal);
  const listed = isFields(set) && Array.isArray(set['keys']) ? set['keys'] : [];
  const read = await Promise.all(listed.map(async (key: unknown) => await verifyingKeyOf(key).catch(() => undefined)));
  const keys = new Map(read.flatMap((key) => (key === undefined ? [] : [[key.id, key]])));
  // An empty set is an outage, not a sign that no key is valid any more.
  if (keys.size === 0) throw new KeyDocumentError(`the jwks_uri of ${openIdUrl} lists no key that verifies signatures`);
  return [...keys.values()];
}

/** Keys that jose refuses at every use. */
const MIN_RSA_BITS = 2_048;

async function verifyingKeyOf(key: unknown): Promise<VerifyingKey | undefined> {
  if (!isFields(key)) return undefined;
  const isForSignatures = key['use'] === undefined || key['use'] === null || key['use'] === 'sig';
  if (!isForSignatures) return undefined;
  const material = materialOf(key);
  if (material === undefined) return undefined;
  const { kid, alg } = key;
  const jwk: JWK = {
    ...material,
    ...(typeof kid === 'string' && kid !== '' && { kid }),
    ...(typeof alg === 'string' && { alg }),
  };
  // Throws where it cannot be read.
  await importJWK(jwk, jwk.alg ?? (jwk.kty === 'RSA' ? 'RS256' : EC_ALGORITHMS[String(jwk.crv)]));
  return { id: `${jwk.kid ?? ''} ${jwk.alg ?? ''} ${await calculateJwkThumbprint(jwk)}`, jwk };
}

const EC_ALGORITHMS: Readonly<Record<string, string>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' };

/** The public key alone: its other fields, such as `endorsements`, are ignored. */
function materialOf(key: Fields): JWK | undefined {
  const { kty, n, e, crv, x, y, x5c } = key;
  const isBare = kty === 'RSA' ? n === undefined : x === undefined;
  if (isBare && Array.isArray(x5c)) {
    const { publicKey } = new X509Certificate(Buffer.from(String(x5c[0]), 'base64'));
    const exported = publicKey.export({ format: 'jwk' });
    return materialOf({ ...exported });
  }
  if (kty === 'RSA' && typeof n === 'string' && typeof e === 'string') {
    return Buffer.from(n, 'base64url').length * 8 >= MIN_RSA_BITS ? { kty, n, e } : undefined;
  }
  if (kty === 'EC' && typeof crv === 'string' && typeof x === 'string' && typeof y === 'string') {
    return Object.hasOwn(EC_ALGORITHMS, crv) ? { kty, crv, x, y } : undefined;
  }
  return undefined;
}

async function fetchJson(address: string, what: string, signal: AbortSignal): Promise<unknown> {
  if (!isTrustworthy(address)) throw new KeyDocumentError(`${what} is neither https: nor on a loopback address`);
  const { statusCode, body } = await request(address, {
    dispatcher: seldom(),
    signal,
    headers: { accept: 'application/json' },
    reset: true,
  });
  if (statusCode !== 200) {
    await body.dump({ limit: SIZE_LIMIT });
    throw new KeyDocumentError(`${what} answered ${statusCode}; redirects are not followed`);
  }
  const text = (await readAll(body, SIZE_LIMIT)).toString();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new KeyDocumentError(`${what} answered something other than JSON`);
  }
}
