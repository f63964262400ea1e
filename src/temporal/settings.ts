import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import { IN_A_HEADER, type Given } from '../lib/environment.ts';
import { reasonOf } from '../lib/error-reason.ts';

/**
 * `TEMPORAL_*` and the profile of a configuration file, as `@temporalio/envconfig` reads them, and checked: what it
 * takes in silence and a value that could never work is refused here, with the variable's name and never with a
 * value. The SDK would put a key that cannot be sent into the message of its error.
 */

export interface TemporalSettings {
  config: ClientConnectConfig | undefined;
  faults: string[];
}

export function readTemporal(given: Given): TemporalSettings {
  const { env, faults } = checkedBefore(given);
  if (faults.length > 0) return { config: undefined, faults };
  let loaded: ClientConnectConfig;
  try {
    loaded = loadClientConnectConfig({ overrideEnvVars: { ...env } });
  } catch (error) {
    return { config: undefined, faults: [`TEMPORAL_*: ${whyNotLoaded(error, given)}`] };
  }
  const config = trimmed(loaded);
  return { config, faults: faultsOf(config, given) };
}

const SWITCHES: Readonly<Record<string, string>> = { true: 'true', '1': 'true', false: 'false', '0': 'false' };

const FILES = [
  'TEMPORAL_CONFIG_FILE',
  'TEMPORAL_TLS_CLIENT_CERT_PATH',
  'TEMPORAL_TLS_CLIENT_KEY_PATH',
  'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
] as const;

