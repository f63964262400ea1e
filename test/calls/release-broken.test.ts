import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { latestSelfOperation } from '../../src/client/operations/latest-self-operation.ts';
import type { ReleasedCall, ReleaseOptions, ReleaseScope } from '../../src/client/release/release-types.ts';
import { Runs } from '../../src/client/operations/runs.ts';
import { ModerationClient } from '../../src/client/moderation-client.ts';
import { muteLockIdOf } from '../../src/contract/mute-lock.ts';
import { failureOf } from '../support/expect.ts';
import { Service, type TestCall } from '../support/service.ts';
import { GRPC, TemporalProxy } from '../support/temporal-proxy.ts';
import { until } from '../support/until.ts';

/** The emergency exit works when other things are broken: lists that lag or fail, calls that cannot be asked, runs that stand still. */

let proxy: TemporalProxy;
let service: Service;
beforeAll(async () => {
  proxy = await TemporalProxy.before(inject('temporalAddress'));
  service = await Service.start({ TEMPORAL_ADDRESS: proxy.address });
});
afterEach(() => {
  proxy.lists = 'sound';
  proxy.refuse = () => undefined;
});
afterAll(async () => {
  await service.stop();
  proxy.close();
});

async function release(scope: ReleaseScope, options?: ReleaseOptions): Promise<ReleasedCall[]> {
  return await service.moderation.release(scope, options).all();
}

function of(released: readonly ReleasedCall[], call: TestCall): ReleasedCall | undefined {
  return released.find(({ callId }) => callId === call.id);
}

async function mute(call: TestCall, tenantId?: string): Promise<void> {
  await (await service.moderation.mute({ callId: call.id, ...(tenantId !== undefined && { tenantId }) })).result();
}

async function untilListed(call: TestCall): Promise<void> {
  const query = `WorkflowId = '${call.workflowId}'`;
  const count = async () => (await service.client.workflow.count(query)).count;
  await until(count, (found) => found > 0);
}

const refusesUnmute = {
  requests: [{ on: 'unmute' as const, answer: { status: 403, code: '7504' }, times: 'forever' as const }],
};

describe('operations are looked at as far back as needed', () => {
  test('past more failed unmutes than one page of a guess', { timeout: 240_000 }, async () => {
    const call = service.call();
    await mute(call);
    service.graph.setFaults(call.id, refusesUnmute);
    for (let tried = 0; tried < 51; tried += 1) {
      await failureOf(await service.moderation.unmute({ callId: call.id }), 'PermissionDenied');
    }
    await service.graph.clearFaults(call.id);
    expect(await release({ callId: call.id })).toEqual([{ callId: call.id, outcome: 'unmuted' }]);
    expect(call.self.serverMuted).toBe(false);
  });

  test(
    'also if a refused unmute had superseded the mute, and was to leave the call as it is',
    { timeout: 60_000 },
    async () => {
      const call = service.call({
        faults: { notifications: [{ on: 'roster', drop: true, times: 'forever' }], ...refusesUnmute },
      });
      const muting = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 60 });
      await call.until(() => call.self.serverMuted);
      await failureOf(await service.moderation.unmute({ callId: call.id, onUnconfirmed: 'leave' }), 'PermissionDenied');
      await failureOf(muting, 'Superseded');
      await service.graph.clearFaults(call.id);
      expect(await release({ callId: call.id })).toMatchObject([{ outcome: 'unmuted' }]);
      expect(call.self.serverMuted).toBe(false);
    },
  );

  test(
    'and a call is unmuted if a list cannot tell, not if the runs say that we did not mute',
    { timeout: 90_000 },
    async () => {
      const [unsure, sure] = [service.call(), service.call({ self: { serverMuted: true } })];
      await mute(unsure);
      service.graph.setFaults(unsure.id, refusesUnmute);
      await failureOf(await service.moderation.unmute({ callId: unsure.id }), 'PermissionDenied');
      await service.graph.clearFaults(unsure.id);
      await (await service.moderation.unmute({ callId: sure.id })).result();
      await service.graph.setParticipant(sure.id, sure.participantId, { serverMuted: true });
      proxy.lists = 'down';
      expect(await release({ callId: unsure.id })).toMatchObject([{ outcome: 'unmuted' }]);
      expect(await release({ callId: sure.id })).toMatchObject([{ outcome: 'notMuted' }]);
      expect([unsure.self.serverMuted, sure.self.serverMuted]).toEqual([false, true]);
    },
  );

  test('and behind a mute of others nothing is certain while the list lags', { timeout: 90_000 }, async () => {
    const call = service.call();
    await mute(call);
    await (await service.moderation.unmute({ callId: call.id })).result();
    await (await service.moderation.muteParticipants({ callId: call.id, target: 'others' })).result();
    proxy.lists = { lagMs: 3_600_000 };
    const runs = new Runs(service.client);
    expect(await latestSelfOperation(runs, call.id)).toEqual({ isLast: true, isCertain: false });
    proxy.lists = 'sound';
    const found = await until(
      async () => await latestSelfOperation(runs, call.id),
      ({ isCertain }) => isCertain,
    );
    expect(found.record).toMatchObject({ action: 'unmute', outcome: 'Confirmed' });
  });
});

