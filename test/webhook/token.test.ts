import { createHmac } from 'node:crypto';
import { exportSPKI, importJWK, importPKCS8 } from 'jose';
import { generate } from 'selfsigned';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { VerifyingKey } from '../../src/auth/key-document.ts';
import { GRACE_MS, KeyRing } from '../../src/auth/key-ring.ts';
import { KeysUnavailable, SigningKeys } from '../../src/auth/signing-keys.ts';
import { TokenRefused, TokenVerifier, type TokenRules } from '../../src/auth/token-verifier.ts';
import { quickLimits } from '../support/quick-limits.ts';
import {
  AUDIENCE,
  ISSUERS,
  KeyServer,
  makeKey,
  signToken,
  silent,
  TENANT,
  type TokenOptions,
} from '../support/webhook-kit.ts';

const key = await makeKey('graph-1');
const stranger = await makeKey('stranger');

let server: KeyServer;
let keys: SigningKeys;

beforeEach(async () => {
  server = await new KeyServer([key]).up();
  keys = new SigningKeys({ openIdUrl: server.openIdUrl, log: silent });
});

afterEach(async () => {
  keys.stop();
  await server.down();
});

async function verify(token: string, rules: Partial<TokenRules> = {}): Promise<unknown> {
  const verifier = new TokenVerifier(keys, { audience: AUDIENCE, issuers: ISSUERS, ...rules });
  return verifier.verify(`Bearer ${token}`);
}

async function faultOf(token: string, rules?: Partial<TokenRules>): Promise<string> {
  const error = await verify(token, rules).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(TokenRefused);
  return (error as TokenRefused).fault;
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const LOADED = Date.now();
const seconds = (from: number): number => Math.floor(LOADED / 1000) + from;

/** The table of tokens was made when this file was loaded, and some are about seconds. */
function atThisMoment(): void {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: LOADED }));
  afterEach(() => void vi.useRealTimers());
}

const goodClaims = { iss: ISSUERS[0], aud: AUDIENCE, tid: TENANT, exp: seconds(300) };

describe('a valid token', () => {
  atThisMoment();

  it.each<[string, TokenOptions]>([
    ['as Graph sends it: no iat, cty JWT', {}],
    ['of the other issuer', { claims: { iss: ISSUERS[0] } }],
    ['of the issuer with a slash at its end', { claims: { iss: `${ISSUERS[0]}/` } }],
    ['expired within the tolerance', { claims: { exp: seconds(-290) } }],
    ['not valid yet within the tolerance', { claims: { nbf: seconds(290) } }],
    ['with iat', { claims: { iat: seconds(-10) } }],
    ['without nbf, typ or cty', { claims: { nbf: undefined }, header: { typ: undefined, cty: undefined } }],
    ['without kid where there is one key', { header: { kid: undefined } }],
    ['for several audiences', { claims: { aud: ['other', AUDIENCE] } }],
  ])('%s', async (_what, options) => {
    await expect(verify(await signToken(key, options))).resolves.toEqual({ tenantId: TENANT });
  });

  it.each(['RS512', 'PS256', 'ES256', 'ES384'])('signed with %s', async (alg) => {
    const other = await makeKey('other', alg);
    server.keys = [key.jwk, other.jwk];
    await expect(verify(await signToken(other))).resolves.toEqual({ tenantId: TENANT });
  });

  it('with the tenant under its long name', async () => {
    const long = 'http://schemas.microsoft.com/identity/claims/tenantid';
    const token = await signToken(key, { claims: { tid: undefined, [long]: TENANT } });
    await expect(verify(token)).resolves.toEqual({ tenantId: TENANT });
  });

  it('of an allowed tenant, in any case', async () => {
    const tenants = ['contoso.com', `{${TENANT.toUpperCase()}}`];
    await expect(verify(await signToken(key), { tenants })).resolves.toEqual({ tenantId: TENANT });
    await expect(verify(await signToken(key), { tenants: [] })).resolves.toEqual({ tenantId: TENANT });
  });

  it.each(['bearer', 'BEARER', 'Bearer  '])('under the scheme %s', async (scheme) => {
    const verifier = new TokenVerifier(keys, { audience: AUDIENCE, issuers: ISSUERS });
    await expect(verifier.verify(`${scheme} ${await signToken(key)}`)).resolves.toEqual({ tenantId: TENANT });
  });
});

