import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ModerationError } from '../../src/client/errors.ts';
import { ModerationClient } from '../../src/client/moderation-client.ts';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import { SIGNAL } from '../../src/contract/names.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { failureOf } from '../support/expect.ts';
import { log, Service, untilPhase, type TestCall } from '../support/service.ts';
import { startWorker } from '../../src/worker.ts';

/** What happens to a second operation while one runs on the call. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

/** A deployment of its own whose worker is not there yet. */
function withoutWorker() {
  const taskQueue = `no-worker-${randomUUID()}`;
  const { client, env } = service;
  const start = async ({ id, workflowId }: TestCall) =>
    await client.workflow.start('mute', { workflowId, taskQueue, args: [{ callId: id }] });
  const config = loadWorkerConfig({ ...env, MODERATION_TASK_QUEUE: taskQueue });
  return {
    moderation: new ModerationClient({ client, taskQueue }),
    start,
    runWorker: async () => await startWorker({ config, log, bundle: { codePath: inject('workflowBundle') } }),
  };
}

const untold: Faults = { notifications: [{ on: 'roster', drop: true, times: 'forever' }] };

describe.concurrent('the same action', () => {
  test('joins the running one, whose other fields stay', async () => {
    const call = service.call();
    service.graph.setFaults(call.id, { requests: [{ on: 'mute', latencyMs: 1_000 }] });
    const first = await service.moderation.mute({ callId: call.id, clientContext: 'first' });
    const second = await service.moderation.mute({ callId: call.id, clientContext: 'second' });
    expect((await second.run()).attached).toBe(true);
    expect((await second.run()).runId).toBe((await first.run()).runId);
    expect(await second.result()).toEqual(await first.result());
    expect(await second.result()).toMatchObject({ clientContext: 'first' });
    expect(call.posts).toEqual(['mute']);
  });

  test('that is attached and is cancelled stops waiting, and the operation continues', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 1_000 }] } });
    const first = await service.moderation.mute({ callId: call.id });
    const second = await service.moderation.mute({ callId: call.id });
    const letGo = failureOf(second, 'Cancelled');
    await second.cancel();
    expect((await letGo).message).toContain('The operation continues');
    expect(await first.result()).toMatchObject({ isMuted: true });
    expect(call.posts).toEqual(['mute']);
  });

  test('does not join one that is being cancelled, but takes over', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 1_500 }] } });
    const first = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    await first.cancel();
    const second = await service.moderation.mute({ callId: call.id });
    expect(await second.result()).toMatchObject({ isMuted: true });
    expect((await second.run()).attached).toBe(false);
    expect(call.self.serverMuted).toBe(true);
  });

  test('joins also while no worker is there to be asked', { timeout: 90_000 }, async () => {
    const call = service.call();
    const { moderation, start } = withoutWorker();
    const run = await start(call);
    const second = await moderation.mute({ callId: call.id });
    expect((await second.run()).attached).toBe(true);
    await run.terminate();
    await failureOf(second, 'Terminated');
  });
});

