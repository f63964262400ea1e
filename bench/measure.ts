import type { Client } from '@temporalio/client';
import { costOf, eventsByType, type Cost, type HistoryEvent } from './counts.ts';
import type { Contender } from './contenders.ts';
import type { Timing } from './load.ts';
import { cpuOf, cpuOfMachine, sleep } from './process.ts';
import type { Simulator } from './simulator.ts';

/** One contender in one mode, block by block. */
export interface Sample {
  confirmed: number;
  faults: string[];
  elapsedMs: number;
  timings: Timing[];
  /** CPU ms by part; empty where the system does not tell. */
  cpu: Record<string, number>;
  /** CPU ms of the machine that was neither ours nor idle, and all that there was. */
  foreignMs: number;
  machineMs: number;
}

export function newSample(): Sample {
  return { confirmed: 0, faults: [], elapsedMs: 0, timings: [], cpu: {}, foreignMs: 0, machineMs: 0 };
}

/** What comes after the last result still belongs to the block: the server's lists, the tasks that end themselves. */
const SETTLE_MS = 300;

/** Twice what an operation's own limit is: a block ends by itself before. */
const BLOCK_WITHIN_MS = 600_000;

/** Runs one block and adds what it took to `sample`. */
export async function runBlock(
  contender: Contender,
  graph: Simulator,
  sample: Sample,
  { count, atOnce }: { count: number; atOnce: number },
): Promise<void> {
  const calls = await graph.createCalls(contender.callbackUrl, count);
  const pids = { ...contender.pids, simulator: graph.pid };
  const before = look(pids);
  const { elapsedMs, timings } = await contender.client.carryOut({ calls, atOnce }, BLOCK_WITHIN_MS);
  await sleep(SETTLE_MS);
  const after = look(pids);
  const good = timings.filter(({ fault }) => fault === undefined);
  sample.confirmed += good.length;
  sample.timings.push(...good);
  sample.faults.push(...timings.flatMap(({ fault }) => fault ?? []));
  sample.elapsedMs += elapsedMs;
  add(sample.cpu, before.cpu, after.cpu);
  const ownMs = sum(after.cpu) - sum(before.cpu) + (after.self - before.self);
  sample.foreignMs += Math.max(0, after.used - before.used - ownMs);
  sample.machineMs += after.total - before.total;
}

function look(pids: Record<string, number>) {
  const { used, total } = cpuOfMachine() ?? { used: 0, total: 0 };
  const cpu: Record<string, number> = {};
  for (const [part, pid] of Object.entries(pids)) {
    const ms = cpuOf(pid);
    if (ms !== undefined) cpu[part] = ms;
  }
  return { cpu, used, total, self: cpuOf(process.pid) ?? 0 };
}

function add(into: Record<string, number>, before: Record<string, number>, after: Record<string, number>): void {
  for (const [name, value] of Object.entries(after)) {
    const more = value - (before[name] ?? 0);
    if (more > 0) into[name] = (into[name] ?? 0) + more;
  }
}

export function sum(values: Record<string, number>): number {
  return Object.values(values).reduce((total, value) => total + value, 0);
}

/** The nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The server brings its metrics up to date once a second. */
const METRICS_WITHIN_MS = 2_500;

/** Requests to Temporal's frontend an operation, by kind, over one more block. */
export async function requestsOf(
  contender: Contender,
  graph: Simulator,
  count: number,
): Promise<Record<string, number>> {
  const { temporal } = contender;
  if (temporal === undefined) return {};
  await sleep(METRICS_WITHIN_MS);
  const before = await temporal.requests();
  const sample = newSample();
  await runBlock(contender, graph, sample, { count, atOnce: 1 });
  await sleep(METRICS_WITHIN_MS);
  const more: Record<string, number> = {};
  add(more, before, await temporal.requests());
  return Object.fromEntries(Object.entries(more).map(([kind, requests]) => [kind, requests / sample.confirmed]));
}

export type Counts = Partial<Cost> & { graphRequests: number; notifications: number };

export interface Counted {
  timing: Timing;
  counts: Counts;
  events: readonly HistoryEvent[];
  byType: Record<string, number>;
}

/** The exact counts of one operation. */
export async function countsOf(
  timing: Timing,
  graph: Simulator,
  client: Client | undefined,
  workflowId: string | undefined,
): Promise<Counted> {
  const log = await graph.log(timing.callId);
  const of = (type: string): number => log.filter((entry) => entry.type === type).length;
  const history = workflowId === undefined ? undefined : await client?.workflow.getHandle(workflowId).fetchHistory();
  const events = history?.events ?? [];
  const cost = events.length === 0 ? {} : costOf(events);
  const counts = { ...cost, graphRequests: of('request'), notifications: of('notification') };
  return { timing, counts, events, byType: eventsByType(events) };
}
