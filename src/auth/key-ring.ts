import {
  createLocalJWKSet,
  errors,
  type CryptoKey,
  type FlattenedJWSInput,
  type JWK,
  type JWTHeaderParameters,
  type LocalJWKSet,
} from 'jose';
import type { VerifyingKey } from './key-document.ts';

/**
 * The cached keys, of the newest key document and of earlier ones.
 *
 *     listed ──not in a newer document──▶ missing ──GRACE_MS later, still missing──▶ dropped
 *        ▲                                   │
 *        └────────────listed again───────────┘
 *
 * A document that lists fewer keys for a moment, as while its servers are updated, stops no notifications. A key that
 * was taken back is trusted for GRACE_MS, which is less than the day for which others may cache Microsoft's keys.
 */

export const GRACE_MS = 3_600_000;

export class KeyRing {
  readonly #graceMs: number;
  readonly #keys = new Map<string, { jwk: JWK; missingSince?: number }>();
  #sets: { named: LocalJWKSet; unnamed: LocalJWKSet | undefined } | undefined;

  constructor(graceMs = GRACE_MS) {
    this.#graceMs = graceMs;
  }

  get isEmpty(): boolean {
    return this.#keys.size === 0;
  }

  /** Whether there are keys that the newest document does not list. */
  get isWaning(): boolean {
    return [...this.#keys.values()].some(({ missingSince }) => missingSince !== undefined);
  }

  take(listed: readonly VerifyingKey[], now = Date.now()): void {
    const isListed = new Set(listed.map(({ id }) => id));
    for (const [id, key] of this.#keys) {
      if (isListed.has(id)) continue;
      key.missingSince ??= now;
      if (now - key.missingSince >= this.#graceMs) this.#keys.delete(id);
    }
    for (const { id, jwk } of listed) this.#keys.set(id, { jwk });
    const keys = [...this.#keys.values()].map(({ jwk }) => jwk);
    const unnamed = keys.filter(({ kid }) => kid === undefined);
    this.#sets = {
      named: createLocalJWKSet({ keys }),
      unnamed: unnamed.length === 0 ? undefined : createLocalJWKSet({ keys: unnamed }),
    };
  }

  /** The key that a token names, as jose asks for it; a key without an ID may be that of any token. */
  async keyOf(header: JWTHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    if (this.#sets === undefined) throw new errors.JWKSNoMatchingKey();
    const { named, unnamed } = this.#sets;
    try {
      return await named(header, token);
    } catch (error) {
      if (unnamed === undefined || !(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const { kid: _, ...anonymous } = header;
      return await unnamed(anonymous, token);
    }
  }
}
