import type { FastifyInstance } from 'fastify';
import type { Gate } from './gate.ts';
import type { NotificationKeys } from './notification-keys.ts';

/**
 * Where a bot finds the keys of the notifications' tokens. As at Microsoft, the issuer it names is not this document's
 * address. https://learn.microsoft.com/microsoftteams/platform/bots/calls-and-meetings/call-notifications
 */
export const OPENID_PATH = '/v1/.well-known/OpenIdConfiguration';
const KEYS_PATH = '/v1/.well-known/keys';

export function serveOpenId(app: FastifyInstance, url: string, keys: NotificationKeys, gate: Gate): void {
  app.get(
    OPENID_PATH,
    gate('openid', (_request, reply) =>
      reply.send({
        issuer: keys.issuer,
        jwks_uri: `${url}${KEYS_PATH}`,
        id_token_signing_alg_values_supported: ['RS256'],
        token_endpoint_auth_methods_supported: ['private_key_jwt'],
      }),
    ),
  );
  app.get(
    KEYS_PATH,
    gate('jwks', (_request, reply) => reply.send(keys.jwks())),
  );
}
