import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { MuteLockHandle } from '../../src/client/standing/mute-locks.ts';
import { muteLockIdOf, type MuteLockRequest, type MuteLockStatus } from '../../src/contract/mute-lock.ts';
import { SIGNAL, STANDING_MUTE_SIGNAL } from '../../src/contract/names.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { costOf } from '../../bench/counts.ts';
import { BIN, Command, killCommands } from '../support/command-kit.ts';
import { Service, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/** MuteLocks and pauses: mutes that last, and that end by themselves. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => {
  await killCommands();
  await service.stop();
});

async function untilHeld(
  handle: MuteLockHandle,
  holds: (status: MuteLockStatus) => boolean,
  ms = 30_000,
): Promise<MuteLockStatus> {
  return await until(async () => await handle.status(), holds, ms);
}

async function held(call: TestCall, request: Partial<MuteLockRequest> = {}): Promise<MuteLockHandle> {
  const handle = await service.moderation.keepMuted({ callId: call.id, ...request });
  await untilHeld(handle, ({ phase }) => phase === 'keepingMuted');
  return handle;
}

/** Somebody else unmutes the application, without asking us. */
async function unmute(call: TestCall): Promise<void> {
  await service.graph.setParticipant(call.id, call.participantId, { serverMuted: false });
}

/** The webhook knows of mute locks by a list that is a little old. */
const known = 30_000;

describe.concurrent('a mute lock', () => {
  test('mutes, and unmutes when its time is over', async () => {
    const call = service.call();
    const handle = await service.moderation.keepMuted({ callId: call.id, forSeconds: 4 });
    await call.until(() => call.self.serverMuted);
    expect(await handle.result()).toMatchObject({ callId: call.id, endedBy: 'expired', mutesAgain: 0 });
    expect(call.self.isMuted).toBe(false);
    expect(call.posts).toEqual(['mute', 'unmute']);
  });

  test('mutes again whoever unmutes, by operations under the ID of the call, until it is released', async () => {
    const call = service.call();
    const handle = await held(call, { reason: 'on hold' });
    await unmute(call);
    await untilHeld(handle, ({ mutesAgain }) => mutesAgain === 1, known);
    expect(call.self.serverMuted).toBe(true);
    expect(await service.moderation.getLatestOperation(call.id)).toMatchObject({ record: { outcome: 'Confirmed' } });
    await unmute(call);
    await untilHeld(handle, ({ mutesAgain }) => mutesAgain === 2, known);
    await handle.release();
    expect(await handle.result()).toMatchObject({ endedBy: 'released', mutesAgain: 2 });
    expect(call.posts).toEqual(['mute', 'mute', 'mute', 'unmute']);
    expect(call.self.isMuted).toBe(false);
  });

  test('fights no longer than it may, and leaves it then', { timeout: 60_000 }, async () => {
    const call = service.call({ faults: { unmutes: [{ who: 'app', times: 'forever', afterMs: 2_500 }] } });
    const handle = await service.moderation.keepMuted({ callId: call.id, atMost: { mutes: 3, withinSeconds: 60 } });
    expect(await handle.result()).toMatchObject({ endedBy: 'gaveUp', mutesAgain: 3 });
    expect(call.posts).toEqual(['mute', 'mute', 'mute', 'mute']);
    const record = await service.client.workflow.getHandle(muteLockIdOf(call.id)).describe();
    expect(record.typedSearchAttributes.get({ name: 'ModerationOutcome', type: 'KEYWORD' })).toBe('GaveUp');
  });

  test('is over when somebody unmutes with an operation of ours', async () => {
    const call = service.call();
    const handle = await held(call);
    await (await service.moderation.unmute({ callId: call.id })).result();
    expect(await handle.result()).toMatchObject({ endedBy: 'unmuted' });
    expect(call.posts).toEqual(['mute', 'unmute']);
  });

  test('ends with the call', async () => {
    const call = service.call();
    const handle = await held(call);
    await service.graph.endCall(call.id);
    expect(await handle.result()).toMatchObject({ endedBy: 'callEnded' });
    expect(call.posts).toEqual(['mute']);
  });

  test('is not misled by an old roster that comes late', async () => {
    const call = service.call();
    const handle = await held(call);
    const run = service.client.workflow.getHandle(muteLockIdOf(call.id));
    const participants = [{ id: call.participantId, isMuted: false }];
    await run.signal(SIGNAL.rosterUpdated, { participants, full: true });
    await call.until(() => call.requests.some(({ name }) => name === 'getParticipant'));
    await handle.release();
    expect(await handle.result()).toMatchObject({ mutesAgain: 0 });
    expect(call.posts).toEqual(['mute', 'unmute']);
  });

  test('fails where its first mute does, with the same type', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', answer: { status: 403, code: '7504' } }] } });
    const handle = await service.moderation.keepMuted({ callId: call.id });
    await expect(handle.result()).rejects.toMatchObject({ type: 'PermissionDenied', details: { callId: call.id } });
  });

  test('that is cancelled unmutes first', async () => {
    const call = service.call();
    const handle = await held(call);
    await service.client.workflow.getHandle(handle.workflowId).cancel();
    await expect(handle.result()).rejects.toMatchObject({ type: 'Cancelled' });
    expect(call.posts).toEqual(['mute', 'unmute']);
  });

  test('tries to unmute until it succeeds', { timeout: 40_000 }, async () => {
    const call = service.call();
    const handle = await held(call);
    service.graph.setFaults(call.id, { requests: [{ on: 'unmute', answer: { status: 403, code: '7504' } }] });
    await handle.release();
    expect(await handle.result()).toMatchObject({ endedBy: 'released' });
    expect(call.posts).toEqual(['mute', 'unmute', 'unmute']);
    expect(call.self.isMuted).toBe(false);
  });

  test('gets new terms if the call is already kept muted, also while it is ending', async () => {
    const call = service.call();
    const first = await held(call, { forSeconds: 600 });
    const second = await service.moderation.keepMuted({ callId: call.id, forSeconds: 1_200 });
    expect([first.attached, second.attached]).toEqual([false, true]);
    const before = Date.parse((await first.status()).startedAt);
    await untilHeld(first, (status) => Date.parse(status.until ?? '') > before + 1_000_000);
    service.graph.setFaults(call.id, { requests: [{ on: 'unmute', latencyMs: 1_000 }] });
    await first.release();
    await untilHeld(first, ({ phase }) => phase === 'unmuting');
    await second.extend({});
    const status = await untilHeld(first, ({ phase }) => phase === 'keepingMuted');
    expect(status).not.toHaveProperty('until');
    expect(call.self.serverMuted).toBe(true);
    await first.release();
    expect(await first.result()).toMatchObject({ endedBy: 'released' });
    expect(call.posts).toEqual(['mute', 'unmute', 'mute', 'unmute']);
  });

  test('gets new terms at the moment when an unmute would have ended it, and continues', async () => {
    const call = service.call();
    const handle = await held(call);
    service.graph.setFaults(call.id, { requests: [{ on: 'getParticipant', latencyMs: 1_500, times: 'forever' }] });
    await (await service.moderation.unmute({ callId: call.id })).result();
    await call.until(() => call.requests.some(({ name }) => name === 'getParticipant'));
    await service.moderation.keepMuted({ callId: call.id, forSeconds: 600 });
    await call.untilAsked('mute', 2);
    expect(await untilHeld(handle, ({ phase }) => phase === 'keepingMuted')).toHaveProperty('until');
    await handle.release();
    expect(await handle.result()).toMatchObject({ endedBy: 'released' });
    expect(call.posts).toEqual(['mute', 'unmute', 'mute', 'unmute']);
  });

  test('mutes again if it is requested again after an unmute of ours, and so does a timed mute', async () => {
    for (const again of ['keepMuted', 'muteFor'] as const) {
      const call = service.call();
      const handle = await service.moderation[again]({ callId: call.id, forSeconds: 600 });
      await untilHeld(handle, ({ phase }) => phase === 'keepingMuted');
      // The mute lock does not see it before it is asked for anew: it would end otherwise.
      service.graph.setFaults(call.id, { requests: [{ on: 'getParticipant', latencyMs: 1_500, times: 'forever' }] });
      await (await service.moderation.unmute({ callId: call.id })).result();
      const joined = await service.moderation[again]({ callId: call.id, forSeconds: 600 });
      await call.untilAsked('mute', 2);
      await call.until(() => call.self.serverMuted);
      await joined.release();
      await joined.result();
      expect(call.posts.at(-1)).toBe('unmute');
    }
  });

  test('is refused with onConflict reject, and found by its call', async () => {
    const call = service.call();
    const handle = await held(call);
    const refused = service.moderation.keepMuted({ callId: call.id }, { onConflict: 'reject' });
    await expect(refused).rejects.toMatchObject({ type: 'OperationInProgress' });
    const found = await service.moderation.getMuteLock(call.id);
    await found?.release();
    await handle.result();
    expect(await service.moderation.getMuteLock(call.id)).toBeUndefined();
  });
});