/** What the library would misread: `True` as off, a file that is not there as none. */
function checkedBefore(given: Given): { env: Given; faults: string[] } {
  const faults: string[] = [];
  const env: Record<string, string> = { ...given };
  for (const name of ['TEMPORAL_TLS', 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION']) {
    const value = given[name];
    if (value === undefined) continue;
    const canonical = SWITCHES[value.toLowerCase()];
    if (canonical === undefined) faults.push(`${name}: must be true or false`);
    else env[name] = canonical;
  }
  if (env['TEMPORAL_TLS_DISABLE_HOST_VERIFICATION'] === 'true') {
    faults.push(
      'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: this SDK always verifies; give TEMPORAL_TLS_SERVER_CA_CERT_PATH or TEMPORAL_TLS_SERVER_NAME instead',
    );
  }
  for (const name of FILES) {
    const path = given[name];
    if (path === undefined) continue;
    try {
      readFileSync(path);
    } catch (error) {
      faults.push(`${name}: the file cannot be read (${reasonOf(error)}); correct the path`);
    }
  }
  for (const name of Object.keys(given)) {
    const header = /^TEMPORAL_GRPC_META_(.*)$/s.exec(name)?.[1];
    if (header !== undefined && !isHeaderName(header.toLowerCase())) {
      faults.push('TEMPORAL_GRPC_META_*: a name must be of A-Z 0-9 _, and not begin with GRPC_ or end with _BIN');
    }
  }
  return { env, faults };
}

function isHeaderName(name: string): boolean {
  return /^[0-9a-z_.-]+$/.test(name) && !/^grpc[-_]/.test(name) && !/[-_]bin$/.test(name);
}

/** TOML's own message quotes the line, which may have the key in it. */
function whyNotLoaded(error: unknown, given: Given): string {
  if (!(error instanceof Error)) return 'cannot be read';
  const { line, column } = error as Error & { line?: unknown; column?: unknown };
  if (error.name === 'TomlError' || typeof line === 'number') {
    return `the configuration file is not TOML (line ${String(line)}, column ${String(column)}); correct TEMPORAL_CONFIG_FILE`;
  }
  if (error.message.startsWith('Profile ')) {
    const profile = given['TEMPORAL_PROFILE'] ?? '';
    return `profile '${profile.slice(0, 64)}' not found in the configuration file; correct TEMPORAL_PROFILE`;
  }
  const both = /^Cannot specify both (\w+)_path and/.exec(error.message)?.[1];
  if (both !== undefined) return `${both} is given both as a path and as data; leave out one of them`;
  return `cannot be read (${reasonOf(error)}); check them and the configuration file`;
}

/** A file's values have the same accidents as a variable's. */
function trimmed({ namespace, connectionOptions }: ClientConnectConfig): ClientConnectConfig {
  const { address, apiKey, metadata } = connectionOptions;
  const trim = (value: unknown): string | undefined =>
    typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
  const trimmedMetadata = Object.entries(metadata ?? {}).map(([name, value]) => [name, String(value).trim()] as const);
  return {
    namespace: trim(namespace),
    connectionOptions: {
      ...connectionOptions,
      address: trim(address),
      apiKey: trim(apiKey),
      ...(metadata !== undefined && { metadata: Object.fromEntries(trimmedMetadata) }),
    },
  } as ClientConnectConfig;
}

const ADDRESS = /^(?:\[[0-9a-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::(\d{1,5}))?$/i;

function faultsOf({ namespace, connectionOptions }: ClientConnectConfig, given: Given): string[] {
  const { address, apiKey, metadata, tls } = connectionOptions;
  const at = (name: string, field: string): string => (name in given ? name : `TEMPORAL_CONFIG_FILE, ${field}`);
  const faults: string[] = [];
  const port = address === undefined ? undefined : ADDRESS.exec(address);
  if (port === null || Number(port?.[1] ?? 1) > 65_535 || Number(port?.[1] ?? 1) === 0) {
    faults.push(
      `${at('TEMPORAL_ADDRESS', 'address')}: must be a host and a port without scheme and path, such as temporal.example.com:7233`,
    );
  }
  if (
    namespace !== undefined &&
    (!IN_A_HEADER.test(namespace) || /["'`\\/]/.test(namespace) || namespace.length > 255)
  ) {
    faults.push(
      `${at('TEMPORAL_NAMESPACE', 'namespace')}: must be the name of a namespace, without white space and quotes`,
    );
  }
  if (apiKey !== undefined && (typeof apiKey !== 'string' || !IN_A_HEADER.test(apiKey) || isQuoted(apiKey))) {
    faults.push(
      `${at('TEMPORAL_API_KEY', 'api_key')}: must be the key alone, printable ASCII without white space and quotes, because it is sent in a header; copy it again, without 'Bearer'`,
    );
  }
  for (const [name, value] of Object.entries(metadata ?? {})) {
    const variable = Object.keys(given).find(
      (known) => known.startsWith('TEMPORAL_GRPC_META_') && sameHeader(known.slice('TEMPORAL_GRPC_META_'.length), name),
    );
    const where = variable ?? 'TEMPORAL_CONFIG_FILE, grpc_meta';
    if (!isHeaderName(name)) faults.push(`${where}: has a name that gRPC does not allow`);
    else if (!/^[\u0020-\u007e]+$/.test(String(value)) || isQuoted(String(value))) {
      faults.push(`${where}: must be printable ASCII without quotes around it, because it is sent in a header`);
    }
  }
  if (typeof tls === 'object' && tls !== null) faults.push(...faultsOfTls(tls, given));
  return faults;
}

function isQuoted(value: string): boolean {
  return /^(["'`]).*\1$/s.test(value);
}

function sameHeader(variable: string, name: string): boolean {
  return variable.toLowerCase().replaceAll('_', '-') === name.replaceAll('_', '-');
}

type Tls = Exclude<ClientConnectConfig['connectionOptions']['tls'], boolean | null | undefined>;

function faultsOfTls({ clientCertPair, serverRootCACertificate }: Tls, given: Given): string[] {
  const isGiven = (what: string): boolean => [`${what}_PATH`, `${what}_DATA`].some((name) => name in given);
  const [cert, key] = ['TEMPORAL_TLS_CLIENT_CERT', 'TEMPORAL_TLS_CLIENT_KEY'];
  const faults: string[] = [];
  // Half of a pair is no pair to the library, which then connects without a certificate.
  if (clientCertPair === undefined && isGiven(cert) !== isGiven(key)) {
    const [present, absent] = isGiven(cert) ? [cert, key] : [key, cert];
    faults.push(`${absent}_PATH: required beside ${present}_*; a client certificate is a certificate and its key`);
  }
  if (clientCertPair !== undefined) {
    const fault = faultOfPem({ cert: clientCertPair.crt, key: clientCertPair.key });
    if (fault !== undefined) faults.push(`${cert}_*, _KEY_*: ${fault}`);
  }
  if (serverRootCACertificate !== undefined) {
    const fault = faultOfPem({ ca: serverRootCACertificate });
    const hasOne = Buffer.from(serverRootCACertificate).includes('-----BEGIN ');
    if (fault !== undefined || !hasOne) faults.push(`TEMPORAL_TLS_SERVER_CA_CERT_*: ${fault ?? NOT_PEM}`);
  }
  return faults;
}

const NOT_PEM =
  "must be PEM that can be read: lines of base64 between '-----BEGIN' and '-----END', with real line breaks and without a passphrase";

function faultOfPem(pem: { cert?: Uint8Array; key?: Uint8Array; ca?: Uint8Array }): string | undefined {
  try {
    createSecureContext(Object.fromEntries(Object.entries(pem).map(([name, bytes]) => [name, Buffer.from(bytes)])));
    return undefined;
  } catch (error) {
    const isMismatch = error instanceof Error && /KEY_VALUES_MISMATCH|key values mismatch/i.test(error.message);
    return isMismatch ? 'the key is not the key of the certificate; give the two that belong together' : NOT_PEM;
  }
}
