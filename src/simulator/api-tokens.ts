import { exportJWK, generateKeyPair, SignJWT, type GenerateKeyPairResult } from 'jose';

/**
 * Access tokens for other APIs than Graph, such as the gateway: whoever has one of those APIs verifies them, by the keys
 * that Entra publishes. https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
 */

export interface ApiTokenRequest {
  /** The API's application ID. */
  audience: string;
  tenantId?: string;
  /** The application that asks; the simulator's where absent. */
  appId?: string;
  roles?: readonly string[];
  /** Negative for one that has expired. */
  expiresInSeconds?: number;
  /** Of the token's form, as the API's registration chooses it. */
  version?: 1 | 2;
  /** By a key that is published nowhere. */
  isForged?: boolean;
  issuer?: string;
}

const KID = 'entra-simulator';

export class ApiTokens {
  readonly #url: string;
  readonly #appId: string;
  readonly #tenantId: string;
  #made: Promise<GenerateKeyPairResult> | undefined;

  constructor(given: { url: string; appId: string; tenantId: string }) {
    this.#url = given.url;
    this.#appId = given.appId;
    this.#tenantId = given.tenantId;
  }

  /** Made when they are first needed: it takes a tenth of a second, and most simulators issue no such token. */
  async #keys(): Promise<GenerateKeyPairResult> {
    this.#made ??= generateKeyPair('RS256');
    return await this.#made;
  }

  async jwks(): Promise<{ keys: object[] }> {
    const { publicKey } = await this.#keys();
    return { keys: [{ ...(await exportJWK(publicKey)), kid: KID, use: 'sig' }] };
  }

  async issue(request: ApiTokenRequest): Promise<string> {
    const { audience, tenantId = this.#tenantId, appId = this.#appId, expiresInSeconds = 3599, version = 2 } = request;
    const { roles = ['CallModeration.Mute'], isForged = false } = request;
    const issuer = version === 2 ? `${this.#url}/${tenantId}/v2.0` : `https://sts.windows.net/${tenantId}/`;
    const { privateKey } = isForged ? await generateKeyPair('RS256') : await this.#keys();
    const now = Math.floor(Date.now() / 1000);
    return await new SignJWT({
      tid: tenantId,
      roles: [...roles],
      ...(version === 2 ? { azp: appId, ver: '2.0' } : { appid: appId, ver: '1.0' }),
    })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: KID })
      .setIssuer(request.issuer ?? issuer)
      .setAudience(version === 2 ? audience : `api://${audience}`)
      .setIssuedAt(now)
      .setNotBefore(Math.min(now, now + expiresInSeconds))
      .setExpirationTime(now + expiresInSeconds)
      .sign(privateKey);
  }
}
