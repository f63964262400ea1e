import { errors, type CryptoKey, type FlattenedJWSInput, type JWTHeaderParameters } from 'jose';
import type { Log } from '../http/http-error.ts';
import { fetchKeys, isTrustworthy } from './key-document.ts';
import { KeyRing } from './key-ring.ts';
import { TokenBucket } from './rate-limit.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { toldOf } from '../lib/error-reason.ts';

/**
 * The cache of Graph's signing keys.
 *
 *     absent ──fetched──▶ cached ──fetched again──▶ cached
 *       │ failed             │ failed
 *       ▼                    ▼
 *     absent              cached, as before
 *
 * 1. A failure drops no key: an outage of the key server must not stop notifications. Nor does a document that lists
 *   fewer keys for a moment (`key-ring.ts`); while keys are missing, it is fetched again soon.
 * 2. At most one fetch runs at a time, and everyone who needs its outcome waits for the same one.
 * 3. A fetch is begun by the clock (every 24 h, sooner after a failure) or by need: keys are absent, or a token names
 *    a key that is not cached, which means a rotation. Anyone can make up a token, so a bucket limits the fetches by
 *    need.
 * 4. Without keys no token can be checked, nor a token with an unknown key if the fetch for it failed:
 *   `KeysUnavailable`, and Graph sends again. Otherwise a token with an unknown key is invalid.
 */

const FETCH_TIMEOUT_MS = 4000;
const REFRESH_MS = 24 * 3600 * 1000;
const RETRY_HELD_MS = 5 * 60 * 1000;
/** How long made-up keys can keep a rotated one from being found, and how seldom they can have the keys fetched (3). */
const UNKNOWN_KEY_MS = 5_000;
const RETRY_ABSENT_MS = { first: 500, most: 15_000 };

export class KeysUnavailable extends OperatorError {
  constructor(cause?: unknown) {
    super('The signing keys cannot be fetched.', { cause });
    this.name = 'KeysUnavailable';
  }
}

export interface SigningKeysOptions {
  openIdUrl: string;
  log: Log;
  onRefresh?: (outcome: 'fetched' | 'failed') => void;
  /** How long a key is kept that the document no longer lists, in ms. */
  graceMs?: number;
}

export class SigningKeys {
  readonly #options: SigningKeysOptions;
  readonly #forUnknownKey = new TokenBucket(3, UNKNOWN_KEY_MS);
  readonly #forAbsentKeys = new TokenBucket(10, 200);
  readonly #ring: KeyRing;
  #fetching: Promise<void> | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: SigningKeysOptions) {
    if (!isTrustworthy(options.openIdUrl)) {
      throw new TypeError(`openIdUrl ${options.openIdUrl} must be https:, or http: on a loopback address.`);
    }
    this.#options = options;
    this.#ring = new KeyRing(options.graceMs);
  }

  get held(): boolean {
    return !this.#ring.isEmpty;
  }

  /** Fetches the keys now, and from now on by the clock. */
  start(): void {
    this.#stopped = false;
    void this.#fetch().catch(() => undefined);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** The key that a token names, as jose asks for it. */
  readonly keyOf = async (header: JWTHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> => {
    if (!this.held && !(await this.#fetchFor(this.#forAbsentKeys))) throw new KeysUnavailable();
    try {
      return await this.#ring.keyOf(header, token);
    } catch (error) {
      const isUnknown = error instanceof errors.JWKSNoMatchingKey;
      if (!isUnknown || !(await this.#fetchFor(this.#forUnknownKey))) throw error;
      return await this.#ring.keyOf(header, token);
    }
  };

  /** False if the bucket is empty (3). To wait for a running fetch costs nothing (2). */
  async #fetchFor(bucket: TokenBucket): Promise<boolean> {
    if (this.#fetching === undefined && !bucket.take()) return false;
    await this.#fetch();
    return true;
  }

  #fetch(): Promise<void> {
    this.#fetching ??= this.#fetchAndHold().finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }

  async #fetchAndHold(): Promise<void> {
    const { openIdUrl, log, onRefresh } = this.#options;
    try {
      this.#ring.take(await fetchKeys(openIdUrl, AbortSignal.timeout(FETCH_TIMEOUT_MS)));
      this.#failures = 0;
      onRefresh?.('fetched');
    } catch (error) {
      this.#failures += 1;
      onRefresh?.('failed');
      log.error({ err: toldOf(error), held: this.held }, 'signing keys cannot be fetched');
      throw new KeysUnavailable(error);
    } finally {
      this.#fetchAgainIn(this.#pause());
    }
  }

  #pause(): number {
    if (this.#failures === 0) return this.#ring.isWaning ? RETRY_HELD_MS : REFRESH_MS;
    if (this.held) return RETRY_HELD_MS;
    return Math.min(RETRY_ABSENT_MS.first * 2 ** (this.#failures - 1), RETRY_ABSENT_MS.most);
  }

  #fetchAgainIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#fetch().catch(() => undefined), ms).unref();
  }
}
