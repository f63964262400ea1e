import { randomBytes, randomUUID } from 'node:crypto';
import type { temporal } from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { ModerationClient } from '../../src/client/moderation-client.ts';
import { loadClientConfig } from '../../src/config/common.ts';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import { muteLockIdOf } from '../../src/contract/mute-lock.ts';
import { SIGNAL } from '../../src/contract/names.ts';
import { UnreadablePayload } from '../../src/contract/unreadable.ts';
import { closeClient, connectClient } from '../../src/temporal/connect.ts';
import { dataConverterOf, marking } from '../../src/temporal/payload-codec.ts';
import { startWorker, type RunningWorker } from '../../src/worker.ts';
import { MadePolicies } from '../support/made-policies.ts';
import { untilRun } from '../support/policy-run.ts';
import { log, Service, undecided, untilPhase, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/**
 * Workers that have different keys: encryption is turned on, and nobody had the key for reading first. What one of them
 * cannot read fails there and waits for another one; it is never taken for data.
 */

const KEYS = `a:${randomBytes(32).toString('base64')}`;
const bundle = { codePath: inject('workflowBundle') };

let service: Service;
beforeAll(async () => {
  service = await Service.start({ MODERATION_PAYLOAD_KEYS: KEYS });
});
afterAll(async () => await service.stop());

const made = new MadePolicies({ action: 'mute', target: { calls: ['x'] }, when: { once: '2099-01-01' } });
afterEach(async () => await made.delete(service.client));

/** A worker without the key takes the place of the one that has it, while `work` goes on. */
async function withoutKey(work: () => Promise<void>): Promise<void> {
  const config = loadWorkerConfig({ ...service.env, MODERATION_PAYLOAD_KEYS: undefined });
  const keyless: RunningWorker = await startWorker({ config, log, bundle });
  await service.stopWorker();
  try {
    await work();
  } finally {
    await service.startWorker();
    await keyless.stop();
  }
}

type History = temporal.api.history.v1.IHistory;

async function historyOf(workflowId: string, runId?: string): Promise<History> {
  return await service.client.workflow.getHandle(workflowId, runId).fetchHistory();
}

/** What the failed tasks of a run say, as an operator reads them in the UI. */
const failedTasks = ({ events }: History): string[] =>
  (events ?? []).flatMap(({ workflowTaskFailedEventAttributes: failed }) => failed?.failure?.message ?? []);

/** Until the worker has failed a task of the run, and says why. */
async function untilTaskFailed(workflowId: string): Promise<void> {
  const failures = await until(
    async () => failedTasks(await historyOf(workflowId)),
    (found) => found.length > 0,
  );
  for (const message of failures) {
    expect(message).toContain('encrypted with key a');
    expect(message).toContain('MODERATION_PAYLOAD_KEYS');
  }
}

async function describedAs(workflowId: string): Promise<string> {
  return (await service.client.workflow.getHandle(workflowId).describe()).status.name;
}

const poke = async ({ workflowId }: TestCall): Promise<void> =>
  await service.client.workflow.getHandle(workflowId).signal(SIGNAL.rosterUpdated, { full: false, participants: [] });

describe('a worker without the key', { timeout: 120_000 }, () => {
  test('fails the task of an operation whose results it cannot read; the next worker continues', async () => {
    const call = service.call({ faults: undecided });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 120 });
    await untilPhase(handle, 'confirming');
    await withoutKey(async () => {
      await poke(call);
      await untilTaskFailed(call.workflowId);
      expect(await describedAs(call.workflowId)).toBe('RUNNING');
      await service.graph.clearFaults(call.id);
    });
    expect(await handle.result()).toMatchObject({ isMuted: true });
    expect(call.posts).toEqual(['mute']);
  });

  test('fails the task of a run that has just begun, and sends nothing', async () => {
    const call = service.call();
    await withoutKey(async () => {
      await service.moderation.mute({ callId: call.id });
      await untilTaskFailed(call.workflowId);
      expect(call.requests).toEqual([]);
    });
    const handle = await service.moderation.mute({ callId: call.id });
    expect(await handle.result()).toMatchObject({ isMuted: true });
  });

  test('fails the attempt of an activity, and says why; another attempt is made', async () => {
    const call = service.call({ faults: { requests: [{ on: 'getCall', answer: { status: 503 }, times: 'forever' }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    const run = service.client.workflow.getHandle(call.workflowId);
    const lastFailure = async () => (await run.describe()).raw.pendingActivities?.[0]?.lastFailure?.message ?? '';
    // Before, a task of the workflow could come to the worker without the key, and the activity to none.
    await until(lastFailure, (said) => said !== '');
    await withoutKey(async () => {
      const pending = await until(lastFailure, (said) => said.includes('key a'));
      expect(pending).toContain('MODERATION_PAYLOAD_KEYS');
      await service.graph.clearFaults(call.id);
    });
    expect(await handle.result()).toMatchObject({ isMuted: true });
  });

  test('leaves nobody muted: neither a superseded mute, nor a mute lock, nor a policy', async () => {
    const { moderation } = service;
    const [superseded, held, ruled] = [service.call({ faults: undecided }), service.call(), service.call()];
    const mute = await moderation.mute({ callId: superseded.id, confirmWithinSeconds: 120 });
    await untilPhase(mute, 'confirming');
    const hold = await moderation.keepMuted({ callId: held.id, forSeconds: 300 });
    await held.until(() => held.self.serverMuted);
    const policy = made.of({ action: 'unmute', target: { calls: [ruled.id] } });
    await moderation.policies.create(policy);
    await (await moderation.mute({ callId: ruled.id })).result();

    await withoutKey(async () => {
      await moderation.unmute({ callId: superseded.id });
      await hold.release();
      await moderation.policies.trigger(policy.id);
      const { lastRun } = await until(
        async () => await moderation.policies.describe(policy.id),
        (seen) => seen.lastRun !== undefined,
      );
      const runs = [superseded.workflowId, muteLockIdOf(held.id), lastRun?.workflowId ?? ''];
      await Promise.all(runs.map(untilTaskFailed));
      expect(await Promise.all(runs.map(describedAs))).toEqual(['RUNNING', 'RUNNING', 'RUNNING']);
      await service.graph.clearFaults(superseded.id);
    });
    const done = await Promise.all([hold.result(), untilRun(moderation.policies, policy.id, 1, 90_000)]);
    expect(done).toMatchObject([{ endedBy: 'released' }, { report: { outcomes: { Confirmed: 1 } } }]);
    await until(
      async () => await describedAs(superseded.workflowId),
      (status) => status === 'COMPLETED',
      90_000,
    );
    for (const call of [superseded, held, ruled]) expect(call.self.serverMuted).toBe(false);
  });
});

test('a signal that a worker without the key has ignored is ignored for good, and a replay continues from there', async () => {
  const queue = `test-${randomUUID()}`;
  const worker = async (keys: string | undefined): Promise<RunningWorker> => {
    const env = { ...service.env, MODERATION_TASK_QUEUE: queue, MODERATION_PAYLOAD_KEYS: keys };
    return await startWorker({ config: loadWorkerConfig(env), log, bundle });
  };
  const call = service.call({ faults: undecided });
  const plain = await connectClient(loadClientConfig({ ...service.env, MODERATION_PAYLOAD_KEYS: undefined }));
  const moderation = new ModerationClient({ client: plain, taskQueue: queue });
  const keyless = await worker(undefined);
  const handle = await moderation.mute({ callId: call.id, confirmWithinSeconds: 60 });
  await untilPhase(handle, 'confirming');
  // It would confirm the mute.
  const participants = [{ id: call.participantId, isMuted: true, serverMuted: true, sequence: 1e6 }];
  const signal = async (): Promise<void> =>
    await service.client.workflow.getHandle(call.workflowId).signal(SIGNAL.rosterUpdated, { full: true, participants });
  const markers = ({ events }: History): number =>
    (events ?? []).filter(({ markerRecordedEventAttributes: marker }) => marker).length;
  await signal();
  await until(
    async () => markers(await historyOf(call.workflowId)),
    (count) => count === 1,
  );
  expect((await handle.status()).phase).toBe('confirming');

  const keyed = await worker(KEYS);
  await keyless.stop();
  const { runId } = await handle.run();
  const seen = service.moderation.getHandle({ callId: call.id, action: 'mute', runId });
  await untilPhase(seen, 'confirming');
  await signal();
  await until(
    async () => await describedAs(call.workflowId),
    (status) => status === 'COMPLETED',
  );
  const history = await historyOf(call.workflowId, runId);
  expect(markers(history)).toBe(1);
  await keyed.stop();

  const replay = async (keys: string | undefined): Promise<void> => {
    const { payloadKeys } = loadClientConfig({ MODERATION_PAYLOAD_KEYS: keys });
    const converter = dataConverterOf(
      payloadKeys,
      marking(() => undefined),
    );
    await Worker.runReplayHistory({ workflowBundle: bundle, ...converter }, history, call.workflowId);
  };
  await replay(KEYS);
  await expect(replay(undefined)).rejects.toThrow('encrypted with key a');
  await closeClient(plain);
});

test('a run that continues another one is replayed with its key alone, and never without it refused', async () => {
  const call = service.call({ faults: undecided });
  const mute = await service.moderation.mute({ callId: call.id });
  await untilPhase(mute, 'confirming');
  const unmute = await service.moderation.unmute({ callId: call.id });
  await service.graph.clearFaults(call.id);
  await unmute.result();
  const { runId } = await unmute.run();
  const history = await historyOf(call.workflowId, runId);
  const replay = async (keys: string | undefined): Promise<void> => {
    const { payloadKeys } = loadClientConfig({ MODERATION_PAYLOAD_KEYS: keys });
    await Worker.runReplayHistory(
      {
        workflowBundle: bundle,
        ...dataConverterOf(
          payloadKeys,
          marking(() => undefined),
        ),
      },
      history,
      call.workflowId,
    );
  };
  await replay(KEYS);
  await replay(`plain,${KEYS}`);
  await expect(replay(undefined)).rejects.toThrow('encrypted with key a');
  // No codec at all.
  await expect(Worker.runReplayHistory({ workflowBundle: bundle }, history, call.workflowId)).rejects.toThrow('key a');
  // Another key of that ID.
  await expect(replay(`a:${randomBytes(32).toString('base64')}`)).rejects.toThrow('encrypted with key a');
});

/** As anyone may send them: with the encoding of what is encrypted, and nothing behind it. */
const garbageOf = (id: string | undefined, data: Uint8Array) => ({
  metadata: {
    encoding: Buffer.from('binary/encrypted'),
    ...(id !== undefined && { 'encryption-key-id': Buffer.from(id) }),
  },
  data,
});

const garbage = [
  garbageOf('a', randomBytes(100)),
  garbageOf('a', Buffer.of()),
  garbageOf('a b', randomBytes(100)),
  garbageOf('x'.repeat(10_000), randomBytes(100)),
  garbageOf(undefined, randomBytes(100)),
  garbageOf('unheard-of', randomBytes(20)),
];

test('signals of strangers that say they are encrypted stop nothing, and are taken for nothing', async () => {
  const call = service.call({ faults: undecided });
  const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 60 });
  await untilPhase(handle, 'confirming');
  for (const payload of [...garbage, garbageOf('unheard-of', randomBytes(100))]) {
    for (const signalName of Object.values(SIGNAL)) {
      await service.client.workflowService.signalWorkflowExecution({
        namespace: 'default',
        workflowExecution: { workflowId: call.workflowId },
        signalName,
        input: { payloads: [payload] },
      });
    }
  }
  await untilPhase(handle, 'confirming');
  await service.graph.clearFaults(call.id);
  expect(await handle.result()).toMatchObject({ isMuted: true });
  expect(failedTasks(await historyOf(call.workflowId))).toEqual([]);
});

test.each(garbage.map((payload, index) => ({ payload, index })))(
  'an input that no key will ever read is refused ($index)',
  async ({ payload }) => {
    const workflowId = `call-moderation/${randomUUID()}`;
    await service.client.workflowService.startWorkflowExecution({
      namespace: 'default',
      workflowId,
      workflowType: { name: 'mute' },
      taskQueue: { name: service.taskQueue },
      requestId: randomUUID(),
      input: { payloads: [payload] },
    });
    const run = service.client.workflow.getHandle(workflowId);
    await expect(run.result()).rejects.toMatchObject({ cause: { type: 'InvalidRequest' } });
    expect(failedTasks(await run.fetchHistory())).toEqual([]);
  },
);

test('a client without the key says so, and takes what it cannot read for nothing', async () => {
  const call = service.call({ faults: undecided });
  const handle = await service.moderation.mute({ callId: call.id, requestId: randomUUID() });
  await untilPhase(handle, 'confirming');
  const client = await connectClient(loadClientConfig({ ...service.env, MODERATION_PAYLOAD_KEYS: undefined }));
  const moderation = new ModerationClient({ client, taskQueue: service.taskQueue });
  // It can neither tell whether that is the same request, nor whether it has the same target.
  for (const ask of [() => moderation.mute({ callId: call.id }), () => moderation.unmute({ callId: call.id })]) {
    const error: unknown = await ask().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnreadablePayload);
    expect(error).toMatchObject({ missingKey: 'a', message: expect.stringContaining('MODERATION_PAYLOAD_KEYS') });
  }
  await service.graph.clearFaults(call.id);
  expect(await handle.result()).toMatchObject({ isMuted: true });
  const { runId } = await handle.run();
  await expect(moderation.getHandle({ callId: call.id, action: 'mute', runId }).result()).rejects.toThrow(
    'encrypted with key a',
  );
  await closeClient(client);
});