describe('everywhere', () => {
  test('continues if one call cannot be read, for whatever reason', { timeout: 120_000 }, async () => {
    const calls = Array.from({ length: 6 }, () => service.call());
    await Promise.all(calls.map(async (call) => await mute(call)));
    await untilListed(calls[5] as TestCall);
    const [bad, silent] = calls as [TestCall, TestCall];
    proxy.refuse = ({ method, contains }) => {
      if (method !== 'DescribeWorkflowExecution') return undefined;
      if (contains(bad.id)) return GRPC.permissionDenied;
      return contains(silent.id) ? 'hang' : undefined;
    };
    const released = await release({ everywhere: true });
    expect(of(released, bad)).toMatchObject({ outcome: 'failed', type: 'TemporalUnavailable' });
    expect(of(released, silent)).toMatchObject({ outcome: 'failed', type: 'TemporalUnavailable' });
    expect(of(released, bad)?.message).not.toContain('the test refuses it');
    expect(calls.slice(2).map(({ self }) => self.serverMuted)).toEqual([false, false, false, false]);
    proxy.refuse = () => undefined;
    await release({ everywhere: true });
    expect(calls.some(({ self }) => self.serverMuted)).toBe(false);
  });

  test(
    'a page that fails is asked for again, and lists that fail are a result, after all that is known',
    { timeout: 120_000 },
    async () => {
      const call = service.call();
      await mute(call);
      await untilListed(call);
      let failures = 1;
      proxy.refuse = ({ method }) =>
        method === 'ListWorkflowExecutions' && (failures -= 1) >= 0 ? GRPC.internal : undefined;
      const first = await release({ everywhere: true }, { dryRun: true });
      expect(of(first, call)).toMatchObject({ outcome: 'wouldUnmute' });
      expect(first.at(-1)?.outcome).not.toBe('incomplete');
      proxy.refuse = ({ method, contains }) =>
        method === 'ListWorkflowExecutions' && contains('liveCall') ? GRPC.internal : undefined;
      const second = await release({ everywhere: true });
      expect(of(second, call)).toMatchObject({ outcome: 'unmuted' });
      expect(second.at(-1)).toMatchObject({ callId: '*', outcome: 'incomplete', type: 'TemporalUnavailable' });
      expect(second.at(-1)?.message).toContain('live calls');
    },
  );

  test('finds a mute that the lists do not show yet', { timeout: 120_000 }, async () => {
    proxy.lists = { lagMs: 1_500 };
    const call = service.call();
    await mute(call);
    const released = await release({ everywhere: true });
    expect(of(released, call)).toMatchObject({ outcome: 'unmuted' });
    expect(call.self.serverMuted).toBe(false);
  });

  test('finds it by its live call, while the list of mutes says nothing', { timeout: 120_000 }, async () => {
    const call = service.call();
    await service.moderation.calls.label(call.id, { add: ['seen'] });
    await until(
      async () => {
        const found: string[] = [];
        for await (const { callId } of service.moderation.calls.list()) found.push(callId);
        return found;
      },
      (found) => found.includes(call.id),
    );
    await mute(call);
    proxy.refuse = ({ method, contains }) =>
      method === 'ListWorkflowExecutions' && contains("WorkflowType = 'mute'") ? GRPC.internal : undefined;
    const released = await release({ everywhere: true });
    expect(of(released, call)).toMatchObject({ outcome: 'unmuted' });
    expect(released.at(-1)?.message).toContain('mutes');
  });

  test('begins at once, whether or not anybody takes its results', { timeout: 60_000 }, async () => {
    const call = service.call();
    await mute(call);
    await untilListed(call);
    const run = service.moderation.release({ everywhere: true });
    await call.until(() => !call.self.serverMuted);
    const [all, again] = [await run.all(), [] as ReleasedCall[]];
    for await (const one of run) again.push(one);
    expect(again).toEqual(all);
    const asNumber = { everywhere: false } as unknown as ReleaseScope;
    expect(() => service.moderation.release(asNumber)).toThrow('the scope must be');
  });

  test('a tenant is found in any case', { timeout: 60_000 }, async () => {
    const call = service.call();
    await mute(call, 'contoso-release.example');
    await untilListed(call);
    expect(of(await release({ tenantId: 'Contoso-Release.example' }), call)).toMatchObject({ outcome: 'unmuted' });
  });
});

