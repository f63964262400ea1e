import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Part } from '../../../cluster/part.ts';
import { databaseBytes, usageOf } from '../../../cluster/usage.ts';
import { listedRuns } from '../../../src/client/listed-runs.ts';
import { canonicalId } from '../../../src/contract/call-id.ts';
import { SEARCH_ATTRIBUTE } from '../../../src/contract/names.ts';
import type { Policy } from '../../../src/contract/policy.ts';
import type { Faults } from '../../../src/simulator/index.ts';
import { evidenceOf } from '../../faults/evidence.ts';
import { judge } from '../../faults/judge.ts';
import type { TestCall } from '../../support/service.ts';
import type { Cluster } from '../cluster.ts';
import { judgeDay, type DayRun } from './judge.ts';
import { Life, type Stage } from './life.ts';
import { CROWD, LIVES, type Kind } from './lives.ts';
import { Report, storyOf } from './report.ts';
import { Troubles } from './troubles.ts';

/**
 * A day in the life of a deployment. Calls come one after another in so many lanes, of each kind in turn (`lives.ts`). Beside
 * them the calls of an office are there all day, and muted in its quiet hours. Meanwhile workers and webhooks are replaced, each
 * part dies once, Graph throttles, and is away for a moment. In the end everything must have ended, and nothing may be left muted.
 *
 * - **Real**: every process, their deaths and returns, the time that anything takes, the deadlines and retries of the service,
 *   `Retry-After`.
 * - **Scaled**: the day, so how long calls, mutes and quiet hours last. Quiet hours are times of a real clock, minutes apart.
 *   A trouble takes as long as it takes, and makes the day longer.
 * - **Not here**: months, changes of the clock, lists that lag for minutes. The simulation has them (`test/simulation`).
 */
export interface DayOptions {
  /** Of the day without its troubles. */
  minutes: number;
  /** Calls at a time, beside the office's. */
  lanes: number;
  kinds: readonly Kind[];
  /** How long anything may take to be seen. */
  limitMs: number;
  /** Whether anything goes wrong, and quiet hours come. */
  hasTroubles: boolean;
  /** Calls with quiet hours. */
  office: number;
  /** Calls whose operations are judged one by one, which costs as much as they did. */
  sample: number;
}

export interface DayResult {
  calls: number;
  operations: number;
  troubles: number;
  /** Requests that Graph has refused with 429. */
  throttled: number;
  /** Calls of the office that were muted in its quiet hours. */
  quiet: number;
  violations: readonly string[];
  /** What happened on the calls with violations. */
  stories: string;
  /** Tables of Markdown. */
  report: string;
}

/** Calm parts of the day: one before each trouble, and one after the last. */
const CALM_PARTS = 8;
const THROTTLED_PART = 0.12;
const AWAY_MS = 3_000;

/** Quiet hours begin before the rest of the day, and end in the middle of its troubles. */
const QUIET = { beginsInMs: 3_000, leastMs: 60_000, part: 0.6 };

/** Graph counts requests in windows: some pass, and those beyond wait for the next window. */
const WINDOW = { openMs: 400, refusingMs: 1_600 };
const API = { on: 'any', times: 'forever' } as const;
const REFUSING: Faults['requests'] = [{ ...API, answer: { status: 429, retryAfter: 2 } }];
const BROKEN: Faults['requests'] = [{ ...API, answer: 'reset' }];
const UNTOLD: Faults = { notifications: [{ on: 'any', drop: true, times: 'forever' }] };

/** Workers remember for so long what policies there are. */
const POLICIES_SEEN_MS = 5_500;
const EVERY_NTH_STAYS = 4;

export async function liveDay(cluster: Cluster, options: DayOptions, say: (line: string) => void): Promise<DayResult> {
  return await new Day(cluster, options, say).live();
}

class Day {
  readonly #cluster: Cluster;
  readonly #options: DayOptions;
  readonly #say: (line: string) => void;
  readonly #troubles = new Troubles();
  readonly #report = new Report(this.#troubles);
  readonly #lives: Life[] = [];
  readonly #calls: TestCall[] = [];
  readonly #stage: Stage;
  readonly #policies: string[] = [];
  /** CPU of processes that have died, by the name of their part. */
  readonly #spent = new Map<string, number>();
  #isAway = false;
  #isOver = false;
  #began = 0;

