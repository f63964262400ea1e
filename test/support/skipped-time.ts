import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { inject } from 'vitest';
import { createActivities } from '../../src/activities/index.ts';
import { ModerationClient } from '../../src/client/moderation-client.ts';
import { loadClientConfig } from '../../src/config/common.ts';
import { loadWebhookConfig } from '../../src/config/webhook.ts';
import { loadWorkerConfig, type WorkerConfig } from '../../src/config/worker.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { SEARCH_ATTRIBUTE_TYPE } from '../../src/contract/names.ts';
import { EventReceiver } from '../../src/events/receiver.ts';
import { GraphClient } from '../../src/graph/client.ts';
import { tokensOf } from '../../src/graph/tokens.ts';
import { GraphSimulator, type NewCall } from '../../src/simulator/index.ts';
import { closeClient, connectClient } from '../../src/temporal/connect.ts';
import { activityInterceptors, traceSinks } from '../../src/tracing/worker.ts';
import { startWebhook, type RunningWebhook } from '../../src/webhook.ts';
import { withEvents } from '../../src/temporal/workflow-bundle.ts';
import { environmentFor, log, silenceTemporal, TestCall } from './service.ts';

/**
 * The service on Temporal's test server, whose clock is skipped: a day passes in as long as what happens in it takes. The
 * workflows, the activities over HTTP to the simulator and the webhook are the ones that are deployed.
 *
 * What that server does and does not, as it was found with its version 1.40:
 *
 * T1. Its clock runs as the real one does until `pass`, which skips from timer to timer. While a task is under way it
 *     runs as the real one again.
 * T2. Only workflows live by that clock. The activities, the simulator and the webhook have the real one: what they do
 *     takes moments, and tokens are checked against the day on which the test runs.
 * T3. It keeps no lists, from which the webhook knows the mute locks and mutes on entry. So these never hear of a roster, as if
 *     each notification to them were lost, and look by themselves; operations and live calls hear of all.
 * T4. It has no schedules, so that live calls cannot ask whether a policy mutes them, and go on without an answer. A
 *     policy is run by hand.
 * T5. It takes search attributes and does not list them, which `startWorker` insists on: the worker is made here.
 * T6. It keeps the tasks of a workflow for the worker that had it, also where that has stopped, and they are lost. So no
 *     worker is stopped here before the end; one may come late.
 * T7. An activity that is to be tried again only after its time is over, as after a 503 with a long `Retry-After`, is now
 *     and then taken for running until then, by the real clock. So a Graph that is down is played by one that refuses.
 */
export class SkippedTime {
  readonly graph: GraphSimulator;
  readonly client: Client;
  readonly moderation: ModerationClient;
  readonly taskQueue: string;
  readonly #environment: TestWorkflowEnvironment;
  readonly #webhook: RunningWebhook;
  readonly #config: WorkerConfig;
  #stopWorker: (() => Promise<void>) | undefined;

  private constructor(parts: {
    graph: GraphSimulator;
    client: Client;
    environment: TestWorkflowEnvironment;
    webhook: RunningWebhook;
    config: WorkerConfig;
  }) {
    this.graph = parts.graph;
    this.client = parts.client;
    this.#environment = parts.environment;
    this.#webhook = parts.webhook;
    this.#config = parts.config;
    this.taskQueue = parts.config.taskQueue;
    this.moderation = new ModerationClient({ client: this.client, taskQueue: this.taskQueue });
  }

  /** Without a worker, until `startWorker`. */
  static async start(program: string, overrides: Environment = {}): Promise<SkippedTime> {
    silenceTemporal();
    const executable = { type: 'existing-path', path: program } as const;
    const environment = await TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
    const searchAttributes = Object.fromEntries(
      Object.entries(SEARCH_ATTRIBUTE_TYPE).map(([name, type]) => [name, INDEXED_VALUE_TYPE[type]]),
    );
    await environment.connection.operatorService.addSearchAttributes({ namespace: 'default', searchAttributes });
    const graph = await GraphSimulator.start({ fixedToken: 'fixed-token' });
    const env = {
      ...environmentFor(graph),
      TEMPORAL_ADDRESS: environment.address,
      MODERATION_TASK_QUEUE: `skipped-${randomUUID()}`,
      ...overrides,
    };
    const client = await connectClient(loadClientConfig(env));
    const webhook = await startWebhook({ config: loadWebhookConfig(env), log });
    return new SkippedTime({ graph, client, environment, webhook, config: loadWorkerConfig(env) });
  }

  async startWorker(): Promise<void> {
    const { graph, events: target } = this.#config;
    const events = target === undefined ? undefined : new EventReceiver({ ...target, userAgent: 'test' });
    const workflows = { codePath: inject('workflowBundle') };
    const graphClient = new GraphClient({ url: graph.url, tokens: tokensOf(graph), userAgent: 'test' });
    const worker = await Worker.create({
      connection: this.#environment.nativeConnection,
      taskQueue: this.taskQueue,
      activities: createActivities({ graph: graphClient, events }),
      workflowBundle: events === undefined ? workflows : await withEvents(workflows),
      interceptors: { activity: [activityInterceptors] },
      sinks: traceSinks,
    });
    const stopped = worker.run();
    this.#stopWorker = async () => {
      worker.shutdown();
      await stopped;
      await graphClient.close();
      await events?.close();
    };
  }

  async stop(): Promise<void> {
    await this.#stopWorker?.();
    await this.graph.close();
    await this.#webhook.stop();
    await closeClient(this.client);
    await this.#environment.teardown();
  }

  call(given: Partial<NewCall> = {}): TestCall {
    return new TestCall(this, this.graph.createCall({ callbackUri: this.#webhook.callbackUrl, ...given }));
  }

  /** What the workflows take for now, in ms. */
  async now(): Promise<number> {
    return await this.#environment.currentTimeMs();
  }

  /** Lets so many seconds pass for the workflows, and all that is due in them happen. */
  async pass(seconds: number): Promise<void> {
    await this.#environment.sleep(seconds * 1_000);
  }

  /** The same while there is no worker: every task that becomes due meanwhile would hold the clock (T1), and is let go. */
  async passWithoutWorker(seconds: number): Promise<void> {
    const { testService } = this.#environment.connection;
    let isOver = false;
    const passing = this.pass(seconds).finally(() => {
      isOver = true;
    });
    let letGo = 0;
    for (;;) {
      await Promise.race([passing, sleep(HELD_MS)]);
      if (isOver) break;
      await testService?.unlockTimeSkipping({});
      letGo += 1;
    }
    for (; letGo > 0; letGo -= 1) await testService?.lockTimeSkipping({});
    await passing;
  }
}

/** Without a worker nothing takes longer than this but a clock that is held. */
const HELD_MS = 300;

/** `temporal.api.enums.v1.IndexedValueType` */
const INDEXED_VALUE_TYPE = { Keyword: 2, KeywordList: 7 } as const;
