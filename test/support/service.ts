import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { pino } from 'pino';
import { inject } from 'vitest';
import { ModerationClient } from '../../src/client/moderation-client.ts';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import { loadClientConfig } from '../../src/config/common.ts';
import { loadWebhookConfig } from '../../src/config/webhook.ts';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { workflowIdOf } from '../../src/contract/call-id.ts';
import type { OperationStatus, Phase } from '../../src/contract/operation.ts';
import {
  GraphSimulator,
  type Faults,
  type LogEntry,
  type NewCall,
  type NotificationEntry,
  type RequestEntry,
  type SimulatorOptions,
} from '../../src/simulator/index.ts';
import { closeClient, connectClient } from '../../src/temporal/connect.ts';
import { startWebhook, type RunningWebhook } from '../../src/webhook.ts';
import type { WorkflowBundle } from '../../src/temporal/workflow-bundle.ts';
import { startWorker, type RunningWorker } from '../../src/worker.ts';

/** Variables of one part alone: where it finds the others, say. */
export type Apart = Partial<Record<'worker' | 'webhook' | 'client', Environment>>;

/**
 * The service as it is deployed, in the test's process: a worker and a webhook, wired by the environment's variables,
 * between a real Temporal server and the Graph simulator. Every message travels over HTTP and gRPC.
 */
export class Service {
  readonly graph: GraphSimulator;
  readonly env: Environment;
  readonly client: Client;
  readonly moderation: ModerationClient;
  #webhook: RunningWebhook;
  #worker: RunningWorker;

  private constructor(
    graph: GraphSimulator,
    env: Environment,
    client: Client,
    webhook: RunningWebhook,
    worker: RunningWorker,
  ) {
    this.graph = graph;
    this.env = env;
    this.client = client;
    this.#webhook = webhook;
    this.#worker = worker;
    const taskQueue = env['MODERATION_TASK_QUEUE'] ?? '';
    this.moderation = new ModerationClient({ client, taskQueue });
  }

  static async start(
    overrides: Environment = {},
    simulator: SimulatorOptions = {},
    apartOf: (graph: GraphSimulator) => Apart | Promise<Apart> = () => ({}),
  ): Promise<Service> {
    silenceTemporal();
    const graph = await GraphSimulator.start({ fixedToken: 'fixed-token', ...simulator });
    const env = { ...environmentFor(graph), ...overrides };
    const apart = await apartOf(graph);
    const client = await connectClient(loadClientConfig({ ...env, ...apart.client }));
    const webhook = await startWebhook({ config: loadWebhookConfig({ ...env, ...apart.webhook }), log });
    return new Service(graph, env, client, webhook, await workerOf({ ...env, ...apart.worker }));
  }

  /** Another worker takes the place of one that was stopped; `overrides` are its own variables, `bundle` its own workflows. */
  async startWorker(overrides: Environment = {}, bundle?: WorkflowBundle): Promise<void> {
    this.#worker = await workerOf({ ...this.env, ...overrides }, bundle);
  }

  async stopWorker(): Promise<void> {
    await this.#worker.stop();
  }

  get callbackUrl(): string {
    return this.#webhook.callbackUrl;
  }

  get taskQueue(): string {
    return this.env['MODERATION_TASK_QUEUE'] ?? '';
  }

  get workerHealth(): RunningWorker['health'] {
    return this.#worker.health;
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
    await this.graph.close();
    await this.#webhook.stop();
    await closeClient(this.client);
  }

  /** A group call of three, established, the application unmuted in it; `given` says otherwise. */
  call(given: Partial<NewCall> = {}): TestCall {
    return new TestCall(this, this.graph.createCall({ callbackUri: this.callbackUrl, ...given }));
  }
}

/** Nothing shows how the call stands, so an operation waits for its confirmation until the faults are cleared. */
export const undecided: Faults = {
  requests: [{ on: 'getParticipant', answer: { status: 503 }, times: 'forever' }],
  notifications: [{ on: 'roster', drop: true, times: 'forever' }],
};

