import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { findTemporalCli } from '../src/dev/temporal-cli.ts';
import { build } from './build.ts';
import { canonical, embedded, floor, ours, type Contender } from './contenders.ts';
import { countsOf, newSample, requestsOf, runBlock, type Counted, type Sample } from './measure.ts';
import { cpuOf, sleep } from './process.ts';
import { countTable, figuresOf, modeTable, ratioTable, timelineTable, type Findings } from './report.ts';
import { Simulator } from './simulator.ts';
import { existingTemporal, startTemporal, type TemporalServer } from './temporal-server.ts';
import { timelineOf } from './timeline.ts';

/**
 * What a confirmed mute costs: ours beside the same steps as Temporal's samples would write them (`canonical/`), and
 * beside the same HTTP with nothing durable (`floor.ts`). All are carried out in one run, in blocks that take turns, so
 * that whatever else the machine does meets all alike; what counts are the ratios.
 *
 * Every call is a new one, in a Graph simulator that tells the roster 20 ms after its answer. Everything listens on the
 * loopback address, and ends with this process.
 */

const USAGE = `npx tsx bench/run.ts [flags]
  --sequential N      operations a contender, one at a time (100)
  --concurrent N      operations a contender, many at once (300)
  --at-once N         how many that is (50)
  --server WHICH      pollrps: the dev server with its poll limits raised, as ours sets them (the default);
                      default: without; both: two servers, ours on the first and the canonical build on each
  --db WHICH          memory (the default) or file
  --temporal ADDRESS  a server that runs already in place of a dev server, such as that of npm run cluster, with
                      the namespace default; its own CPU is not counted
  --json FILE         writes everything that was measured
`;

