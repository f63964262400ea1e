import { WorkflowNotFoundError } from '@temporalio/client';
import { ModerationError } from '../../src/client/errors.ts';
import type { ModerationClient } from '../../src/client/moderation-client.ts';
import type { PolicyChange } from '../../src/client/policies/policy-types.ts';
import { workflowIdOf } from '../../src/contract/call-id.ts';
import { simulate } from './clock.ts';
import type { Call } from './graph.ts';
import { endOf, isFault, type Scenario, type Step } from './scenario.ts';
import { World, type Deployment } from './world.ts';

/** What a client was told of a step, and when. */
export interface Told {
  step: Step;
  askedAt: number;
  /** When it was taken: a handle was given. */
  acceptedAt?: number;
  endedAt?: number;
  /** `Confirmed`, an end such as `released`, an outcome of a release, or the type of an error. */
  outcome?: string;
  restored?: boolean | undefined;
  /** What is no error of ours. */
  unexpected?: string;
  /** Of a release of several calls. */
  calls?: { callId: string; outcome: string }[];
}

/** Plays a scenario to its end; what is judged then is the world, and what the clients were told. */
export interface Played {
  scenario: Scenario;
  world: World;
  start: number;
  calls: Call[];
  told: Told[];
}

export async function play(scenario: Scenario): Promise<Played> {
  const start = Date.parse(scenario.start);
  const world = new World(scenario.seed, start);
  return await simulate(world.clock, () => new Play(scenario, world, start).run());
}

export function callIdAt(index: number): string {
  return `call${index}`;
}

class Play {
  readonly #scenario: Scenario;
  readonly #world: World;
  readonly #start: number;
  readonly #calls: Call[] = [];
  readonly #deployments: Deployment[] = [];
  readonly #told: Told[] = [];

  constructor(scenario: Scenario, world: World, start: number) {
    this.#scenario = scenario;
    this.#world = world;
    this.#start = start;
  }

  run(): Played {
    const { calls, steps, minutes, slots, serverZones = {} } = this.#scenario;
    this.#world.server.schedules.zones = serverZones;
    const deployments = 1 + Math.max(...calls.map(({ deployment }) => deployment));
    for (let made = 0; made < deployments; made += 1)
      this.#deployments.push(this.#world.deploy(`deployment-${made}`, slots));
    for (const [index, plan] of calls.entries()) {
      const state = plan.isLive || plan.isLater === true ? 'establishing' : 'established';
      const call = this.#world.graph.create({ id: callIdAt(index), people: plan.people, isDelta: plan.isDelta, state });
      this.#calls.push(call);
      this.#world.serve(call, this.#deployment(plan.deployment));
      if (plan.isLive) this.#world.established(call);
    }
    for (const step of steps) this.#world.clock.at(this.#start + step.at, () => this.#take(step));
    this.#world.clock.runUntil(this.#start + minutes * 60_000);
    return { scenario: this.#scenario, world: this.#world, start: this.#start, calls: this.#calls, told: this.#told };
  }

  #deployment(index: number): Deployment {
    const deployment = this.#deployments[index];
    if (deployment === undefined) throw new Error(`no deployment ${index}`);
    return deployment;
  }

