import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { MuteOnEntryHandle } from '../../src/client/standing/mutes-on-entry.ts';
import type { ReleasedCall } from '../../src/client/release/release-types.ts';
import { muteOnEntryIdOf, type MuteOnEntryRequest, type MuteOnEntryStatus } from '../../src/contract/mute-on-entry.ts';
import { SIGNAL, STANDING_MUTE_SIGNAL } from '../../src/contract/names.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { costOf } from '../../bench/counts.ts';
import { BIN, Command, killCommands } from '../support/command-kit.ts';
import { Service, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/** Mutes on entry: whoever joins a call after a moment is muted once, and nobody else is. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => {
  await killCommands();
  await service.stop();
});

const untold: Faults = { notifications: [{ on: 'roster', drop: true, times: 'forever' }] };

async function untilEntry(
  handle: MuteOnEntryHandle,
  holds: (status: MuteOnEntryStatus) => boolean,
  ms = 30_000,
): Promise<MuteOnEntryStatus> {
  return await until(async () => await handle.status(), holds, ms);
}

/** It has read who is there. */
async function begun(call: TestCall, request: Partial<MuteOnEntryRequest> = {}): Promise<MuteOnEntryHandle> {
  const handle = await service.moderation.muteOnEntry({ callId: call.id, ...request });
  await untilEntry(handle, ({ phase }) => phase !== 'reading');
  return handle;
}

/** The webhook has it in its list, so that notifications reach it. */
async function heard(call: TestCall, request: Partial<MuteOnEntryRequest> = {}): Promise<MuteOnEntryHandle> {
  const handle = await begun(call, request);
  const told = async (): Promise<MuteOnEntryStatus> => {
    await service.graph.notify(call.id);
    return await handle.status();
  };
  await until(told, ({ rosters }) => rosters > 0, 30_000);
  return handle;
}

interface Person {
  id: string;
  isMuted: boolean;
  serverMuted: boolean;
  isInLobby: boolean;
}

function peopleOf(call: TestCall): Person[] {
  return service.graph.describe(call.id).participants.filter(({ id }) => id !== call.participantId);
}

/** Joins `count` people, and gives their IDs. */
async function join(call: TestCall, count = 1, options: { isInLobby?: boolean } = {}): Promise<string[]> {
  const before = new Set(peopleOf(call).map(({ id }) => id));
  await service.graph.addParticipants(call.id, count, options);
  return peopleOf(call)
    .map(({ id }) => id)
    .filter((id) => !before.has(id));
}

function asked(call: TestCall): string[] {
  const mutes = call.requests.filter(({ name }) => name === 'muteParticipant');
  return mutes.map(({ path }) => path.split('/').at(-2) ?? '');
}

function isMuted(call: TestCall, id: string): boolean {
  return peopleOf(call).some((person) => person.id === id && person.serverMuted);
}

describe.concurrent('who joins', () => {
  test('is muted, by one operation under the ID of the call, and who was there is not', async () => {
    const call = service.call({ participants: 4 });
    const there = peopleOf(call).map(({ id }) => id);
    const handle = await heard(call, { reason: 'a lecture' });
    const [late = ''] = await join(call);
    const status = await untilEntry(handle, ({ muted }) => muted === 1);
    // Told, and not found by a look.
    expect(status.rosters).toBeGreaterThan(0);
    expect(status).toMatchObject({ wereThere: 3, isRosterComplete: true, newcomers: 1, muted: 1, operations: 1 });
    expect(isMuted(call, late)).toBe(true);
    expect(asked(call)).toEqual([late]);
    const latest = await service.moderation.getLatestOperation(call.id);
    expect(latest?.record).toMatchObject({ action: 'mute', target: 'participants', outcome: 'Confirmed' });
    expect(latest?.status?.request).toMatchObject({ reason: 'a lecture', target: { participantIds: [late] } });
    await handle.release();
    expect(await handle.result()).toMatchObject({ endedBy: 'released', wereThere: 3, newcomers: 1, muted: 1 });
    for (const id of there) expect(isMuted(call, id)).toBe(false);
    expect(call.self.isMuted).toBe(false);
  });

  test('is found where the notification is lost', async () => {
    const call = service.call({ faults: untold });
    const handle = await begun(call);
    const [late = ''] = await join(call);
    const status = await untilEntry(handle, ({ muted }) => muted === 1);
    expect(status.rosters).toBe(0);
    expect(isMuted(call, late)).toBe(true);
  });

  test('goes together with who joins in the same moment', async () => {
    const call = service.call();
    const handle = await heard(call);
    const there = new Set(peopleOf(call).map(({ id }) => id));
    await Promise.all([2, 1, 1].map(async (count) => await service.graph.addParticipants(call.id, count)));
    const late = peopleOf(call).flatMap(({ id }) => (there.has(id) ? [] : [id]));
    const status = await untilEntry(handle, ({ muted }) => muted === 4);
    expect(status).toMatchObject({ newcomers: 4, operations: 1 });
    expect(asked(call).toSorted()).toEqual(late.toSorted());
  });

  test('is muted once, and again who leaves and comes back', async () => {
    const call = service.call();
    const handle = await heard(call);
    const [late = ''] = await join(call);
    await untilEntry(handle, ({ muted }) => muted === 1);
    await service.graph.setParticipant(call.id, late, { serverMuted: false });
    await service.graph.removeParticipant(call.id, late);
    const [back = ''] = await join(call);
    await untilEntry(handle, ({ muted }) => muted === 2);
    expect(asked(call)).toEqual([late, back]);
  });

  test('is left alone once unmuted, also by a look of its own', { timeout: 40_000 }, async () => {
    const call = service.call();
    const handle = await heard(call);
    const [late = ''] = await join(call);
    await untilEntry(handle, ({ muted }) => muted === 1);
    await service.graph.setParticipant(call.id, late, { serverMuted: false });
    const looks = (): number => call.requests.filter(({ name }) => name === 'listParticipants').length;
    const before = looks();
    await call.until(() => looks() > before, 20_000);
    await handle.release();
    await handle.result();
    expect(asked(call)).toEqual([late]);
    expect(isMuted(call, late)).toBe(false);
  });

  test('is a newcomer once admitted from the lobby, and not before', { timeout: 40_000 }, async () => {
    const call = service.call({ participants: 4, lobby: 1 });
    const waiting = peopleOf(call).find(({ isInLobby }) => isInLobby);
    const handle = await heard(call);
    expect(await handle.status()).toMatchObject({ wereThere: 2, waiting: 1 });
    const [late = ''] = await join(call, 1, { isInLobby: true });
    await untilEntry(handle, (status) => status.waiting === 2);
    expect(asked(call)).toEqual([]);
    for (const id of [late, waiting?.id ?? '']) await service.graph.setParticipant(call.id, id, { isInLobby: false });
    await untilEntry(handle, ({ muted }) => muted === 2);
    expect(new Set(asked(call))).toEqual(new Set([late, waiting?.id]));
    expect(await handle.status()).toMatchObject({ waiting: 0, newcomers: 2 });
  });

  test('is let be where excepted, in any spelling of the ID', async () => {
    const call = service.call();
    const handle = await begun(call);
    const [chair = ''] = await join(call);
    await handle.extend({ except: [chair.toUpperCase().replaceAll('-', '')] });
    const [late = ''] = await join(call);
    const status = await untilEntry(handle, ({ muted }) => muted === 1);
    expect(status).toMatchObject({ newcomers: 1, except: [chair] });
    expect(asked(call)).toEqual([late]);
  });

  test('is let be where excepted in the lobby, which is not looked for again', { timeout: 40_000 }, async () => {
    const call = service.call({ participants: 4, lobby: 1 });
    const chair = peopleOf(call).find(({ isInLobby }) => isInLobby)?.id ?? '';
    const handle = await heard(call, { except: [chair] });
    expect(await handle.status()).toMatchObject({ waiting: 0 });
    await service.graph.setParticipant(call.id, chair, { isInLobby: false });
    const [late = ''] = await join(call);
    await untilEntry(handle, ({ muted }) => muted === 1);
    expect(asked(call)).toEqual([late]);
    expect(await handle.status()).toMatchObject({ waiting: 0, newcomers: 1 });
  });

  test('is asked for again where nothing could be sent, and once only', { timeout: 40_000 }, async () => {
    const call = service.call();
    const handle = await heard(call);
    await service.graph.setCallState(call.id, 'transferring');
    const [late = ''] = await join(call);
    const status = await untilEntry(handle, ({ operations }) => operations >= 2);
    expect(status).toMatchObject({ newcomers: 1, muted: 0 });
    expect(asked(call)).toEqual([]);
    await service.graph.setCallState(call.id, 'established');
    await untilEntry(handle, ({ muted }) => muted === 1);
    expect(asked(call)).toEqual([late]);
  });

  test('is told by delta rosters too, which name only who changed', async () => {
    const call = service.call({ participants: 5, form: { roster: 'delta' } });
    const handle = await heard(call);
    const [one = ''] = await join(call);
    await untilEntry(handle, ({ muted }) => muted === 1);
    const [there] = peopleOf(call);
    await service.graph.setParticipant(call.id, there?.id ?? '', { clientMuted: true });
    await service.graph.removeParticipant(call.id, one);
    const [two = ''] = await join(call);
    await untilEntry(handle, ({ muted }) => muted === 2);
    expect(asked(call)).toEqual([one, two]);
  });

  test('is not believed of an old roster that comes late, nor is the application one', async () => {
    const call = service.call();
    const [gone] = peopleOf(call);
    await service.graph.removeParticipant(call.id, gone?.id ?? '');
    const handle = await begun(call);
    const run = service.client.workflow.getHandle(handle.workflowId);
    const participants = [gone?.id ?? '', call.participantId].map((id) => ({ id, isMuted: false }));
    await run.signal(SIGNAL.rosterUpdated, { participants, full: true });
    await untilEntry(handle, ({ waiting }) => waiting === 1);
    await handle.release();
    expect(await handle.result()).toMatchObject({ newcomers: 0, muted: 0 });
    expect(asked(call)).toEqual([]);
  });

  test('is counted where Graph refuses one of them, and not asked for again', async () => {
    const call = service.call({
      faults: { requests: [{ on: 'muteParticipant', answer: { status: 400, code: 'BadRequest' } }] },
    });
    const handle = await heard(call);
    await join(call);
    await untilEntry(handle, ({ refused }) => refused === 1);
    await join(call);
    const status = await untilEntry(handle, ({ muted }) => muted === 1);
    expect(status).toMatchObject({ newcomers: 2, refused: 1, muted: 1 });
    expect(asked(call)).toHaveLength(2);
  });
});

describe.concurrent('in a call with more people than Graph lists', () => {
  test('nobody is muted on a guess, until a roster lists everyone', { timeout: 60_000 }, async () => {
    const call = service.call({ participants: 101 });
    const handle = await begun(call);
    expect(await handle.status()).toMatchObject({ isRosterComplete: false, wereThere: 99 });
    await join(call, 2);
    for (const { id } of peopleOf(call).slice(0, 10)) await service.graph.removeParticipant(call.id, id);
    const status = await untilEntry(handle, ({ isRosterComplete }) => isRosterComplete);
    expect(status).toMatchObject({ wereThere: 92, newcomers: 0 });
    const [late = ''] = await join(call);
    await untilEntry(handle, ({ muted }) => muted === 1);
    expect(asked(call)).toEqual([late]);
  });

  test('newcomers are muted all the same if the call was small at first', { timeout: 60_000 }, async () => {
    const call = service.call({ participants: 99, form: { roster: 'delta' } });
    const handle = await heard(call);
    const late = await join(call, 3);
    const status = await untilEntry(handle, ({ muted }) => muted === 3);
    expect(status).toMatchObject({ isRosterComplete: true, wereThere: 98 });
    expect(asked(call).toSorted()).toEqual(late.toSorted());
  });
});

describe.concurrent('it ends', () => {
  test('when its time is over, and can be started again', async () => {
    const call = service.call();
    const handle = await service.moderation.muteOnEntry({ callId: call.id, forSeconds: 2 });
    expect(await handle.result()).toMatchObject({ callId: call.id, endedBy: 'expired', wereThere: 2 });
    const record = await service.client.workflow.getHandle(handle.workflowId).describe();
    expect(record.typedSearchAttributes.get({ name: 'ModerationOutcome', type: 'KEYWORD' })).toBe('Expired');
    expect(await service.moderation.getMuteOnEntry(call.id)).toBeUndefined();
    expect(await begun(call)).toMatchObject({ attached: false });
  });

  test('with the call, told or found out', async () => {
    const [told, found] = [service.call(), service.call({ faults: { notifications: [{ on: 'call', drop: true }] } })];
    const handles = await Promise.all([heard(told), begun(found)]);
    await Promise.all([told, found].map(async (call) => await service.graph.endCall(call.id)));
    for (const handle of handles) expect(await handle.result()).toMatchObject({ endedBy: 'callEnded' });
  });

  test('when it is cancelled, as cancelled', async () => {
    const call = service.call();
    const handle = await begun(call);
    await service.client.workflow.getHandle(handle.workflowId).cancel();
    await expect(handle.result()).rejects.toMatchObject({ type: 'Cancelled' });
  });

  test('after the operation that it has begun', async () => {
    const call = service.call({ faults: { requests: [{ on: 'muteParticipant', latencyMs: 2_000 }] } });
    const handle = await heard(call);
    const [late = ''] = await join(call);
    await call.until(() => asked(call).length === 1);
    await handle.release();
    expect(await handle.result()).toMatchObject({ endedBy: 'released', muted: 1 });
    expect(isMuted(call, late)).toBe(true);
  });

  test('with the type where the application may not mute anybody', async () => {
    const denied = { status: 403, code: '7504' };
    const call = service.call({
      faults: { requests: [{ on: 'muteParticipant', answer: denied, times: 'forever' }] },
    });
    const handle = await heard(call);
    await join(call);
    const failed = handle.result();
    await expect(failed).rejects.toMatchObject({ type: 'PermissionDenied', details: { callId: call.id } });
    await expect(failed).rejects.toThrow(/could not mute who came.*Calls\.JoinGroupCall\.All/);
  });

  test.each<[string, object, string]>([
    ['there is no such call', {}, 'CallNotFound'],
    ['it is not established', { state: 'establishing' }, 'CallNotEstablished'],
    ['it is no group call', { kind: 'p2p' }, 'NotAGroupCall'],
  ])('at once where %s', async (what, given, type) => {
    const callId = what === 'there is no such call' ? 'no-such-call-of-entries' : service.call(given).id;
    const handle = await service.moderation.muteOnEntry({ callId });
    await expect(handle.result()).rejects.toMatchObject({ type });
  });

  test('by release, which unmutes nobody', async () => {
    const [plain, held] = [service.call(), service.call()];
    const handle = await heard(plain);
    const [late = ''] = await join(plain);
    await untilEntry(handle, ({ muted }) => muted === 1);
    await begun(held);
    const hold = await service.moderation.keepMuted({ callId: held.id });
    await held.until(() => held.self.serverMuted);
    const release = async (callId: string, dryRun = false): Promise<ReleasedCall | undefined> => {
      for await (const call of service.moderation.release({ callId }, { dryRun })) return call;
      return undefined;
    };
    expect(await release(plain.id, true)).toMatchObject({ outcome: 'notMuted', muteOnEntry: 'wouldEnd' });
    expect(await release(plain.id)).toMatchObject({ outcome: 'notMuted', muteOnEntry: 'ended' });
    expect(await handle.result()).toMatchObject({ endedBy: 'released' });
    expect(isMuted(plain, late)).toBe(true);
    expect(await release(held.id)).toMatchObject({ outcome: 'released', muteOnEntry: 'ended' });
    expect(await hold.result()).toMatchObject({ endedBy: 'released' });
    expect(await release(held.id)).not.toHaveProperty('muteOnEntry');
  });
});

describe.concurrent('with others on the same call', () => {
  test('no two requests to Graph overlap, whatever is asked', { timeout: 60_000 }, async () => {
    const slow: Faults = { requests: [{ on: 'any', latencyMs: 60, times: 'forever' }] };
    const call = service.call({ faults: slow });
    const handle = await heard(call);
    const hold = await service.moderation.keepMuted({ callId: call.id });
    await join(call, 1);
    const own = await service.moderation.mute({ callId: call.id });
    await join(call, 1);
    await untilEntry(handle, ({ muted }) => muted === 2);
    await own.result();
    // Its own first mute may come after a mute of others.
    await until(
      async () => await hold.status(),
      ({ phase }) => phase === 'keepingMuted',
    );
    await service.graph.setParticipant(call.id, call.participantId, { serverMuted: false });
    await until(
      async () => await hold.status(),
      ({ mutesAgain }) => mutesAgain === 1,
    );
    await Promise.all([hold.release(), handle.release()]);
    expect(await hold.result()).toMatchObject({ endedBy: 'released' });
    expect(await handle.result()).toMatchObject({ endedBy: 'released', muted: 2 });
    const posts = call.requests.filter(({ action }) => action !== undefined);
    // One operation asks for several people at a time, and nothing else does while it runs.
    const alone = posts.filter(({ name }) => name !== 'muteParticipant');
    expect(alone.length).toBeGreaterThanOrEqual(3);
    for (const post of alone) {
      const beside = posts.filter(
        (other) =>
          other !== post &&
          other.startedAt < (post.endedAt ?? Infinity) &&
          (other.endedAt ?? Infinity) > post.startedAt,
      );
      expect(beside).toEqual([]);
    }
  });

  test('a second one gives the first its terms, or is refused', async () => {
    const call = service.call();
    const first = await begun(call, { forSeconds: 600 });
    const second = await service.moderation.muteOnEntry({ callId: call.id, except: ['chair'] });
    expect([first.attached, second.attached]).toEqual([false, true]);
    const status = await untilEntry(first, ({ except }) => except.length === 1);
    expect(status).not.toHaveProperty('until');
    const refused = service.moderation.muteOnEntry({ callId: call.id }, { onConflict: 'reject' });
    await expect(refused).rejects.toMatchObject({ type: 'OperationInProgress' });
    await (await service.moderation.getMuteOnEntry(call.id.toUpperCase()))?.release();
    expect(await first.result()).toMatchObject({ endedBy: 'released' });
  });
});

describe.concurrent('what does not fit', () => {
  test.each<[string, object, RegExp]>([
    ['a time that has passed', { until: '2020-01-01T00:00:00Z' }, /has passed; name a time to come/],
    ['two ends', { until: '2036-01-01T00:00:00Z', forSeconds: 5 }, /exclude each other/],
    ['no seconds', { forSeconds: 0 }, /forSeconds must be a number of seconds from 1/],
    ['no list', { except: 'a' }, /except must be a list of at most 100 IDs/],
    ['what is no ID', { except: ['a b'] }, /except must be a list/],
    ['a misspelt field', { execpt: [] }, /"execpt" is not a field here; the fields are callId/],
    ['no call', { callId: 'a b' }, /callId must be 1 to 128/],
  ])('%s is refused before anything is started', async (_, fields, message) => {
    const call = service.call();
    const refused = service.moderation.muteOnEntry({ callId: call.id, ...fields });
    await expect(refused).rejects.toMatchObject({ type: 'InvalidRequest' });
    await expect(refused).rejects.toThrow(message);
    expect(await service.moderation.getMuteOnEntry(call.id)).toBeUndefined();
  });

  test('in a raw input fails the run, and in a signal is left out', async () => {
    const call = service.call();
    const start = async (workflowId: string, ...args: unknown[]): Promise<unknown> =>
      await service.client.workflow.execute('muteOnEntry', { workflowId, taskQueue: service.taskQueue, args });
    const own = muteOnEntryIdOf(call.id);
    for (const args of [[{ callId: call.id, colour: 1 }], [{ callId: call.id }, {}], []]) {
      await expect(start(own, ...args)).rejects.toMatchObject({ cause: { type: 'InvalidRequest' } });
    }
    await expect(start(`${call.workflowId}/other`, { callId: call.id })).rejects.toMatchObject({
      cause: { message: expect.stringContaining(own) as string },
    });
    const handle = await begun(call);
    const run = service.client.workflow.getHandle(own);
    for (const payload of [undefined, 7, 'x', { participants: 3 }, { until: 'never' }]) {
      await run.signal(SIGNAL.rosterUpdated, payload);
      await run.signal(STANDING_MUTE_SIGNAL.extend, payload);
    }
    await run.signal(STANDING_MUTE_SIGNAL.release, { whatever: true });
    expect(await handle.result()).toMatchObject({ endedBy: 'released' });
  });
});

test('its history names nobody, replays, and costs a read and an operation for those who come', async () => {
  const call = service.call();
  const handle = await heard(call);
  await join(call);
  await untilEntry(handle, ({ muted }) => muted === 1);
  await handle.release();
  await handle.result();
  const history = await service.client.workflow.getHandle(handle.workflowId).fetchHistory();
  const text = (history.events ?? [])
    .flatMap(({ workflowExecutionSignaledEventAttributes: told, activityTaskCompletedEventAttributes: done }) => [
      ...(told?.input?.payloads ?? []),
      ...(done?.result?.payloads ?? []),
    ])
    .map(({ data }) => new TextDecoder().decode(data ?? undefined))
    .join('\n');
  expect(text).toContain(call.participantId);
  for (const personal of ['Person', 'displayName', 'identity']) expect(text).not.toContain(personal);
  // The first read, one for the newcomer, the operation; and a look where the machine was slow.
  const cost = costOf(history.events ?? []);
  expect(cost.activityTasks).toBeGreaterThanOrEqual(3);
  expect(cost.activityTasks).toBeLessThanOrEqual(4);
  expect(cost.upserts).toBe(1);
  await Worker.runReplayHistory({ workflowBundle: { codePath: inject('workflowBundle') } }, history, handle.workflowId);
});

test('the command starts it, gives it other terms, and waits', { timeout: 150_000 }, async () => {
  const call = service.call();
  const { TEMPORAL_ADDRESS, MODERATION_TASK_QUEUE } = service.env;
  const run = async (...args: string[]) =>
    await new Command(BIN, args, { TEMPORAL_ADDRESS, MODERATION_TASK_QUEUE }).ended;
  const started = await run('mute-on-entry', call.id, '--for', '1h', '--except', 'chair', '--except', 'guest');
  expect(started).toMatchObject({ code: 0 });
  expect(started.stdout).toMatch(
    new RegExp(`^muting whoever joins ${call.id}, until 20.*; 2 were already in the call$`, 'm'),
  );
  const told = await run('status', call.id);
  expect(told.stdout).toMatch(/^on entry +until 20.*, 0 of 0 newcomers muted$/m);
  const json = await run('mute-on-entry', call.id, '--for', '2h', '--json');
  expect(JSON.parse(json.stdout)).toMatchObject({ phase: 'watching', wereThere: 2 });
  expect((await run('mute-on-entry', call.id, '--on-conflict', 'reject')).code).toBe(1);
  const waited = await run('mute-on-entry', call.id, '--for', '1s', '--wait');
  expect(waited).toMatchObject({ code: 0, stdout: `${call.id}: expired, 0 of 0 newcomers muted\n` });
  const large = service.call({ participants: 100 });
  const unknown = await run('mute-on-entry', large.id, '--for', '1h');
  expect(unknown.stderr).toContain('until one lists everyone in the call, nobody is muted');
  const released = await run('release', large.id);
  expect(released.stdout).toContain('notMuted, mute on entry ended');
  const codes = [
    ['--for', 'soon'],
    ['--until', 'tomorrow'],
    ['--except', 'a b'],
  ].map(async (flags) => (await run('mute-on-entry', call.id, ...flags)).code);
  expect(await Promise.all(codes)).toEqual([2, 2, 2]);
});
