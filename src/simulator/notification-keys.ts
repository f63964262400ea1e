import { createHash, generateKeyPair, randomUUID, sign, createHmac, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { z } from 'zod';

/**
 * The keys that sign notifications, which are not Entra's: a document of their own lists them. After a rotation the old
 * key stays listed, so tokens on their way stay valid, unless it is withdrawn.
 * https://learn.microsoft.com/microsoftteams/platform/bots/calls-and-meetings/call-notifications
 */
interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** Microsoft's calling service, as its tokens name it. */
const CALLING_SERVICE = '26a18ebc-cdf7-4a6a-91cb-beb352805e81';
const LIFETIME_SECONDS = 300;

/** How a notification's token differs from a good one. */
export const tokenOverrides = z.strictObject({
  /** Claims instead of the usual ones; null leaves one out. */
  claims: z.record(z.string(), z.unknown()).optional(),
  /** Header fields likewise. */
  header: z.record(z.string(), z.unknown()).optional(),
  /**
   * `foreign`: a key that no document lists, under its own kid; `forged`: the same under the kid of the good one;
   * `publicKey`: HS256 with the good public key as its secret; `nobody`: alg none, no signature.
   */
  signedBy: z.enum(['service', 'foreign', 'forged', 'publicKey', 'nobody']).default('service'),
});
/** How a notification's token differs from a valid one. */
export type TokenOverrides = z.input<typeof tokenOverrides>;

async function newKey(): Promise<SigningKey> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  return { kid: createHash('sha1').update(randomUUID()).digest('base64url'), privateKey, publicKey };
}

function encode(part: Record<string, unknown>): string {
  const kept = Object.entries(part).filter(([, value]) => value !== null && value !== undefined);
  return Buffer.from(JSON.stringify(Object.fromEntries(kept))).toString('base64url');
}

export class NotificationKeys {
  readonly issuer: string;
  readonly #audience: string;
  #current: SigningKey;
  #listed: SigningKey[];
  #foreign: SigningKey | undefined;

  private constructor(issuer: string, audience: string, key: SigningKey) {
    this.issuer = issuer;
    this.#audience = audience;
    this.#current = key;
    this.#listed = [key];
  }

  static async create(issuer: string, audience: string): Promise<NotificationKeys> {
    return new NotificationKeys(issuer, audience, await newKey());
  }

  /** Signs with a new key from now on; gives back its kid. */
  async rotate({ keepOld = true }: { keepOld?: boolean } = {}): Promise<string> {
    this.#current = await newKey();
    this.#listed = keepOld ? [this.#current, ...this.#listed] : [this.#current];
    return this.#current.kid;
  }

  /** Like Microsoft's lists, it names no `alg`. */
  jwks(): { keys: object[] } {
    return {
      keys: this.#listed.map(({ kid, publicKey }) => ({
        use: 'sig',
        kid,
        x5t: kid,
        ...publicKey.export({ format: 'jwk' }),
      })),
    };
  }

  /**
   * A token as a notification carries it: five minutes long, without `iat`, and with a `cty` although nothing is
   * nested.
   */
  async token(tenantId: string, overrides: TokenOverrides = {}): Promise<string> {
    const { claims, header, signedBy } = tokenOverrides.parse(overrides);
    if (signedBy === 'foreign' || signedBy === 'forged') this.#foreign ??= await newKey();
    const key = (signedBy === 'service' ? undefined : this.#foreign) ?? this.#current;
    const kid = signedBy === 'foreign' ? key.kid : this.#current.kid;
    const alg = signedBy === 'nobody' ? 'none' : signedBy === 'publicKey' ? 'HS256' : 'RS256';
    const nbf = Math.floor(Date.now() / 1000);
    const signed = [
      encode({ alg, kid, x5t: kid, typ: 'JWT', cty: 'JWT', ...header }),
      encode({
        tid: tenantId,
        appid: CALLING_SERVICE,
        nbf,
        exp: nbf + LIFETIME_SECONDS,
        iss: this.issuer,
        aud: this.#audience,
        ...claims,
      }),
    ].join('.');
    if (signedBy === 'nobody') return `${signed}.`;
    const signature =
      signedBy === 'publicKey'
        ? createHmac('sha256', this.#current.publicKey.export({ format: 'pem', type: 'spki' }))
            .update(signed)
            .digest()
        : sign('RSA-SHA256', Buffer.from(signed), key.privateKey);
    return `${signed}.${signature.toString('base64url')}`;
  }
}