describe('a token that is invalid', () => {
  atThisMoment();

  it.each<[string, string, TokenOptions]>([
    ['expired', 'lifetime', { claims: { exp: seconds(-310) } }],
    ['not valid yet', 'lifetime', { claims: { nbf: seconds(310) } }],
    ['without an end', 'lifetime', { claims: { exp: undefined } }],
    ['with an end that is no number', 'lifetime', { claims: { exp: 'never' } }],
    ['for another audience', 'audience', { claims: { aud: 'another' } }],
    ['for the audience in another case', 'audience', { claims: { aud: AUDIENCE.toUpperCase() } }],
    ['without an audience', 'audience', { claims: { aud: undefined } }],
    ['of another issuer', 'issuer', { claims: { iss: 'https://sts.windows.net/x/' } }],
    ['of nearly the issuer', 'issuer', { claims: { iss: `${ISSUERS[0]}.example.com` } }],
    ['of the issuer with two slashes', 'issuer', { claims: { iss: `${ISSUERS[0]}//` } }],
    ['of the issuer in another case', 'issuer', { claims: { iss: ISSUERS[0]?.toUpperCase() } }],
    ['without an issuer', 'issuer', { claims: { iss: undefined } }],
    ['without a tenant', 'tenant-missing', { claims: { tid: undefined } }],
    ['with an empty tenant', 'tenant-missing', { claims: { tid: ' ' } }],
    ['with a tenant that is no string', 'tenant-missing', { claims: { tid: [TENANT] } }],
    ['with a critical extension', 'malformed', { header: { crit: ['exp'], exp: 1 } }],
  ])('%s', async (_what, fault, { claims, header }) => {
    // jose itself refuses to sign some of these.
    const now = { alg: 'RS256', kid: key.kid, ...header };
    const payload = Object.fromEntries(
      Object.entries({ ...goodClaims, ...claims }).filter(([, value]) => value !== undefined),
    );
    const input = `${base64url(now)}.${base64url(payload)}`;
    const algorithm = { name: 'RSASSA-PKCS1-v1_5' };
    const signature = await crypto.subtle.sign(algorithm, key.privateKey, Buffer.from(input));
    expect(await faultOf(`${input}.${Buffer.from(signature).toString('base64url')}`)).toBe(fault);
  });

  it('of a tenant that is not allowed', async () => {
    expect(await faultOf(await signToken(key), { tenants: [AUDIENCE] })).toBe('tenant-not-allowed');
  });

  it('signed by a key that Graph does not have', async () => {
    expect(await faultOf(await signToken(stranger))).toBe('unknown-key');
    expect(await faultOf(await signToken({ ...stranger, kid: key.kid }))).toBe('signature');
  });

  it('changed after it was signed', async () => {
    const [head, , signature] = (await signToken(key)).split('.');
    expect(await faultOf(`${head}.${base64url({ ...goodClaims, tid: 'another' })}.${signature}`)).toBe('signature');
  });

  it('unsigned', async () => {
    const unsigned = `${base64url({ alg: 'none' })}.${base64url(goodClaims)}.`;
    expect(await faultOf(unsigned)).toBe('malformed');
    expect(await faultOf(`${unsigned}AAAA`)).toBe('algorithm');
  });

  it('signed with the public key as a secret', async () => {
    const publicKey = await importJWK(key.jwk, 'RS256', { extractable: true });
    const input = `${base64url({ alg: 'HS256', kid: key.kid })}.${base64url(goodClaims)}`;
    for (const secret of [await exportSPKI(publicKey as never), JSON.stringify(key.jwk), String(key.jwk.n)]) {
      const signature = createHmac('sha256', secret).update(input).digest('base64url');
      expect(await faultOf(`${input}.${signature}`)).toBe('algorithm');
    }
  });

  it.each(['', 'x', 'a.b', 'a.b.c', 'a.b.c.d.e', 'a.b.c d', '..', '🙈.🙈.🙈'])('garbage: %s', async (token) => {
    expect(await faultOf(token)).toBe('malformed');
  });

  it.each([undefined, '', 'Basic eDp5', 'Bearer', 'Token x.y.z'])('under the header %s', async (header) => {
    const verifier = new TokenVerifier(keys, { audience: AUDIENCE, issuers: ISSUERS });
    await expect(verifier.verify(header)).rejects.toThrow(TokenRefused);
    expect(server.fetches).toBe(0);
  });
});

