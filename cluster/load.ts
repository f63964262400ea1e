import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ModerationClient } from '../src/client/moderation-client.ts';
import { loadClientConfig } from '../src/config/common.ts';
import { exitOnFault } from '../src/lib/exit-on-error.ts';
import { closeClient, connectClient } from '../src/temporal/connect.ts';
import { Topology } from './topology.ts';
import { databaseBytes, usageOf, type Usage } from './usage.ts';

/**
 * `npm run cluster:load`: so many operations, so many at once, through a deployment on this machine, and what each part has
 * used for one. The numbers of docs/sizing.md come from here. For Linux, whose counters it reads.
 */

const HELP = `npm run cluster:load [-- OPTIONS]

  --operations N   in all (600)
  --concurrent N   under way at once (20)
  --workers N      (2)
  --webhooks N     (2)
  --shards N       Temporal's history shards (4)
`;

const number = (text: string): number => {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new Error(`${text} is no number of 1 to 99999`);
  return Number(text);
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      operations: { type: 'string', default: '600' },
      concurrent: { type: 'string', default: '20' },
      workers: { type: 'string', default: '2' },
      webhooks: { type: 'string', default: '2' },
      shards: { type: 'string', default: '4' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const [operations, concurrent] = [number(values.operations), number(values.concurrent)];
  const [workers, webhooks] = [number(values.workers), number(values.webhooks)];
  const historyShards = number(values.shards);
  const folder = await mkdtemp(join(tmpdir(), 'call-moderation-cluster-'));
  try {
    const dist = fileURLToPath(new URL('../dist', import.meta.url));
    const env = { LOG_LEVEL: 'warn' };
    const topology = await Topology.start({
      folder,
      dist,
      env,
      workers,
      webhooks,
      historyShards,
      ui: false,
      simulator: {},
    });
    try {
      await measure(topology, operations, concurrent);
    } finally {
      await topology.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(topology: Topology, operations: number, concurrent: number): Promise<void> {
  const { parts, postgres, graph } = topology;
  if (graph === undefined || postgres === undefined) throw new Error('the topology is not complete');
  const client = await connectClient(loadClientConfig({ TEMPORAL_ADDRESS: topology.temporalAddress }));
  const moderation = new ModerationClient({ client });
  let requests = 0;
  const latencies: number[] = [];
  const operate = async (): Promise<void> => {
    const { id } = graph.createCall({ callbackUri: topology.callbackUrl });
    const since = performance.now();
    await (await moderation.mute({ callId: id })).result();
    latencies.push(performance.now() - since);
    requests += graph.log(id).filter(({ type }) => type === 'request').length;
  };
  const run = async (count: number): Promise<void> => {
    let left = count;
    const one = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await operate();
      }
    };
    await Promise.all(Array.from({ length: concurrent }, one));
  };
  try {
    // Caches, compilers and connections.
    await run(concurrent * 2);
    latencies.length = 0;
    requests = 0;
    const before = { usages: parts.map(usageOf), bytes: await databaseBytes(postgres) };
    const since = performance.now();
    await run(operations);
    const seconds = (performance.now() - since) / 1_000;
    const after = { usages: parts.map(usageOf), bytes: await databaseBytes(postgres) };

    const sorted = latencies.toSorted((a, b) => a - b);
    const at = (share: number): string => `${Math.round(sorted[Math.floor(sorted.length * share)] ?? 0)} ms`;
    const kinds = new Map<string, Usage>();
    for (const [index, { name }] of parts.entries()) {
      const kind = name.replace(/-\d+$/, '');
      const { cpuMs = 0 } = before.usages[index] ?? {};
      const now = after.usages[index] ?? { cpuMs: 0, ownBytes: 0 };
      const sum = kinds.get(kind) ?? { cpuMs: 0, ownBytes: 0 };
      kinds.set(kind, {
        cpuMs: sum.cpuMs + now.cpuMs - cpuMs,
        ownBytes: Math.max(sum.ownBytes, now.ownBytes),
      });
    }
    const rows = [
      ['operations a second', (operations / seconds).toFixed(1)],
      ['median, 95th percentile', `${at(0.5)}, ${at(0.95)}`],
      ['requests to Graph an operation', (requests / operations).toFixed(2)],
      ['database, an operation', `${((after.bytes - before.bytes) / operations / 1_024).toFixed(1)} KiB`],
      ...[...kinds].map(([kind, { cpuMs, ownBytes }]) => [
        `${kind}: CPU an operation, memory each`,
        `${(cpuMs / operations).toFixed(1)} ms, ${Math.round(ownBytes / 1_048_576)} MiB`,
      ]),
    ];
    process.stdout.write(`\n| ${operations} operations, ${concurrent} at once | |\n|---|---|\n`);
    for (const row of rows) process.stdout.write(`| ${row.join(' | ')} |\n`);
  } finally {
    await closeClient(client);
  }
}

await exitOnFault(main);
