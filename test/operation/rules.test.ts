import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Policies } from '../../src/client/policies/policies.ts';
import { quietAt, readQuietHours } from '../../src/schedule/quiet-hours.ts';
import { scheduleIdOf, type Policy, type QuietHours } from '../../src/contract/policy.ts';
import { MadePolicies } from '../support/made-policies.ts';
import { triggered, untilRun } from '../support/policy-run.ts';
import { Service, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/** Rules of policies beside the clock: mute on join, quiet hours, and when many are in the call. */

let service: Service;
let policies: Policies;
const made = new MadePolicies({ action: 'mute', target: { live: {} }, when: {} });
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

/** A call that is labelled and then established; resolves when the policies were asked and what they want is done. */
async function join(label?: string): Promise<TestCall> {
  const call = service.call({ state: 'establishing' });
  if (label !== undefined) await service.moderation.calls.label(call.id, { add: [label] });
  await service.graph.setCallState(call.id, 'established');
  return call;
}

test('a policy of rules alone mutes established calls of its target and no others', async () => {
  const label = `vip-${randomUUID()}`;
  const policy = policyOf({ target: { live: { label } }, rules: { onEstablished: true } });
  expect(await policies.create(policy)).toMatchObject({ nextTimes: [], policy: { when: {} } });
  // A schedule that is none of ours, under a policy's name, is passed over.
  const id = `broken-${randomUUID()}`;
  made.add(id);
  const action = {
    type: 'startWorkflow',
    workflowType: 'applyPolicy',
    taskQueue: service.taskQueue,
    args: [17],
  } as const;
  await service.client.schedule.create({ scheduleId: scheduleIdOf(id), spec: {}, action });
  await untilSeen();
  const [joined, other] = await Promise.all([join(label), join()]);
  const status = await until(
    async () => await service.moderation.calls.get(joined.id),
    (now) => now?.onEstablished?.outcome !== undefined,
  );
  expect(status?.onEstablished).toEqual({ policyId: policy.id, outcome: 'Confirmed' });
  expect(joined.self.serverMuted).toBe(true);
  // Told of again, it is not asked again.
  await service.graph.setCallState(joined.id, 'established');
  await service.graph.settled();
  expect(joined.posts).toEqual(['mute']);
  expect(other.posts).toEqual([]);

  await policies.pause(policy.id);
  await untilSeen();
  const later = await join(label);
  await until(
    async () => await service.moderation.calls.get(later.id),
    (now) => now?.state === 'established',
  );
  await service.graph.settled();
  expect(later.posts).toEqual([]);
});

test('only calls with more people than it says are muted, and only where they are not yet', async () => {
  const [few, many] = [service.call({ participants: 3 }), service.call({ participants: 6 })];
  const policy = policyOf({
    target: { calls: [few.id, many.id, 'gone'] },
    when: { every: '1d' },
    rules: { minParticipants: 5 },
  });
  await policies.create(policy);
  const { report } = await triggered(policies, policy.id);
  expect(report.outcomes).toEqual({ BelowMinimum: 1, Confirmed: 1, CallNotFound: 1 });
  expect(report).toMatchObject({ confirmed: [many.id], failures: [{ callId: 'gone', type: 'CallNotFound' }] });
  await service.graph.addParticipants(few.id, 2);
  expect((await triggered(policies, policy.id, 2)).report.outcomes).toEqual({
    Confirmed: 1,
    AlreadyDone: 1,
    CallNotFound: 1,
  });
  expect(few.posts).toEqual(['mute']);
  expect(many.posts).toEqual(['mute']);
});

test('quiet hours mute while they last, also calls that are established meanwhile, and unmute afterwards', async () => {
  const label = `quiet-${randomUUID()}`;
  const now = Date.now(); // A minute may begin meanwhile.
  const clock = (hours: number): string => new Date(now + hours * 3_600_000).toISOString().slice(11, 16);
  const inside = { quietHours: { from: clock(-2), to: clock(2) } };
  const policy = policyOf({ target: { live: { label } }, when: inside });
  const { nextTimes } = await policies.create(policy);
  expect(nextTimes.slice(0, 2).map((time) => time.slice(11, 16))).toEqual([clock(2), clock(-2)]);
  // Made in the middle of them, it runs at once.
  await untilRun(policies, policy.id);
  await untilSeen();
  const call = await join(label);
  await until(
    async () => await service.moderation.calls.get(call.id),
    (status) => status?.onEstablished?.outcome === 'Confirmed',
  );
  const { report } = await triggered(policies, policy.id, 2);
  expect(report).toMatchObject({ action: 'mute', outcomes: { Confirmed: 1 } });
  expect(call.self.serverMuted).toBe(true);
  // Nobody waits for hours that are over now.
  await policies.update(policy.id, { when: { quietHours: { from: clock(2), to: clock(4) } } });
  await call.until(() => !call.self.isMuted);
  expect((await triggered(policies, policy.id, 3)).report).toMatchObject({
    action: 'unmute',
    outcomes: { Confirmed: 1 },
  });
});

test('quiet hours that are none, from another starter, do nothing', async () => {
  const call = service.call();
  const when = { quietHours: { from: 'dusk', to: 'dawn' }, timeZone: 'Nowhere' };
  const args = [{ id: 'raw', action: 'mute', target: { calls: [call.id] }, when }];
  const start = { taskQueue: service.taskQueue, workflowId: `raw-${randomUUID()}`, args };
  await expect(service.client.workflow.execute('applyPolicy', start)).rejects.toMatchObject({
    cause: { type: 'InvalidRequest', message: expect.stringContaining('quietHours.from') as string },
  });
  expect(call.posts).toEqual([]);
});

describe('quiet hours', () => {
  const night: QuietHours = { from: '22:00', to: '06:00', days: ['fri'] };
  const day: QuietHours = { from: '12:00', to: '13:30' };
  test.each([
    ['begin with their first moment', day, 'UTC', '2026-07-01T12:00:00Z', true],
    ['end before their last', day, 'UTC', '2026-07-01T13:30:00Z', false],
    ['are those of the zone', day, 'Europe/Berlin', '2026-07-01T10:30:00Z', true],
    ['are those of the zone in winter', day, 'Europe/Berlin', '2026-01-05T10:30:00Z', false],
    ['begin on their day', night, 'UTC', '2026-07-03T23:00:00Z', true],
    ['last beyond midnight', night, 'UTC', '2026-07-04T05:59:59Z', true],
    ['not before they begin', night, 'UTC', '2026-07-03T05:00:00Z', false],
    ['not on another day', night, 'UTC', '2026-07-04T23:00:00Z', false],
  ])('%s', (_what, quietHours, timeZone, at, expected) =>
    expect(quietAt({ quietHours, timeZone }, new Date(at)).isQuiet).toBe(expected),
  );

  test.each([
    [{ from: '22:00' }, /quietHours\.to must be a time of day/],
    [{ from: '22:00', to: '22:00' }, /are the same/],
    [{ from: '22:00', to: '06:00', until: 'x' }, /not until/],
    ['22:00-06:00', /must be an object/],
  ])('%j are refused', (given, message) => {
    const faults: string[] = [];
    readQuietHours(given, faults);
    expect(faults).toEqual([expect.stringMatching(message)]);
  });

  test.each<[Partial<Policy>, RegExp]>([
    [{ action: 'unmute', rules: { onEstablished: true } }, /go with the action 'mute'/],
    [{ rules: { onEstablished: true, minParticipants: 10 } }, /make two policies/],
    [{ rules: { minParticipants: 101 } }, /rules\.minParticipants must be a whole number from 2 to 100/],
    [{ rules: {} }, /when must have exactly one of/],
    [
      { rules: { onjoin: true } as object },
      /rules\.onjoin is not a field of rules; the fields are onEstablished, onEntry, minParticipants/,
    ],
  ])('a policy with %j is refused', async (given, message) => {
    await expect(policies.create(policyOf(given))).rejects.toThrow(message);
  });
});
