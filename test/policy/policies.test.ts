import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ModerationError } from '../../src/client/errors.ts';
import type { Policies } from '../../src/client/policies/policies.ts';
import { scheduleIdOf, type Policy } from '../../src/contract/policy.ts';
import { MadePolicies } from '../support/made-policies.ts';
import { untilRun } from '../support/policy-run.ts';
import { Service, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/** Policies, from the client to the calls: schedules of a real server that really fire. */

let service: Service;
let policies: Policies;
const made = new MadePolicies({ action: 'mute', target: { calls: ['x'] }, when: { once: '2099-01-01' } });
beforeAll(async () => {
  service = await Service.start();
  ({ policies } = service.moderation);
});
afterEach(async () => await made.delete(service.client));
afterAll(async () => await service.stop());

/** One that never fires by itself, unless `given` says when. */
const policyOf = (given: Partial<Policy>): Policy => made.of(given);

async function establish(calls: readonly TestCall[]): Promise<void> {
  await Promise.all(calls.map(async (call) => await service.graph.setCallState(call.id, 'established')));
}

async function refusal(work: Promise<unknown>): Promise<ModerationError> {
  const error: unknown = await work.then(
    () => 'nothing',
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ModerationError);
  return error as ModerationError;
}

describe('a policy', () => {
  test('fires by the clock, again and again, and mutes its calls', async () => {
    const call = service.call();
    const policy = policyOf({ target: { calls: [call.id] }, when: { every: '2s' }, request: { reason: 'night' } });
    const created = await policies.create(policy, { note: 'for the test' });
    expect(created).toMatchObject({ id: policy.id, paused: false, note: 'for the test', policy });
    expect(created.nextTimes.length).toBeGreaterThan(1);
    const { report } = await untilRun(policies, policy.id, 2);
    expect(report).toMatchObject({ action: 'mute', calls: 1, outcomes: { Confirmed: 1 }, confirmed: [call.id] });
    expect(call.self.serverMuted).toBe(true);
    expect(call.posts.length).toBeGreaterThanOrEqual(2);
  });

  test('fires once at a date, and not after that', async () => {
    const call = service.call();
    const policy = policyOf({ target: { calls: [call.id] }, when: { once: 'in 2s' } });
    const { nextTimes } = await policies.create(policy);
    expect(nextTimes).toHaveLength(1);
    expect((await untilRun(policies, policy.id)).report).toMatchObject({ outcomes: { Confirmed: 1 } });
    expect((await policies.describe(policy.id)).nextTimes).toEqual([]);
  });

  test('that is paused runs when it is triggered only', async () => {
    const call = service.call();
    const policy = policyOf({ target: { calls: [call.id] }, when: { every: '1s' } });
    expect(await policies.create(policy, { paused: true })).toMatchObject({ paused: true, nextTimes: [] });
    await policies.trigger(policy.id);
    await untilRun(policies, policy.id);
    expect((await policies.describe(policy.id)).runs).toBe(1);
    expect((await policies.resume(policy.id)).nextTimes.length).toBeGreaterThan(0);
    await untilRun(policies, policy.id, 2);
  });

  test('runs as often as it was due when it is backfilled', async () => {
    const call = service.call();
    const policy = policyOf({ target: { calls: [call.id] }, when: { at: ['09:00', '18:00'] } });
    await policies.create(policy, { paused: true });
    await policies.backfill(policy.id, { start: '2026-01-01T00:00', end: '2026-01-01T23:00' });
    await untilRun(policies, policy.id, 2);
    expect(call.posts).toEqual(['mute', 'mute']);
  });

  test('is changed, listed and deleted, and says what it leaves muted', async () => {
    const [one, two, ended] = [service.call(), service.call(), service.call()];
    await establish([one, two, ended]);
    const policy = policyOf({ target: { calls: [one.id, two.id, ended.id] } });
    await policies.create(policy);
    const changed = await policies.update(policy.id, { when: { at: '18:00', days: ['weekdays'] }, note: 'evenings' });
    expect(changed).toMatchObject({ note: 'evenings', policy: { when: { at: '18:00', days: ['weekdays'] } } });
    expect(changed.nextTimes).toHaveLength(10);
    for (const time of changed.nextTimes) {
      expect(new Date(time).getUTCHours()).toBe(18);
      expect([1, 2, 3, 4, 5]).toContain(new Date(time).getUTCDay());
    }
    const ids: string[] = [];
    for await (const { id } of policies.list()) ids.push(id);
    expect(ids).toContain(policy.id);
    await policies.trigger(policy.id);
    await untilRun(policies, policy.id);
    await service.graph.endCall(ended.id);
    await until(() => service.moderation.calls.hasEnded(ended.id), Boolean);
    const paused = await policies.pause(policy.id, 'holiday');
    expect(paused.muted).toEqual([one.id, two.id].toSorted());
    expect(paused.message).toContain('leaves 2 call(s) muted');
    await (await service.moderation.unmute({ callId: two.id })).result();
    expect(await policies.delete(policy.id)).toMatchObject({ muted: [one.id] });
    expect(await refusal(policies.describe(policy.id))).toMatchObject({ type: 'PolicyNotFound' });
  });

  test('addresses the live calls of a label, and those only', async () => {
    const label = `label-${randomUUID()}`;
    const [labelled, other] = [service.call(), service.call()];
    await establish([labelled, other]);
    await service.moderation.calls.label(labelled.id, { add: [label] });
    const find = async () => {
      for await (const { callId } of service.moderation.calls.list({ label })) return callId;
      return undefined;
    };
    await until(find, (callId) => callId === labelled.id);
    const policy = policyOf({ target: { live: { label } } });
    await policies.create(policy);
    await policies.trigger(policy.id);
    expect((await untilRun(policies, policy.id)).report).toMatchObject({ calls: 1, confirmed: [labelled.id] });
    expect(other.posts).toEqual([]);
  });

  test('for which no worker is there in time does nothing', async () => {
    const taskQueue = `late-${randomUUID()}`;
    const late = await Service.start({ MODERATION_TASK_QUEUE: taskQueue });
    const call = late.call();
    await late.stopWorker();
    const policy = policyOf({ target: { calls: [call.id] }, catchupWindow: '10s' });
    await late.moderation.policies.create(policy);
    await late.moderation.policies.trigger(policy.id);
    await new Promise((resolve) => {
      setTimeout(resolve, 11_000);
    });
    await late.startWorker();
    const { report } = await untilRun(late.moderation.policies, policy.id);
    expect(report).toMatchObject({ missed: true, calls: 0 });
    expect(call.posts).toEqual([]);
    await late.stop();
  });
});

test("another deployment's policy is neither listed nor touched", async () => {
  const other = await Service.start();
  const theirs = other.moderation.policies;
  const policy = policyOf({});
  await theirs.create(policy);
  const before = await theirs.describe(policy.id);
  expect(await policies.get(policy.id)).toBeUndefined();
  for (const touch of [
    () => policies.create(policy),
    () => policies.describe(policy.id),
    () => policies.update(policy.id, { when: { at: '18:00' } }),
    () => policies.pause(policy.id),
    () => policies.resume(policy.id),
    () => policies.trigger(policy.id),
    () => policies.backfill(policy.id, { start: '2026-01-01', end: '2026-01-02' }),
    () => policies.delete(policy.id),
  ]) {
    const refused = await refusal(touch());
    expect(refused).toMatchObject({ type: 'OtherDeployment' });
    expect(refused.message).toContain(other.taskQueue);
  }
  const ids = async (all: Policies): Promise<string[]> => {
    const found: string[] = [];
    for await (const { id } of all.list()) found.push(id);
    return found;
  };
  expect(await ids(policies)).not.toContain(policy.id);
  await until(
    async () => await ids(theirs),
    (found) => found.includes(policy.id),
  );
  expect(await theirs.describe(policy.id)).toEqual(before);
  await other.stop();
});

describe('what is wrong is told before anything is created', () => {
  const calls = { calls: ['x'] };
  const good = { id: 'never-made', action: 'mute', target: calls, when: { at: '18:00' } } satisfies Policy;

  test.each<[string, object, RegExp]>([
    ['an ID', { id: 'no spaces' }, /id must be 1 to 64/],
    ['an action', { action: 'silence' }, /action must be 'mute' or 'unmute'/],
    ['no calls', { target: { calls: [] } }, /target\.calls is empty: name at least one call/],
    ['no target', { target: {} }, /target must be/],
    ['two targets', { target: { calls: ['x'], live: {} } }, /target must be/],
    ['a call', { target: { calls: ['x', 'a b'] } }, /target\.calls\[1\] must be the ID of a call/],
    ['too many calls', { target: { calls: Array.from({ length: 1_001 }, String) } }, /1001 calls.*by a label/],
    ['a label', { target: { live: { label: '?' } } }, /target\.live\.label must be/],
    [
      'a misspelt filter',
      { target: { live: { lable: 'x' } } },
      /target\.live\.lable is not a field of a target; the fields are tenantId, label/,
    ],
    ['a misspelt field', { overlpa: 'skip' }, /"overlpa" is not a field of a policy/],
    ['an overlap', { overlap: 'queue' }, /overlap must be one of skip/],
    [
      'a request',
      { request: { confirmWithinSeconds: 0 } },
      /request\.confirmWithinSeconds must be a number of seconds/,
    ],
    ['a call ID in the request', { request: { callId: 'x' } }, /request\.callId is not a field/],
    ['a concurrency', { concurrency: 51 }, /concurrency must be a whole number from 1 to 50/],
    ['a catch-up window', { catchupWindow: '9s' }, /catchupWindow must be.*at least 10 s/],
    ['no time', { when: {} }, /exactly one of at, every, cron, once, quietHours/],
    ['two ways of time', { when: { at: '18:00', every: '1h' } }, /exactly one of.*not at and every/],
    ['a time of day', { when: { at: '25:00' } }, /when\.at "25:00" must be a time of day/],
    ['a day', { when: { at: '18:00', days: ['someday'] } }, /when\.days "someday" is no day/],
    ['days without times', { when: { every: '1h', days: ['mon'] } }, /when\.days goes with when\.at/],
    ['a duration', { when: { every: '1 fortnight' } }, /when\.every must be a number of seconds/],
    ['a zone', { when: { at: '18:00', timeZone: 'Mars/Olympus' } }, /when\.timeZone "Mars\/Olympus" is not known/],
    ['a date', { when: { at: '18:00', start: 'soon' } }, /when\.start must be a date: ISO 8601/],
    [
      'the end before the start',
      { when: { at: '18:00', start: '2099-02-01', end: '2099-01-01' } },
      /end must come after/,
    ],
    ['an end that has passed', { when: { at: '18:00', end: '2020-01-01' } }, /when\.end has passed/],
    ['a moment that has passed', { when: { once: '2020-01-01' } }, /when\.once has passed/],
    [
      'a cron expression',
      { when: { cron: '0 18 * * MOON' } },
      /when is refused by Temporal \(.+\); correct when\.cron/,
    ],
    ['a cron expression of 3 fields', { when: { cron: '0 18 *' } }, /correct when\.cron/],
    ['a zone in a cron expression', { when: { cron: 'CRON_TZ=UTC 0 18 * * *' } }, /use when\.timeZone/],
    ['a field of when', { when: { at: '18:00', until: 'x' } }, /when\.until is not a field/],
  ])('%s', async (_what, given, message) => {
    const id = `wrong-${randomUUID()}`;
    const error = await refusal(policies.create({ ...good, id, ...given }));
    expect(error).toMatchObject({ type: 'InvalidRequest', message: expect.stringMatching(message) as string });
    expect(error).toMatchObject({ details: { issues: { length: 1 } } });
    expect(await refusal(policies.describe(id))).toMatchObject({ type: 'PolicyNotFound' });
  });

  test('every fault at once', async () => {
    const wrong = { ...good, id: '?', when: { at: 'noon', timeZone: '?' }, perSecond: 0 };
    const all = policies.create({ ...wrong, catchupWindow: 1 });
    expect(await refusal(all)).toMatchObject({ details: { issues: { length: 5 } } });
    const nothing = policies.create(undefined as unknown as Policy);
    expect((await refusal(nothing)).message).toContain('an object with id, action, target and when');
  });

  test('a second one of the same ID, an unknown one, an invalid change and an invalid backfill', async () => {
    const policy = policyOf({});
    await policies.create(policy);
    expect(await refusal(policies.create(policy))).toMatchObject({ type: 'PolicyExists' });
    expect(await refusal(policies.pause('nobody'))).toMatchObject({ type: 'PolicyNotFound' });
    expect((await refusal(policies.update(policy.id, { when: { cron: 'x' } }))).message).toContain('when.cron');
    expect((await policies.describe(policy.id)).policy).toEqual({
      ...policy,
      when: { once: '2099-01-01T00:00:00.000Z' },
    });
    const backwards = policies.backfill(policy.id, { start: '2026-02-01', end: '2026-01-01' });
    expect((await refusal(backwards)).message).toContain('end must come after start');
    expect((await refusal(policies.backfill(policy.id, { start: '2026-01-01', end: '2099-01-01' }))).message).toContain(
      'end must have passed',
    );
  });

  test('a schedule that is no policy, which can be deleted all the same', async () => {
    const id = `none-${randomUUID()}`;
    const action = { type: 'startWorkflow', workflowType: 'x', taskQueue: service.taskQueue, args: [17] } as const;
    await service.client.schedule.create({ scheduleId: scheduleIdOf(id), spec: {}, action });
    expect((await refusal(policies.describe(id))).message).toContain('contains no');
    expect(await policies.delete(id)).toMatchObject({
      muted: [],
      message: expect.stringContaining('are unknown') as string,
    });
    expect(await refusal(policies.describe(id))).toMatchObject({ type: 'PolicyNotFound' });
  });

  test('what a run of another starter gets', async () => {
    const start = { taskQueue: service.taskQueue, workflowId: `raw-${randomUUID()}`, args: [{ id: 'x' }] };
    await expect(service.client.workflow.execute('applyPolicy', start)).rejects.toMatchObject({
      cause: { type: 'InvalidRequest', message: expect.stringContaining('action is required') as string },
    });
  });
});