describe('rules that would let anything pass, or nothing', () => {
  it.each([
    { audience: '' },
    { issuers: [] },
    { audience: `api://${AUDIENCE}` },
    { audience: `${AUDIENCE} ${AUDIENCE}` },
    { issuers: ['graph.microsoft.com'] },
    { tenants: ['contoso.com'] },
    { tenants: ['a b'] },
  ])('are refused at once: %j', (rules) => {
    expect(() => new TokenVerifier(keys, { audience: AUDIENCE, issuers: ISSUERS, ...rules })).toThrow(TypeError);
  });
});

describe('a rule in another spelling', () => {
  it.each<Partial<TokenRules>>([
    { audience: AUDIENCE.toUpperCase() },
    { audience: `{${AUDIENCE}}` },
    { audience: `${AUDIENCE}\n` },
    { issuers: ISSUERS.map((issuer) => `${issuer}/`) },
    { issuers: ISSUERS.map((issuer) => ` ${issuer.replace('https', 'HTTPS')}`) },
    { tenants: [TENANT.replaceAll('-', '')] },
  ])('is the same rule: %j', async (rules) => {
    await expect(verify(await signToken(key), rules)).resolves.toEqual({ tenantId: TENANT });
  });
});

describe('of a token that is refused, the log may have', () => {
  async function claimsOf(token: string, rules?: Partial<TokenRules>): Promise<unknown> {
    const error = await verify(token, rules).catch((caught: unknown) => caught);
    return (error as TokenRefused).claims;
  }

  it('what it was compared by, where a key of Graph has signed it', async () => {
    const aud = await signToken(key, { claims: { aud: 'another' } });
    expect(await claimsOf(aud)).toMatchObject({ iss: ISSUERS[1], aud: 'another', tid: TENANT });
    const iss = await signToken(key, { claims: { iss: 'https://other' } });
    expect(await claimsOf(iss)).toMatchObject({ iss: 'https://other', aud: AUDIENCE });
    const late = await signToken(key, { claims: { exp: 1 } });
    expect(await claimsOf(late)).toMatchObject({ exp: 1 });
    expect(await claimsOf(await signToken(key), { tenants: [AUDIENCE] })).toMatchObject({ tid: TENANT });
  });

  it('nothing of what a stranger has signed', async () => {
    const token = await signToken(stranger, { claims: { aud: 'another' } });
    expect(await claimsOf(token)).toBeUndefined();
    const renamed = await signToken({ ...stranger, kid: key.kid }, { claims: { aud: 'another' } });
    expect(await claimsOf(renamed)).toBeUndefined();
  });

  it('at most 128 printable characters of each, and nothing else', async () => {
    const claims = { aud: `a\n\u001b[31m\u00e4${'x'.repeat(500)}`, iss: { a: 1 }, tid: ['x'], name: 'Bob' };
    const told = await claimsOf(await signToken(key, { claims }));
    expect(told).toEqual({ aud: `a??[31m?${'x'.repeat(120)}`, exp: expect.any(Number), nbf: expect.any(Number) });
    const many = await signToken(key, { claims: { aud: Array.from({ length: 9 }, (_, i) => `a${i}`) } });
    expect(await claimsOf(many)).toMatchObject({ aud: 'a0, a1, a2' });
  });
});

