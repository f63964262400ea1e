import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Policies } from '../../src/client/policies/policies.ts';
import { workflowIdOf } from '../../src/contract/call-id.ts';
import type { Policy, QuietHours } from '../../src/contract/policy.ts';
import { MadePolicies } from '../support/made-policies.ts';
import { untilRun } from '../support/policy-run.ts';
import { Service, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/** Quiet hours are a level: after them nobody is left muted, whatever happened to the runs that begin and end them. */

let service: Service;
let policies: Policies;
const made = new MadePolicies({ action: 'mute', target: { live: {} }, when: {} });
beforeAll(async () => {
  service = await Service.start();
  ({ policies } = service.moderation);
});
afterAll(async () => {
  await made.delete(service.client);
  await service.stop();
});

const policyOf = (given: Partial<Policy>): Policy => made.of(given);

/** Seconds from now, as a time of day. */
function hours(from: number, to: number): { quietHours: QuietHours; begin: number; end: number } {
  const now = Math.ceil(Date.now() / 1_000) * 1_000;
  const clock = (seconds: number): string => new Date(now + seconds * 1_000).toISOString().slice(11, 19);
  return { quietHours: { from: clock(from), to: clock(to) }, begin: now + from * 1_000, end: now + to * 1_000 };
}

async function untilClock(at: number): Promise<void> {
  await sleep(Math.max(0, at - Date.now()));
}

const never = { requests: [{ on: 'mute' as const, answer: { status: 503 }, times: 'forever' as const }] };

describe.concurrent('after quiet hours every call is unmuted', () => {
  test('while a call that Graph does not answer for keeps the first run going', async () => {
    const [good, bad] = [service.call(), service.call({ faults: never })];
    const { quietHours } = hours(-60, 40);
    const policy = policyOf({ target: { calls: [good.id, bad.id] }, when: { quietHours } });
    await policies.create(policy);
    await good.until(() => good.self.serverMuted);
    await good.until(() => !good.self.serverMuted, 90_000);
    expect(await policies.describe(policy.id)).toMatchObject({ skipped: 0, missed: 0, runs: 2 });
    expect(bad.self.serverMuted).toBe(false);
  });

  test('while an operation stands still on another call', async () => {
    const [good, bad] = [service.call(), service.call()];
    // Such as one that is pinned to a build whose workers are gone.
    const stuck = await service.client.workflow.start('unmute', {
      workflowId: workflowIdOf(bad.id),
      taskQueue: `nobody-${randomUUID()}`,
      args: [{ callId: bad.id }],
    });
    const { quietHours } = hours(-60, 40);
    const policy = policyOf({ target: { calls: [bad.id, good.id] }, when: { quietHours }, concurrency: 2 });
    await policies.create(policy);
    await good.until(() => good.self.serverMuted);
    await good.until(() => !good.self.serverMuted, 90_000);
    await stuck.terminate();
  });

  test('when no worker was there at their end', { timeout: 400_000 }, async () => {
    const own = await Service.start();
    const [call, late] = [own.call(), own.call()];
    const { quietHours, end } = hours(-60, 40);
    const policy = policyOf({ target: { calls: [call.id] }, when: { quietHours } });
    // Nobody was there for the beginning either: its run comes after the end, and mutes nothing.
    const { quietHours: missed } = hours(39, 40);
    const another = policyOf({ target: { calls: [late.id] }, when: { quietHours: missed } });
    await own.moderation.policies.create(policy);
    await own.moderation.policies.create(another);
    await call.until(() => call.self.serverMuted);
    await untilRun(own.moderation.policies, policy.id);
    await own.stopWorker();
    await untilClock(end + 65_000);
    await own.startWorker();
    await call.until(() => !call.self.serverMuted, 60_000);
    await untilRun(own.moderation.policies, another.id, 2);
    expect(late.posts).not.toContain('mute');
    await own.stop();
  });

  test('that was muted too late, because its operation took so long', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 9_000 }] } });
    const { quietHours, end } = hours(-60, 12);
    const policy = policyOf({ target: { calls: [call.id] }, when: { quietHours } });
    await policies.create(policy);
    await untilClock(end);
    await call.untilAsked('unmute');
    await untilRun(policies, policy.id, 2, 90_000);
    await service.graph.settled();
    expect(call.self).toEqual({ isMuted: false, serverMuted: false });
  });

  test('that was established just before their end', { timeout: 180_000 }, async () => {
    const label = `late-${randomUUID()}`;
    const { quietHours, end } = hours(-60, 40);
    const policy = policyOf({ target: { live: { label } }, when: { quietHours } });
    await policies.create(policy);
    await sleep(5_100); // Workers remember for so long what policies there are.
    const call = service.call({ state: 'establishing', faults: { requests: [{ on: 'mute', latencyMs: 5_000 }] } });
    await service.moderation.calls.label(call.id, { add: [label] });
    await untilClock(end - 4_000);
    await service.graph.setCallState(call.id, 'established');
    // Whether it is muted depends on how quick the machine is; if so, it is unmuted.
    await untilClock(end + 15_000);
    await call.until(() => !call.self.serverMuted && !call.self.isMuted, 60_000);
    expect(call.posts.at(-1)).not.toBe('mute');
  });

  test('that a policy muted as it was established, and that was deleted since', { timeout: 300_000 }, async () => {
    const label = `gone-${randomUUID()}`;
    const { quietHours, end } = hours(-60, 50);
    const policy = policyOf({ target: { live: { label } }, when: { quietHours } });
    await policies.create(policy);
    await sleep(5_100);
    const call = await established(label);
    await call.until(() => call.self.serverMuted);
    await policies.delete(policy.id);
    await call.until(() => !call.self.serverMuted, 240_000);
    expect(Date.now()).toBeGreaterThan(end);
  });

  test('when the last date of the policy cuts them', async () => {
    const call = service.call();
    const { quietHours, end } = hours(-60, 600);
    const cut = new Date(Date.now() + 40_000).toISOString();
    const policy = policyOf({ target: { calls: [call.id] }, when: { quietHours, end: cut } });
    await policies.create(policy);
    await call.until(() => call.self.serverMuted);
    await call.until(() => !call.self.serverMuted, 60_000);
    expect(Date.now()).toBeLessThan(end);
    expect((await policies.describe(policy.id)).nextTimes).toEqual([]);
  });

  test('unless the hours of another policy go on there', { timeout: 240_000 }, async () => {
    const [both, one] = [service.call(), service.call()];
    const { quietHours } = hours(-60, 40);
    const { quietHours: longer, end } = hours(-60, 90);
    await policies.create(
      policyOf({ id: `b-${randomUUID()}`, target: { calls: [both.id] }, when: { quietHours: longer } }),
    );
    const policy = policyOf({ target: { calls: [both.id, one.id] }, when: { quietHours } });
    await policies.create(policy);
    await one.until(() => one.self.serverMuted);
    await one.until(() => !one.self.serverMuted, 90_000);
    const { report } = await untilRun(policies, policy.id, 2);
    expect(report.outcomes).toEqual({ Confirmed: 1, StillQuiet: 1 });
    expect(both.self.serverMuted).toBe(true);
    await both.until(() => !both.self.serverMuted, 120_000);
    expect(Date.now()).toBeGreaterThan(end);
  });

  test('that could not be unmuted at once', { timeout: 240_000 }, async () => {
    const unmutes = { on: 'unmute' as const, answer: { status: 503 }, times: 'forever' as const };
    const call = service.call({ faults: { requests: [unmutes] } });
    const { quietHours } = hours(-60, 30);
    await policies.create(policyOf({ target: { calls: [call.id] }, when: { quietHours } }));
    await call.until(() => call.self.serverMuted);
    await call.until(() => call.posts.includes('unmute'), 90_000);
    // Longer than an operation asks.
    await sleep(75_000);
    service.graph.setFaults(call.id, {});
    await call.until(() => !call.self.serverMuted, 120_000);
  });
});

