import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Environment } from '../../src/lib/environment.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { BIN, Command, killCommands, type Ended } from '../support/command-kit.ts';

/**
 * Secrets as files, shells and dashboards spoil them, given to every process and command: whether a value is taken or
 * refused, neither it nor a part of it comes out.
 */

const HEAD = 'plantedhead';
const TAIL = 'plantedtail';

/** What a secret may end up as. An environment can hold no NUL; a file can. */
const SPOILT: Readonly<Record<string, string>> = {
  'a line break at its end': `${HEAD}${TAIL}\n`,
  'a carriage return at its end': `${HEAD}${TAIL}\r\n`,
  'white space around it': ` ${HEAD}${TAIL}\t`,
  'a line break within': `${HEAD}\n${TAIL}`,
  'a carriage return within': `${HEAD}\r${TAIL}`,
  'a blank within': `${HEAD} ${TAIL}`,
  'letters beyond ASCII': `${HEAD}\u00e9${TAIL}`,
  quotes: `"${HEAD}${TAIL}"`,
  'control characters': `${HEAD}\u0001\u001b[31m${TAIL}`,
};

/** Every variable with a secret in it. */
function secretsOf(value: string): Environment {
  return {
    TEMPORAL_API_KEY: value,
    TEMPORAL_GRPC_META_X_SECRET: value,
    TEMPORAL_CODEC_AUTH: value,
    TEMPORAL_TLS_CLIENT_KEY_DATA: value,
    MODERATION_PAYLOAD_KEYS: `a:${value}`,
    MODERATION_GRAPH_TOKEN: value,
    MODERATION_EVENTS_SECRETS: `whsec_${value}`,
    MODERATION_WEBHOOK_FORWARD_URL: `http://user:${value}@127.0.0.1:1/`,
    AZURE_CLIENT_SECRET: value,
    AZURE_CLIENT_CERTIFICATE_PASSWORD: value,
    AZURE_PASSWORD: value,
    IDENTITY_HEADER: value,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=${value}`,
  };
}

const COMMANDS: readonly (readonly string[])[] = [
  ['worker'],
  ['webhook'],
  ['setup'],
  ['setup', '--json'],
  ['doctor'],
  ['doctor', '--json'],
  ['status', 'call'],
  ['list', '--json'],
  ['mute', 'call'],
  ['release', 'call'],
  ['policy', 'list'],
  ['codec', '--port', '0'],
  ['set-current-version'],
];

const APP = randomUUID();

let nowhere: Environment;
let folder: string;
beforeAll(async () => {
  nowhere = { TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}`, LOG_LEVEL: 'trace', MODERATION_HEALTH_PORT: '0' };
  folder = await mkdtemp(join(tmpdir(), 'call-moderation-secrets-'));
});
afterAll(async () => {
  await killCommands();
  await rm(folder, { recursive: true });
});

function expectNothingOf({ stdout, stderr }: Pick<Ended, 'stdout' | 'stderr'>): void {
  expect(stdout + stderr).not.toMatch(new RegExp(`${HEAD}|${TAIL}|planted`));
  // A message, and not the stack of an error that nobody expected.
  expect(stderr).not.toMatch(/^\s+at /m);
}

describe.each(COMMANDS.map((args, at) => ({ args, at })))('$args', ({ args, at }) => {
  test('refuses what cannot be a secret, and names the variables alone', { timeout: 60_000 }, async () => {
    const values = Object.values(SPOILT);
    // Each variable is spoilt in another way, and in another one by the next command.
    const secrets = Object.keys(secretsOf('')).map((name, of) => {
      const value = values[(at + of) % values.length] ?? '';
      return [name, secretsOf(value)[name]] as const;
    });
    const ended = await new Command(BIN, args, { ...nowhere, ...Object.fromEntries(secrets) }).ended;
    expectNothingOf(ended);
    expect(ended.code).toBe(1);
    expect(ended.stdout + ended.stderr).toContain('MODERATION_PAYLOAD_KEYS: key 1 must be');
  });
});

