import { LRUCache } from 'lru-cache';
import { KeysUnavailable, SigningKeys } from '../auth/signing-keys.ts';
import { TokenBucket } from '../auth/rate-limit.ts';
import { TokenRefused, TokenVerifier, type TokenFault } from '../auth/token-verifier.ts';
import { HttpError, type Log } from '../http/http-error.ts';
import type { GatewayMetrics } from './metrics.ts';

/**
 * Who asks: an application with the app role, in an allowed tenant, by its access token of Entra ID; each may ask so often
 * a second. Without authentication everybody on this machine is one caller.
 */

export interface Authentication {
  /** The gateway's own application ID. */
  audience: string;
  issuers: (tenantId: string) => readonly string[];
  openIdUrl: string;
  tenants: readonly string[];
  role: string;
}

export interface Caller {
  tenantId: string;
  applicationId: string;
}

/** Valid tokens whose holder may not do this: asking for another token does not help. */
const FORBIDDEN: ReadonlySet<TokenFault> = new Set(['tenant-not-allowed', 'role-missing', 'application-missing']);

const MOST_CALLERS = 10_000;

export class Callers {
  readonly keys: SigningKeys | undefined;
  readonly #verifier: TokenVerifier | undefined;
  readonly #metrics: GatewayMetrics;
  readonly #buckets = new LRUCache<string, TokenBucket>({ max: MOST_CALLERS });
  readonly #claimLines = new TokenBucket(10, 6_000);
  readonly #perSecond: number;

  constructor(rules: Authentication | undefined, perSecond: number, log: Log, metrics: GatewayMetrics) {
    this.#perSecond = perSecond;
    this.#metrics = metrics;
    if (rules === undefined) return;
    const onRefresh = (outcome: string): void => metrics.keyFetches.inc({ outcome });
    this.keys = new SigningKeys({ openIdUrl: rules.openIdUrl, log, onRefresh });
    this.#verifier = new TokenVerifier(this.keys, rules);
  }

  /** @throws {HttpError} 401, 403, 429 or 503 */
  async identify(authorization: string | undefined): Promise<Caller | undefined> {
    const caller = await this.#verify(authorization);
    const name = caller === undefined ? '' : `${caller.tenantId} ${caller.applicationId}`;
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      // As many at once as in two seconds.
      bucket = new TokenBucket(Math.max(1, this.#perSecond * 2), 1000 / this.#perSecond);
      this.#buckets.set(name, bucket);
    }
    if (bucket.take()) return caller;
    const message = `This application asks more than ${this.#perSecond} times a second. Ask again after Retry-After.`;
    throw new HttpError(429, 'TooManyRequests', message, { headers: { 'retry-after': '1' } });
  }

  async #verify(authorization: string | undefined): Promise<Caller | undefined> {
    if (this.#verifier === undefined) return undefined;
    try {
      const { tenantId, applicationId = '' } = await this.#verifier.verify(authorization);
      return { tenantId, applicationId };
    } catch (error) {
      if (error instanceof TokenRefused) throw this.#refusalOf(error);
      if (!(error instanceof KeysUnavailable)) throw error;
      const message = "Entra ID's signing keys cannot be fetched, so the token cannot be checked. Ask again.";
      const options = { headers: { 'retry-after': '2' }, cause: error.cause };
      throw new HttpError(503, 'ServiceUnavailable', message, options);
    }
  }

  #refusalOf({ fault, claims }: TokenRefused): HttpError {
    this.#metrics.tokensRefused.inc({ fault });
    const log = { fault, ...(claims !== undefined && this.#claimLines.take() && { refused: claims }) };
    if (FORBIDDEN.has(fault)) {
      const message = 'The application may not do this: its token needs the app role, in a tenant that is allowed.';
      return new HttpError(403, 'Authorization_RequestDenied', message, { log });
    }
    const message = 'The access token is missing or invalid. Get one of Entra ID for the application of this gateway.';
    return new HttpError(401, 'InvalidAuthenticationToken', message, {
      headers: { 'www-authenticate': fault === 'missing' ? 'Bearer' : 'Bearer error="invalid_token"' },
      log,
    });
  }
}
