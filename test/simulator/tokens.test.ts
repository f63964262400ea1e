import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALL_ROLES, GraphSimulator, type TokenOverrides } from '../../src/simulator/index.ts';

const APP = { appId: '2891555a-92ff-42e6-80fa-6e1300c6b5c6', clientSecret: 's3cret', tenantId: 'a-tenant' };

let graph: GraphSimulator;
beforeAll(async () => {
  graph = await GraphSimulator.start(APP);
});
afterAll(async () => {
  await graph.close();
});

const ask = async (fields: Record<string, string>) => {
  const response = await fetch(`${graph.authorityUrl}/tenant-2/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: APP.appId,
      client_secret: APP.clientSecret,
      scope: `${graph.url}/.default`,
      ...fields,
    }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

const keys = async (): Promise<JSONWebKeySet> => {
  const openId = (await (await fetch(graph.openIdUrl)).json()) as { jwks_uri: string };
  return (await (await fetch(openId.jwks_uri)).json()) as JSONWebKeySet;
};
const verify = async (token: string) => jwtVerify(token, createLocalJWKSet(await keys()), { algorithms: ['RS256'] });

describe('the token endpoint', () => {
  it('gives a token of the tenant for Graph, and counts', async () => {
    const before = graph.counts.token;
    const { status, body } = await ask({});
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 3599 });
    const claims = decodeJwt(String(body['access_token']));
    expect(claims).toMatchObject({ aud: graph.url, tid: 'tenant-2', appid: APP.appId, roles: CALL_ROLES });
    expect((claims.exp ?? 0) * 1000).toBeGreaterThan(Date.now());
    expect(graph.counts.token).toBe(before + 1);
    const call = graph.createCall({ callbackUri: 'http://127.0.0.1:1/' });
    const read = await fetch(`${graph.url}/v1.0/communications/calls/${call.id}`, {
      headers: { authorization: `Bearer ${String(body['access_token'])}` },
    });
    expect(read.status).toBe(200);
  });

  it.each([
    ['a wrong secret', { client_secret: 'x' }, 401, 'invalid_client', 7_000_215],
    ['another app', { client_id: 'x' }, 400, 'unauthorized_client', 700_016],
    ['another flow', { grant_type: 'password' }, 400, 'unsupported_grant_type', 70_003],
    ['another resource', { scope: 'https://other.example/.default' }, 400, 'invalid_resource', 500_011],
  ])('refuses %s', async (_what, fields, wanted, error, code) => {
    const { status, body } = await ask(fields);
    expect(status).toBe(wanted);
    expect(body).toMatchObject({
      error,
      error_codes: [code],
      error_description: expect.stringMatching(new RegExp(`^AADSTS${code}: `)),
    });
  });

  it('fails when it is told to', async () => {
    graph.setServiceFaults({ requests: [{ on: 'token', answer: { status: 503, retryAfter: 1 } }] });
    expect((await ask({})).status).toBe(503);
    expect((await ask({})).status).toBe(200);
  });
});

describe("notifications' tokens", () => {
  it('are valid, with other claims and other fields of the header too', async () => {
    const token = await graph.signNotification({
      tenantId: 't2',
      claims: { iss: 'https://graph.microsoft.com', appid: null, aud: 'other' },
      header: { cty: null, x: 1 },
    });
    const { payload, protectedHeader } = await verify(token);
    expect(payload).toMatchObject({ iss: 'https://graph.microsoft.com', aud: 'other', tid: 't2' });
    expect(payload).not.toHaveProperty('appid');
    expect(payload).not.toHaveProperty('iat');
    expect(protectedHeader).toMatchObject({ x: 1, typ: 'JWT' });
    expect(protectedHeader).not.toHaveProperty('cty');
  });

  it.each([
    ['foreign', 'ERR_JWKS_NO_MATCHING_KEY', 'RS256'],
    ['forged', 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED', 'RS256'],
    ['publicKey', 'ERR_JOSE_ALG_NOT_ALLOWED', 'HS256'],
    ['nobody', 'ERR_JOSE_ALG_NOT_ALLOWED', 'none'],
  ] as const)('signed by %s do not hold', async (signedBy: NonNullable<TokenOverrides['signedBy']>, code, alg) => {
    const token = await graph.signNotification({ signedBy });
    expect(decodeProtectedHeader(token).alg).toBe(alg);
    await expect(verify(token)).rejects.toMatchObject({ code });
  });

  it('of before a rotation are valid as long as the old key is listed', async () => {
    const first = await graph.signNotification();
    const kid = await graph.rotateKeys();
    const second = await graph.signNotification();
    expect(decodeProtectedHeader(second).kid).toBe(kid);
    expect((await keys()).keys).toHaveLength(2);
    await expect(Promise.all([verify(first), verify(second)])).resolves.toHaveLength(2);
    await graph.rotateKeys({ keepOld: false });
    await expect(verify(second)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
  });

  it('refuse overrides that are not known', async () => {
    await expect(graph.signNotification({ claim: {} } as unknown as TokenOverrides)).rejects.toThrow(/claim/);
  });
});
