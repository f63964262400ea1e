import type { Client } from '@temporalio/client';
import { ModerationClient } from '../../src/client/moderation-client.ts';
import { loadClientConfig } from '../../src/config/common.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { GraphSimulator, type NewCall, type SimulatorOptions } from '../../src/simulator/index.ts';
import { closeClient, connectClient } from '../../src/temporal/connect.ts';
import { Build, type Process } from './process.ts';
import { environmentFor, TestCall } from './service.ts';

/**
 * The processes of the service between the tests' Temporal server and a Graph simulator. The webhook keeps its address
 * when it is started again, as a deployment's does.
 */
export class Deployment {
  readonly graph: GraphSimulator;
  readonly client: Client;
  readonly env: Environment;
  readonly build: Build;

  private constructor(graph: GraphSimulator, client: Client, env: Environment, build: Build) {
    this.graph = graph;
    this.client = client;
    this.env = env;
    this.build = build;
  }

  /** Starts all but the processes; an override that is `undefined` leaves the variable out. */
  static async start(overrides: Environment = {}, simulator: SimulatorOptions = {}): Promise<Deployment> {
    const [graph, port] = await Promise.all([
      GraphSimulator.start({ fixedToken: 'fixed-token', ...simulator }),
      freePort(),
    ]);
    const own = { LOG_LEVEL: 'info', MODERATION_WEBHOOK_PORT: String(port) };
    const env = { ...environmentFor(graph), ...own, ...overrides };
    return new Deployment(graph, await connectClient(loadClientConfig(env)), env, Build.shared());
  }

  get taskQueue(): string {
    return this.env['MODERATION_TASK_QUEUE'] ?? '';
  }

  get webhookUrl(): string {
    return `http://127.0.0.1:${this.env['MODERATION_WEBHOOK_PORT']}`;
  }

  get callbackUrl(): string {
    return `${this.webhookUrl}/api/calls`;
  }

  async stop(): Promise<void> {
    await this.build.remove();
    await this.graph.close();
    await closeClient(this.client);
  }

  /** A worker that polls. */
  async worker(overrides: Environment = {}): Promise<Process> {
    const worker = this.build.start('worker', { ...this.env, ...overrides });
    await worker.untilLogged('worker is polling');
    return worker;
  }

  /** A webhook that listens, with its health beside it. */
  async webhook(overrides: Environment = {}): Promise<Process> {
    const webhook = this.build.start('webhook', { ...this.env, MODERATION_HEALTH_PORT: undefined, ...overrides });
    await webhook.untilLogged('webhook is listening');
    return webhook;
  }

  /** A gateway that listens, with its health beside it. */
  async gateway(overrides: Environment = {}): Promise<Process> {
    const own = { MODERATION_GATEWAY_PORT: '0', MODERATION_HEALTH_PORT: undefined };
    const gateway = this.build.start('gateway', { ...this.env, ...own, ...overrides });
    await gateway.untilLogged('gateway is listening');
    return gateway;
  }

  /** A process that may or may not come up. */
  process(what: 'worker' | 'webhook', env: Environment): Process {
    return this.build.start(what, env);
  }

  moderation(taskQueue = this.env['MODERATION_TASK_QUEUE']): ModerationClient {
    return new ModerationClient({ client: this.client, ...(taskQueue !== undefined && { taskQueue }) });
  }

  call(given: Partial<NewCall> = {}): TestCall {
    const created = this.graph.createCall({ callbackUri: this.callbackUrl, ...given });
    return new TestCall({ graph: this.graph }, created);
  }
}
