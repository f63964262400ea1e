import type { JWTPayload } from 'jose';
import type { WorkerConfig } from '../config/worker.ts';
import { claimsOf, isId, otherAudience, otherTenant } from '../graph/claims.ts';
import { GraphError } from '../graph/errors.ts';
import type { TokenSource } from '../graph/tokens.ts';
import { Fault, type Check } from './check.ts';

/**
 * The token that the worker shows to Graph. Clients are to treat these as opaque, and the service does; a doctor may
 * look inside, for what Graph will find there. It is never printed.
 */

/** What muting and unmuting the application itself takes. */
const NEEDED = 'Calls.Initiate.All';

/** What muting other participants takes; one of them. https://learn.microsoft.com/graph/api/participant-mute */
const FOR_OTHERS: ReadonlySet<string> = new Set(['calls.joingroupcall.all', 'calls.joingroupcallasguest.all']);

export interface TokenChecks {
  graph: WorkerConfig['graph'];
  tokens: TokenSource;
  /** The tenant to take the token from, where not the application's own. */
  tenantId?: string | undefined;
}

export function tokenChecks({ graph, tokens, tenantId }: TokenChecks): Check[] {
  const token = once(async () => await tokenOf(tokens, tenantId));
  const from = graph.token === undefined ? 'Entra ID' : 'MODERATION_GRAPH_TOKEN';
  return [
    {
      name: 'token',
      run: async () => {
        const claims = claimsOf(await token());
        if (claims?.aud === undefined) return `from ${from}, which is opaque`;
        const { exp } = claims;
        const { graphUrl } = graph.cloud;
        const audience = otherAudience(claims, graphUrl);
        if (audience !== undefined) {
          const remedy = 'Set MODERATION_GRAPH_CLOUD (and AZURE_AUTHORITY_HOST, if set) to the cloud of the tenant.';
          throw new Fault(`the token is for ${audience}, not for ${graphUrl}`, remedy);
        }
        if (exp !== undefined && exp * 1_000 < Date.now()) throw new Fault('the token has expired', 'Get another one.');
        // A source of tokens has compared a domain; a fixed token was compared with nothing.
        if (tenantId !== undefined && isId(tenantId) && otherTenant(claims, tenantId) !== undefined) {
          const remedy = 'Get one of that tenant, or leave --tenant-id out.';
          throw new Fault(`the token is for a different tenant than ${tenantId}`, remedy);
        }
        return `from ${from}, for ${graphUrl}${tenantId === undefined ? '' : `, of tenant ${tenantId}`}`;
      },
    },
    { name: 'permissions', run: async () => permissionsOf(claimsOf(await token())) },
  ];
}

function permissionsOf(claims: JWTPayload | undefined): string {
  if (claims === undefined) throw new Fault('the token is opaque', 'Nothing to do if Graph is a simulator.', 'warning');
  const roles = Array.isArray(claims['roles']) ? claims['roles'].filter((role) => typeof role === 'string') : [];
  if (!roles.includes(NEEDED)) {
    const remedy = `Add the application permission ${NEEDED} of Microsoft Graph and have an administrator of the tenant consent; existing calls do not get it.`;
    throw new Fault(`${NEEDED} is missing; granted: ${roles.join(', ') || 'nothing'}`, remedy);
  }
  const others = roles.filter((role) => role !== NEEDED);
  // Written with and without a plural s on the reference pages.
  const isForOthers = (role: string): boolean => FOR_OTHERS.has(role.toLowerCase().replace('groupcalls', 'groupcall'));
  const mutesOthers = others.some(isForOthers)
    ? 'other participants can be muted too'
    : 'other participants cannot be muted, because that needs Calls.JoinGroupCall.All';
  const more = others.filter((role) => !isForOthers(role));
  if (more.length === 0) return `${NEEDED}; ${mutesOthers}`;
  const remedy = 'Remove the permissions that your application does not need itself.';
  throw new Fault(`${NEEDED}; ${mutesOthers}. Moderation does not need ${more.join(', ')}`, remedy, 'warning');
}

async function tokenOf(tokens: TokenSource, tenantId: string | undefined): Promise<string> {
  try {
    return await tokens(tenantId);
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    const remedy = error.isRetryable
      ? 'Try again, and check the network.'
      : 'See the AZURE_* variables of @azure/identity.';
    throw new Fault(error.message.replace(/\.$/, ''), remedy);
  }
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let begun: Promise<T> | undefined;
  return () => (begun ??= work());
}