describe('the key document', () => {
  const good = async (): Promise<void> => {
    await expect(verify(await signToken(key))).resolves.toEqual({ tenantId: TENANT });
  };

  it('may list a key twice, in whatever form', async () => {
    const { alg: _, ...withoutAlg } = key.jwk;
    for (const twice of [key.jwk, { ...key.jwk, x5t: 'another' }, withoutAlg]) {
      server.keys = [key.jwk, twice];
      keys = new SigningKeys({ openIdUrl: server.openIdUrl, log: silent });
      await good();
    }
  });

  it('may list two keys under one ID', async () => {
    server.keys = [{ ...stranger.jwk, kid: key.kid }, key.jwk];
    await good();
    await expect(verify(await signToken({ ...stranger, kid: key.kid }))).resolves.toEqual({ tenantId: TENANT });
    const third = await makeKey(key.kid);
    expect(await faultOf(await signToken(third))).toBe('signature');
  });

  it('may list keys without an ID, and tokens may name none', async () => {
    const { kid: _, ...anonymous } = key.jwk;
    server.keys = [(await makeKey('other')).jwk, anonymous];
    await good();
    await expect(verify(await signToken(key, { header: { kid: undefined } }))).resolves.toEqual({ tenantId: TENANT });
    expect(await faultOf(await signToken(stranger))).toBe('signature');
  });

  it.each<[string, unknown]>([
    ['of a kind that is not known', { kty: 'AKP', kid: 'graph-1', alg: 'ML-DSA-44', pub: 'AA' }],
    ['of a kind without a name', { kid: 'graph-1', n: 'AQAB' }],
    ['of no sense', { kty: 'RSA', kid: 'graph-1', n: '!', e: 'AQAB' }],
    ['that is too short', { kty: 'RSA', kid: 'graph-1', n: 'AQAB', e: 'AQAB' }],
    ['without a modulus', { kty: 'RSA', kid: 'graph-1', e: 'AQAB' }],
    ['of a certificate that is none', { kty: 'RSA', kid: 'graph-1', x5c: ['AAAA'] }],
    ['of a curve that is not known', { kty: 'EC', kid: 'graph-1', crv: 'P-1', x: 'AA', y: 'AA' }],
    ['of a point that is on no curve', { kty: 'EC', kid: 'graph-1', crv: 'P-256', x: 'AAAA', y: 'AAAA' }],
    ['that is a secret', { kty: 'oct', kid: 'graph-1', k: 'AAAA' }],
    ['that is null', null],
    ['that is a text', 'graph-1'],
    ['that is a list', [1]],
  ])('may list a key %s beside good ones', async (_what, odd) => {
    server.keys = [odd as never, key.jwk, odd as never];
    await good();
  });

  it('may list a key with endorsements, and with a private part, of which nothing is taken', async () => {
    server.keys = [{ ...key.jwk, endorsements: ['msteams'], x5c: 'odd', key_ops: ['encrypt'] } as never];
    await good();
  });

  it('may list a key by its certificate alone', async () => {
    const { cert, private: pem } = await generate([{ name: 'commonName', value: 'graph' }], { keySize: 2048 });
    const x5c = [cert.replaceAll(/-----[^-]+-----|\s/g, '')];
    server.keys = [{ kty: 'RSA', kid: 'by-certificate', use: 'sig', x5c }];
    const privateKey = await importPKCS8(pem, 'RS256');
    const token = await signToken({ kid: 'by-certificate', privateKey, jwk: { alg: 'RS256' } });
    await expect(verify(token)).resolves.toEqual({ tenantId: TENANT });
  });

  it('lists keys for encryption too, and they sign nothing', async () => {
    server.keys = [{ ...key.jwk, use: 'enc' }, stranger.jwk];
    expect(await faultOf(await signToken(key))).toBe('unknown-key');
  });

  it.each<[string, () => void]>([
    ['lists other keys', () => (server.keys = [stranger.jwk])],
    ['lists none', () => (server.keys = [])],
    ['lists none that can be read', () => (server.keys = [{ kty: 'RSA', kid: key.kid, use: 'sig' }])],
    ['names no keys', () => (server.document = () => ({}))],
  ])('may fail for a moment, and what was known is known still: it %s', async (_what, spoil) => {
    await good();
    spoil();
    const other = await signToken(await makeKey('made-up'));
    await verify(other).catch(() => undefined);
    expect(server.fetches).toBe(2);
    await good();
  });

  it('takes a key back in the end', async () => {
    keys = new SigningKeys({ openIdUrl: server.openIdUrl, log: silent, graceMs: 0 });
    await good();
    server.keys = [stranger.jwk];
    await expect(verify(await signToken(stranger))).resolves.toEqual({ tenantId: TENANT });
    expect(await faultOf(await signToken(key))).toBe('unknown-key');
  });
});

