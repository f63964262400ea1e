import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Policies } from '../../src/client/policies/policies.ts';
import { checkPolicy } from '../../src/contract/policy-check.ts';
import type { Policy } from '../../src/contract/policy.ts';
import { BIN, Command, killCommands } from '../support/command-kit.ts';
import { MadePolicies } from '../support/made-policies.ts';
import { triggered } from '../support/policy-run.ts';
import { Service, type TestCall } from '../support/service.ts';

/** Policies that mute others than the application: whom, in which calls, and what their runs tell of it. */

let service: Service;
let policies: Policies;
const made = new MadePolicies({ action: 'mute', target: { calls: ['x'] }, when: { once: '2099-01-01' } });
beforeAll(async () => {
  service = await Service.start();
  ({ policies } = service.moderation);
});
afterEach(async () => await made.delete(service.client));
afterAll(async () => {
  await killCommands();
  await service.stop();
});

const policyOf = (given: Partial<Policy>): Policy => made.of(given);

function peopleOf(call: TestCall): { id: string; serverMuted: boolean }[] {
  return service.graph.describe(call.id).participants.filter(({ id }) => id !== call.participantId);
}

describe('a policy with a target', () => {
  test('mutes everyone except the application, and reports the number for each call', async () => {
    const [whole, partial] = [
      service.call({ participants: 5 }),
      service.call({
        participants: 4,
        faults: { requests: [{ on: 'muteParticipant', answer: { status: 400, code: 'BadRequest' } }] },
      }),
    ];
    const policy = policyOf({ target: { calls: [whole.id, partial.id] }, request: { target: 'others' } });
    expect((await policies.create(policy)).policy.request).toEqual({ target: 'others' });
    const { report } = await triggered(policies, policy.id);
    expect(report).toMatchObject({ calls: 2, outcomes: { Confirmed: 1, Partial: 1 }, confirmed: [whole.id] });
    expect(report.failures).toEqual([{ callId: partial.id, type: 'Partial', message: '2 of 3 are muted.' }]);
    expect(report.others).toMatchObject({ muted: 6, of: 7 });
    expect(report.others?.inCalls).toContainEqual({ callId: whole.id, muted: 4, of: 4 });
    expect(report.others?.inCalls).toContainEqual({ callId: partial.id, muted: 2, of: 3 });
    expect(peopleOf(whole).every(({ serverMuted }) => serverMuted)).toBe(true);
    expect([whole.self.isMuted, partial.self.isMuted]).toEqual([false, false]);
    const left = await policies.delete(policy.id);
    expect(left).toEqual({ muted: [], message: expect.stringContaining('Graph cannot unmute others') as string });
  });

  test('leaves out whom it excepts, and mutes by name in one call', async () => {
    const call = service.call({ participants: 4 });
    const [chair = '', guest = ''] = peopleOf(call).map(({ id }) => id);
    const target = { calls: [call.id, call.id.toUpperCase()] };
    const named = policyOf({ target, request: { target: { participantIds: [guest] } } });
    await policies.create(named);
    expect((await triggered(policies, named.id)).report).toMatchObject({
      outcomes: { Confirmed: 1 },
      others: { muted: 1, of: 1 },
    });
    const rest = policyOf({ target, request: { target: { others: { except: [chair.toUpperCase()] } } } });
    await policies.create(rest);
    expect((await triggered(policies, rest.id)).report).toMatchObject({
      outcomes: { Confirmed: 1 },
      others: { muted: 2, of: 2 },
    });
    expect(peopleOf(call).map(({ serverMuted }) => serverMuted)).toEqual([false, true, true]);
  });

  test('counts who is in the call, and does not look at the application', async () => {
    const [crowded, quiet] = [
      service.call({ participants: 4, self: { serverMuted: true } }),
      service.call({ participants: 3 }),
    ];
    const calls = [crowded.id, quiet.id];
    const policy = policyOf({ target: { calls }, rules: { minParticipants: 4 }, request: { target: 'others' } });
    await policies.create(policy);
    expect((await triggered(policies, policy.id)).report).toMatchObject({
      outcomes: { Confirmed: 1, BelowMinimum: 1 },
      failures: [],
    });
    expect(peopleOf(crowded).every(({ serverMuted }) => serverMuted)).toBe(true);
    expect(quiet.posts).toEqual([]);
  });

  test('does not hide what one of the application has left muted', async () => {
    const call = service.call();
    const target = { calls: [call.id] };
    const [own, others] = [policyOf({ target }), policyOf({ target, request: { target: 'others' } })];
    for (const policy of [own, others]) {
      await policies.create(policy);
      await triggered(policies, policy.id);
    }
    expect(await policies.pause(own.id)).toMatchObject({ muted: [call.id] });
  });

  test('of the application is one without, also by its longer name', () => {
    const policy = { ...policyOf({}), request: { reason: 'r', target: 'self' } };
    expect(checkPolicy(policy)).toMatchObject({ ok: true, policy: { request: { reason: 'r' } } });
    expect(JSON.stringify(checkPolicy(policy))).not.toContain('self');
  });
});

describe('what cannot be is told before anything is created', () => {
  const others = { target: 'others' } as const;
  test.each<[string, object, RegExp]>([
    ['an unmute', { action: 'unmute', request: others }, /request\.target must be 'self' for unmute.*never unmute/],
    [
      'a restore',
      { request: { ...others, onUnconfirmed: 'restore' } },
      /request\.onUnconfirmed cannot be 'restore'.*never unmute/,
    ],
    ['quiet hours', { when: { quietHours: { from: '22:00', to: '06:00' } }, request: others }, /quietHours goes with/],
    ['a mute on join', { when: {}, rules: { onEstablished: true }, request: others }, /rules\.onEstablished goes with/],
    ['names in all calls', { target: { live: {} }, request: { target: { participantIds: ['a'] } } }, /of one call/],
    ['names in two calls', { target: { calls: ['a', 'b'] }, request: { target: { participantIds: ['a'] } } }, /of one/],
    ['no target', { request: { target: 'everyone' } }, /request\.target must be 'self', 'others'/],
  ])('%s', async (_what, given, message) => {
    const policy = policyOf(given);
    const refused = policies.create(policy);
    await expect(refused).rejects.toMatchObject({ type: 'InvalidRequest', details: { issues: [expect.anything()] } });
    await expect(refused).rejects.toThrow(message);
    await expect(policies.describe(policy.id)).rejects.toMatchObject({ type: 'PolicyNotFound' });
  });
});

test('the commands make one, show it and change it', { timeout: 60_000 }, async () => {
  const call = service.call({ participants: 3 });
  const { id } = policyOf({});
  const run = async (...args: string[]) => await new Command(BIN, ['policy', ...args], service.env).ended;
  const flags = ['--action', 'mute', '--call', call.id, '--at', '18:00', '--others'];
  expect(await run('create', id, ...flags)).toMatchObject({ code: 0, stderr: '' });
  await triggered(policies, id);
  const { stdout } = await run('describe', id);
  expect(stdout).toMatch(/^whom +"others"$/m);
  expect(stdout).toMatch(/^others +2 of 2 muted$/m);
  const changed = await run('update', id, '--others', '--except', 'a,b', '--json');
  expect(JSON.parse(changed.stdout)).toMatchObject({
    policy: { request: { target: { others: { except: ['a', 'b'] } } } },
  });
  expect(await run('update', id, '--except', 'a')).toMatchObject({ code: 2 });
  const unmute = await run('update', id, '--action', 'unmute');
  expect(unmute).toMatchObject({ code: 2, stderr: expect.stringContaining('never unmute') as string });
});
