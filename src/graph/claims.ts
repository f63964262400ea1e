import { decodeJwt, type JWTPayload } from 'jose';
import { GraphError } from './errors.ts';

/**
 * What a token says of itself. It is our own, so nothing is verified: Graph does that. It is only compared with what
 * was asked for, because a managed identity that is asked for another tenant gives its home tenant's token without a
 * word, and Graph would then look in the wrong tenant. A token that is not a JWT cannot be checked and passes.
 */

/** The application ID of Microsoft Graph, in every cloud: some tokens name it as their audience, not the address. */
const GRAPH_APP_ID = '00000003-0000-0000-c000-000000000000';

/** Our clock may be off by so much before a token that was just issued counts as expired. */
const CLOCK_MS = 5 * 60_000;

/** `undefined` if the token is opaque: a simulator's fixed one, for example. */
export function claimsOf(token: string): JWTPayload | undefined {
  try {
    return decodeJwt(token);
  } catch {
    return undefined;
  }
}

/** The audience, if the token is not for the Graph at `graphUrl`. */
export function otherAudience({ aud }: JWTPayload, graphUrl: string): string | undefined {
  if (aud === undefined) return undefined;
  const audiences = [aud].flat().map((one) => one.replace(/\/+$/, ''));
  const isGraph = audiences.some((one) => one.toLowerCase() === graphUrl.toLowerCase() || one === GRAPH_APP_ID);
  return isGraph ? undefined : audiences.join(', ');
}

/** The tenant of the token, if it is not `tenantId`: an ID, in any case. */
export function otherTenant({ tid }: JWTPayload, tenantId: string): string | undefined {
  if (typeof tid !== 'string' || tid.toLowerCase() === tenantId.toLowerCase()) return undefined;
  return tid;
}

export interface Wanted {
  graphUrl: string;
  /** As it was asked for: an ID or a domain. */
  tenantId?: string | undefined;
  /** The ID of a tenant that was asked for by a domain. */
  idOf: (domain: string) => Promise<string>;
}

/** @throws {GraphError} if Graph would refuse the token, or act in another tenant */
export async function requireClaims(token: string, { graphUrl, tenantId, idOf }: Wanted): Promise<void> {
  const claims = claimsOf(token);
  if (claims === undefined) return;
  const audience = otherAudience(claims, graphUrl);
  if (audience !== undefined) {
    throw unauthorized(
      `the token is not for ${graphUrl}. Set MODERATION_GRAPH_CLOUD (and AZURE_AUTHORITY_HOST, if set) to the cloud of the tenant`,
    );
  }
  if (claims.exp !== undefined && claims.exp * 1_000 + CLOCK_MS < Date.now()) {
    throw unauthorized('the token has expired already. Check the clock of this machine and the source of the token');
  }
  if (tenantId === undefined || otherTenant(claims, tenantId) === undefined) return;
  if (!isId(tenantId) && otherTenant(claims, await idOf(tenantId)) === undefined) return;
  throw unauthorized(
    `the token is for a different tenant than ${tenantId}. A managed identity issues tokens for its home tenant only: use a client secret, a certificate or a federated credential of an application in many tenants, or leave the tenant out`,
  );
}

export function isId(tenantId: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(tenantId);
}

function unauthorized(what: string): GraphError {
  return new GraphError('Unauthorized', `Nothing was sent to Graph, because ${what}.`);
}
