import { Agent, Dispatcher, EnvHttpProxyAgent } from 'undici';
import { isLoopback } from './safe-url.ts';

/**
 * How this service sends HTTP requests: to Graph, to the key server, to the bot behind the webhook, and those of the
 * doctor. All take their dispatcher from here, so one place decides which requests use a forward proxy.
 *
 * - `https:` goes through HTTPS_PROXY, `http:` through HTTP_PROXY; ALL_PROXY stands in for a missing one, and
 *   HTTP_PROXY for both. Each may be written in lower case. `@azure/identity` reads the same variables itself.
 * - This machine, and the address at which Azure serves a managed identity, are never asked through a proxy. Nor are
 *   the hosts of NO_PROXY.
 * - Temporal is reached over gRPC, and directly: `temporal/proxy.ts`.
 */

const PROXY_NAMES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY'] as const;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A dispatcher of undici's. Whoever makes it closes it.
 *
 * @throws {TypeError} if a proxy of the environment is invalid, without its value
 */
export function outbound(options: Agent.Options = {}, env: Environment = process.env): Dispatcher {
  const faults = proxyFaults(env);
  if (faults.length > 0) throw new TypeError(faults.join('; '));
  const [https, http, all] = PROXY_NAMES.map((name) => valueOf(env, name));
  const httpProxy = http ?? all;
  const httpsProxy = https ?? all ?? http;
  if (httpProxy === undefined && httpsProxy === undefined) return new Agent(options);
  return new Outbound(
    new Agent(options),
    new EnvHttpProxyAgent({
      ...options,
      // An empty value keeps undici from reading the environment itself.
      httpProxy: httpProxy ?? '',
      httpsProxy: httpsProxy ?? '',
      noProxy: valueOf(env, 'NO_PROXY') ?? '',
    }),
  );
}

let shared: Dispatcher | undefined;

/** For requests that are seldom and keep no connection (`reset`): nothing has to be closed. */
export function seldom(): Dispatcher {
  return (shared ??= outbound());
}

/** The issues of the proxies in the environment. No message quotes a value: it may contain a password. */
export function proxyFaults(env: Environment): string[] {
  const spellings = PROXY_NAMES.flatMap((name) => [name, name.toLowerCase()]);
  return [...new Set(spellings)]
    .filter((name) => env[name] !== undefined && env[name].trim() !== '' && !isProxy(env[name]))
    .map((name) => `${name}: must be the http: or https: address of a proxy, such as http://proxy.example.com:3128`);
}

class Outbound extends Dispatcher {
  readonly #direct: Agent;
  readonly #proxied: EnvHttpProxyAgent;

  constructor(direct: Agent, proxied: EnvHttpProxyAgent) {
    super();
    this.#direct = direct;
    this.#proxied = proxied;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const dispatcher = isNear(new URL(String(options.origin))) ? this.#direct : this.#proxied;
    return dispatcher.dispatch(options, handler);
  }

  override async close(): Promise<void> {
    await Promise.all([this.#direct.close(), this.#proxied.close()]);
  }

  override async destroy(): Promise<void> {
    await Promise.all([this.#direct.destroy(), this.#proxied.destroy()]);
  }
}

/** Hosts that no proxy can reach for us: this machine, and link-local addresses (RFC 3927). */
function isNear(url: URL): boolean {
  return isLoopback(url) || /^169\.254(\.\d{1,3}){2}$/.test(url.hostname);
}

function valueOf(env: Environment, name: string): string | undefined {
  const value = env[name.toLowerCase()] ?? env[name];
  return value === undefined || value.trim() === '' ? undefined : value.trim();
}

function isProxy(value: string): boolean {
  try {
    const { protocol, username, password } = new URL(value.trim());
    // They are sent decoded.
    decodeURIComponent(`${username}:${password}`);
    return protocol === 'http:' || protocol === 'https:';
  } catch {
    return false;
  }
}