describe('the ring of keys', () => {
  const listed = (kid: string): VerifyingKey => ({ id: kid, jwk: { ...key.jwk, kid } });
  const holds = async (ring: KeyRing, kid: string): Promise<boolean> =>
    await ring.keyOf({ alg: 'RS256', kid }, { payload: '', signature: '' }).then(
      () => true,
      () => false,
    );

  it('drops what has been missing for an hour, and not what came back meanwhile', async () => {
    const ring = new KeyRing();
    expect([ring.isEmpty, ring.isWaning]).toEqual([true, false]);
    ring.take([listed('a'), listed('b')], 0);
    ring.take([listed('b')], 1_000);
    expect([await holds(ring, 'a'), ring.isWaning]).toEqual([true, true]);
    ring.take([listed('a'), listed('b')], 2_000);
    expect(ring.isWaning).toBe(false);
    ring.take([listed('b')], 3_000);
    ring.take([listed('b')], 3_000 + GRACE_MS - 1);
    expect(await holds(ring, 'a')).toBe(true);
    ring.take([listed('b')], 3_000 + GRACE_MS);
    expect([await holds(ring, 'a'), await holds(ring, 'b'), ring.isWaning]).toEqual([false, true, false]);
  });
});

describe('the signing keys', () => {
  it('are fetched once for many who need them', async () => {
    const token = await signToken(key);
    await Promise.all(Array.from({ length: 50 }, () => verify(token)));
    expect(server.fetches).toBe(1);
  });

  it('are fetched at the start, before anyone needs them', async () => {
    const fetched = new Promise((resolve) => {
      keys = new SigningKeys({ openIdUrl: server.openIdUrl, log: silent, onRefresh: resolve });
      keys.start();
    });
    expect(keys.held).toBe(false);
    await expect(fetched).resolves.toBe('fetched');
    expect(keys.held).toBe(true);
  });

  it('are fetched again for a token whose key is new', async () => {
    await verify(await signToken(key));
    const next = await makeKey('graph-2');
    server.keys = [next.jwk];
    await expect(verify(await signToken(next))).resolves.toEqual({ tenantId: TENANT });
    expect(server.fetches).toBe(2);
  });

  it('are fetched a few times only, however many unknown keys are named', async () => {
    await verify(await signToken(key));
    const tokens = await Promise.all(
      Array.from({ length: 60 }, (_, i) => signToken(stranger, { header: { kid: `made-up-${i}` } })),
    );
    for (const token of tokens.slice(0, 20)) expect(await faultOf(token)).toBe('unknown-key');
    await Promise.all(tokens.slice(20).map(async (token) => expect(await faultOf(token)).toBe('unknown-key')));
    // One more where it took 5 s.
    expect(server.fetches).toBeLessThanOrEqual(1 + 3 + 1);
    await expect(verify(await signToken(key))).resolves.toEqual({ tenantId: TENANT });
  });

  it('that are new are known within seconds, also if tokens with made-up ones came before', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    keys = new SigningKeys({ openIdUrl: server.openIdUrl, log: silent });
    await verify(await signToken(key));
    for (const kid of ['a', 'b', 'c', 'd']) await faultOf(await signToken(stranger, { header: { kid } }));
    const rotated = await makeKey('graph-2');
    server.keys = [key.jwk, rotated.jwk];
    const token = await signToken(rotated);
    await expect(verify(token)).rejects.toThrow();
    vi.advanceTimersByTime(5_000);
    expect(await verify(token)).toEqual({ tenantId: TENANT });
  });

  it('cannot be checked while the key server is down, and can once it is up', async () => {
    await server.down();
    keys.start();
    await expect(verify(await signToken(key))).rejects.toThrow(KeysUnavailable);
    await server.up();
    await expect(verify(await signToken(key))).resolves.toEqual({ tenantId: TENANT });
  });

  it('come by themselves once their server is up', async () => {
    await server.down();
    const outcomes: string[] = [];
    const came = new Promise<void>((resolve) => {
      const onRefresh = (outcome: string): void => {
        outcomes.push(outcome);
        if (outcome === 'failed') void server.up();
        else resolve();
      };
      keys = new SigningKeys({ openIdUrl: server.openIdUrl, log: silent, onRefresh });
    });
    keys.start();
    await came;
    expect(outcomes).toEqual(['failed', 'fetched']);
    expect(keys.held).toBe(true);
  });

  it('stay when they cannot be fetched again', async () => {
    await verify(await signToken(key));
    await server.down();
    await expect(verify(await signToken(stranger))).rejects.toThrow(KeysUnavailable);
    await expect(verify(await signToken(key))).resolves.toEqual({ tenantId: TENANT });
  });

  it.each<[string, (keys: KeyServer) => void]>([
    ['an error', (s) => (s.failure = (_request, response) => response.writeHead(500).end())],
    ['a redirect', (s) => (s.failure = (_request, response) => response.writeHead(302, { location: '/' }).end())],
    ['no JSON', (s) => (s.failure = (_request, response) => response.end('<html>'))],
    ['no jwks_uri', (s) => (s.document = () => ({}))],
    ['keys over http elsewhere', (s) => (s.document = () => ({ jwks_uri: 'http://keys.example/keys' }))],
    ['keys in a file', (s) => (s.document = () => ({ jwks_uri: 'file:///etc/keys' }))],
    ['an empty set', (s) => (s.keys = [])],
    ['a set of no keys', (s) => (s.keys = ['x' as never])],
    ['too much', (s) => (s.failure = (_request, response) => response.end(' '.repeat(600 * 1024) + '{}'))],
  ])('are not taken from %s', async (_what, spoil) => {
    spoil(server);
    await expect(verify(await signToken(key))).rejects.toThrow(KeysUnavailable);
  });

  it('are waited for 4 s and no longer', async () => {
    server.failure = () => undefined;
    const limits = quickLimits();
    const token = await signToken(key);
    const began = performance.now();
    await expect(verify(token)).rejects.toThrow(KeysUnavailable);
    expect(performance.now() - began).toBeLessThan(1_400);
    expect(limits).toEqual([4_000]);
  });

  it.each([
    ['https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration', true],
    ['http://127.0.0.1:1/x', true],
    ['http://127.9.9.9/x', true],
    ['http://[::1]:1/x', true],
    ['http://localhost/x', true],
    ['http://example.com/x', false],
    ['http://127.0.0.1.example.com/x', false],
    ['http://localhost.example.com/x', false],
    ['http://10.0.0.1/x', false],
    ['ftp://localhost/x', false],
    ['nonsense', false],
  ])('may be at %s: %s', (openIdUrl, allowed) => {
    const make = (): SigningKeys => new SigningKeys({ openIdUrl, log: silent });
    if (allowed) expect(make().held).toBe(false);
    else expect(make).toThrow(TypeError);
  });
});

it('a request that breaks off does not take the keys with it', async () => {
  server.failure = (request) => request.socket.destroy();
  await expect(verify(await signToken(key))).rejects.toThrow(KeysUnavailable);
  server.failure = undefined;
  await expect(verify(await signToken(key))).resolves.toEqual({ tenantId: TENANT });
});
