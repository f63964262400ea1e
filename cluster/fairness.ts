import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Client } from '@temporalio/client';
import { ModerationClient } from '../src/client/moderation-client.ts';
import { loadClientConfig } from '../src/config/common.ts';
import { operationAttributes } from '../src/contract/attributes.ts';
import { workflowIdOf } from '../src/contract/call-id.ts';
import { DEFAULT_TASK_QUEUE } from '../src/contract/names.ts';
import { policyPriority, priorityOf, type Priority } from '../src/contract/priority.ts';
import { exitOnFault } from '../src/lib/exit-on-error.ts';
import type { Faults, GraphSimulator } from '../src/simulator/index.ts';
import { closeClient, connectClient } from '../src/temporal/connect.ts';
import { Topology } from './topology.ts';

/**
 * `npm run cluster:fairness`: whether a single mute waits behind many of a policy, and one tenant behind another, on the full
 * Temporal server. The numbers of docs/sizing.md come from here. Ends with 1 if a goal is missed.
 *
 * A backlog is what was asked for while the workers were away. Each one is measured on a deployment of its own, so that
 * nothing of the one before is left in a queue.
 */

const HELP = `npm run cluster:fairness [-- OPTIONS]

  --policies N   mutes of policies that wait (2000)
  --storm N      mutes of one tenant that wait, while ten of another are asked for (1000)
  --throttled N  mutes of one tenant that Graph throttles meanwhile (200)
  --workers N    (2)
  --activities N, --tasks N
                 activities and workflow tasks that a worker runs at a time (10, 3)
  --only NAMES   of priority, fairness, throttling, separated by commas (all)
  --compare      also without priorities, which takes as long as the backlog
`;

/** How many times longer it may take than on a quiet system. */
const GOAL = 3;

/** Single mutes, one after another: the median of so many. */
const SINGLES = 11;
const SINGLES_BEFORE = 20;
/** Without priorities each waits for the whole backlog, so they are asked for together. */
const SINGLES_COMPARED = 5;
const FEW = 10;
const STARTS_AT_ONCE = 50;
const THROTTLED: Faults = {
  requests: [{ on: 'any', answer: { status: 429, retryAfter: 2 }, times: 'forever' }],
};

const NAMES = ['priority', 'fairness', 'throttling'] as const;
type Name = (typeof NAMES)[number];

interface Row {
  what: string;
  alone: number;
  beside: number;
  /** What was still waiting at the end: if nothing was, nothing was shown. */
  left: number;
  isGoal: boolean;
}