const { values } = parseArgs({
  options: {
    sequential: { type: 'string', default: '100' },
    concurrent: { type: 'string', default: '300' },
    'at-once': { type: 'string', default: '50' },
    server: { type: 'string', default: 'pollrps' },
    db: { type: 'string', default: 'memory' },
    temporal: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

/** A run takes minutes; nobody needs one that takes a day. */
const MAX_OPERATIONS = 10_000;

function numberOf(name: 'sequential' | 'concurrent' | 'at-once', least: number): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= least && value <= MAX_OPERATIONS) return value;
  return refuse(`--${name} must be a whole number from ${least} to ${MAX_OPERATIONS}`);
}

function oneOf<T extends string>(name: 'server' | 'db', ...allowed: readonly T[]): T {
  const found = allowed.find((each) => each === values[name]);
  return found ?? refuse(`--${name} must be one of ${allowed.join(', ')}`);
}

function refuse(fault: string): never {
  process.stderr.write(`${fault}\n\n${USAGE}`);
  process.exit(2);
}

if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

const options = {
  sequential: numberOf('sequential', 1),
  concurrent: numberOf('concurrent', 1),
  atOnce: numberOf('at-once', 1),
  server: oneOf('server', 'pollrps', 'default', 'both'),
  db: oneOf('db', 'memory', 'file'),
};

/** Blocks that take turns: small enough that a disturbance meets all, large enough to fill the pipe. */
const SEQUENTIAL_BLOCK = 10;
const CONCURRENT_BLOCK = Math.max(150, options.atOnce * 3);

/** Operations before anything counts: compilers, connections, caches. */
const WARM_UP = { one: 10, many: 100 };

/** Operations of each contender whose histories are read. */
const MAX_COUNTED = 40;

/** Operations more of each, over which the server counts requests. */
const REQUESTS_OVER = 20;

const started: (() => void | Promise<void>)[] = [];

async function stopAll(): Promise<void> {
  for (const stop of started.splice(0).toReversed()) await stop();
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function start(): Promise<{ graph: Simulator; contenders: Contender[] }> {
  const cli = await findTemporalCli({
    path: process.env['MODERATION_TEMPORAL_CLI'],
    searchPath: process.env['PATH'],
    onProgress: say,
  });
  say('Building …');
  const { folder, remove } = await build();
  started.push(remove);
  say('Starting Temporal, the simulator and the contenders …');
  const graph = await Simulator.start(folder);
  started.push(() => graph.stop());
  const temporal = async (limits: 'raised' | 'default'): Promise<TemporalServer> => {
    const server = await startTemporal({ cli, limits, db: options.db });
    started.push(server.stop);
    return server;
  };
  const contenders: Contender[] = [];
  const enter = async (contender: Promise<Contender>): Promise<void> => {
    const entered = await contender;
    started.push(entered.stop);
    contenders.push(entered);
  };
  const surroundings = { folder, graph };
  const { temporal: address } = values;
  const first =
    address === undefined
      ? await temporal(options.server === 'default' ? 'default' : 'raised')
      : await existingTemporal(address);
  await enter(ours('ours', surroundings, first));
  await enter(embedded('ours, eager', surroundings, first));
  await enter(canonical('canonical', surroundings, first));
  if (options.server === 'both') {
    await enter(canonical('canonical, default server', surroundings, await temporal('default')));
  }
  await enter(floor('floor', surroundings));
  return { graph, contenders };
}

/** Blocks of all contenders in turns, each round in another order. */
async function inTurns(
  contenders: readonly Contender[],
  total: number,
  most: number,
  block: (contender: Contender, count: number) => Promise<void>,
): Promise<void> {
  for (let done = 0, round = 0; done < total; done += most, round += 1) {
    const count = Math.min(most, total - done);
    const first = round % contenders.length;
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) await block(contender, count);
  }
}

async function measure(graph: Simulator, contenders: readonly Contender[]): Promise<Findings[]> {
  const samples = new Map(
    contenders.map((contender) => [contender, { sequential: newSample(), concurrent: newSample() }] as const),
  );
  const sampleOf = (contender: Contender, mode: 'sequential' | 'concurrent'): Sample =>
    samples.get(contender)?.[mode] ?? newSample();

  say('Warming up …');
  for (const contender of contenders) {
    await runBlock(contender, graph, newSample(), { count: WARM_UP.one, atOnce: 1 });
    await runBlock(contender, graph, newSample(), { count: WARM_UP.many, atOnce: options.atOnce });
  }
  say(`${options.sequential} operations each, one at a time …`);
  await inTurns(contenders, options.sequential, SEQUENTIAL_BLOCK, async (contender, count) => {
    await runBlock(contender, graph, sampleOf(contender, 'sequential'), { count, atOnce: 1 });
  });
  say(`${options.concurrent} operations each, ${options.atOnce} at once …`);
  await inTurns(contenders, options.concurrent, CONCURRENT_BLOCK, async (contender, count) => {
    await runBlock(contender, graph, sampleOf(contender, 'concurrent'), { count, atOnce: options.atOnce });
  });

  say('Counting …');
  const findings: Findings[] = [];
  for (const contender of contenders) {
    const sequential = sampleOf(contender, 'sequential');
    const concurrent = sampleOf(contender, 'concurrent');
    const counted = await countAll(contender, graph, sequential);
    const requests = await requestsOf(contender, graph, REQUESTS_OVER);
    findings.push({ name: contender.name, sequential, concurrent, counted, requests, timeline: timelineOf(counted) });
  }
  return findings;
}

async function countAll({ temporal, workflowIdOf }: Contender, graph: Simulator, { timings }: Sample) {
  const connection = temporal && (await Connection.connect({ address: temporal.address }));
  const client = connection && new Client({ connection });
  const counted: Counted[] = [];
  for (const timing of timings.slice(0, MAX_COUNTED)) {
    counted.push(await countsOf(timing, graph, client, workflowIdOf?.(timing.callId)));
  }
  await connection?.close();
  return counted;
}

/** What the contenders cost while they do nothing, which their operations' CPU holds a share of. */
async function idle(contenders: readonly Contender[]): Promise<string> {
  const pids = contenders.flatMap(({ name, pids: parts }) =>
    Object.entries(parts).map(([part, pid]) => [`${name}: ${part}`, pid] as const),
  );
  await sleep(2_000);
  const before = pids.map(([, pid]) => cpuOf(pid) ?? 0);
  const ms = 3_000;
  await sleep(ms);
  const busy = pids
    .map(([name, pid], index) => [name, ((cpuOf(pid) ?? 0) - (before[index] ?? 0)) / ms] as const)
    .filter(([, share]) => share >= 0.005)
    .map(([name, share]) => `${name} ${(share * 100).toFixed(1)} %`);
  return `CPU while nothing goes on: ${busy.join(', ') || 'none to speak of'}`;
}

function serverOf(): string {
  const { temporal: address } = values;
  return address === undefined
    ? `Temporal's dev server, limits ${options.server}, database in ${options.db}`
    : `Temporal at ${address}, whose CPU is not counted`;
}

async function main(): Promise<void> {
  const { graph, contenders } = await start();
  const resting = await idle(contenders);
  const findings = await measure(graph, contenders);
  const ground = findings.find(({ name }) => name === 'floor');
  const bases = findings.filter(({ name }) => name.startsWith('canonical'));
  const parts = [
    `${serverOf()}. CPU in ms a confirmed operation; CPU/op is all but the simulator.`,
    resting,
    modeTable('One at a time', 'sequential', findings),
    modeTable(`${options.atOnce} at once`, 'concurrent', findings),
    countTable(findings),
    ...bases.map((base) => (ground === undefined ? '' : ratioTable(findings, base, ground))),
    ...findings.filter(({ timeline }) => timeline.length > 2).map(timelineTable),
  ];
  process.stdout.write(`\n${parts.join('\n\n')}\n`);
  const faults = findings.flatMap(({ sequential, concurrent }) => [...sequential.faults, ...concurrent.faults]);
  if (faults.length > 0) say(`Faults, the first of them: ${faults.slice(0, 5).join('; ')}`);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(toJson(findings), undefined, 2)}\n`);
}

function toJson(findings: readonly Findings[]): object {
  return {
    options,
    contenders: findings.map(({ name, sequential, concurrent, counted, requests, timeline }) => ({
      name,
      sequential: figuresOf(sequential),
      concurrent: figuresOf(concurrent),
      requests,
      counts: counted[0]?.counts,
      events: counted[0]?.byType,
      timeline,
    })),
  };
}

// What was started ends with this process, however that ends.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  await main();
} finally {
  await stopAll();
}