describe('a mute lock', () => {
  test('that takes no signal is cancelled, and its call unmuted', { timeout: 120_000 }, async () => {
    const call = service.call();
    const hold = await service.moderation.keepMuted({ callId: call.id });
    await until(
      async () => await hold.status(),
      ({ phase }) => phase === 'keepingMuted',
    );
    proxy.refuse = ({ method, contains }) =>
      method === 'SignalWorkflowExecution' && contains(muteLockIdOf(call.id)) ? GRPC.permissionDenied : undefined;
    expect(await release({ callId: call.id })).toMatchObject([
      { callId: call.id, outcome: expect.stringMatching(/released|unmuted/) as string },
    ]);
    expect(call.self.serverMuted).toBe(false);
    const { status } = await service.client.workflow.getHandle(muteLockIdOf(call.id)).describe();
    expect(status.name).not.toBe('RUNNING');
  });

  test(
    'without a worker receives the signal to end, and its call is unmuted beside it',
    { timeout: 120_000 },
    async () => {
      const call = service.call();
      const hold = await service.moderation.keepMuted({ callId: call.id });
      await until(
        async () => await hold.status(),
        ({ phase }) => phase === 'keepingMuted',
      );
      // None of its tasks is completed any more, as if it were pinned to a build that has no workers.
      proxy.refuse = ({ method, contains }) =>
        method === 'RespondWorkflowTaskCompleted' && contains(hold.workflowId) ? GRPC.notFound : undefined;
      const released = await release({ callId: call.id }, { withinSeconds: 40 });
      expect(released).toMatchObject([{ outcome: 'unmuted', muteLock: 'goesOn', type: 'NotEnded' }]);
      expect(call.self.serverMuted).toBe(false);
      await service.client.workflow.getHandle(hold.workflowId).terminate();
    },
  );
});

describe('an operation that stands still', () => {
  test('is terminated, and the call is unmuted', { timeout: 120_000 }, async () => {
    const call = service.call({ self: { serverMuted: true } });
    let stuck = call.workflowId;
    proxy.refuse = ({ method, contains }) =>
      method === 'RespondWorkflowTaskCompleted' && contains(stuck) ? GRPC.notFound : undefined;
    ({ runId: stuck } = await (await service.moderation.mute({ callId: call.id })).run());
    expect(await release({ callId: call.id }, { withinSeconds: 40 })).toMatchObject([{ outcome: 'unmuted' }]);
    expect(call.self.serverMuted).toBe(false);
    const { status } = await service.client.workflow.getHandle(call.workflowId, stuck).describe();
    expect(status.name).toBe('TERMINATED');
  });

  test('for want of any worker is said to go on', { timeout: 120_000 }, async () => {
    const taskQueue = `${service.taskQueue}-empty`;
    const client = new ModerationClient({ client: service.client, taskQueue });
    const call = service.call();
    await client.mute({ callId: call.id });
    const released = await client.release({ callId: call.id }, { withinSeconds: 4 }).all();
    expect(released).toMatchObject([{ callId: call.id, outcome: 'failed', type: 'NotEnded' }]);
    const newest = service.client.workflow.getHandle(call.workflowId);
    expect(await newest.describe()).toMatchObject({ type: 'unmute', status: { name: 'RUNNING' } });
    await newest.terminate();
  });
});

describe('another deployment', () => {
  test('in the namespace is left alone, and named where it is in the way', { timeout: 180_000 }, async () => {
    const other = await Service.start();
    try {
      const [held, muted, entered, live] = [other.call(), other.call(), other.call(), other.call()];
      const hold = await other.moderation.keepMuted({ callId: held.id });
      await until(
        async () => await hold.status(),
        ({ phase }) => phase === 'keepingMuted',
      );
      await (await other.moderation.mute({ callId: muted.id })).result();
      await other.moderation.muteOnEntry({ callId: entered.id });
      await other.moderation.calls.label(live.id, { add: ['theirs'] });
      await untilListed(muted);
      await sleep(500);
      const everywhere = await release({ everywhere: true });
      for (const call of [held, muted, entered, live]) expect(of(everywhere, call)).toBeUndefined();
      const { moderation } = service;
      const refused = { type: 'OtherDeployment', message: expect.stringContaining(other.taskQueue) as string };
      expect(await release({ callId: held.id })).toMatchObject([{ outcome: 'failed', ...refused }]);
      expect(await release({ callId: muted.id })).toMatchObject([{ outcome: 'failed', ...refused }]);
      expect(await release({ callId: entered.id })).toMatchObject([
        { outcome: 'notMuted', muteOnEntry: 'failed', ...refused },
      ]);
      await expect(moderation.getMuteLock(held.id)).rejects.toMatchObject(refused);
      await expect(moderation.keepMuted({ callId: held.id })).rejects.toMatchObject(refused);
      await expect(moderation.getMuteOnEntry(entered.id)).rejects.toMatchObject(refused);
      await expect(moderation.muteOnEntry({ callId: entered.id })).rejects.toMatchObject(refused);
      await expect(moderation.calls.label(live.id, { add: ['ours'] })).rejects.toMatchObject(refused);
      await expect(moderation.calls.get(live.id)).rejects.toMatchObject(refused);
      for await (const { callId } of moderation.list()) expect([held.id, muted.id]).not.toContain(callId);
      expect([held.self.serverMuted, muted.self.serverMuted]).toEqual([true, true]);
      expect(await hold.status()).toMatchObject({ phase: 'keepingMuted' });
      expect(await other.moderation.release({ everywhere: true }).all()).toEqual(
        expect.arrayContaining([
          { callId: held.id, outcome: 'released' },
          { callId: muted.id, outcome: 'unmuted' },
        ]),
      );
    } finally {
      await other.stop();
    }
  });
});
