import { randomBytes } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { Problem } from './problem.ts';

/**
 * The tokens that an app shows to Graph. They are opaque to whoever carries them, so a secret of the simulator's own
 * signs them: only Graph, which is the simulator too, ever reads one.
 */

/** All permissions that a calling application may be granted. https://learn.microsoft.com/graph/permissions-reference */
export const CALL_ROLES = [
  'Calls.Initiate.All',
  'Calls.InitiateGroupCall.All',
  'Calls.JoinGroupCall.All',
  'Calls.JoinGroupCallAsGuest.All',
  'Calls.AccessMedia.All',
] as const;

export const tokenRequest = z.strictObject({
  roles: z.array(z.string()).optional(),
  tenantId: z.string().optional(),
  /** Negative for one that has expired. */
  expiresInSeconds: z.int().optional(),
  audience: z.string().optional(),
});
/** What a token is to contain. */
export type TokenRequest = z.input<typeof tokenRequest>;

export interface Caller {
  tenantId?: string;
  roles: readonly string[];
}

/** Graph under its true names: an app may ask for these although it talks to the simulator. */
const GRAPH_ROOTS = ['https://graph.microsoft.com', 'https://graph.microsoft.us', 'https://dod-graph.microsoft.us'];

const claims = z.object({ tid: z.string(), roles: z.array(z.string()).default([]) });

export class AccessTokens {
  readonly #secret = randomBytes(32);
  readonly #appId: string;
  readonly #tenantId: string;
  readonly #fixedToken: string | undefined;
  readonly #roles: readonly string[];
  readonly #audiences: readonly string[];

  constructor(given: { url: string; appId: string; tenantId: string; fixedToken?: string; roles?: readonly string[] }) {
    this.#appId = given.appId;
    this.#tenantId = given.tenantId;
    this.#fixedToken = given.fixedToken;
    this.#roles = given.roles ?? CALL_ROLES;
    this.#audiences = [given.url, ...GRAPH_ROOTS];
  }

  isAudience(audience: string): boolean {
    return this.#audiences.includes(audience);
  }

  async issue({ roles, tenantId, expiresInSeconds = 3599, audience }: TokenRequest = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const tid = tenantId ?? this.#tenantId;
    return new SignJWT({ tid, appid: this.#appId, roles: [...(roles ?? this.#roles)], ver: '1.0' })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer(`https://sts.windows.net/${tid}/`)
      .setAudience(audience ?? this.#audiences[0] ?? '')
      .setIssuedAt(now)
      .setNotBefore(Math.min(now, now + expiresInSeconds))
      .setExpirationTime(now + expiresInSeconds)
      .sign(this.#secret);
  }

  /** Who asks, by the header `Authorization`; else 401 in Graph's words. */
  async verify(authorization: string | undefined): Promise<Caller> {
    const token = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw unauthorized('Access token is empty.');
    if (token === this.#fixedToken) return { roles: CALL_ROLES };
    try {
      const { payload } = await jwtVerify(token, this.#secret, { audience: [...this.#audiences] });
      const { tid, roles } = claims.parse(payload);
      return { tenantId: tid, roles };
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw unauthorized('Access token has expired or is not yet valid.');
      const isAudience = error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud';
      throw unauthorized(`Access token validation failure.${isAudience ? ' Invalid audience.' : ''}`);
    }
  }
}

function unauthorized(message: string): Problem {
  return new Problem(401, 'InvalidAuthenticationToken', message, {
    'www-authenticate': 'Bearer realm="", error="invalid_token"',
  });
}

/** Role names are written with and without a plural "s" on the reference pages. */
export function hasRole({ roles }: Caller, ...wanted: readonly (typeof CALL_ROLES)[number][]): boolean {
  return roles.some((role) => wanted.some((name) => name === role.replace('GroupCalls', 'GroupCall')));
}
