import { errors, jwtVerify, type JWTPayload } from 'jose';
import { canonicalTenantId } from '../contract/tenant.ts';
import { KeysUnavailable, type SigningKeys } from './signing-keys.ts';

/**
 * The bearer token that Graph sends with every notification. It holds when a key of Graph's signed it with an
 * asymmetric algorithm, issuer and audience are ours, it is within its lifetime, and it names the call's tenant. What
 * Graph leaves out (`iat`) or adds (`cty: JWT` on a token that is not nested) decides nothing.
 */

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'];
const TENANT_CLAIMS = ['tid', 'http://schemas.microsoft.com/identity/claims/tenantid'];
const CLOCK_TOLERANCE_SECONDS = 30;

/** Why a token does not hold: for log and metrics. The sender is told nothing but that it does not. */
export type TokenFault =
  | 'missing'
  | 'malformed'
  | 'algorithm'
  | 'unknown-key'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'lifetime'
  | 'tenant-missing'
  | 'tenant-not-allowed';

export class TokenRefused extends Error {
  readonly fault: TokenFault;

  constructor(fault: TokenFault, options?: ErrorOptions) {
    super(`The token does not hold: ${fault}`, options);
    this.name = 'TokenRefused';
    this.fault = fault;
  }
}

export interface TokenRules {
  audience: string;
  issuers: readonly string[];
  /** Any tenant where absent or empty. */
  tenants?: readonly string[] | undefined;
}

export interface VerifiedToken {
  tenantId: string;
}

export class TokenVerifier {
  readonly #keys: SigningKeys;
  readonly #rules: TokenRules;
  readonly #tenants: ReadonlySet<string>;

  constructor(keys: SigningKeys, rules: TokenRules) {
    // To jose an empty rule is no rule.
    if (rules.audience === '') throw new TypeError('audience must be the app ID that tokens are issued for.');
    if (rules.issuers.length === 0) throw new TypeError('issuers must name at least one issuer.');
    this.#keys = keys;
    this.#rules = rules;
    this.#tenants = new Set(rules.tenants?.map(canonicalTenantId));
  }

  /** Throws `TokenRefused`, or `KeysUnavailable` where it cannot be told. */
  async verify(authorization: string | undefined): Promise<VerifiedToken> {
    if (authorization === undefined) throw new TokenRefused('missing');
    const token = /^bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i.exec(authorization)?.[1];
    if (token === undefined) throw new TokenRefused('malformed');
    const tenantId = tenantOf(await this.#claimsOf(token));
    if (tenantId === undefined) throw new TokenRefused('tenant-missing');
    if (this.#tenants.size > 0 && !this.#tenants.has(canonicalTenantId(tenantId))) {
      throw new TokenRefused('tenant-not-allowed');
    }
    return { tenantId };
  }

  async #claimsOf(token: string): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, this.#keys.keyOf, {
        algorithms: ALGORITHMS,
        issuer: [...this.#rules.issuers],
        audience: this.#rules.audience,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        requiredClaims: ['exp'],
      });
      return payload;
    } catch (error) {
      if (error instanceof KeysUnavailable) throw error;
      throw new TokenRefused(faultOf(error), { cause: error });
    }
  }
}

function tenantOf(claims: JWTPayload): string | undefined {
  const told = TENANT_CLAIMS.map((name) => claims[name]);
  return told.find((value): value is string => typeof value === 'string' && value.trim() !== '');
}

function faultOf(error: unknown): TokenFault {
  if (error instanceof errors.JWTExpired) return 'lifetime';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'iss') return 'issuer';
    return error.claim === 'aud' ? 'audience' : 'lifetime';
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm';
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return 'unknown-key';
  }
  return error instanceof errors.JWSSignatureVerificationFailed ? 'signature' : 'malformed';
}
