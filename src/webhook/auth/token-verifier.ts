import { errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from 'jose';
import { KeysUnavailable, type SigningKeys } from './signing-keys.ts';
import {
  canonicalGuid,
  canonicalIssuer,
  canonicalTenant,
  faultOfAudience,
  faultOfIssuer,
  faultOfTenants,
} from './token-rules.ts';
import { OperatorError } from '../../lib/operator-error.ts';

/**
 * The bearer token that Graph sends with every notification. It holds when a key of Graph's signed it with an
 * asymmetric algorithm, issuer and audience are ours, it is within its lifetime, and it names the call's tenant. What
 * Graph leaves out (`iat`) or adds (`cty: JWT` on a token that is not nested) decides nothing.
 */

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'];
const TENANT_CLAIMS = ['tid', 'http://schemas.microsoft.com/identity/claims/tenantid'];

/** What Microsoft's own libraries allow clocks to differ. */
export const CLOCK_TOLERANCE_SECONDS = 300;

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

/** Claims of a token whose signature is valid, and which is refused for one of them: bounded, and without odd characters. */
export interface RefusedClaims {
  iss?: string;
  aud?: string;
  tid?: string;
  exp?: number;
  nbf?: number;
}

export class TokenRefused extends OperatorError {
  readonly fault: TokenFault;
  /** For the log, so that an operator can compare them with the configuration. Only of what a key of Graph's has signed. */
  readonly claims: RefusedClaims | undefined;

  constructor(fault: TokenFault, claims?: JWTPayload) {
    super(`The token does not hold: ${fault}`);
    this.name = 'TokenRefused';
    this.fault = fault;
    this.claims = claims && refusedClaimsOf(claims);
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
  readonly #rules: JWTVerifyOptions;
  readonly #tenants: ReadonlySet<string>;

  constructor(keys: SigningKeys, { audience, issuers, tenants = [] }: TokenRules) {
    // To jose an empty rule is no rule; and what no token can equal would refuse them all.
    const allowed = tenants.map(canonicalTenant);
    demand('audience', faultOfAudience(audience));
    demand('issuers', issuers.length === 0 ? 'must name at least one issuer' : undefined);
    for (const issuer of issuers) demand('issuers', faultOfIssuer(issuer));
    demand('tenants', faultOfTenants(allowed));
    this.#keys = keys;
    this.#tenants = new Set(allowed);
    this.#rules = {
      algorithms: ALGORITHMS,
      // With and without the slash at its end: clouds differ in it.
      issuer: issuers.map(canonicalIssuer).flatMap((issuer) => [issuer, `${issuer}/`]),
      audience: canonicalGuid(audience),
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp'],
    };
  }

  /** Throws `TokenRefused`, or `KeysUnavailable` where it cannot be told. */
  async verify(authorization: string | undefined): Promise<VerifiedToken> {
    if (authorization === undefined) throw new TokenRefused('missing');
    const token = /^bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i.exec(authorization)?.[1];
    if (token === undefined) throw new TokenRefused('malformed');
    const claims = await this.#claimsOf(token);
    const tenantId = tenantOf(claims);
    if (tenantId === undefined) throw new TokenRefused('tenant-missing', claims);
    if (this.#tenants.size > 0 && !this.#tenants.has(canonicalTenant(tenantId))) {
      throw new TokenRefused('tenant-not-allowed', claims);
    }
    return { tenantId };
  }

  async #claimsOf(token: string): Promise<JWTPayload> {
    try {
      return await this.#payloadOf(token);
    } catch (error) {
      if (error instanceof KeysUnavailable) throw error;
      // jose looks at the claims after the signature, and gives them along only then.
      const isSigned = error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired;
      throw new TokenRefused(faultOf(error), isSigned ? error.payload : undefined);
    }
  }

  async #payloadOf(token: string): Promise<JWTPayload> {
    try {
      return (await jwtVerify(token, this.#keys.keyOf, this.#rules)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      // Several keys under one ID, or a token that names none: it is valid if one of them has signed it.
      for await (const key of error) {
        try {
          return (await jwtVerify(token, key, this.#rules)).payload;
        } catch (other) {
          if (!(other instanceof errors.JWSSignatureVerificationFailed)) throw other;
        }
      }
      throw new errors.JWSSignatureVerificationFailed();
    }
  }
}

function demand(field: string, fault: string | undefined): void {
  if (fault !== undefined) throw new TypeError(`${field} ${fault}.`);
}

const MAX_OF_A_CLAIM = 128;

function refusedClaimsOf(claims: JWTPayload): RefusedClaims {
  const { iss, aud, exp, nbf } = claims;
  const text = (value: unknown): string | undefined =>
    typeof value === 'string' ? value.slice(0, MAX_OF_A_CLAIM).replaceAll(/[^\u0020-\u007e]/g, '?') : undefined;
  const audience = Array.isArray(aud) ? text(aud.slice(0, 3).join(', ')) : text(aud);
  const [issuer, tenant] = [text(iss), text(tenantOf(claims))];
  return {
    ...(issuer !== undefined && { iss: issuer }),
    ...(audience !== undefined && { aud: audience }),
    ...(tenant !== undefined && { tid: tenant }),
    ...(typeof exp === 'number' && { exp }),
    ...(typeof nbf === 'number' && { nbf }),
  };
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
  if (error instanceof errors.JWKSNoMatchingKey) return 'unknown-key';
  return error instanceof errors.JWSSignatureVerificationFailed ? 'signature' : 'malformed';
}