/** A call in the simulator, and what tests ask of it. */
export class TestCall {
  readonly id: string;
  readonly participantId: string;
  readonly #service: Pick<Service, 'graph'>;

  constructor(service: Pick<Service, 'graph'>, { id, myParticipantId }: { id: string; myParticipantId: string }) {
    this.#service = service;
    this.id = id;
    this.participantId = myParticipantId;
  }

  get workflowId(): string {
    return workflowIdOf(this.id);
  }

  /** The application as Graph has it. */
  get self(): { isMuted: boolean; serverMuted: boolean } {
    const { participants } = this.#service.graph.describe(this.id);
    const self = participants.find(({ id }) => id === this.participantId);
    if (self === undefined) throw new Error('the application is not in the call');
    return { isMuted: self.isMuted, serverMuted: self.serverMuted };
  }

  get log(): readonly LogEntry[] {
    return this.#service.graph.log(this.id);
  }

  /** Every mute and unmute that Graph was asked for, in order. */
  get posts(): string[] {
    return this.requests.flatMap(({ action }) => (action === undefined ? [] : [action]));
  }

  get requests(): RequestEntry[] {
    return this.log.filter((entry) => entry.type === 'request');
  }

  get rosters(): NotificationEntry[] {
    return this.log.filter((entry) => entry.type === 'notification').filter(({ kind }) => kind === 'roster');
  }

  /** Until something holds, looked at whenever the call's log gets or changes an entry. */
  async until(isDone: () => boolean, ms = 45_000): Promise<void> {
    if (!isDone()) await this.#service.graph.waitFor(this.id, () => isDone(), ms);
  }

  /** Until Graph has nothing on its way any more: no request, no notification. */
  async settled(): Promise<void> {
    await this.#service.graph.settled();
  }

  /** Until Graph has been asked to `action`, whether or not it has answered. */
  async untilAsked(action: 'mute' | 'unmute', times = 1): Promise<void> {
    await this.until(() => this.posts.filter((post) => post === action).length >= times);
  }
}

export function environmentFor(graph: GraphSimulator): Record<string, string> {
  return {
    LOG_LEVEL: 'silent',
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    MODERATION_TASK_QUEUE: `test-${randomUUID()}`,
    MODERATION_GRAPH_URL: graph.url,
    MODERATION_GRAPH_TOKEN: 'fixed-token',
    MODERATION_WEBHOOK_HOST: '127.0.0.1',
    MODERATION_WEBHOOK_PORT: '0',
    MODERATION_WEBHOOK_AUDIENCE: graph.addresses.appId,
    MODERATION_WEBHOOK_OPENID_URL: graph.openIdUrl,
    MODERATION_HEALTH_PORT: '0',
  };
}

async function workerOf(env: Environment, own?: WorkflowBundle): Promise<RunningWorker> {
  const config = loadWorkerConfig(env);
  // One that records call stacks makes a bundle of its own.
  const bundle = own ?? (config.callStacks ? undefined : { codePath: inject('workflowBundle') });
  return await startWorker({ config, log, bundle });
}

export const log = pino({ level: 'silent' });

let isSilent = false;

/** Temporal's own log would bury the tests' output; it is installed once a process. */
export function silenceTemporal(): void {
  if (isSilent) return;
  isSilent = true;
  Runtime.install({ logger: new DefaultLogger('ERROR') });
}

/** Waits until the operation is in `phase`, as a worker tells it. */
export async function untilPhase(handle: OperationHandle, phase: Phase, ms = 45_000): Promise<OperationStatus> {
  const deadline = Date.now() + ms;
  for (;;) {
    const status = await handle.status();
    if (status.phase === phase) return status;
    if (Date.now() > deadline) throw new Error(`the operation is ${status.phase} and not ${phase} after ${ms} ms`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}
