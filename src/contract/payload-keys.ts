/** A key for AES-256, and its name. */
export interface PayloadKey {
  /** 1 to 64 of `A-Z a-z 0-9 _ . -`. Each payload names it, so it must not change. */
  id: string;
  /** 32 bytes. */
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
