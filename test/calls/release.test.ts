import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inParallel } from '../../src/lib/in-parallel.ts';
import type { ReleasedCall, ReleaseOptions, ReleaseScope } from '../../src/client/release/release-types.ts';
import { BIN, Command, killCommands } from '../support/command-kit.ts';
import { failureOf } from '../support/expect.ts';
import { Service, untilPhase, type TestCall } from '../support/service.ts';

/** Nothing is left muted: releasing a call, a tenant's, or all. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => {
  await killCommands();
  await service.stop();
});

async function release(scope: ReleaseScope, options?: ReleaseOptions): Promise<ReleasedCall[]> {
  const calls: ReleasedCall[] = [];
  for await (const call of service.moderation.release(scope, options)) calls.push(call);
  return calls;
}

async function mute(call: TestCall, tenantId?: string): Promise<void> {
  await (await service.moderation.mute({ callId: call.id, ...(tenantId !== undefined && { tenantId }) })).result();
}

const untold = { notifications: [{ on: 'roster' as const, drop: true, times: 'forever' as const }] };

describe.concurrent('a call is released', () => {
  test('that a mute of ours has left muted, and once only', async () => {
    const call = service.call();
    await mute(call);
    const callId = call.id.toUpperCase();
    expect(await release({ callId }, { dryRun: true })).toEqual([{ callId: call.id, outcome: 'wouldUnmute' }]);
    expect(call.posts).toEqual(['mute']);
    expect(await release({ callId }, { reason: 'a bad day' })).toEqual([{ callId: call.id, outcome: 'unmuted' }]);
    expect(call.self.isMuted).toBe(false);
    expect((await service.moderation.getLatestOperation(call.id))?.status?.request.reason).toBe('a bad day');
    expect(await release({ callId })).toEqual([{ callId: call.id, outcome: 'notMuted' }]);
    expect(call.posts).toEqual(['mute', 'unmute']);
  });

  test('not where somebody else has muted it', async () => {
    const call = service.call({ self: { serverMuted: true } });
    expect(await release({ callId: call.id })).toMatchObject([{ outcome: 'notMuted' }]);
    await mute(call);
    await (await service.moderation.unmute({ callId: call.id })).result();
    await service.graph.setParticipant(call.id, call.participantId, { serverMuted: true });
    expect(await release({ callId: call.id })).toMatchObject([{ outcome: 'notMuted' }]);
    expect(call.self.isMuted).toBe(true);
  });

  test('by its mute lock, where it has one', async () => {
    const call = service.call();
    const hold = await service.moderation.keepMuted({ callId: call.id });
    await call.until(() => call.self.serverMuted);
    expect(await release({ callId: call.id }, { dryRun: true })).toMatchObject([{ outcome: 'wouldRelease' }]);
    expect(await release({ callId: call.id })).toMatchObject([{ outcome: 'released' }]);
    expect(await hold.result()).toMatchObject({ endedBy: 'released' });
    expect(call.posts).toEqual(['mute', 'unmute']);
  });

  test('after a mute lock that somebody has terminated', async () => {
    const call = service.call();
    const hold = await service.moderation.keepMuted({ callId: call.id });
    await call.until(() => call.self.serverMuted);
    await (await service.moderation.mute({ callId: call.id })).result();
    await service.client.workflow.getHandle(hold.workflowId).terminate();
    expect(await release({ callId: call.id })).toMatchObject([{ outcome: 'unmuted' }]);
    expect(call.self.isMuted).toBe(false);
  });

  test('where an unmute has failed since, or a mute of others has come since', async () => {
    const call = service.call();
    await mute(call);
    service.graph.setFaults(call.id, { requests: [{ on: 'unmute', answer: { status: 403, code: '7504' } }] });
    await failureOf(await service.moderation.unmute({ callId: call.id }), 'PermissionDenied');
    await (await service.moderation.muteParticipants({ callId: call.id, target: 'others' })).result();
    expect(await release({ callId: call.id })).toMatchObject([{ outcome: 'unmuted' }]);
    expect(call.self.isMuted).toBe(false);
  });

  test('where an unconfirmed mute was left, and not where it was put back', { timeout: 30_000 }, async () => {
    const [left, restored] = [service.call({ faults: untold }), service.call({ faults: untold })];
    for (const call of [left, restored]) {
      const onUnconfirmed = call === left ? 'leave' : 'restore';
      const requests = [{ on: 'getParticipant' as const, answer: { status: 503 }, times: 3 }];
      service.graph.setFaults(call.id, { requests, ...untold });
      const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1, onUnconfirmed });
      await failureOf(handle, 'Unconfirmed');
      await service.graph.clearFaults(call.id);
    }
    expect(await release({ callId: left.id })).toMatchObject([{ outcome: 'unmuted' }]);
    expect(await release({ callId: restored.id })).toMatchObject([{ outcome: 'notMuted' }]);
  });

  test('while it is being muted', async () => {
    const call = service.call({ faults: untold });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 60 });
    await untilPhase(handle, 'confirming');
    const heard = failureOf(handle, 'Superseded');
    expect(await release({ callId: call.id })).toMatchObject([{ outcome: 'unmuted' }]);
    await heard;
    expect(call.self.isMuted).toBe(false);
  });

  test('and said to have ended where it has, and to have failed where it did', async () => {
    const [ended, refused] = [service.call(), service.call()];
    await Promise.all([mute(ended), mute(refused)]);
    await service.graph.endCall(ended.id);
    service.graph.setFaults(refused.id, { requests: [{ on: 'unmute', answer: { status: 403, code: '7504' } }] });
    expect(await release({ callId: ended.id })).toEqual([{ callId: ended.id, outcome: 'callEnded' }]);
    expect(await release({ callId: refused.id })).toMatchObject([{ outcome: 'failed', type: 'PermissionDenied' }]);
  });
});

test('the calls of a tenant are, and no others', async () => {
  const tenantId = randomUUID();
  const calls = Array.from({ length: 12 }, () => service.call());
  const other = service.call();
  await Promise.all([...calls.map(async (call) => await mute(call, tenantId)), mute(other)]);
  const held = service.call();
  await service.moderation.keepMuted({ callId: held.id, tenantId });
  await held.until(() => held.self.serverMuted);
  await service.graph.endCall(calls[0]?.id ?? '');
  const released = await release({ tenantId });
  const outcomes = new Map(released.map(({ callId, outcome }) => [callId, outcome]));
  expect(outcomes.size).toBe(13);
  expect(outcomes.get(calls[0]?.id ?? '')).toBe('callEnded');
  expect(outcomes.get(held.id)).toBe('released');
  expect([...outcomes.values()].filter((outcome) => outcome === 'unmuted')).toHaveLength(11);
  expect(calls.slice(1).every(({ self }) => !self.isMuted)).toBe(true);
  expect(other.self.isMuted).toBe(true);
});

test('the command releases everywhere, when told so', { timeout: 60_000 }, async () => {
  const { TEMPORAL_ADDRESS, MODERATION_TASK_QUEUE } = service.env;
  const env = { TEMPORAL_ADDRESS, MODERATION_TASK_QUEUE };
  const call = service.call();
  await mute(call);
  const dry = await new Command(BIN, ['release', '--everywhere', '--dry-run', '--json'], env).ended;
  expect(dry.code).toBe(0);
  const { calls } = JSON.parse(dry.stdout) as { calls: ReleasedCall[] };
  expect(calls).toContainEqual({ callId: call.id, outcome: 'wouldUnmute' });
  const one = await new Command(BIN, ['release', call.id], env).ended;
  expect(one).toMatchObject({ code: 0 });
  expect(one.stdout).toContain(`${call.id}  unmuted`);
  const wrong = [[], ['--everywhere', call.id], ['--tenant-id', 't', '--everywhere'], ['a b']];
  const codes = wrong.map(async (args) => (await new Command(BIN, ['release', ...args], env).ended).code);
  expect(await Promise.all(codes)).toEqual([2, 2, 2, 2]);
});

test('many are worked on at once, and never more than may be', async () => {
  let [open, most] = [0, 0];
  const results: number[] = [];
  const work = async (item: number): Promise<number> => {
    most = Math.max(most, (open += 1));
    await new Promise((resolve) => {
      setTimeout(resolve, item % 3);
    });
    open -= 1;
    return item;
  };
  for await (const result of inParallel(Array(20).keys(), 4, work)) results.push(result);
  expect(most).toBe(4);
  expect(results.toSorted((a, b) => a - b)).toEqual([...Array(20).keys()]);
});
