import { createHmac } from 'node:crypto';

/**
 * Symmetric signatures of Standard Webhooks 1.0
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md): HMAC-SHA256 of
 * `id.timestamp.body` in base64, one for each secret, so that a receiver may have either while they are rotated.
 */
export function signaturesOf(keys: readonly Uint8Array[], id: string, timestamp: number, body: string): string {
  return keys
    .map((key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`)
    .join(' ');
}

const PREFIX = 'whsec_';

/** The specification's bounds, in bytes. */
const [MIN_BYTES, MAX_BYTES] = [24, 64];

/** The key of `whsec_BASE64`; `undefined` if it is none. */
export function keyOf(secret: string): Uint8Array | undefined {
  if (!secret.startsWith(PREFIX)) return undefined;
  const text = secret.slice(PREFIX.length);
  const key = Buffer.from(text, 'base64');
  // Node ignores what is not base64.
  return key.toString('base64') === text && key.length >= MIN_BYTES && key.length <= MAX_BYTES ? key : undefined;
}
