import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import type { DeliveryOutcome, Deliverable, Deliver } from '../../src/webhook/delivery/signal-workflows.ts';
import { WebhookMetrics } from '../../src/webhook/metrics.ts';
import type { DrainingServer } from '../../src/health/draining-server.ts';
import { createWebhookServer, type WebhookServerOptions } from '../../src/webhook/server.ts';

export * from './notification-forms.ts';

export const AUDIENCE = '0efc74f7-41c3-47a4-8775-7259bfef4241';
export const ISSUERS = ['https://graph.microsoft.com', 'https://api.botframework.com'];
export const TENANT = '1fdd12d0-4620-44ed-baec-459b611f84b2';

export const silent = { info() {}, warn() {}, error() {} };

export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** A server on loopback; `down()` closes it for good, `port` can be taken again by another. */
export async function listen(listener: Listener, port = 0): Promise<{ server: Server; url: string; port: number }> {
  const server = createServer(listener).listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${address.port}`, port: address.port };
}

export async function shut(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

interface SigningKey {
  kid: string;
  privateKey: CryptoKey;
  jwk: JWK;
}

export async function makeKey(kid: string, alg = 'RS256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** Graph's OpenID document and key set, over real HTTP, with a switch to turn it off. */
export class KeyServer {
  keys: JWK[];
  fetches = 0;
  /** What is answered in place of the documents. */
  failure: Listener | undefined;
  /** Changes the OpenID document, whose `issuer` differs from that of the tokens, as Graph's does. */
  document: (own: string) => object = (own) => ({ issuer: `${own}/v1/`, jwks_uri: `${own}/keys` });
  #port = 0;
  #server: Server | undefined;

  constructor(keys: SigningKey[]) {
    this.keys = keys.map(({ jwk }) => jwk);
  }

  get openIdUrl(): string {
    return `http://127.0.0.1:${this.#port}/v1/.well-known/OpenIdConfiguration`;
  }

  async up(): Promise<this> {
    const { server, port } = await listen((request, response) => this.#answer(request, response), this.#port);
    this.#server = server;
    this.#port = port;
    return this;
  }

  async down(): Promise<void> {
    if (this.#server !== undefined) await shut(this.#server);
    this.#server = undefined;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const isDocument = request.url?.endsWith('OpenIdConfiguration');
    if (isDocument) this.fetches += 1;
    if (this.failure !== undefined) return this.failure(request, response);
    response.setHeader('content-type', 'application/json');
    const own = `http://127.0.0.1:${this.#port}`;
    response.end(JSON.stringify(isDocument ? this.document(own) : { keys: this.keys }));
  }
}

export interface TokenOptions {
  header?: Record<string, unknown>;
  /** Set to `undefined`, a claim is left out. */
  claims?: Record<string, unknown>;
}

/** A token as Graph's are: five minutes long, no `iat`, `cty` though it is not nested. */
export async function signToken(key: SigningKey, { header, claims }: TokenOptions = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const times = { nbf: now - 1, exp: now + 300 };
  const all = { iss: ISSUERS[1], aud: AUDIENCE, tid: TENANT, ...times, ...claims };
  const payload = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  const alg = String(key.jwk.alg);
  return new SignJWT(payload)
    .setProtectedHeader({ alg, kid: key.kid, typ: 'JWT', cty: 'JWT', ...header })
    .sign(key.privateKey);
}

/** Stands in for Temporal: remembers what it was given and when, and can be slow or fail. */
export class Recorder {
  readonly handed: (Deliverable & { at: number })[] = [];
  running = 0;
  mostAtOnce = 0;
  outcome: DeliveryOutcome = 'handed-over';
  before: (notification: Deliverable) => Promise<void> | void = () => undefined;

  readonly deliver: Deliver = async (notification) => {
    this.handed.push({ ...notification, at: performance.now() });
    this.running += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.running);
    try {
      await this.before(notification);
      return this.outcome;
    } finally {
      this.running -= 1;
    }
  };
}

export interface Rig {
  url: string;
  healthUrl: string;
  server: DrainingServer;
  recorder: Recorder;
  metrics: WebhookMetrics;
  keys: KeyServer;
  key: SigningKey;
  token: string;
  post(body: unknown, init?: { path?: string; headers?: Record<string, string> }): Promise<Response>;
  close(): Promise<void>;
}

const sharedKey = await makeKey('graph-1');

/** The webhook's server with a recorder for Temporal and a key server of its own. */
export async function rig(rules: Partial<WebhookServerOptions> = {}): Promise<Rig> {
  const keys = await new KeyServer([sharedKey]).up();
  const recorder = new Recorder();
  const metrics = new WebhookMetrics();
  const server = createWebhookServer({
    path: '/api/calls',
    audience: AUDIENCE,
    issuers: ISSUERS,
    openIdUrl: keys.openIdUrl,
    log: silent,
    metrics,
    deliver: recorder.deliver,
    ...rules,
  });
  const { url, health: healthUrl } = await server.listen({ host: '127.0.0.1', port: 0 });
  const token = await signToken(sharedKey);
  return {
    url,
    healthUrl,
    server,
    recorder,
    metrics,
    keys,
    key: sharedKey,
    token,
    post: async (body, { path = '/api/calls', headers } = {}) =>
      fetch(url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
        redirect: 'manual',
      }),
    async close() {
      await server.close();
      await keys.down();
    },
  };
}