describe.concurrent('a timed mute', () => {
  test('has an end, or is refused before anything is started', async () => {
    const call = service.call();
    await expect(service.moderation.muteFor({ callId: call.id })).rejects.toThrow('needs forSeconds or until');
    expect(await service.moderation.getMuteLock(call.id)).toBeUndefined();
    expect(call.posts).toEqual([]);
  });

  test('mutes once, lets others unmute, and unmutes at its end', async () => {
    const call = service.call();
    const handle = await service.moderation.muteFor({ callId: call.id, forSeconds: 10 });
    await untilHeld(handle, ({ participantId }) => participantId !== undefined);
    await unmute(call);
    const participants = [{ id: call.participantId, isMuted: false }];
    const run = service.client.workflow.getHandle(muteLockIdOf(call.id));
    await run.signal(SIGNAL.rosterUpdated, { participants, full: true });
    await call.until(() => call.requests.some(({ name }) => name === 'getParticipant'));
    expect(await handle.result()).toMatchObject({ endedBy: 'expired', mutesAgain: 0 });
    expect(call.posts).toEqual(['mute', 'unmute']);
  });
});

describe.concurrent('with single operations', () => {
  test('no two requests to Graph overlap, whatever is asked', { timeout: 60_000 }, async () => {
    const slow: Faults = { requests: [{ on: 'any', latencyMs: 60, times: 'forever' }] };
    const call = service.call({ faults: slow });
    const hold = await service.moderation.keepMuted({ callId: call.id, forSeconds: 3 });
    const asked = Array.from({ length: 8 }, async (_, index) => {
      const action = index % 3 === 0 ? 'unmute' : 'mute';
      const handle = await service.moderation[action]({ callId: call.id });
      return await handle.result().catch(() => undefined);
    });
    await service.moderation.muteFor({ callId: call.id, forSeconds: 2 });
    await Promise.all(asked);
    await hold.result().catch(() => undefined);
    await (await service.moderation.getMuteLock(call.id))?.result();
    const posts = call.requests.filter(({ action }) => action !== undefined);
    for (const [index, post] of posts.slice(1).entries()) {
      expect(post.startedAt).toBeGreaterThanOrEqual(posts[index]?.endedAt ?? Infinity);
    }
  });
});

