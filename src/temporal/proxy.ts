import { BlockList, isIPv4 } from 'node:net';
import type { ConnectionOptions } from '@temporalio/client';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { isLoopback } from '../lib/safe-url.ts';

/**
 * How Temporal is reached: directly, or through the HTTP proxy of `grpc_proxy`, which is gRPC's own variable and
 * written in lower case. Never on this machine, nor at the hosts of `no_grpc_proxy`, or else of `no_proxy`.
 *
 * The two SDKs differ: a client's gRPC also takes `https_proxy` and `http_proxy`, a worker's takes no variable at
 * all. Here both do the same. HTTPS_PROXY is not for Temporal, because Temporal is often beside the service where a
 * proxy cannot reach it.
 */

export const GRPC_PROXY = 'grpc_proxy';

type Environment = Readonly<Record<string, string | undefined>>;

/** For connections of clients. gRPC reads the rest of the environment itself. */
export function clientProxy(address: string | undefined, env: Environment = process.env): ConnectionOptions {
  return { channelArgs: { 'grpc.enable_http_proxy': proxyOf(address, env) === undefined ? 0 : 1 } };
}

/** For connections of workers. */
export function workerProxy(address: string | undefined, env: Environment = process.env): NativeConnectionOptions {
  const proxy = proxyOf(address, env);
  if (proxy === undefined) return {};
  const { hostname, port, username, password } = proxy;
  const basicAuth = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  return {
    proxy: {
      type: 'http-connect',
      targetHost: `${hostname}:${port || '80'}`,
      ...(username !== '' && { basicAuth }),
    },
  };
}

/** What is wrong with the variable. The message does not quote it: it may contain a password. */
export function grpcProxyFaults(env: Environment): string[] {
  if (env[GRPC_PROXY.toUpperCase()] && !env[GRPC_PROXY]) {
    return ['GRPC_PROXY: gRPC reads this variable in lower case only; set grpc_proxy'];
  }
  const value = env[GRPC_PROXY];
  if (!value || parse(value) !== undefined) return [];
  return [`${GRPC_PROXY}: must be the http: address of a proxy, such as http://proxy.example.com:3128`];
}

function proxyOf(address = 'localhost:7233', env: Environment): URL | undefined {
  const value = env[GRPC_PROXY];
  const proxy = value ? parse(value) : undefined;
  const target = `http://${address.replace(/^\w+:\/\//, '')}`;
  if (proxy === undefined || !URL.canParse(target)) return undefined;
  const { hostname } = new URL(target);
  if (isLoopback(new URL(target))) return undefined;
  return exceptions(env).some((entry) => isWithin(hostname, entry)) ? undefined : proxy;
}

function exceptions(env: Environment): string[] {
  return (env['no_grpc_proxy'] || env['no_proxy'] || '').split(',').filter((entry) => entry !== '');
}

/** As gRPC compares: the end of a name, or a range of IPv4 addresses. */
function isWithin(hostname: string, entry: string): boolean {
  const [ip = '', prefix = ''] = entry.split('/');
  if (!isIPv4(hostname) || !isIPv4(ip) || !/^([12]?\d|3[0-2])$/.test(prefix)) return hostname.endsWith(entry);
  const range = new BlockList();
  range.addSubnet(ip, Number(prefix));
  return range.check(hostname);
}

function parse(value: string): URL | undefined {
  try {
    const proxy = new URL(value);
    decodeURIComponent(`${proxy.username}:${proxy.password}`);
    return proxy.protocol === 'http:' ? proxy : undefined;
  } catch {
    return undefined;
  }
}
