import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { UnsecuredJWT, type JWTPayload } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import { findingOf } from '../../src/doctor/check.ts';
import { tokenChecks } from '../../src/doctor/token.ts';
import { identityTokens, type TokenSource } from '../../src/graph/tokens.ts';

/**
 * Tokens that are not what was asked for. The managed identity is real, as App Service gives it: over HTTP, and without a
 * tenant, because it has only its own.
 */

const GRAPH = 'https://graph.microsoft.com';
const HOME = randomUUID();
const DOMAIN = 'home.example.com';

let server: Server;
let url: string;
let issued: string[];
/** What the next tokens say; text is an opaque token. */
let claims: JWTPayload | string;
/** What Entra ID says of a tenant that is named by a domain. */
let document: { status: number; body: object };

beforeAll(async () => {
  server = createServer((request, response) => {
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (request.url?.includes('/.well-known/') === true) return answer(document.status, document.body);
    const token = typeof claims === 'string' ? claims : `${new UnsecuredJWT(claims).encode()}c2lnbmF0dXJl`;
    issued.push(token);
    return answer(200, { access_token: token, expires_on: inSeconds(3_600), resource: GRAPH, token_type: 'Bearer' });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

beforeEach(() => {
  issued = [];
  claims = { aud: GRAPH, tid: HOME, exp: inSeconds(3_600) };
  document = { status: 200, body: { issuer: `${url}/${HOME}/v2.0` } };
  vi.stubEnv('IDENTITY_ENDPOINT', `${url}/msi/token`);
  vi.stubEnv('IDENTITY_HEADER', 'secret');
  // MSAL keeps the tokens of an identity for as long as the process lives: each test has one of its own.
  vi.stubEnv('AZURE_CLIENT_ID', randomUUID());
  vi.stubEnv('AZURE_TOKEN_CREDENTIALS', 'ManagedIdentityCredential');
});
afterEach(() => vi.unstubAllEnvs());

function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1_000) + seconds;
}

const source = (): TokenSource => identityTokens({ authorityHost: url, graphUrl: GRAPH });

describe('a managed identity', () => {
  test('gives the token of its own tenant, however that is named', async () => {
    const tokens = source();
    for (const tenantId of [undefined, HOME, HOME.toUpperCase(), DOMAIN]) {
      expect(await tokens(tenantId)).toBe(issued[0]);
    }
  });

  test.each([
    ['ID', randomUUID()],
    ['domain', 'other.example.com'],
  ])('never gives it for another tenant, named by its %s', async (_, tenantId) => {
    document = { status: 200, body: { issuer: `${url}/${randomUUID()}/v2.0` } };
    const tokens = source();
    await tokens(HOME);
    for (let time = 0; time < 2; time += 1) {
      await expect(tokens(tenantId)).rejects.toMatchObject({
        type: 'Unauthorized',
        isRetryable: false,
        message: expect.stringMatching(`a different tenant than ${tenantId}.* managed identity`),
      });
    }
    expect(await tokens(HOME)).toBe(issued[0]);
  });

  test('is asked again for a domain whose tenant cannot be found out now', async () => {
    document = { status: 503, body: {} };
    await expect(source()('later.example.com')).rejects.toMatchObject({ type: 'GraphUnavailable', isRetryable: true });
  });

  test('gives none for a domain that no tenant has', async () => {
    document = { status: 400, body: { error: 'invalid_tenant' } };
    await expect(source()('nobody.example.com')).rejects.toMatchObject({ type: 'Unauthorized', isRetryable: false });
  });
});

test('the doctor refuses a token of another tenant', async () => {
  const { graph } = loadWorkerConfig({});
  const tenantId = randomUUID();
  const [check] = tokenChecks({ graph, tokens: source(), tenantId });
  expect(check && (await findingOf(check))).toMatchObject({
    state: 'failed',
    said: expect.stringContaining(`a different tenant than ${tenantId}`),
  });
  const [home] = tokenChecks({ graph, tokens: source(), tenantId: HOME.toUpperCase() });
  expect(home && (await findingOf(home))).toMatchObject({ state: 'ok' });
});

test.each<[string, JWTPayload, RegExp]>([
  ['for somebody else', { aud: 'https://vault.azure.net', exp: 4e9 }, /not for https:\/\/graph\.microsoft\.com/],
  ['of another cloud', { aud: 'https://graph.microsoft.us/', exp: 4e9 }, /MODERATION_GRAPH_CLOUD/],
  ['that has expired', { aud: GRAPH, exp: inSeconds(-3_600) }, /expired/],
])('a token %s is not shown to Graph', async (_, said, message) => {
  claims = said;
  await expect(source()()).rejects.toMatchObject({ type: 'Unauthorized', message: expect.stringMatching(message) });
});

test.each<[string, JWTPayload | string]>([
  ['opaque', 'opaque'],
  ['says nothing', {}],
  ['names Graph by its ID', { aud: '00000003-0000-0000-c000-000000000000', tid: HOME }],
  ['names Graph with a slash', { aud: `${GRAPH}/`, tid: HOME, exp: 4e9 }],
])('a token that is %s passes', async (_, said) => {
  claims = said;
  expect(await source()(HOME)).toBe(issued[0]);
});