  #call(index: number): Call {
    const call = this.#calls[index];
    if (call === undefined) throw new Error(`no call ${index}`);
    return call;
  }

  #of(call: number): Deployment {
    return this.#deployment(this.#scenario.calls[call]?.deployment ?? 0);
  }

  #take(step: Step): void {
    const { graph, clock } = this.#world;
    if (isFault(step)) return this.#break(step);
    switch (step.kind) {
      case 'organizer': {
        const call = this.#call(step.call);
        return graph.set(call, call.own, { serverMuted: step.isMuted });
      }
      case 'join': {
        const call = this.#call(step.call);
        const person = graph.join(call, step.name, step.isInLobby);
        if (step.isInLobby) clock.after(30_000, () => graph.admit(call, person));
        return;
      }
      case 'leave': {
        const call = this.#call(step.call);
        const person = call.people.find(({ id }) => id === `${call.id}-${step.name}`);
        if (person !== undefined) graph.leave(call, person);
        return;
      }
      case 'talk': {
        const call = this.#call(step.call);
        const end = clock.now + step.seconds * 1_000;
        const talk = (): void => {
          if (clock.now >= end) return;
          graph.repeat(call);
          clock.after(step.everyMs, talk);
        };
        return talk();
      }
      case 'establish':
        if (this.#call(step.call).state !== 'establishing' && this.#scenario.calls[step.call]?.isLater === true) return;
        return this.#world.established(this.#call(step.call));
      case 'end':
        return this.#world.end(this.#call(step.call));
      default:
        return void this.#ask(step);
    }
  }

  async #ask(step: Step): Promise<void> {
    const told: Told = { step, askedAt: this.#world.clock.now };
    this.#told.push(told);
    try {
      await this.#asked(step, told);
    } catch (error) {
      if (error instanceof ModerationError) {
        told.outcome = error.type;
        told.restored = 'restored' in error.details ? error.details.restored : undefined;
      } else {
        told.outcome = 'unexpected';
        told.unexpected = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      }
    }
    told.endedAt = this.#world.clock.now;
  }

  async #asked(step: Step, told: Told): Promise<void> {
    const accept = (): void => {
      told.acceptedAt = this.#world.clock.now;
    };
    switch (step.kind) {
      case 'ask': {
        const { action, onConflict } = step;
        const callId = callIdAt(step.call);
        return await this.#of(step.call).ask(async (moderation) => {
          const operation = await moderation[action](
            { callId, confirmWithinSeconds: 20, reason: 'ask' },
            { onConflict },
          );
          accept();
          await operation.result();
          told.outcome = 'Confirmed';
        });
      }
      case 'others':
        return await this.#of(step.call).ask(async (moderation) => {
          const request = { callId: callIdAt(step.call), target: 'others' as const, confirmWithinSeconds: 20 };
          const operation = await moderation.muteParticipants(request, { onConflict: 'queue' });
          accept();
          const { isRosterComplete } = await operation.result();
          told.outcome = isRosterComplete ? 'Confirmed' : 'incomplete';
        });
      case 'keepMuted': {
        const { enforce, seconds } = step;
        const request = {
          callId: callIdAt(step.call),
          enforce,
          reason: `hold at ${step.at}`,
          ...(seconds !== undefined && { forSeconds: seconds }),
        };
        return await this.#of(step.call).ask(async (moderation) => {
          const hold = await moderation.keepMuted(request);
          accept();
          told.outcome = (await hold.result()).endedBy;
        });
      }
      case 'extend':
      case 'letGo':
        return await this.#of(step.call).ask(async (moderation) => {
          const hold = await moderation.getMuteLock(callIdAt(step.call));
          if (hold === undefined) return;
          if (step.kind === 'letGo') await hold.release();
          else await hold.extend({ until: new Date(this.#start + step.untilSeconds * 1_000).toISOString() });
          accept();
        });
      case 'terminate':
        return await this.#of(step.call).ask(async (_, client) => {
          await client.workflow.getHandle(workflowIdOf(callIdAt(step.call))).terminate('by hand');
          accept();
        });
      case 'entry': {
        const request = {
          callId: callIdAt(step.call),
          reason: `entry at ${step.at}`,
          ...(step.seconds !== undefined && { forSeconds: step.seconds }),
        };
        return await this.#of(step.call).ask(async (moderation) => {
          const entry = await moderation.muteOnEntry(request);
          accept();
          told.outcome = (await entry.result()).endedBy;
        });
      }
      case 'release':
        return await this.#release(told, this.#of(step.call), { callId: callIdAt(step.call) });
      case 'releaseEverywhere':
        return await this.#release(told, this.#deployment(step.deployment), { everywhere: true });
      case 'quiet': {
        const { id, from, to, zone, overlap, pace, deployment = 0 } = step;
        const target = step.calls === 'live' ? { live: {} } : { calls: step.calls.map(callIdAt) };
        return await this.#deployment(deployment).ask(async (moderation) => {
          const when = { quietHours: { from, to }, timeZone: zone };
          await moderation.policies.create({
            id,
            action: 'mute',
            target,
            when,
            ...(overlap !== undefined && { overlap }),
            ...(pace !== undefined && { concurrency: pace, perSecond: pace }),
          });
          accept();
        });
      }
      case 'policy': {
        const { id, action, onConflict } = step;
        const target = { calls: step.calls.map(callIdAt) };
        return await this.#deployment(0).ask(async (moderation) => {
          await moderation.policies.create({ id, action, target, when: { every: '30d' }, onConflict });
          await moderation.policies.trigger(id);
          accept();
        });
      }
      case 'meddle':
        return await this.#deployment(step.deployment).ask(async ({ policies }) => {
          if (step.how === 'update') await policies.update(step.id, { note: 'ours' });
          else await policies[step.how](step.id);
          accept();
        });
      case 'change': {
        const { diesAfterMs } = step;
        const work = async ({ policies }: ModerationClient): Promise<void> => {
          if (step.how === 'update') await policies.update(step.id, this.#changeOf(step));
          else await policies[step.how](step.id);
          accept();
        };
        const deployment = this.#deployment(0);
        return await (diesAfterMs === undefined ? deployment.ask(work) : deployment.askUntilKilled(diesAfterMs, work));
      }
      case 'cancelPolicy':
        return await this.#deployment(0)
          .ask(async (moderation, client) => {
            const { lastRun } = await moderation.policies.describe(step.id);
            if (lastRun !== undefined) await client.workflow.getHandle(lastRun.workflowId).cancel();
            accept();
          })
          .catch((error: unknown) => {
            // It has ended already, or was never made.
            if (!(error instanceof WorkflowNotFoundError || error instanceof ModerationError)) throw error;
          });
      default:
    }
  }

  #changeOf({ id, terms: { from, to, calls, pace } = {} }: Extract<Step, { kind: 'change' }>): PolicyChange {
    const quiet = this.#scenario.steps.find((step) => step.kind === 'quiet' && step.id === id);
    if (quiet?.kind !== 'quiet') throw new Error(`no quiet hours ${id}`);
    const quietHours = { from: from ?? quiet.from, to: to ?? quiet.to };
    return {
      when: { quietHours, timeZone: quiet.zone },
      ...(calls !== undefined && { target: { calls: calls.map(callIdAt) } }),
      ...(pace !== undefined && { concurrency: pace, perSecond: pace }),
    };
  }

  async #release(told: Told, deployment: Deployment, scope: { callId: string } | { everywhere: true }): Promise<void> {
    await deployment.ask(async (moderation) => {
      told.calls = [];
      for await (const { callId, outcome } of moderation.release(scope)) told.calls.push({ callId, outcome });
      told.outcome = 'Confirmed';
    });
  }

  #break(
    step: Extract<Step, { kind: 'graph' | 'kill' | 'away' | 'down' | 'slow' | 'lists' | 'notices' | 'strand' }>,
  ): void {
    const { server, clock } = this.#world;
    const until = this.#start + endOf(step);
    switch (step.kind) {
      case 'graph': {
        const { on, how, status, retryAfter, probability } = step;
        this.#call(step.call).faults.push({
          on,
          how,
          probability,
          until,
          ...(status !== undefined && { status }),
          ...(retryAfter !== undefined && { retryAfter }),
        });
        return;
      }
      case 'kill':
        return this.#deployment(step.deployment).killWorker(step.seconds * 1_000);
      case 'away': {
        const deployment = this.#deployment(step.deployment);
        for (const _ of [...deployment.workers]) deployment.killWorker(step.seconds * 1_000);
        return;
      }
      case 'down':
        server.downUntil = Math.max(server.downUntil, until);
        return;
      case 'slow':
        server.slowMs = step.ms;
        server.slowUntil = until;
        return;
      case 'lists': {
        server.visibility.lagMs = step.lagMs;
        if (step.isFailing) server.visibility.failsUntil = Math.max(server.visibility.failsUntil, until);
        clock.at(until, () => {
          server.visibility.lagMs = 300;
        });
        return;
      }
      case 'notices': {
        const { drop, copies, delayMs } = step;
        this.#world.notices = { drop, copies, delayMs };
        this.#world.noticesUntil = until;
        return;
      }
      case 'strand':
        return void this.#strand(step, until);
    }
  }

  /** An operation that nobody works on: of a build without workers, say. */
  async #strand({ call, action }: { call: number; action: string }, until: number): Promise<void> {
    const workflowId = workflowIdOf(callIdAt(call));
    await this.#of(call)
      .ask(async (_, client) => {
        const handle = await client.workflow.start(action, {
          workflowId,
          taskQueue: 'nobody',
          args: [{ callId: callIdAt(call) }],
        });
        this.#world.clock.at(until, () => void handle.terminate('stranded').catch(() => undefined));
      })
      .catch(() => undefined);
  }
}
