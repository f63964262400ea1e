import type { FastifyInstance, FastifyReply } from 'fastify';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { AccessTokens } from './access-tokens.ts';
import type { ApiTokens } from './api-tokens.ts';
import type { Gate } from './gate.ts';

/**
 * As much of Entra ID as the client-credentials flow needs: the tenant's OpenID document, instance discovery and the
 * token endpoint. Every tenant exists here.
 * https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
 */
export interface Entra {
  url: string;
  appId: string;
  clientSecret: string;
  tokens: AccessTokens;
  gate: Gate;
  apiTokens: ApiTokens;
}

const form = z.object({
  grant_type: z.string().catch(''),
  client_id: z.string().catch(''),
  client_secret: z.string().catch(''),
  scope: z.string().catch(''),
});

export function serveEntra(app: FastifyInstance, { url, appId, clientSecret, tokens, gate, apiTokens }: Entra): void {
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(body as string)));
  });

  app.get<{ Params: { tenant: string } }>('/:tenant/v2.0/.well-known/openid-configuration', ({ params }) => {
    const root = `${url}/${params.tenant}`;
    return {
      issuer: `${root}/v2.0`,
      authorization_endpoint: `${root}/oauth2/v2.0/authorize`,
      token_endpoint: `${root}/oauth2/v2.0/token`,
      jwks_uri: `${root}/discovery/v2.0/keys`,
      response_types_supported: ['code'],
      subject_types_supported: ['pairwise'],
      id_token_signing_alg_values_supported: ['RS256'],
      token_endpoint_auth_methods_supported: ['client_secret_post'],
    };
  });

  app.get('/:tenant/discovery/v2.0/keys', async () => await apiTokens.jwks());

  app.get('/common/discovery/instance', () => ({
    tenant_discovery_endpoint: `${url}/common/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [
      { preferred_network: new URL(url).host, preferred_cache: new URL(url).host, aliases: [new URL(url).host] },
    ],
  }));

  app.post<{ Params: { tenant: string } }>(
    '/:tenant/oauth2/v2.0/token',
    gate('token', async ({ params, body }, reply) => {
      const asked = form.parse(body ?? {});
      const { tenant } = params as { tenant: string };
      if (asked.grant_type !== 'client_credentials') {
        return refuse(reply, 400, 'unsupported_grant_type', 70003, `The app requested '${asked.grant_type}'.`);
      }
      if (asked.client_id !== appId) {
        return refuse(reply, 400, 'unauthorized_client', 700016, `Application '${asked.client_id}' was not found.`);
      }
      if (asked.client_secret !== clientSecret) {
        return refuse(reply, 401, 'invalid_client', 7000215, 'Invalid client secret provided.');
      }
      const api = /^api:\/\/([0-9a-f-]{36})\/\.default$/.exec(asked.scope)?.[1];
      if (api !== undefined) {
        const token = await apiTokens.issue({ tenantId: tenant, audience: api });
        return reply.send({ token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: token });
      }
      const audience = asked.scope
        .split(' ')
        .map((scope) => scope.replace(/\/\.default$/, ''))
        .find((resource) => tokens.isAudience(resource));
      if (audience === undefined) {
        return refuse(reply, 400, 'invalid_resource', 500011, `No resource here has the scope '${asked.scope}'.`);
      }
      const token = await tokens.issue({ tenantId: tenant, audience });
      return reply.send({ token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: token });
    }),
  );
}

function refuse(reply: FastifyReply, status: number, error: string, code: number, description: string): FastifyReply {
  return reply.code(status).send({
    error,
    error_description: `AADSTS${code}: ${description}`,
    error_codes: [code],
    timestamp: new Date().toISOString(),
    trace_id: randomUUID(),
    correlation_id: randomUUID(),
  });
}