describe('the history', () => {
  test('of a timed mute has two operations, its timer and its outcome, and that of a mute of others one POST for each', async () => {
    const call = service.call({ participants: 6 });
    const pause = await service.moderation.muteFor({ callId: call.id, forSeconds: 5 });
    await pause.result();
    const paused = costOf((await service.client.workflow.getHandle(pause.workflowId).fetchHistory()).events ?? []);
    // For each operation a start, a wait with a timer, and a read of its end.
    expect(paused).toMatchObject({ activityTasks: 4, timers: 3, upserts: 1 });
    const others = await service.moderation.muteParticipants({ callId: call.id, target: 'others' });
    await others.result();
    const muted = costOf((await service.client.workflow.getHandle(call.workflowId).fetchHistory()).events ?? []);
    expect(muted).toMatchObject({ activityTasks: 1 + 5, upserts: 1 });
  });

  test('of a mute lock that has muted again replays, as does that of a mute of others', async () => {
    const call = service.call();
    const handle = await held(call, { atMost: { mutes: 1, withinSeconds: 60 } });
    await unmute(call);
    await untilHeld(handle, ({ mutesAgain }) => mutesAgain === 1, known);
    await handle.release();
    await handle.result();
    const others = await service.moderation.muteParticipants({ callId: call.id, target: 'others' });
    await others.result();
    const workflowBundle = { codePath: inject('workflowBundle') };
    for (const workflowId of [muteLockIdOf(call.id), call.workflowId]) {
      const history = await service.client.workflow.getHandle(workflowId).fetchHistory();
      await Worker.runReplayHistory({ workflowBundle }, history, workflowId);
    }
  });
});

