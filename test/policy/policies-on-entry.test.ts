import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { MuteOnEntryReading, MuteOnEntryStart } from '../../src/activities/types.ts';
import { StandingMutes } from '../../src/client/standing/standing-mutes.ts';
import type { MuteOnEntryHandle, MutesOnEntry } from '../../src/client/standing/mutes-on-entry.ts';
import type { LeftBehind } from '../../src/client/policies/policy-types.ts';
import type { Policies } from '../../src/client/policies/policies.ts';
import type { ReleasedCall } from '../../src/client/release/release-types.ts';
import { Runs } from '../../src/client/operations/runs.ts';
import type { LiveCallStatus } from '../../src/contract/live-call.ts';
import { MUTE_ON_ENTRY, muteOnEntryIdOf } from '../../src/contract/mute-on-entry.ts';
import { SIGNAL } from '../../src/contract/names.ts';
import { checkPolicy } from '../../src/contract/policy-check.ts';
import type { Policy } from '../../src/contract/policy.ts';
import { MadePolicies } from '../support/made-policies.ts';
import { triggered } from '../support/policy-run.ts';
import { Service, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/** Policies that mute whoever joins: as a call is established, and whenever they run. */

let service: Service;
let policies: Policies;
const made = new MadePolicies({ action: 'mute', target: { calls: ['x'] }, when: {}, rules: { onEntry: true } });
beforeAll(async () => {
  service = await Service.start();
  ({ policies } = service.moderation);
});
afterEach(async () => await made.delete(service.client));
afterAll(async () => await service.stop());

const policyOf = (given: Partial<Policy>): Policy => made.of(given);

/** Workers remember for so long what policies there are. */
async function untilSeen(): Promise<void> {
  await sleep(5_100);
}

/** A call with two people that the application joins; resolves when the policies were asked. */
async function establish(...labels: string[]): Promise<TestCall> {
  const call = service.call({ state: 'establishing' });
  await service.moderation.calls.label(call.id, { add: labels });
  await service.graph.setCallState(call.id, 'established');
  return call;
}

async function untilLive(
  call: TestCall,
  holds: (status: LiveCallStatus | undefined) => boolean,
): Promise<LiveCallStatus | undefined> {
  return await until(async () => await service.moderation.calls.get(call.id), holds);
}

async function entryOf(call: TestCall): Promise<MuteOnEntryHandle> {
  const handle = await service.moderation.getMuteOnEntry(call.id);
  if (handle === undefined) throw new Error('no mute on entry runs on the call');
  return handle;
}

function peopleOf(call: TestCall): { id: string; serverMuted: boolean }[] {
  return service.graph.describe(call.id).participants.filter(({ id }) => id !== call.participantId);
}

/** Somebody joins and is muted, and those who were there are not. */
async function expectMutedOnEntry(call: TestCall): Promise<void> {
  const there = new Set(peopleOf(call).map(({ id }) => id));
  await service.graph.addParticipants(call.id, 1);
  const handle = await entryOf(call);
  await until(
    async () => await handle.status(),
    ({ muted }) => muted === 1,
  );
  for (const { id, serverMuted } of peopleOf(call)) expect(serverMuted).toBe(!there.has(id));
}

describe('as a call is established', () => {
  test('mutes newcomers after that moment, and nobody who was there', { timeout: 90_000 }, async () => {
    const label = `lecture-${randomUUID()}`;
    const policy = policyOf({
      target: { live: { label } },
      rules: { onEntry: { forSeconds: 600, except: ['CHAIR'] } },
    });
    const created = await policies.create(policy);
    expect(created).toMatchObject({ nextTimes: [], policy: { when: {}, rules: { onEntry: { except: ['CHAIR'] } } } });
    const early = policyOf({
      id: `a-${randomUUID()}`,
      target: { live: { label } },
      when: { start: '2099-01-01' },
    });
    await policies.create(early);
    await untilSeen();
    const [call, other] = await Promise.all([establish(label), establish('another')]);
    const status = await untilLive(call, (now) => now?.onEntry !== undefined);
    expect(status?.onEntry).toEqual({ policyId: policy.id, outcome: 'Started' });
    expect(status).not.toHaveProperty('onEstablished');
    const entry = await (await entryOf(call)).status();
    expect(entry).toMatchObject({ wereThere: 2, request: { reason: `Policy ${policy.id}`, forSeconds: 600 } });
    await expectMutedOnEntry(call);
    expect(call.self.isMuted).toBe(false);
    // Told of again, it is not started again.
    await service.graph.setCallState(call.id, 'established');

    const left = await until(
      async () => await policies.pause(policy.id),
      (paused: LeftBehind) => paused.mutingOnEntry !== undefined,
    );
    expect(left).toMatchObject({ muted: [], mutingOnEntry: [call.id] });
    expect(left.message).toMatch(/^In 1 call\(s\) a mute on entry continues that policy/);
    await untilSeen();
    const later = await establish(label);
    await untilLive(later, (now) => now?.state === 'established');
    await service.graph.settled();
    for (const none of [other, later]) expect(await service.moderation.getMuteOnEntry(none.id)).toBeUndefined();

    const released: ReleasedCall[] = [];
    for await (const each of service.moderation.release({ callId: call.id })) released.push(each);
    expect(released).toMatchObject([{ muteOnEntry: 'ended' }]);
    const gone = await until(
      async () => await policies.pause(policy.id),
      (paused: LeftBehind) => paused.mutingOnEntry === undefined,
    );
    expect(gone.message).toMatch(/^As far as Temporal's lists show, no mute on entry continues/);
  });

  test('the first of each kind by its ID decides, and a failure ends nothing', { timeout: 90_000 }, async () => {
    const label = `both-${randomUUID()}`;
    const target = { live: { label } };
    const ids = ['0', '1', '2', '3'].map((at) => `entry-${at}-${randomUUID()}`);
    made.add(...ids);
    const [paused = '', first = '', second = '', join = ''] = ids;
    await policies.create({ ...policyOf({ target }), id: paused }, { paused: true });
    await policies.create({ ...policyOf({ target, rules: { onEntry: { except: ['a'] } } }), id: first });
    await policies.create({ ...policyOf({ target, rules: { onEntry: { except: ['b'] } } }), id: second });
    await policies.create({ ...policyOf({ target, rules: { onEstablished: true } }), id: join });
    await untilSeen();
    const call = await establish(label);
    const status = await untilLive(
      call,
      (now) => now?.onEntry !== undefined && now.onEstablished?.outcome !== undefined,
    );
    expect(status).toMatchObject({
      onEntry: { policyId: first, outcome: 'Started' },
      onEstablished: { policyId: join, outcome: 'Confirmed' },
    });
    expect(await (await entryOf(call)).status()).toMatchObject({ except: ['a'] });
    expect(call.self.serverMuted).toBe(true);
    await expectMutedOnEntry(call);

    const peer = service.call({ state: 'establishing', kind: 'p2p' });
    await service.moderation.calls.label(peer.id, { add: [label] });
    await service.graph.setCallState(peer.id, 'established');
    const failed = await untilLive(
      peer,
      (now) => now?.onEntry !== undefined && now.onEstablished?.outcome !== undefined,
    );
    expect(failed).toMatchObject({
      state: 'established',
      onEntry: { policyId: first, outcome: 'NotAGroupCall' },
      onEstablished: { policyId: join, outcome: 'NotAGroupCall' },
    });
  });
});

describe('whenever it runs', () => {
  test('it is started in each call alone, or given the terms where one runs', { timeout: 90_000 }, async () => {
    const [fresh, running] = [service.call(), service.call()];
    const own = await service.moderation.muteOnEntry({ callId: running.id, forSeconds: 900, except: ['own'] });
    const calls = [fresh.id, running.id, 'gone'];
    const policy = policyOf({
      target: { calls },
      rules: { onEntry: { except: ['chair'] } },
      request: { requestedBy: 'svc', reason: 'lectures' },
    });
    await policies.create(policy, { paused: true });
    const { report } = await triggered(policies, policy.id);
    expect(report).toMatchObject({ action: 'mute', calls: 3, confirmed: [] });
    expect(report.outcomes).toEqual({ Started: 1, Extended: 1, CallNotFound: 1 });
    expect(report.failures).toEqual([
      { callId: 'gone', type: 'CallNotFound', message: expect.stringContaining('gone') as string },
    ]);
    const status = await (await entryOf(fresh)).status();
    expect(status).toMatchObject({ wereThere: 2, except: ['chair'] });
    expect(status.request).toMatchObject({ requestedBy: 'svc', reason: 'lectures' });
    // Its moment stays the first, and its start somebody else's.
    const extended = await own.status();
    expect(extended).toMatchObject({ except: ['chair'], request: { except: ['own'] } });
    expect(extended).not.toHaveProperty('until');
    expect((await triggered(policies, policy.id, 2)).report.outcomes).toEqual({ Extended: 2, CallNotFound: 1 });
    for (const call of [fresh, running]) await expectMutedOnEntry(call);
    expect([fresh.self.isMuted, running.self.isMuted]).toEqual([false, false]);
    const left = await until(
      async () => await policies.pause(policy.id),
      (paused: LeftBehind) => paused.mutingOnEntry !== undefined,
    );
    expect(left.mutingOnEntry).toEqual([fresh.id]);
    expect((await policies.delete(policy.id)).mutingOnEntry).toEqual([fresh.id]);
  });

  test('is told as started once it has read who is there', async () => {
    const call = service.call({ faults: { requests: [{ on: 'getCall', answer: { status: 503 }, times: 3 }] } });
    const policy = policyOf({ target: { calls: [call.id] } });
    await policies.create(policy);
    expect((await triggered(policies, policy.id)).report.outcomes).toEqual({ Started: 1 });
    expect(call.requests.filter(({ name }) => name === 'getCall').length).toBeGreaterThan(3);
    expect(await (await entryOf(call)).status()).toMatchObject({ wereThere: 2 });
  });

  test('one that it was before is named, too, when it mutes something else', async () => {
    const call = service.call();
    const policy = policyOf({ target: { calls: [call.id] } });
    await policies.create(policy);
    await triggered(policies, policy.id);
    await policies.update(policy.id, { rules: { onEntry: false }, when: { once: '2099-01-01' } });
    const left = await until(
      async () => await policies.pause(policy.id),
      (paused: LeftBehind) => paused.mutingOnEntry !== undefined,
    );
    expect(left.message).toMatch(/leaves no call muted\. In 1 call\(s\) a mute on entry continues/);
  });
});

describe('a start that is asked for again, as by a worker that died', () => {
  const entries = (): MutesOnEntry => new StandingMutes(new Runs(service.client), service.taskQueue, MUTE_ON_ENTRY);
  const start = async (call: TestCall, startId: string): Promise<{ runId: string; attached: boolean }> => {
    const { workflowId, attached } = await entries().start({ callId: call.id }, 'extend', { startId, policyId: 'p' });
    return { runId: (await service.client.workflow.getHandle(workflowId).describe()).runId, attached };
  };

  test('is the same one, while it runs and when it has ended', async () => {
    const call = service.call();
    const first = await start(call, 'a');
    expect(first.attached).toBe(false);
    expect(await start(call, 'a')).toEqual(first);
    expect(await start(call, 'b')).toEqual({ ...first, attached: true });
    const handle = await entryOf(call);
    await handle.release();
    await handle.result();
    expect(await start(call, 'a')).toEqual(first);
    expect(await start(call, 'b')).toMatchObject({ attached: false });
  });

  test('belongs to its policy also when it has continued as new', { timeout: 90_000 }, async () => {
    const call = service.call();
    const { runId } = await start(call, 'a');
    const run = service.client.workflow.getHandle(muteOnEntryIdOf(call.id));
    for (let sent = 0; sent < 1_000; sent += 20) {
      await Promise.all(
        Array.from(
          { length: 20 },
          async () => await run.signal(SIGNAL.rosterUpdated, { participants: [], full: false }),
        ),
      );
    }
    await until(
      async () => (await run.describe()).runId,
      (now) => now !== runId,
    );
    const found: string[] = [];
    for await (const callId of entries().callsOfPolicy('p')) found.push(callId);
    expect(found).toContain(call.id);
  });

  test('says the same as the first attempt, and is waited for by reads', async () => {
    const call = service.call({ faults: { requests: [{ on: 'getCall', latencyMs: 2_000 }] } });
    const run = async <R>(activity: string, input: unknown): Promise<R> =>
      await service.client.activity.execute<R>(activity, {
        id: randomUUID(),
        taskQueue: service.taskQueue,
        args: [input],
        startToCloseTimeout: '20s',
      });
    const order = { policyId: 'p', request: { callId: call.id }, startId: randomUUID() };
    expect(await run<MuteOnEntryStart>('startMuteOnEntry', order)).toEqual({ outcome: 'Started' });
    const { runId } = await service.client.workflow.getHandle(muteOnEntryIdOf(call.id)).describe();
    expect(await run<MuteOnEntryStart>('startMuteOnEntry', order)).toEqual({ outcome: 'Started' });
    expect(await run<MuteOnEntryReading>('readMuteOnEntry', call.id)).toEqual({ kind: 'notBegun' });
    await until(
      async () => await run<MuteOnEntryReading>('readMuteOnEntry', call.id),
      ({ kind }) => kind === 'begun',
    );
    expect(await service.client.workflow.getHandle(muteOnEntryIdOf(call.id)).describe()).toMatchObject({ runId });
  });
});

describe('what cannot be is told before anything is created', () => {
  const onEntry = true;
  test.each<[string, object, RegExp]>([
    ['an unmute', { action: 'unmute' }, /rules\.onEntry goes with the action 'mute'/],
    [
      'a mute on join',
      { rules: { onEntry, onEstablished: true } },
      /not go with rules\.onEstablished; make two policies/,
    ],
    [
      'a number of people',
      { rules: { onEntry, minParticipants: 10 } },
      /not go with rules\.minParticipants.*make two policies/,
    ],
    ['quiet hours', { when: { quietHours: { from: '22:00', to: '06:00' } } }, /not go with when\.quietHours/],
    ['a target', { request: { target: 'others' } }, /not go with request\.target.*rules\.onEntry\.except/],
    [
      'a time to confirm',
      { request: { confirmWithinSeconds: 9 } },
      /request\.confirmWithinSeconds applies to operations only/,
    ],
    [
      'a restore',
      { request: { onUnconfirmed: 'leave' } },
      /request\.onUnconfirmed applies to operations only.*leave it out/,
    ],
    ['a conflict', { onConflict: 'queue' }, /onConflict applies to operations only/],
    ['no rule', { rules: { onEntry: 1 } }, /rules\.onEntry must be true, or an object with forSeconds, except or both/],
    ['no seconds', { rules: { onEntry: { forSeconds: 0 } } }, /rules\.onEntry: forSeconds must be a number of seconds/],
    ['no IDs', { rules: { onEntry: { except: ['a b'] } } }, /rules\.onEntry: except must be a list of at most 100 IDs/],
    ['a date', { rules: { onEntry: { until: '2099-01-01T00:00:00Z' } } }, /"until" is not a field here/],
    ['false, and no time', { rules: { onEntry: false } }, /when must have exactly one of/],
  ])('%s', async (_what, given, message) => {
    const policy = policyOf(given);
    const refused = policies.create(policy);
    await expect(refused).rejects.toMatchObject({ type: 'InvalidRequest', details: { issues: [expect.anything()] } });
    await expect(refused).rejects.toThrow(message);
    await expect(policies.describe(policy.id)).rejects.toMatchObject({ type: 'PolicyNotFound' });
  });

  test('all of it at once, and in canonical form if it is valid', () => {
    const all = { action: 'unmute', onConflict: 'queue', rules: { onEntry, onEstablished: true } };
    expect(checkPolicy(policyOf(all as Partial<Policy>))).toMatchObject({ issues: { length: 3 } });
    const id = randomUUID();
    const dashless = id.replaceAll('-', '').toUpperCase();
    const checked = checkPolicy(policyOf({ rules: { onEntry: { forSeconds: 60, except: [id, dashless] } } }));
    expect(checked).toMatchObject({ policy: { rules: { onEntry: { except: [id], forSeconds: 60 } } } });
    expect(checkPolicy(policyOf({ rules: { onEntry: {} } }))).toMatchObject({ policy: { rules: { onEntry: true } } });
  });
});
