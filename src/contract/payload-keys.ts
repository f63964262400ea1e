/** A key for AES-256, 32 bytes, and what it is called. */
export interface PayloadKey {
  id: string;
  key: Uint8Array;
}

/** In the first place of the keys: nothing is encrypted, and the keys after it decrypt. */
export const PLAIN = 'plain';

/** As `MODERATION_PAYLOAD_KEYS` lists them: the first of them encrypts, and all of them decrypt. */
export type PayloadKeys = readonly (PayloadKey | typeof PLAIN)[];

/**
 * The IDs that a key may have. A payload with another ID was not encrypted by this service, and its ID is never
 * quoted.
 */
export function isKeyId(id: string): boolean {
  return /^[A-Za-z0-9_.-]{1,64}$/.test(id);
}