interface Numbers {
  policies: number;
  storm: number;
  throttled: number;
  workers: number;
  activities: number;
  tasks: number;
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function main(): Promise<void> {
  const text = (value: number) => ({ type: 'string', default: String(value) }) as const;
  const { values } = parseArgs({
    options: {
      policies: text(2_000),
      storm: text(1_000),
      throttled: text(200),
      workers: text(2),
      activities: text(10),
      tasks: text(3),
      only: { type: 'string', default: NAMES.join(',') },
      compare: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const numbers: Numbers = {
    policies: number(values.policies),
    storm: number(values.storm),
    throttled: number(values.throttled),
    workers: number(values.workers),
    activities: number(values.activities),
    tasks: number(values.tasks),
  };
  const names = values.only.split(',').map(nameOf);
  const rows: Row[] = [];
  const add = (row: Row): void => {
    say(`  ${row.what}: ${ms(row.alone)} alone, ${ms(row.beside)} beside; ${row.left} still waited`);
    rows.push(row);
  };
  for (const name of names) {
    add(await inDeployment(numbers, async (lab) => await MEASURES[name](lab, numbers, true)));
    if (values.compare && name !== 'throttling')
      add(await inDeployment(numbers, async (lab) => await MEASURES[name](lab, numbers, false)));
  }
  say('\n| | alone | beside | times | still waiting at the end |\n|---|--:|--:|--:|--:|');
  for (const { what, alone, beside, left } of rows) {
    say(`| ${what} | ${ms(alone)} | ${ms(beside)} | ${(beside / alone).toFixed(1)} | ${left} |`);
  }
  const missed = rows.filter(({ isGoal, alone, beside, left }) => isGoal && (beside > GOAL * alone || left === 0));
  for (const { what, left } of missed) {
    say(left === 0 ? `Nothing was shown, because nothing waited any more: ${what}` : `Missed: ${what}`);
  }
  if (missed.length > 0) process.exitCode = 1;
}

const MEASURES: Readonly<Record<Name, (lab: Lab, numbers: Numbers, isPrioritized: boolean) => Promise<Row>>> = {
  /** An interactive mute, and what the policies of the same tenant have left to do. */
  priority: async (lab, { policies }, isPrioritized) => {
    const tenantId = randomUUID();
    const single = isPrioritized ? priorityOf('mute', tenantId) : undefined;
    const alone = await lab.oneByOne(SINGLES, tenantId, single);
    const queued = await lab.queue(policies, tenantId, isPrioritized ? policyPriority('mute', tenantId) : undefined);
    const beside = isPrioritized
      ? await lab.oneByOne(SINGLES, tenantId, single)
      : await lab.together(SINGLES_COMPARED, tenantId, single);
    const what = `a single mute, median; ${policies} mutes of policies queued`;
    return rowOf(what, isPrioritized, median(alone), median(beside), queued.left());
  },
  /** A few mutes of one tenant, and many of another with the same priority. */
  fairness: async (lab, { storm }, isPrioritized) => {
    const [many, few] = [randomUUID(), randomUUID()];
    const priority = (tenantId: string): Priority | undefined =>
      isPrioritized ? priorityOf('mute', tenantId) : undefined;
    const alone = await lab.together(FEW, few, priority(few));
    const queued = await lab.queue(storm, many, priority(many));
    const beside = await lab.together(FEW, few, priority(few));
    const what = `${FEW} mutes of a tenant, until all are done; ${storm} of another queued`;
    return rowOf(what, isPrioritized, Math.max(...alone), Math.max(...beside), queued.left());
  },
  /** The same, while Graph throttles the other tenant: a request that waits for its next try holds nothing. */
  throttling: async (lab, { throttled }) => {
    const [many, few] = [randomUUID(), randomUUID()];
    const priority = priorityOf('mute', few);
    const alone = await lab.together(FEW, few, priority);
    const queued = await lab.throttle(throttled, many, priorityOf('mute', many));
    const beside = await lab.together(FEW, few, priority);
    const what = `${FEW} mutes of a tenant, until all are done; Graph throttles ${throttled} of another`;
    return rowOf(what, true, Math.max(...alone), Math.max(...beside), queued.left());
  },
};

function rowOf(what: string, isGoal: boolean, alone: number, beside: number, left: number): Row {
  return { what: isGoal ? what : `${what}, without priorities`, alone, beside, left, isGoal };
}

/** A deployment, and the operations that are measured in it. */
class Lab {
  readonly #topology: Topology;
  readonly #graph: GraphSimulator;
  readonly #client: Client;

  constructor(topology: Topology, graph: GraphSimulator, client: Client) {
    this.#topology = topology;
    this.#graph = graph;
    this.#client = client;
  }

  /** Caches, compilers and connections. */
  async warmUp(): Promise<void> {
    const moderation = new ModerationClient({ client: this.#client });
    for (let round = 0; round < 2; round += 1) {
      await Promise.all(
        Array.from({ length: SINGLES_BEFORE }, async () => {
          await (await moderation.mute({ callId: this.#call() })).result();
        }),
      );
    }
  }

  /** How long each takes, in ms. */
  async oneByOne(count: number, tenantId: string, priority: Priority | undefined): Promise<number[]> {
    const all: number[] = [];
    for (let left = count; left > 0; left -= 1) all.push(await this.#operate(tenantId, priority));
    return all;
  }

  async together(count: number, tenantId: string, priority: Priority | undefined): Promise<number[]> {
    return await Promise.all(Array.from({ length: count }, async () => await this.#operate(tenantId, priority)));
  }

  /** Asked for while the workers are away. Settles when these are back and at work. */
  async queue(count: number, tenantId: string, priority: Priority | undefined) {
    const { workers } = this.#topology;
    await Promise.all(workers.map(async (worker) => await worker.stop()));
    const calls: string[] = [];
    const start = async (): Promise<void> => {
      while (calls.length < count) {
        const callId = this.#call();
        calls.push(callId);
        await this.#start(callId, tenantId, priority);
      }
    };
    await Promise.all(Array.from({ length: STARTS_AT_ONCE }, start));
    await Promise.all(workers.map(async (worker) => await worker.start()));
    // One of the first has been asked for.
    while (!calls.some((callId) => this.#graph.log(callId).some(({ type }) => type === 'request'))) await pause();
    const isDone = (callId: string): boolean =>
      this.#graph.log(callId).some((entry) => entry.type === 'request' && entry.effect === 'done');
    return { left: () => calls.filter((callId) => !isDone(callId)).length };
  }

  /** Asked for while the workers are there. Settles when Graph has refused each of them. */
  async throttle(count: number, tenantId: string, priority: Priority | undefined) {
    const calls = Array.from({ length: count }, () => this.#call(THROTTLED));
    await Promise.all(calls.map(async (callId) => await this.#start(callId, tenantId, priority)));
    const isRefused = (callId: string): boolean =>
      this.#graph.log(callId).some((entry) => entry.type === 'request' && entry.status === 429);
    while (!calls.every(isRefused)) await pause();
    return { left: () => calls.filter(isRefused).length };
  }

  async #operate(tenantId: string, priority: Priority | undefined): Promise<number> {
    const callId = this.#call();
    const since = performance.now();
    await (await this.#start(callId, tenantId, priority)).result();
    return performance.now() - since;
  }

  /** As our client starts it (`test/priority.test.ts` has the priorities), but with the priority that is measured. */
  async #start(callId: string, tenantId: string, priority: Priority | undefined) {
    const request = { callId, tenantId };
    return await this.#client.workflow.start('mute', {
      workflowId: workflowIdOf(callId),
      taskQueue: DEFAULT_TASK_QUEUE,
      args: [request],
      typedSearchAttributes: operationAttributes('mute', request),
      ...(priority !== undefined && { priority }),
    });
  }

  #call(faults?: Faults): string {
    const { id } = this.#graph.createCall({
      callbackUri: this.#topology.callbackUrl,
      ...(faults !== undefined && { faults }),
    });
    return id;
  }
}

async function inDeployment<T>({ workers, activities, tasks }: Numbers, work: (lab: Lab) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'call-moderation-cluster-'));
  try {
    const dist = fileURLToPath(new URL('../dist', import.meta.url));
    const env = {
      LOG_LEVEL: 'error',
      MODERATION_MAX_ACTIVITIES: String(activities),
      MODERATION_MAX_WORKFLOW_TASKS: String(tasks),
    };
    const topology = await Topology.start({ folder, dist, env, workers, ui: false, simulator: {} });
    try {
      const { graph, temporalAddress } = topology;
      if (graph === undefined) throw new Error('the topology is not complete');
      const client = await connectClient(loadClientConfig({ TEMPORAL_ADDRESS: temporalAddress }));
      try {
        const lab = new Lab(topology, graph, client);
        await lab.warmUp();
        return await work(lab);
      } finally {
        await closeClient(client);
      }
    } finally {
      await topology.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function number(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new Error(`${text} is no number of 1 to 99999`);
  return Number(text);
}

function nameOf(text: string): Name {
  const name = NAMES.find((one) => one === text);
  if (name === undefined) throw new Error(`--only: ${text} is none of ${NAMES.join(', ')}`);
  return name;
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}

function ms(time: number): string {
  return time < 10_000 ? `${Math.round(time)} ms` : `${(time / 1_000).toFixed(0)} s`;
}

async function pause(): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, 20);
  });
}

await exitOnFault(main);
