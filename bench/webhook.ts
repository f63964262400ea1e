import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { Agent, request } from 'undici';
import { findTemporalCli } from '../src/dev/temporal-cli.ts';
import { build } from './build.ts';
import { cpuOf, Process, sleep } from './process.ts';
import { startTemporal } from './temporal-server.ts';

/**
 * How many rosters a webhook takes, as fast as a sender on this machine can send them: with the hand-over to Temporal, and
 * with everything but that. Both run in one run, in blocks that take turns. No operation is in flight on any of the
 * calls, as on most, so that every hand-over finds nobody: one signal for each notification, or for those that were merged.
 */

const USAGE = `npx tsx bench/webhook.ts [flags]
  --calls N        calls that talk, in turns (1000)
  --people N       in each roster (100)
  --connections N  requests at a time (50)
  --rounds N       blocks of each (6)
  --seconds N      a block (3)
`;

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '1000' },
    people: { type: 'string', default: '100' },
    connections: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '6' },
    seconds: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

function numberOf(name: 'calls' | 'people' | 'connections' | 'rounds' | 'seconds', most: number): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  process.stderr.write(`--${name} must be a whole number from 1 to ${most}\n\n${USAGE}`);
  return process.exit(2);
}

const calls = numberOf('calls', 10_000);
const people = numberOf('people', 100);
const connections = numberOf('connections', 500);
const rounds = numberOf('rounds', 50);
const seconds = numberOf('seconds', 60);

const AUDIENCE = '0efc74f7-41c3-47a4-8775-7259bfef4241';
const ISSUER = 'https://graph.microsoft.com';

/** Graph's keys as the webhook finds them, and a token that they sign. */
async function keys(): Promise<{ server: Server; openIdUrl: string; token: string }> {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
  const server = createServer(({ url, headers: { host } }, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(url === '/keys' ? { keys: [jwk] } : { jwks_uri: `http://${host}/keys` }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const token = await new SignJWT({ tid: '1fdd12d0-4620-44ed-baec-459b611f84b2' })
    .setProtectedHeader({ alg: 'RS256', kid: 'one' })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(privateKey);
  return { server, openIdUrl: `http://127.0.0.1:${port}/`, token };
}

/** A roster as Graph sends it by default: everybody, for anybody's change. */
function rosterOf(call: number): string {
  const id = (kind: string, index: number): string =>
    `${kind}${String(index).padStart(7, '0')}-894c-409a-b240-bd8beae78896`;
  const resource = `/communications/calls/${id('c', call)}/participants`;
  const participants = Array.from({ length: people }, (_, index) => ({
    '@odata.type': '#microsoft.graph.participant',
    id: id('p', index),
    info: {
      '@odata.type': '#microsoft.graph.participantInfo',
      identity: { user: { id: id('u', index), displayName: `Person ${index}`, identityProvider: 'AAD' } },
      languageId: 'en-us',
    },
    mediaStreams: [{ mediaType: 'audio', label: 'main-audio', sourceId: String(index), direction: 'sendReceive' }],
    isMuted: index % 2 === 0,
    isInLobby: false,
  }));
  const entry = { '@odata.type': '#microsoft.graph.commsNotification', changeType: 'updated', resource };
  return JSON.stringify({ value: [{ ...entry, resourceUrl: resource, resourceData: participants }] });
}

interface Sample {
  sent: number;
  ms: number;
  cpu: number;
  refused: number;
  mostMiB: number;
}

function newSample(): Sample {
  return { sent: 0, ms: 0, cpu: 0, refused: 0, mostMiB: 0 };
}

const agent = new Agent({ connections });

/** As many as go, for a block's time. */
async function storm(url: string, pid: number, token: string, bodies: readonly string[], into: Sample): Promise<void> {
  const cpuBefore = cpuOf(pid) ?? 0;
  const began = performance.now();
  const until = began + seconds * 1_000;
  const send = async (): Promise<void> => {
    while (performance.now() < until) {
      const body = bodies[into.sent % bodies.length] ?? '';
      into.sent += 1;
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const answer = await request(`${url}/api/calls`, { method: 'POST', headers, body, dispatcher: agent });
      await answer.body.dump();
      if (answer.statusCode !== 202) into.refused += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, send));
  into.ms += performance.now() - began;
  into.cpu += (cpuOf(pid) ?? 0) - cpuBefore;
  into.mostMiB = Math.max(into.mostMiB, residentMiBOf(pid));
}

function residentMiBOf(pid: number): number {
  const [, kiB = '0'] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kiB) / 1_024;
}

const stops: (() => void | Promise<void>)[] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  const cli = await findTemporalCli({
    path: process.env['MODERATION_TEMPORAL_CLI'],
    searchPath: process.env['PATH'],
    onProgress: (text) => void process.stderr.write(`${text}\n`),
  });
  const { folder, remove } = await build();
  stops.push(remove);
  const temporal = await startTemporal({ cli, limits: 'raised', db: 'memory' });
  stops.push(temporal.stop);
  const { server, openIdUrl, token } = await keys();
  stops.push(() => void server.close());
  const bodies = Array.from({ length: calls }, (_, call) => rosterOf(call));
  const env = { BENCH_AUDIENCE: AUDIENCE, BENCH_ISSUER: ISSUER, BENCH_OPENID_URL: openIdUrl };
  const contenders = await Promise.all(
    [
      { name: 'with the hand-over', more: { TEMPORAL_ADDRESS: temporal.address } },
      { name: 'without', more: {} },
    ].map(async ({ name, more }) => {
      const child = new Process(`webhook ${name}`, {
        script: `${folder}/bench/webhook-process.js`,
        env: { ...env, ...more },
      });
      stops.push(async () => await child.stop());
      const { url = '' } = await child.ready();
      return { name, url, pid: child.pid, sample: newSample() };
    }),
  );
  for (const { url, pid } of contenders) {
    await storm(url, pid, token, bodies, newSample());
  }
  const signals = async (): Promise<number> => {
    // The server brings its metrics up to date once a second.
    await sleep(2_500);
    return (await temporal.requests())['SignalWorkflowExecution'] ?? 0;
  };
  const before = await signals();
  for (let round = 0; round < rounds; round += 1) {
    for (const { url, pid, sample } of round % 2 === 0 ? contenders : contenders.toReversed()) {
      await storm(url, pid, token, bodies, sample);
    }
  }
  const signalled = (await signals()) - before;
  const rate = ({ sent, ms }: Sample): number => (sent / ms) * 1_000;
  const each = ({ sent, cpu }: Sample): number => cpu / sent;
  const kiB = Math.round((bodies[0]?.length ?? 0) / 1_024);
  process.stdout.write(`\n${calls} calls, rosters of ${people} (${kiB} KiB), ${connections} requests at a time\n\n`);
  for (const { name, sample } of contenders) {
    process.stdout.write(
      `${name.padEnd(20)} ${rate(sample).toFixed(0).padStart(6)} a second  ${each(sample).toFixed(2)} ms CPU each  at most ${sample.mostMiB.toFixed(0)} MiB  ${sample.refused} of ${sample.sent} refused\n`,
    );
  }
  const [on, off] = contenders.map(({ sample }) => sample);
  if (on !== undefined && off !== undefined) {
    process.stdout.write(
      `\nrate with the hand-over against without: ${(rate(on) / rate(off)).toFixed(2)}, by the webhook's own CPU ${(each(off) / each(on)).toFixed(2)}; signals a notification: ${(signalled / on.sent).toFixed(2)}\n`,
    );
  }
} finally {
  for (const stop of stops.toReversed()) await stop();
  await agent.close();
}
