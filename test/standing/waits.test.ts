import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createActivities } from '../../src/activities/index.ts';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import { GraphClient } from '../../src/graph/client.ts';
import { tokensOf } from '../../src/graph/tokens.ts';
import { traceSinks } from '../../src/tracing/worker.ts';
import { MadePolicies } from '../support/made-policies.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

/** Who waits for an operation takes nothing from it: no place of a worker, and nothing that goes on after a cancellation. */

describe('with a worker that runs 10 activities at a time', () => {
  let service: Service;
  let connection: NativeConnection;
  let worker: Worker;
  let running: Promise<void>;
  beforeAll(async () => {
    service = await Service.start();
    await service.stopWorker();
    const config = loadWorkerConfig(service.env);
    const graph = new GraphClient({ url: config.graph.url, tokens: tokensOf(config.graph), userAgent: 'test' });
    connection = await NativeConnection.connect({ address: inject('temporalAddress') });
    worker = await Worker.create({
      connection,
      taskQueue: service.taskQueue,
      workflowBundle: { codePath: inject('workflowBundle') },
      sinks: traceSinks,
      activities: createActivities({ graph }),
      maxConcurrentActivityTaskExecutions: 10,
    });
    running = worker.run();
  });
  afterAll(async () => {
    worker.shutdown();
    await running;
    await connection.close();
    await service.stop();
  });

  test('20 timed mutes that end together have all unmuted soon after', { timeout: 180_000 }, async () => {
    const end = Date.now() + 60_000;
    const calls = Array.from({ length: 20 }, () => service.call());
    const pauses = await Promise.all(
      calls.map(async ({ id }) => await service.moderation.muteFor({ callId: id, until: new Date(end).toISOString() })),
    );
    await Promise.all(calls.map(async (call) => await call.until(() => call.self.serverMuted)));
    expect(Date.now()).toBeLessThan(end);
    await Promise.all(pauses.map(async (pause) => await pause.result()));
    expect(calls.filter(({ self }) => self.serverMuted)).toEqual([]);
    // It was minutes, because each wait took the place of the work that it waited for.
    expect(Date.now() - end).toBeLessThan(30_000);
  });
});

describe('what is cancelled, or was never begun', () => {
  let service: Service;
  const made = new MadePolicies({ action: 'mute', target: { live: {} }, when: {} });
  beforeAll(async () => {
    service = await Service.start();
  });
  afterAll(async () => {
    await made.delete(service.client);
    await service.stop();
  });

  test('a policy run that is cancelled while it queues sends nothing later', { timeout: 60_000 }, async () => {
    const call = service.call({
      self: { serverMuted: true },
      faults: { requests: [{ on: 'unmute', latencyMs: 6_000 }] },
    });
    const { policies } = service.moderation;
    const unmute = await service.moderation.unmute({ callId: call.id });
    await call.untilAsked('unmute');
    const policy = made.of({ onConflict: 'queue', target: { calls: [call.id] }, when: { at: '00:00' } });
    await policies.create(policy, { paused: true });
    await policies.trigger(policy.id);
    const { lastRun } = await until(
      async () => await policies.describe(policy.id),
      (described) => described.lastRun?.status === 'RUNNING',
    );
    const run = service.client.workflow.getHandle(lastRun?.workflowId ?? '');
    // It waits: its order was taken, and no activity runs any more.
    await until(
      async () => await run.describe(),
      ({ historyLength, raw }) => historyLength > 8 && (raw.pendingActivities?.length ?? 0) === 0,
    );
    await run.cancel();
    await until(
      async () => await run.describe(),
      ({ status }) => status.name === 'CANCELLED',
    );
    await unmute.result();
    await sleep(3_000);
    expect(call.posts).toEqual(['unmute']);
  });

  test(
    'a timed mute whose time was over before a worker came leaves the call as it was',
    { timeout: 60_000 },
    async () => {
      const call = service.call({ self: { serverMuted: true } });
      await service.stopWorker();
      const pause = await service.moderation.muteFor({ callId: call.id, forSeconds: 1 });
      await sleep(2_000);
      await service.startWorker();
      expect(await pause.result()).toMatchObject({ endedBy: 'expired' });
      expect(call.posts).toEqual([]);
      expect(call.self.serverMuted).toBe(true);
    },
  );
});
