import type { Client } from '@temporalio/client';
import { createActivities } from '../../src/activities/index.ts';
import { ModerationClient } from '../../src/client/moderation-client.ts';
import type { CallEnd, RosterUpdate } from '../../src/contract/signals.ts';
import { deliverTo, type Deliver, type Deliverable } from '../../src/webhook/delivery/signal-workflows.ts';
import { mergeRosters } from '../../src/webhook/delivery/merge-rosters.ts';
import { Clock, scopes, type Owner } from './clock.ts';
import { Graph, type Call } from './graph.ts';
import { Random } from './random.ts';
import { clientOf } from './temporal/connection.ts';
import { Server } from './temporal/server.ts';
import type { Worker } from './temporal/worker.ts';

/**
 * All of it in one process: a Temporal server, Graph, and of each deployment the workers, the webhook and a client, each of
 * which may be killed. The code of the service is the real one, from the workflows to the hand-over of the webhook.
 */

/** Two workers, so that one that dies is survived. */
const WORKERS = 2;

/** Graph gives up a notification after so many tries. */
const MAX_DELIVERIES = 5;

export interface Notices {
  /** Of each notification. */
  drop: number;
  copies: number;
  delayMs: number;
}

const GOOD: Notices = { drop: 0, copies: 0, delayMs: 30 };

export class World {
  readonly clock: Clock;
  readonly random: Random;
  readonly server: Server;
  readonly graph: Graph;
  readonly deployments = new Map<string, Deployment>();
  readonly #deploymentOf = new Map<string, Deployment>();
  notices: Notices = GOOD;
  noticesUntil = 0;

  constructor(seed: number, start: number) {
    this.clock = new Clock(start);
    this.random = new Random(seed);
    this.server = new Server(this.clock, this.random);
    this.graph = new Graph(this.clock, this.random, (call, update) => this.#notify(call, update));
  }

  deploy(name: string, slots = 1_000): Deployment {
    const deployment = new Deployment(this, name, slots);
    this.deployments.set(name, deployment);
    return deployment;
  }

  serve(call: Call, deployment: Deployment): void {
    this.#deploymentOf.set(call.id, deployment);
  }

  deploymentOf(callId: string): Deployment {
    const deployment = this.#deploymentOf.get(callId);
    if (deployment === undefined) throw new Error(`call ${callId} is of no deployment`);
    return deployment;
  }

  #notify({ id }: Call, update: RosterUpdate): void {
    this.#deploymentOf.get(id)?.roster(id, update);
  }

  established(call: Call): void {
    call.state = 'established';
    this.deploymentOf(call.id).deliver({ kind: 'callEstablished', callId: call.id, payload: {} });
  }

  end(call: Call, payload: CallEnd = {}): void {
    this.graph.end(call);
    this.deploymentOf(call.id).deliver({ kind: 'callEnded', callId: call.id, payload });
  }
}

export class Deployment {
  readonly taskQueue: string;
  readonly moderation: ModerationClient;
  readonly client: Client;
  /** Who asks for things. */
  readonly owner: Owner;
  readonly #world: World;
  readonly #slots: number;
  readonly #webhook: Owner;
  readonly #deliver: Deliver;
  readonly #lanes = new Map<string, RosterUpdate[]>();
  #workers = 0;

  constructor(world: World, taskQueue: string, slots: number) {
    this.#world = world;
    this.#slots = slots;
    this.taskQueue = taskQueue;
    this.owner = { name: `${taskQueue} client`, isDead: false };
    this.#webhook = { name: `${taskQueue} webhook`, isDead: false };
    this.client = clientOf(world.server, this.owner);
    this.moderation = new ModerationClient({ client: this.client, taskQueue });
    this.#deliver = deliverTo(clientOf(world.server, this.#webhook), taskQueue);
    for (let started = 0; started < WORKERS; started += 1) this.startWorker();
  }

  get workers(): readonly Worker[] {
    return this.#world.server.queue(this.taskQueue).workers;
  }

  startWorker(): void {
    const { server, graph } = this.#world;
    this.#workers += 1;
    const queue = server.queue(this.taskQueue);
    const name = `${this.taskQueue} worker ${this.#workers}`;
    const worker = queue.create(name, this.taskQueue, this.#slots);
    const activities = createActivities({ graph: graph.client as never });
    server.equip(worker, { activities: activities as never, client: clientOf(server, worker) });
    queue.join(worker);
  }

  /** Kills one, which is started anew after a while. */
  killWorker(backAfterMs: number): void {
    const [worker] = this.workers;
    if (worker === undefined) return;
    this.#world.server.queue(this.taskQueue).kill(worker);
    this.#world.clock.after(backAfterMs, () => this.startWorker());
  }

  /** In the name of a client. */
  ask<T>(work: (moderation: ModerationClient, client: Client) => Promise<T>): Promise<T> {
    return scopes.run({ owner: this.owner }, async () => await work(this.moderation, this.client));
  }

  /** In the name of a client that is killed after a while. */
  askUntilKilled<T>(afterMs: number, work: (moderation: ModerationClient) => Promise<T>): Promise<T> {
    const { clock, server } = this.#world;
    const owner: Owner = { name: `${this.taskQueue} client that is killed`, isDead: false };
    clock.after(afterMs, () => {
      owner.isDead = true;
    });
    const moderation = new ModerationClient({ client: clientOf(server, owner), taskQueue: this.taskQueue });
    return scopes.run({ owner }, async () => await work(moderation));
  }

  // the webhook

  /** Rosters of one call are handed over ten times a second at most, and merged meanwhile. */
  roster(callId: string, update: RosterUpdate): void {
    const { clock, random } = this.#world;
    const { drop, copies, delayMs } = this.#notices();
    if (random.chance(drop)) return;
    const times = random.chance(copies) ? 2 : 1;
    for (let time = 0; time < times; time += 1) {
      clock.after(random.latency(delayMs), () => {
        const lane = this.#lanes.get(callId);
        if (lane !== undefined) {
          lane.push(update);
          return;
        }
        this.#lanes.set(callId, []);
        this.#hand({ kind: 'rosterUpdated', callId, payload: update });
        clock.after(100, () => this.#next(callId));
      });
    }
  }

  #next(callId: string): void {
    const waiting = this.#lanes.get(callId) ?? [];
    this.#lanes.delete(callId);
    if (waiting.length === 0) return;
    this.#lanes.set(callId, []);
    this.#hand({ kind: 'rosterUpdated', callId, payload: mergeRosters(waiting) });
    this.#world.clock.after(100, () => this.#next(callId));
  }

  deliver(notification: Deliverable): void {
    const { clock, random } = this.#world;
    const { drop, copies, delayMs } = this.#notices();
    if (random.chance(drop)) return;
    const times = random.chance(copies) ? 2 : 1;
    for (let time = 0; time < times; time += 1) clock.after(random.latency(delayMs), () => this.#hand(notification));
  }

  #notices(): Notices {
    return this.#world.clock.now < this.#world.noticesUntil ? this.#world.notices : GOOD;
  }

  #hand(notification: Deliverable, delivery = 1): void {
    const { clock } = this.#world;
    const attempt = async (): Promise<void> => {
      try {
        await this.#deliver(notification, clock.now + 5_000);
      } catch {
        if (delivery < MAX_DELIVERIES) clock.after(1_000 * 3 ** delivery, () => this.#hand(notification, delivery + 1));
      }
    };
    void scopes.run({ owner: this.#webhook }, attempt);
  }
}
