import { DefaultAzureCredential, getBearerTokenProvider, type TokenCredential } from '@azure/identity';
import { CLOUDS, type Cloud } from './clouds.ts';
import { fieldOf, GraphError } from './errors.ts';
import type { GraphMetrics } from './metrics.ts';

/** Gives a bearer token for Graph, of the named tenant or else of the application's own. */
export type TokenSource = (tenantId?: string) => Promise<string>;

/** For a simulator or a proxy on this machine; the configuration refuses it for any other Graph. */
export function fixedToken(token: string): TokenSource {
  return () => Promise.resolve(token);
}

/** The tokens that a worker takes: the fixed one where it is set, else Entra ID's. */
export function tokensOf(
  graph: { token: string | undefined; authorityHost: string; cloud: Cloud },
  metrics?: GraphMetrics,
): TokenSource {
  const { token, authorityHost, cloud } = graph;
  return token === undefined ? identityTokens({ authorityHost, graphUrl: cloud.graphUrl, metrics }) : fixedToken(token);
}

export interface IdentityOptions {
  authorityHost: string;
  /** Root of the cloud's Graph: tokens are issued for it, also where requests go through a proxy. */
  graphUrl: string;
  metrics?: GraphMetrics | undefined;
}

/**
 * Tokens from Microsoft Entra ID with whatever `DefaultAzureCredential` finds in the environment: a client secret, a
 * certificate, a workload identity, a managed identity. One provider a tenant keeps its token, renews it before it ends,
 * and asks once for all who wait.
 */
export function identityTokens({ authorityHost, graphUrl, metrics }: IdentityOptions): TokenSource {
  const isPublished = Object.values(CLOUDS).some((cloud) => cloud.authorityHost === new URL(authorityHost).origin);
  const credential: TokenCredential = new DefaultAzureCredential({
    authorityHost,
    additionallyAllowedTenants: ['*'],
    // Entra ID vouches for its own hosts only; asked about another one (Azure Stack, a simulator) it refuses.
    disableInstanceDiscovery: !isPublished,
  });
  const providers = new Map<string | undefined, () => Promise<string>>();
  return async (tenantId) => {
    let provider = providers.get(tenantId);
    if (provider === undefined) {
      provider = getBearerTokenProvider(forTenant(credential, tenantId, metrics), `${graphUrl}/.default`);
      providers.set(tenantId, provider);
    }
    try {
      return await provider();
    } catch (error) {
      providers.delete(tenantId); // It holds no token, and tenants that do not exist must not pile up.
      throw toGraphError(error);
    }
  };
}

/** The provider asks it only where it holds no token, or one that ends soon. */
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
 * What passes, in the words of MSAL and the codes of Entra ID: `@azure/identity` gives whatever befalls a client secret or
 * a certificate, an outage too, as a 400 of its own.
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
      `No token could be had from Microsoft Entra ID (${code}). Check the AZURE_* settings: tenant, client, and its secret, certificate or identity.`,
      { details },
    );
  }
  return new GraphError('GraphUnavailable', `Microsoft Entra ID gave no token (${code}).`, {
    isRetryable: true,
    details,
  });
}