  constructor(cluster: Cluster, options: DayOptions, say: (line: string) => void) {
    const { graph, moderation } = cluster;
    this.#cluster = cluster;
    this.#options = options;
    this.#say = say;
    const label = (name: string): string => `${name}-${randomUUID()}`;
    this.#stage = {
      graph,
      moderation,
      troubles: this.#troubles,
      report: this.#report,
      call: (given) => {
        const call = cluster.call({ ...given, ...(this.#isAway && { faults: UNTOLD }) });
        this.#calls.push(call);
        return call;
      },
      labels: { reception: label('reception'), crowd: label('crowd'), office: label('office') },
      limitMs: options.limitMs,
    };
  }

  async live(): Promise<DayResult> {
    const { postgres } = this.#cluster.topology;
    if (postgres === undefined) throw new Error('the topology is not complete');
    const bytesBefore = await databaseBytes(postgres);
    const cpuBefore = this.#cpu();
    await this.#makePolicies();
    this.#began = Date.now();
    const quiet = await this.#play();

    await this.#removePolicies();
    const { runs, running } = await this.#untilNothingRuns();
    const seconds = (Date.now() - this.#began) / 1_000;
    const cpuAfter = this.#cpu();
    const cpuMs = new Map([...cpuAfter].map(([kind, ms]) => [kind, ms - (cpuBefore.get(kind) ?? 0)]));
    const costs = { seconds, cpuMs, databaseBytes: (await databaseBytes(postgres)) - bytesBefore };

    for (const life of this.#lives) life.look();
    const open = this.#lives.filter(({ hasEnded }) => !hasEnded).length;
    for (const life of this.#lives) life.hangUp();
    const active = await this.#untilNoCallIsActive();
    const lives = this.#lives.map(({ account }) => account);
    const violations = [...judgeDay({ lives, runs, running, active }), ...(await this.#judgeOperations())];
    const left = lives.filter(({ endedMuted, isServerMuted }) => !endedMuted && isServerMuted).length;
    const bad = lives.filter(({ callId }) => violations.some((violation) => violation.includes(callId)));
    const requests = this.#calls.flatMap((call) => call.requests);
    this.#say(`The day is over: ${lives.length} calls, ${open} still open, left muted: ${left}`);
    return {
      calls: lives.length,
      operations: runs.filter(({ type }) => type === 'mute' || type === 'unmute').length,
      troubles: this.#troubles.count,
      throttled: requests.filter(({ status }) => status === 429).length,
      quiet,
      violations,
      stories: bad
        .map((life) =>
          storyOf(
            life,
            runs.filter(({ callId }) => callId === canonicalId(life.callId)),
          ),
        )
        .join('\n'),
      report: [
        this.#report.latencies(),
        this.#report.costs(lives.length, runs, costs),
        `Left muted: ${left} of ${lives.length} calls.`,
      ].join('\n\n'),
    };
  }

  /** Quiet hours begin, and then all of the day at once. Returns how many calls were muted in them. */
  async #play(): Promise<number> {
    const { lanes, hasTroubles, minutes } = this.#options;
    const office = hasTroubles ? await this.#beginNight(await this.#openOffice()) : undefined;
    const day = hasTroubles ? this.#meetTroubles() : sleep(minutes * 60_000);
    day.finally(() => (this.#isOver = true)).catch(() => undefined);
    await Promise.all([
      day,
      office?.rest(),
      ...Array.from({ length: lanes }, async (_, index) => await this.#liveLane(index)),
    ]);
    return office?.muted ?? 0;
  }

  async #liveLane(index: number): Promise<void> {
    const { lanes, kinds } = this.#options;
    for (let number = index; number < lanes || !this.#isOver; number += lanes) {
      const kind = kinds[(number + Math.floor(number / lanes)) % kinds.length] ?? 'single';
      const life = await LIVES[kind](this.#stage, number);
      this.#lives.push(life);
      if (number % EVERY_NTH_STAYS !== 0) life.hangUp();
    }
  }

  async #openOffice(): Promise<Life[]> {
    const lives = Array.from({ length: this.#options.office }, () => new Life(this.#stage, 'office'));
    for (const life of lives) await life.establish(this.#stage.labels.office);
    this.#lives.push(...lives);
    return lives;
  }

  /** Settles when the quiet hours of the office have muted its calls; the rest of them is part of the day. */
  async #beginNight(lives: readonly Life[]): Promise<{ muted: number; rest: () => Promise<void> }> {
    const { office } = this.#stage.labels;
    const begin = Math.ceil((Date.now() + QUIET.beginsInMs) / 1_000) * 1_000;
    const end = begin + Math.ceil(Math.max(QUIET.leastMs, QUIET.part * this.#options.minutes * 60_000) / 1_000) * 1_000;
    await this.#makePolicy({
      id: office,
      action: 'mute',
      target: { live: { label: office } },
      when: { quietHours: { from: clock(begin), to: clock(end) } },
    });
    await until(begin);
    const begins = 'quiet hours: muted after their begin';
    const sights = await Promise.all(lives.map(async (life) => await life.sees(true, begins, begin, { isDue: false })));
    const rest = async (): Promise<void> => {
      await this.#liveInNight(end);
      await until(end);
      const ends = 'quiet hours: unmuted after their end';
      await Promise.all(lives.map(async (life) => await life.sees(false, ends, end)));
    };
    return { muted: sights.filter((sight) => sight === 'seen').length, rest };
  }

  /** A call that is established in quiet hours, and that somebody takes all the same. */
  async #liveInNight(end: number): Promise<void> {
    const life = new Life(this.#stage, 'night');
    this.#lives.push(life);
    const since = await life.establish(this.#stage.labels.office);
    const what = 'quiet hours: muted as established in them';
    const sight = await life.sees(true, what, since, { isDue: false, or: until(end) });
    if (sight === 'seen') await life.unmute();
    else life.hangUp({ isMuted: true });
  }

  async #meetTroubles(): Promise<void> {
    const { topology } = this.#cluster;
    const trouble = async (what: string, work: () => Promise<void>): Promise<void> => {
      await sleep(this.#calmMs);
      const since = Date.now();
      this.#say(`${this.#clock()} ${what}`);
      await this.#troubles.during(what, work);
      this.#say(`${this.#clock()} … over after ${((Date.now() - since) / 1_000).toFixed(1)} s`);
    };
    const kill = async (name: string): Promise<void> => {
      const part = topology.part(name);
      this.#keepCpu(part);
      await part.kill();
      await part.ready();
    };
    await trouble('A rolling deploy', async () => await this.#deploy());
    await trouble('A webhook dies', async () => await kill('webhook-1'));
    await trouble('A worker dies', async () => await kill('worker-3'));
    await trouble('Temporal dies', async () => await kill('temporal'));
    await trouble('PostgreSQL dies', async () => await kill('postgres'));
    await trouble('Graph throttles', async () => await this.#throttle());
    await trouble('Graph is away', async () => await this.#beAway());
    await sleep(this.#calmMs);
  }

  /** Each worker by a new process, each webhook in its place: never are both away. */
  async #deploy(): Promise<void> {
    const { topology } = this.#cluster;
    for (const [old, fresh] of [
      ['worker-1', 'worker-3'],
      ['worker-2', 'worker-4'],
    ] as const) {
      await topology.startWorker(fresh);
      this.#keepCpu(topology.part(old));
      await topology.part(old).stop();
    }
    for (const webhook of topology.webhooks) {
      this.#keepCpu(webhook);
      await webhook.stop();
      await webhook.start();
    }
  }

  async #throttle(): Promise<void> {
    const { graph } = this.#cluster;
    const end = Date.now() + THROTTLED_PART * this.#options.minutes * 60_000;
    while (Date.now() < end) {
      graph.setServiceFaults({ requests: REFUSING });
      await sleep(WINDOW.refusingMs);
      graph.setServiceFaults({ requests: [] });
      await sleep(WINDOW.openMs);
    }
  }

  /** As if the simulator had died, without its memory, which the judge needs: no request is answered, and nothing is sent. */
  async #beAway(): Promise<void> {
    const { graph } = this.#cluster;
    this.#isAway = true;
    graph.setServiceFaults({ requests: BROKEN });
    for (const { id } of this.#calls) graph.setFaults(id, UNTOLD);
    await sleep(AWAY_MS);
    this.#isAway = false;
    graph.setServiceFaults({ requests: [] });
    for (const { id } of this.#calls) await graph.clearFaults(id);
  }

  async #makePolicies(): Promise<void> {
    const { reception, crowd } = this.#stage.labels;
    await this.#makePolicy({
      id: reception,
      action: 'mute',
      target: { live: { label: reception } },
      when: {},
      rules: { onEstablished: true },
    });
    await this.#makePolicy({
      id: crowd,
      action: 'mute',
      target: { live: { label: crowd } },
      when: { every: 5 },
      rules: { minParticipants: CROWD / 2 + 1 },
    });
    await sleep(POLICIES_SEEN_MS);
  }

  async #makePolicy(policy: Policy): Promise<void> {
    await this.#cluster.moderation.policies.create(policy);
    this.#policies.push(policy.id);
  }

  async #removePolicies(): Promise<void> {
    for (const id of this.#policies) await this.#cluster.moderation.policies.delete(id);
  }

  /** Lists lag: they are complete when each call that was asked for something has a run that has ended. */
  async #untilNothingRuns(): Promise<{ runs: DayRun[]; running: string[] }> {
    const asked = this.#calls.filter(({ posts }) => posts.length > 0).map(({ id }) => canonicalId(id));
    const deadline = Date.now() + this.#options.limitMs;
    for (;;) {
      const runs: DayRun[] = [];
      const running: string[] = [];
      const types = ['mute', 'unmute', 'keepMuted', 'muteOnEntry', 'applyPolicy'].map((type) => `'${type}'`).join(', ');
      for await (const run of listedRuns(this.#cluster.client, `WorkflowType IN (${types})`)) {
        if (run.startTime.getTime() < this.#began - POLICIES_SEEN_MS) continue;
        const word = (name: string): string | undefined => run.typedSearchAttributes.get({ name, type: 'KEYWORD' });
        if (run.closeTime === undefined) running.push(run.workflowId);
        runs.push({
          type: run.type,
          callId: word(SEARCH_ATTRIBUTE.callId),
          startedAt: run.startTime.getTime(),
          closedAt: run.closeTime?.getTime(),
          outcome: word(SEARCH_ATTRIBUTE.outcome) ?? run.status.name,
          events: run.historyLength,
        });
      }
      const known = new Set(runs.map(({ callId }) => callId));
      const isComplete = running.length === 0 && asked.every((id) => known.has(id));
      if (isComplete || Date.now() > deadline) return { runs, running };
      await sleep(500);
    }
  }

  async #untilNoCallIsActive(): Promise<string[]> {
    const deadline = Date.now() + this.#options.limitMs;
    const ours = new Set(this.#lives.map(({ call }) => canonicalId(call.id)));
    for (;;) {
      const active: string[] = [];
      for await (const { callId } of this.#cluster.moderation.calls.list()) {
        if (ours.has(canonicalId(callId))) active.push(callId);
      }
      if (active.length === 0 || Date.now() > deadline) return active;
      await sleep(500);
    }
  }

  /** (a) to (f), of the operations of some calls. */
  async #judgeOperations(): Promise<string[]> {
    const { sample } = this.#options;
    // A mute of others is no business of that judge.
    const judged = this.#lives.filter(({ account }) => account.kind !== 'lecture');
    const step = Math.max(1, Math.ceil(judged.length / Math.max(1, sample)));
    const some = sample === 0 ? [] : judged.filter((_, index) => index % step === 0);
    const violations: string[] = [];
    for (const { call, account } of some) {
      const evidence = await evidenceOf(this.#cluster.client, call);
      const found = judge({ ...evidence, outageMs: this.#options.limitMs }).violations;
      violations.push(...found.map((violation) => `${violation} [${account.kind}]`));
    }
    return violations;
  }

  get #calmMs(): number {
    return (this.#options.minutes * 60_000) / CALM_PARTS;
  }

  /** Since the day began. */
  #clock(): string {
    return new Date(Date.now() - this.#began).toISOString().slice(11, 19);
  }

  #keepCpu(part: Part): void {
    this.#spent.set(part.name, (this.#spent.get(part.name) ?? 0) + usageOf(part).cpuMs);
  }

  /** By kind of part, of those who live and of those who have died. */
  #cpu(): Map<string, number> {
    const kinds = new Map<string, number>();
    const add = (name: string, ms: number): void => {
      const kind = name.replace(/-\d+$/, '');
      kinds.set(kind, (kinds.get(kind) ?? 0) + ms);
    };
    for (const [name, ms] of this.#spent) add(name, ms);
    for (const part of this.#cluster.topology.parts) add(part.name, usageOf(part).cpuMs);
    return kinds;
  }
}

/** A time of day. */
function clock(at: number): string {
  return new Date(at).toISOString().slice(11, 19);
}

async function until(at: number): Promise<void> {
  await sleep(Math.max(0, at - Date.now()));
}