describe.concurrent('a policy that is changed', () => {
  test('in its quiet hours unmutes the calls that its new terms leave alone', async () => {
    const [before, after] = [service.call(), service.call()];
    const { quietHours } = hours(-60, 600);
    const policy = policyOf({ target: { calls: [before.id] }, when: { quietHours } });
    await policies.create(policy);
    await untilRun(policies, policy.id);
    expect(before.self.serverMuted).toBe(true);
    await policies.update(policy.id, { target: { calls: [after.id] } });
    await after.until(() => after.self.serverMuted);
    await before.until(() => !before.self.serverMuted);
    await policies.update(policy.id, { when: { at: '18:00' } });
    await after.until(() => !after.self.serverMuted);
  });

  test('while it is paused unmutes what its old terms have muted, and mutes nothing', async () => {
    const [before, both, after] = [service.call(), service.call(), service.call()];
    const { quietHours } = hours(-60, 600);
    const policy = policyOf({ target: { calls: [before.id, both.id] }, when: { quietHours } });
    await policies.create(policy);
    await untilRun(policies, policy.id);
    await policies.pause(policy.id);
    await policies.update(policy.id, { target: { calls: [both.id, after.id] } });
    await before.until(() => !before.self.serverMuted);
    await service.graph.settled();
    expect([both.self.serverMuted, after.self.serverMuted]).toEqual([true, false]);
    expect(await policies.describe(policy.id)).toMatchObject({ paused: true, runs: 1 });
  });

  test('is made up for as it is resumed, if hours ended while it was paused', async () => {
    const call = service.call();
    const { quietHours, end } = hours(-60, 45);
    const policy = policyOf({ target: { calls: [call.id] }, when: { quietHours } });
    await policies.create(policy);
    await call.until(() => call.self.serverMuted);
    await untilRun(policies, policy.id);
    expect((await policies.pause(policy.id)).muted).toEqual([call.id]);
    await untilClock(end + 2_000);
    expect(call.self.serverMuted).toBe(true);
    await policies.resume(policy.id);
    await call.until(() => !call.self.serverMuted);
  });
});

test.each<[Partial<Policy>, RegExp]>([
  [{ overlap: 'skip' }, /overlap does not go with when\.quietHours/],
  [{ catchupWindow: '1h' }, /catchupWindow does not go with when\.quietHours/],
])('%j is refused with quiet hours', async (given, message) => {
  const { quietHours } = hours(60, 120);
  await expect(policies.create(policyOf({ when: { quietHours }, ...given }))).rejects.toThrow(message);
});

test('quiet hours are not backfilled', async () => {
  const policy = policyOf({ when: { quietHours: hours(600, 1200).quietHours } });
  await policies.create(policy);
  const range = { start: '2026-01-01', end: '2026-01-02' };
  await expect(policies.backfill(policy.id, range)).rejects.toThrow(/use trigger/);
});

async function established(label: string): Promise<TestCall> {
  const call = service.call({ state: 'establishing' });
  await service.moderation.calls.label(call.id, { add: [label] });
  await service.graph.setCallState(call.id, 'established');
  await until(
    async () => await service.moderation.calls.get(call.id),
    (status) => status?.state === 'established',
  );
  return call;
}