describe.concurrent('the opposite action', () => {
  test.each(['reading', 'requesting', 'confirming', 'restoring'] as const)(
    'supersedes one that is %s',
    async (phase) => {
      const slow = { reading: 'getCall', requesting: 'mute', confirming: 'mute', restoring: 'unmute' } as const;
      const latencyMs = phase === 'confirming' ? 0 : 1_500;
      const call = service.call({ faults: { requests: [{ on: slow[phase], latencyMs }], ...untold } });
      const first = await service.moderation.mute({
        callId: call.id,
        confirmWithinSeconds: phase === 'restoring' ? 1 : 60,
      });
      // While one activity reads and POSTs, nobody but Graph knows how far it is.
      await (phase === 'requesting' ? call.untilAsked('mute') : untilPhase(first, phase));
      const heard = failureOf(first, 'Superseded');
      const second = await service.moderation.unmute({ callId: call.id });
      expect(await second.result()).toMatchObject({ action: 'unmute', isMuted: false });
      expect((await second.run()).attached).toBe(false);
      expect((await heard).message).toContain(call.id);
      expect(call.self.serverMuted).toBe(false);
      // No POST is on its way when the next one is sent.
      const posts = call.requests.filter(({ action }) => action !== undefined);
      for (const [index, post] of posts.slice(1).entries()) {
        expect(post.startedAt).toBeGreaterThanOrEqual(posts[index]?.endedAt ?? Infinity);
      }
      const { handle } = await (await service.moderation.unmute({ callId: call.id })).run();
      await handle.result();
    },
  );

  test('goes back to the state before the first, where it is not confirmed itself', async () => {
    const call = service.call({ self: { serverMuted: true }, faults: untold });
    const first = await service.moderation.unmute({ callId: call.id, confirmWithinSeconds: 60 });
    await untilPhase(first, 'confirming');
    const second = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 60 });
    await untilPhase(second, 'confirming');
    const third = await service.moderation.unmute({ callId: call.id, confirmWithinSeconds: 1 });
    const error = await failureOf(third, 'Unconfirmed');
    expect(error.details.restored).toBe(true);
    expect((await third.status()).before).toEqual({ isMuted: true, serverMuted: true });
    expect(call.self.serverMuted).toBe(true);
    expect(call.posts).toEqual(['unmute', 'mute', 'unmute', 'mute']);
  });

  test('never takes what it read itself for the state before, where the first had read nothing', async () => {
    const call = service.call({ faults: { hideSelf: true, ...untold } });
    const first = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 60 });
    await untilPhase(first, 'confirming');
    await service.graph.clearFaults(call.id);
    service.graph.setFaults(call.id, untold);
    const second = await service.moderation.unmute({ callId: call.id, confirmWithinSeconds: 1 });
    expect((await failureOf(second, 'Unconfirmed')).details.restored).toBe(false);
    expect((await second.status()).before).toBeUndefined();
  });

  test.each([
    { name: 'cancelled before it has sent anything', type: 'Cancelled', on: 'getCall' },
    { name: 'refused by Graph at once', type: 'PermissionDenied', on: 'unmute' },
  ] as const)('that is $name undoes what the first has done', async ({ type, on }) => {
    const call = service.call({ faults: untold });
    const first = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 60 });
    await untilPhase(first, 'confirming');
    const rule = on === 'getCall' ? { on, latencyMs: 2_000 } : { on, answer: { status: 403, code: '7504' } };
    service.graph.setFaults(call.id, { requests: [rule], ...untold });
    const second = await service.moderation.unmute({ callId: call.id });
    if (type === 'Cancelled') await second.cancel();
    expect((await failureOf(second, type)).details.restored).toBe(true);
    expect(call.self.isMuted).toBe(false);
  });

  test('gives way to the first one asked for again, while it waits for a request under way', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 1_500 }] } });
    await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    const second = await service.moderation.unmute({ callId: call.id });
    const heard = failureOf(second, 'Superseded');
    const third = await service.moderation.mute({ callId: call.id });
    expect(await third.result()).toMatchObject({ action: 'mute', isMuted: true });
    await heard;
    expect(call.self.isMuted).toBe(true);
  });

  test('is started although nobody asks for its result, where the running one ends without having heard', async () => {
    const call = service.call();
    const { moderation, start, runWorker } = withoutWorker();
    const stuck = await start(call);
    await moderation.unmute({ callId: call.id });
    await stuck.terminate();
    const worker = await runWorker();
    await call.untilAsked('unmute');
    await call.settled();
    await worker.stop();
  });

  test('is confirmed for a raw client that follows the first run', async () => {
    const call = service.call({ faults: untold });
    const raw = await service.client.workflow.start('mute', {
      workflowId: call.workflowId,
      taskQueue: service.taskQueue,
      args: [{ callId: call.id }],
    });
    await call.untilAsked('mute');
    await raw.signal(SIGNAL.supersede, { action: 'unmute', request: { callId: call.id } });
    expect(await raw.result()).toMatchObject({ action: 'unmute', isMuted: false });
  });

  test('is refused with onConflict reject', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 1_000 }] } });
    const first = await service.moderation.mute({ callId: call.id });
    const second = service.moderation.unmute({ callId: call.id }, { onConflict: 'reject' });
    await expect(second).rejects.toMatchObject({ type: 'OperationInProgress', name: 'ModerationError' });
    expect(await first.result()).toMatchObject({ isMuted: true });
  });

  test('waits with onConflict queue', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 1_000 }] } });
    const first = await service.moderation.mute({ callId: call.id });
    const second = await service.moderation.unmute({ callId: call.id }, { onConflict: 'queue' });
    expect(await first.result()).toMatchObject({ isMuted: true });
    expect(await second.result()).toMatchObject({ isMuted: false });
    expect(call.posts).toEqual(['mute', 'unmute']);
  });

  test(
    'starts again if the running operation was terminated before the successor began',
    { timeout: 90_000 },
    async () => {
      const call = service.call();
      const { moderation, start, runWorker } = withoutWorker();
      const stuck = await start(call);
      const second = await moderation.unmute({ callId: call.id });
      const result = second.result();
      await stuck.terminate();
      const worker = await runWorker();
      expect(await result).toMatchObject({ action: 'unmute', isMuted: false });
      await worker.stop();
    },
  );
});

describe.concurrent('opposite clients at the same moment', () => {
  test('come to an end, and what was confirmed last is what Graph shows', async () => {
    const call = service.call({ faults: { requests: [{ on: 'any', latencyMs: 100, times: 'forever' }] } });
    const handles = await Promise.all(
      Array.from({ length: 12 }, async (_, index) =>
        index % 2 === 0
          ? await service.moderation.mute({ callId: call.id })
          : await service.moderation.unmute({ callId: call.id }),
      ),
    );
    const outcomes = await Promise.allSettled(handles.map(async (handle) => await handle.result()));
    const confirmed = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const others = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    for (const reason of others) {
      expect(reason).toBeInstanceOf(ModerationError);
      expect(reason).toMatchObject({ type: 'Superseded' });
    }
    const last = confirmed.toSorted((a, b) => a.confirmedAt.localeCompare(b.confirmedAt)).at(-1);
    expect(last).toBeDefined();
    expect(call.self.isMuted).toBe(last?.isMuted);
    expect(call.posts.length).toBeLessThanOrEqual(12);
    expect(await service.moderation.getLatestOperation(call.id)).toMatchObject({ record: { outcome: 'Confirmed' } });
  });
});
