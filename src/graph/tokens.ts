import { DefaultAzureCredential, getBearerTokenProvider, type TokenCredential } from '@azure/identity';
import { requireClaims } from './claims.ts';
import { CLOUDS, type Cloud } from './clouds.ts';
import { fieldOf, GraphError } from './errors.ts';
import type { GraphMetrics } from './metrics.ts';
import { tenantIds } from './tenants.ts';

/**
 * Returns a bearer token for Graph, of the named tenant or else of the application's own.
 *
 * @throws {GraphError} `Unauthorized`, or `GraphUnavailable` if Entra ID does not answer
 */
export interface TokenSource {
  /** `tenantId` is the ID or a domain of a tenant. */
  (tenantId?: string): Promise<string>;
  /** Called if Graph refuses a token: it is not returned again. */
  forget?: (token: string, tenantId?: string) => void;
}

/**
 * One token for ever: for a simulator or a proxy on this machine.
 *
 * @example
 * const tokens = fixedToken('token-of-the-simulator');
 */
export function fixedToken(token: string): TokenSource {
  return () => Promise.resolve(token);
}

/** The tokens that a worker uses: the fixed one if it is set, else Entra ID's. */
export function tokensOf(
  graph: { token: string | undefined; authorityHost: string; cloud: Cloud },
  metrics?: GraphMetrics,
): TokenSource {
  const { token, authorityHost, cloud } = graph;
  return token === undefined ? identityTokens({ authorityHost, graphUrl: cloud.graphUrl, metrics }) : fixedToken(token);
}

/** Options of `identityTokens`. */
export interface IdentityOptions {
  /** The Entra ID that issues the tokens, such as `https://login.microsoftonline.com`. */
  authorityHost: string;
  /** Root of the cloud's Graph, without a version: tokens are issued for it, also if requests go through a proxy. */
  graphUrl: string;
  /** Counts the tokens, if given. */
  metrics?: GraphMetrics | undefined;
}

/**
 * Tokens from Microsoft Entra ID with the credential that `DefaultAzureCredential` finds in the environment: a client secret, a
 * certificate, a workload identity, a managed identity. One provider for each tenant keeps its token, renews it before
 * it ends, and asks once for all callers who wait.
 *
 * A token that Graph has refused is forgotten, because only a new one shows what was granted or consented to meanwhile.
 * The credentials have a cache of their own, so they are made anew with it. If many requests were refused with one token,
 * it is forgotten once.
 *
 * A token is returned only if its claims are what was asked for (`claims.ts`), and never for another tenant than its own.
 *
 * @example
 * const tokens = identityTokens(CLOUDS.global);
 * const token = await tokens('contoso.com');
 */
export function identityTokens({ authorityHost, graphUrl, metrics }: IdentityOptions): TokenSource {
  const isPublished = Object.values(CLOUDS).some((cloud) => cloud.authorityHost === new URL(authorityHost).origin);
  const newCredential = (): TokenCredential =>
    new DefaultAzureCredential({
      authorityHost,
      additionallyAllowedTenants: ['*'],
      // Entra ID vouches for its own hosts only; asked about another one (Azure Stack, a simulator) it refuses.
      disableInstanceDiscovery: !isPublished,
    });
  let credential = newCredential();
  const providers = new Map<string | undefined, () => Promise<string>>();
  const given = new Map<string | undefined, string>();
  const idOf = tenantIds(authorityHost);
  const forget = (token: string, asked?: string): void => {
    const tenantId = asked?.toLowerCase();
    if (given.get(tenantId) !== token) return;
    given.delete(tenantId);
    providers.delete(tenantId);
    credential = newCredential();
  };
  const source = async (asked?: string): Promise<string> => {
    const tenantId = asked?.toLowerCase();
    let provider = providers.get(tenantId);
    if (provider === undefined) {
      provider = getBearerTokenProvider(forTenant(credential, tenantId, metrics), `${graphUrl}/.default`);
      providers.set(tenantId, provider);
    }
    try {
      const token = await provider();
      await requireClaims(token, { graphUrl, tenantId, idOf });
      // Not where it was forgotten while it was waited for: then another one is given by now.
      if (providers.get(tenantId) === provider) given.set(tenantId, token);
      return token;
    } catch (error) {
      providers.delete(tenantId); // It has no token, and tenants that do not exist must not pile up.
      given.delete(tenantId);
      throw error instanceof GraphError ? error : toGraphError(error);
    }
  };
  return Object.assign(source, { forget });
}

/** The provider calls it only if it has no token, or one that expires soon. */
function forTenant(credential: TokenCredential, tenantId: string | undefined, metrics?: GraphMetrics): TokenCredential {
  return {
    getToken: async (scopes, options) => {
      try {
        const token = await credential.getToken(scopes, tenantId === undefined ? options : { ...options, tenantId });
        metrics?.countToken('issued');
        return token;
      } catch (error) {
        metrics?.countToken('failed');
        throw error;
      }
    },
  };
}

/**
 * What passes, in the words of MSAL and the codes of Entra ID: `@azure/identity` gives whatever befalls a client
 * secret or a certificate, an outage too, as a 400 of its own.
 */
const PASSING =
  /temporarily_unavailable|network_error|endpoints_resolution_error|openid_config_error|AADSTS(90006|90012|90033|90055)\b/;

const UNCONFIGURED: ReadonlySet<string> = new Set(['CredentialUnavailableError', 'AggregateAuthenticationError']);

/**
 * Entra ID's own messages name the application and the tenant, and quote what was sent; only its error code goes on
 * (https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
 */
function toGraphError(error: unknown): GraphError {
  const status = fieldOf(error, 'statusCode');
  const response = fieldOf(error, 'errorResponse');
  const message = error instanceof Error ? error.message : '';
  const code = /AADSTS\d+/.exec(message)?.[0] ?? (error instanceof Error ? error.name : 'unknown');
  const details = { code, ...(typeof status === 'number' && { status }) };
  // Of the credentials that were tried, those that are not set up say nothing of the network.
  const tried = fieldOf(error, 'errors');
  const said = Array.isArray(tried)
    ? (tried as Error[])
        .filter(({ name }) => name !== 'CredentialUnavailableError')
        .map((each) => each.message)
        .join()
    : message;
  const isPassing = PASSING.test(said) || (typeof status === 'number' && (status >= 500 || status === 429));
  const isAnswered = typeof status === 'number' || response !== undefined || /AADSTS\d+/.test(message);
  const isUnconfigured = error instanceof Error && UNCONFIGURED.has(error.name);
  if ((isAnswered || isUnconfigured) && !isPassing) {
    return new GraphError(
      'Unauthorized',
      `Microsoft Entra ID issued no token (${code}). Check the AZURE_* settings: tenant, client, and its secret, certificate or identity.`,
      { details },
    );
  }
  return new GraphError('GraphUnavailable', `Microsoft Entra ID issued no token (${code}).`, {
    isRetryable: true,
    details,
  });
}