test.each(Object.entries(SPOILT))(
  'a key with %s is trimmed or refused, by its name',
  { timeout: 60_000 },
  async (_what, key) => {
    const env = { ...nowhere, TEMPORAL_API_KEY: key, TEMPORAL_TLS: 'false', TEMPORAL_GRPC_META_X_SECRET: key };
    const status = await new Command(BIN, ['status', 'call'], env).ended;
    expectNothingOf(status);
    expect(status.code).toBe(1);
    const isTrimmed = key.trim() === `${HEAD}${TAIL}`;
    expect(status.stderr).toMatch(isTrimmed ? /^Temporal cannot be reached at/ : /- TEMPORAL_API_KEY: /);
  },
);

test.each([
  ['a NUL', `api_key = "${HEAD}\\u0000${TAIL}"`],
  ['a line that is no TOML', `api_key = "${HEAD}\n${TAIL}"`],
  ['a key twice', `api_key = "${HEAD}"\napi_key = "${TAIL}"`],
  ['metadata with a line break', `grpc_meta = { x = "${HEAD}\\n${TAIL}" }`],
  ['a key of TLS that is none', `tls = { client_cert_data = "${HEAD}", client_key_data = "${TAIL}" }`],
  ['a key that is no text', `api_key = ["${HEAD}", "${TAIL}"]`],
  ['TLS that is no table', `tls = "${HEAD}${TAIL}"`],
])('a configuration file with %s is refused without a word of it', async (what, line) => {
  const file = join(folder, `${what.replaceAll(' ', '-')}.toml`);
  await writeFile(file, `[profile.default]\n${line}\n`);
  const ended = await new Command(BIN, ['status', 'call'], { ...nowhere, TEMPORAL_CONFIG_FILE: file }).ended;
  expectNothingOf(ended);
  expect(ended.code).toBe(1);
});

test('the doctor says nothing of a key that it takes', { timeout: 60_000 }, async () => {
  const key = `${HEAD}${TAIL}\n`;
  const graph = { MODERATION_GRAPH_URL: 'http://127.0.0.1:1', MODERATION_GRAPH_TOKEN: key };
  const env = { ...nowhere, ...graph, TEMPORAL_API_KEY: key, TEMPORAL_TLS: 'false', MODERATION_WEBHOOK_AUDIENCE: APP };
  const ended = await new Command(BIN, ['doctor'], env).ended;
  expectNothingOf(ended);
  expect(ended.stdout).toContain('Temporal does not answer at');
});

test('the webhook says nothing of a key in its answers, its metrics and its log', { timeout: 60_000 }, async () => {
  const port = await freePort();
  const webhook = new Command(BIN, ['webhook'], {
    ...nowhere,
    TEMPORAL_API_KEY: `${HEAD}${TAIL}\n`,
    TEMPORAL_TLS: 'false',
    MODERATION_PAYLOAD_KEYS: `a:${randomBytes(32).toString('base64')}\n`,
    MODERATION_WEBHOOK_AUDIENCE: APP,
    MODERATION_WEBHOOK_HOST: '127.0.0.1',
    MODERATION_WEBHOOK_PORT: String(port),
    MODERATION_HEALTH_PORT: undefined,
    MODERATION_WEBHOOK_OPENID_URL: 'http://127.0.0.1:1/planted-path',
  });
  await webhook.untilSaid(/webhook is listening/);
  const root = `http://127.0.0.1:${port}`;
  const ready = await fetch(`${root}/readyz`);
  expect(ready.status).toBe(503);
  const body = await ready.text();
  expect(JSON.parse(body)).toMatchObject({
    checks: { temporal: expect.stringMatching(/^[a-z ]+( 2 s)?$/), keys: 'the signing keys have not been fetched yet' },
  });
  const metrics = await (await fetch(`${root}/metrics`)).text();
  const headers = { authorization: 'Bearer a.b.c', 'content-type': 'application/json' };
  const refused = await fetch(`${root}/api/calls`, { method: 'POST', headers, body: '{}' });
  webhook.terminate();
  const { stderr, stdout } = await webhook.ended;
  expect(stderr).toContain('connection refused');
  for (const text of [body, metrics, await refused.text(), stdout, stderr.replaceAll('planted-path', '')]) {
    expect(text).not.toMatch(/planted/);
  }
});