describe.concurrent('what does not fit', () => {
  test.each<[string, object, RegExp]>([
    ['a time that has passed', { until: '2020-01-01T00:00:00Z' }, /has passed; name a time to come/],
    ['a time without a zone', { until: '2036-01-01T00:00:00' }, /until must be a time .* with its zone/],
    ['two ends', { until: '2036-01-01T00:00:00Z', forSeconds: 5 }, /exclude each other/],
    ['no seconds', { forSeconds: 0 }, /forSeconds must be a number of seconds from 1/],
    ['half a limit', { atMost: { mutes: 3 } }, /atMost must be \{ mutes/],
    ['a misspelt field', { forSecond: 5 }, /"forSecond" is not a field here/],
    ['no call', { callId: 'a b' }, /callId must be 1 to 128/],
  ])('%s is refused before anything is started', async (_, fields, message) => {
    const call = service.call();
    const refused = service.moderation.keepMuted({ callId: call.id, ...fields });
    await expect(refused).rejects.toMatchObject({ type: 'InvalidRequest' });
    await expect(refused).rejects.toThrow(message);
    expect(await service.moderation.getMuteLock(call.id)).toBeUndefined();
  });

  test('in a raw input fails the run, and in a signal is left out', async () => {
    const call = service.call();
    const start = async (workflowId: string, input: unknown): Promise<unknown> =>
      await service.client.workflow.execute('keepMuted', { workflowId, taskQueue: service.taskQueue, args: [input] });
    await expect(start(muteLockIdOf(call.id), { callId: call.id, colour: 1 })).rejects.toMatchObject({
      cause: { type: 'InvalidRequest' },
    });
    await expect(start(`${call.workflowId}/other`, { callId: call.id })).rejects.toMatchObject({
      cause: { message: expect.stringContaining(muteLockIdOf(call.id)) as string },
    });
    const handle = await held(call);
    const run = service.client.workflow.getHandle(muteLockIdOf(call.id));
    for (const payload of [undefined, 7, 'x', { participants: 3 }, { until: 'never' }]) {
      await run.signal(SIGNAL.rosterUpdated, payload);
      await run.signal(STANDING_MUTE_SIGNAL.extend, payload);
    }
    await run.signal(STANDING_MUTE_SIGNAL.release, { whatever: true });
    expect(await handle.result()).toMatchObject({ endedBy: 'released' });
  });
});

describe('the commands', () => {
  test('keep-muted and mute --for start, extend and wait', { timeout: 60_000 }, async () => {
    const call = service.call();
    const { TEMPORAL_ADDRESS, MODERATION_TASK_QUEUE } = service.env;
    const env = { TEMPORAL_ADDRESS, MODERATION_TASK_QUEUE };
    const started = await new Command(
      BIN,
      ['keep-muted', call.id, '--for', '1h30m', '--mutes', '2', '--within', '1m'],
      env,
    ).ended;
    expect(started).toMatchObject({ code: 0 });
    expect(started.stdout).toMatch(new RegExp(`^kept muted: ${call.id} until 20`));
    expect(await (await service.moderation.getMuteLock(call.id))?.status()).toMatchObject({
      enforce: true,
      phase: 'keepingMuted',
    });
    const told = await new Command(BIN, ['status', call.id], env).ended;
    expect(told.stdout).toMatch(/^kept muted +until 20.*, muted again 0 times$/m);
    const refused = await new Command(BIN, ['keep-muted', call.id, '--on-conflict', 'reject', '--json'], env).ended;
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.stdout)).toMatchObject({ error: { type: 'OperationInProgress' } });
    const paused = await new Command(BIN, ['mute', call.id, '--for', '1s', '--wait', '--json'], env).ended;
    expect(paused.code).toBe(0);
    expect(JSON.parse(paused.stdout)).toMatchObject({ endedBy: 'expired' });
    expect(call.posts).toEqual(['mute', 'unmute']);
    const wrong = [
      ['--for', 'soon'],
      ['--until', 'tomorrow'],
      ['--mutes', '3'],
    ];
    const codes = wrong.map(
      async (flags) => (await new Command(BIN, ['keep-muted', call.id, ...flags], env).ended).code,
    );
    expect(await Promise.all(codes)).toEqual([2, 2, 2]);
  });
});
