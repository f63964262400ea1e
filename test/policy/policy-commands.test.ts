import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { LeftBehind, PolicyDescription, PolicySummary } from '../../src/client/policies/policy-types.ts';
import { BIN, Command, killCommands, type Ended } from '../support/command-kit.ts';
import { untilRun } from '../support/policy-run.ts';
import { Service } from '../support/service.ts';

/** `call-moderation policy …`, as people run it. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterEach(killCommands);
afterAll(async () => await service.stop());

async function policy(...args: string[]): Promise<Ended> {
  return await new Command(BIN, ['policy', ...args], service.env).ended;
}

/** The JSON that a command prints, which must succeed. */
async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await policy(...args, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

test('a policy from its making to its end', { timeout: 120_000 }, async () => {
  const id = `cli-${randomUUID()}`;
  const call = service.call();
  const times = ['--at', '18:00,19:30', '--days', 'weekdays', '--time-zone', 'Europe/Berlin'];
  const made = await json<PolicyDescription>(
    'create',
    id,
    '--action',
    'mute',
    '--call',
    call.id,
    ...times,
    '--note',
    'n',
  );
  expect(made).toMatchObject({
    id,
    note: 'n',
    policy: {
      action: 'mute',
      target: { calls: [call.id] },
      when: { at: ['18:00', '19:30'], days: ['weekdays'], timeZone: 'Europe/Berlin' },
    },
  });
  expect(made.nextTimes).toHaveLength(10);

  const changed = await json<PolicyDescription>('update', id, '--every', '1h', '--reason', 'night');
  expect(changed.policy.when).toEqual({ every: '1h', timeZone: 'Europe/Berlin' });
  expect(changed.policy).toMatchObject({ action: 'mute', request: { reason: 'night' } });
  expect(changed.note).toBe('n');

  expect(await json('trigger', id)).toEqual({ id, triggered: true });
  await untilRun(service.moderation.policies, id);
  const shown = await policy('describe', id);
  expect(shown).toMatchObject({ code: 0, stderr: '' });
  expect(shown.stdout).toMatch(/outcomes +Confirmed 1/);
  const listed = (await json<PolicySummary[]>('list')).find((each) => each.id === id);
  expect(listed?.nextTimes.length).toBeGreaterThan(0);

  const quiet = await json<PolicyDescription>('update', id, '--quiet-hours', '22:00-06:00', '--days', 'fri,sat');
  expect(quiet.policy.when).toEqual({
    quietHours: { from: '22:00', to: '06:00', days: ['fri', 'sat'] },
    timeZone: 'Europe/Berlin',
  });

  const paused = await policy('pause', id, '--note', 'holiday');
  expect(paused.stdout).toContain(`leaves 1 call(s) muted`);
  expect(paused.stdout).toContain(call.id);
  expect(await json<LeftBehind>('delete', id)).toMatchObject({ muted: [call.id] });
  expect(await policy('describe', id)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('PolicyNotFound') as string,
  });
});

test('a policy that mutes newcomers', { timeout: 120_000 }, async () => {
  const id = `cli-${randomUUID()}`;
  const call = service.call();
  const whom = ['--action', 'mute', '--call', call.id];
  const issues = [
    ['--entry-for', '1h'],
    ['--on-entry', '--entry-for', 'soon'],
    ['--on-entry', '--entry-for', '40d'],
    ['--on-entry', '--on-join'],
    ['--on-entry', '--others'],
    ['--on-entry', '--except', 'a b'],
    ['--except', 'a'],
  ];
  const codes = await Promise.all(issues.map(async (wrong) => (await policy('create', id, ...whom, ...wrong)).code));
  expect(codes).toEqual(issues.map(() => 2));
  const flags = ['--on-entry', '--entry-for', '1h', '--except', 'a,b'];
  const made = await json<PolicyDescription>('create', id, ...whom, ...flags);
  expect(made.policy).toMatchObject({ when: {}, rules: { onEntry: { forSeconds: 3_600, except: ['a', 'b'] } } });
  expect((await policy('describe', id)).stdout).toMatch(/^next +when a call is established$/m);
  const range = ['--start', '2026-01-01', '--end', '2026-01-02'];
  expect((await policy('backfill', id, ...range)).stderr).toContain('the policy has no times');
  expect((await policy('create', `${id}-2`, ...whom, '--except', 'a')).stderr).toContain('--others or --on-entry');
  const changed = await json<PolicyDescription>('update', id, '--except', 'c', '--reason', 'lecture');
  expect(changed.policy.rules).toEqual({ onEntry: { forSeconds: 3_600, except: ['c'] } });
  expect(changed.policy.request).toEqual({ reason: 'lecture' });
  expect((await json<PolicyDescription>('update', id, '--every', '1d')).policy.rules).toEqual(changed.policy.rules);
  await json('trigger', id);
  await untilRun(service.moderation.policies, id);
  const shown = await policy('describe', id);
  expect(shown.stdout).toMatch(/^rules +\{"onEntry":\{"forSeconds":3600,"except":\["c"\]\}\}$/m);
  expect(shown.stdout).toMatch(/^outcomes +Started 1$/m);
  expect((await policy('list')).stdout).toMatch(new RegExp(`^${id} +20\\S+ +on entry for 3600 s$`, 'm'));
  const listed = (await json<PolicySummary[]>('list')).find((each) => each.id === id);
  expect(listed).toMatchObject({ rules: changed.policy.rules });
  const ended = await json<PolicyDescription>('update', id, '--on-entry=false');
  expect(ended.policy.rules?.onEntry).toBe(false);
  const left = await policy('delete', id);
  expect(left.stdout).toMatch(new RegExp(`In 1 call.* a mute on entry continues .*\\n${call.id}\\n$`));
});

test('what is wrong is told with exit code 2, and nothing is made', { timeout: 60_000 }, async () => {
  const id = `cli-${randomUUID()}`;
  const wrong = await policy('create', id, '--action', 'mute', '--live', '--cron', '0 18 * *', '--json');
  expect(wrong.code).toBe(2);
  const { error } = JSON.parse(wrong.stdout) as { error: { type: string; message: string } };
  expect(error).toMatchObject({ type: 'InvalidRequest', message: expect.stringContaining('when.cron') as string });
  const issues = await policy('create', id, '--call', 'x,y z', '--at', '6pm', '--time-zone', 'Nowhere');
  expect(issues.code).toBe(2);
  expect(issues.stderr).toMatch(
    /action is required.*target\.calls\[1\] must be the ID of a call.*when\.timeZone.*when\.at/,
  );
  expect(await policy('create', id, '--call', 'x', '--live', '--at', '18:00')).toMatchObject({ code: 2 });
  const ids: string[] = [];
  for await (const each of service.moderation.policies.list()) ids.push(each.id);
  expect(ids).not.toContain(id);
});
