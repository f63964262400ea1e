import { decodeJwt, errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from 'jose';
import { KeysUnavailable, type SigningKeys } from './signing-keys.ts';
import {
  canonicalGuid,
  canonicalIssuer,
  canonicalTenant,
  faultOfAudience,
  faultOfIssuer,
  faultOfTenants,
  isGuid,
} from './token-rules.ts';
import { OperatorError } from '../lib/operator-error.ts';

/**
 * The bearer token of a request: Graph's, which comes with every notification, or Entra ID's, which callers show to the
 * gateway. It is valid if a listed key signed it with an asymmetric algorithm, issuer and audience are as the rules have
 * them, it is within its lifetime, it names a tenant that is allowed, and it has the role, if the rules ask for one. What
 * an issuer leaves out (`iat`) or adds (`cty: JWT` on a token that is not nested) decides nothing.
 */

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'];
/** Of Entra ID's tokens of version 2, and of version 1. */
const APPLICATION_CLAIMS = ['azp', 'appid'];
const TENANT_CLAIMS = ['tid', 'http://schemas.microsoft.com/identity/claims/tenantid'];

/** The clock difference that Microsoft's own libraries allow. */
export const CLOCK_TOLERANCE_SECONDS = 300;

/** Why a token is invalid: for log and metrics. The answer does not contain it. */
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
  | 'tenant-not-allowed'
  | 'application-missing'
  | 'role-missing';

/**
 * Claims of a token whose signature is valid, and which is refused for one of them: bounded, and without odd
 * characters.
 */
export interface RefusedClaims {
  iss?: string;
  aud?: string;
  tid?: string;
  exp?: number;
  nbf?: number;
}

export class TokenRefused extends OperatorError {
  readonly fault: TokenFault;
  /**
   * For the log, so that an operator can compare them with the configuration. Only of what a key of Graph's has
   * signed.
   */
  readonly claims: RefusedClaims | undefined;

  constructor(fault: TokenFault, claims?: JWTPayload) {
    super(`The token is invalid: ${fault}`);
    this.name = 'TokenRefused';
    this.fault = fault;
    this.claims = claims && refusedClaimsOf(claims);
  }
}

export interface TokenRules {
  /** The application's ID. */
  audience: string;
  /** Or those of one tenant, given its ID: Entra ID has an issuer for each. */
  issuers: readonly string[] | ((tenantId: string) => readonly string[]);
  /** Any tenant where absent or empty. */
  tenants?: readonly string[] | undefined;
  /** An app role that the token must have, and the ID of the application that has it. */
  role?: string | undefined;
}

export interface VerifiedToken {
  tenantId: string;
  /** The application that the token was issued to, if it names one. */
  applicationId?: string;
}

export class TokenVerifier {
  readonly #keys: SigningKeys;
  readonly #rules: JWTVerifyOptions;
  readonly #tenants: ReadonlySet<string>;
  readonly #issuers: TokenRules['issuers'];
  readonly #role: string | undefined;

  constructor(keys: SigningKeys, { audience, issuers, tenants = [], role }: TokenRules) {
    // To jose an empty rule is no rule; and what no token can equal would refuse them all.
    const allowed = tenants.map(canonicalTenant);
    demand('audience', faultOfAudience(audience));
    if (typeof issuers !== 'function') {
      demand('issuers', issuers.length === 0 ? 'must name at least one issuer' : undefined);
      for (const issuer of issuers) demand('issuers', faultOfIssuer(issuer));
    }
    demand('tenants', faultOfTenants(allowed));
    this.#keys = keys;
    this.#tenants = new Set(allowed);
    this.#issuers = issuers;
    this.#role = role;
    const id = canonicalGuid(audience);
    this.#rules = {
      algorithms: ALGORITHMS,
      // Entra ID's tokens of version 1 name the application by its URI.
      audience: role === undefined ? id : [id, `api://${id}`],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp'],
    };
  }

  /** @throws `TokenRefused`, or `KeysUnavailable` if it cannot be checked */
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
    const applicationId = APPLICATION_CLAIMS.map((name) => claims[name]).find((value) => typeof value === 'string');
    if (this.#role !== undefined) {
      if (applicationId === undefined || !isGuid(canonicalGuid(applicationId))) {
        throw new TokenRefused('application-missing', claims);
      }
      if (!Array.isArray(claims['roles']) || !claims['roles'].includes(this.#role)) {
        throw new TokenRefused('role-missing', claims);
      }
    }
    return { tenantId, ...(applicationId !== undefined && { applicationId: canonicalGuid(applicationId) }) };
  }

  /** Of the tenant that the token names: unverified, but with the signature it is either that one's or refused. */
  #issuersFor(token: string): string[] {
    const issuers = typeof this.#issuers === 'function' ? this.#issuers(tenantIdIn(token)) : this.#issuers;
    // With and without the slash at its end: clouds differ in it.
    return issuers.map(canonicalIssuer).flatMap((issuer) => [issuer, `${issuer}/`]);
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
    const rules = { ...this.#rules, issuer: this.#issuersFor(token) };
    try {
      return (await jwtVerify(token, this.#keys.keyOf, rules)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      // Several keys under one ID, or a token that names none: it is valid if one of them has signed it.
      for await (const key of error) {
        try {
          return (await jwtVerify(token, key, rules)).payload;
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

/** Throws as a token does that is malformed. */
function tenantIdIn(token: string): string {
  const tenantId = canonicalGuid(tenantOf(decodeJwt(token)) ?? '');
  // No token of Entra ID's names anything else, and it becomes part of an address.
  return isGuid(tenantId) ? tenantId : 'none';
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
