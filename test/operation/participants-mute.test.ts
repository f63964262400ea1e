import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SIGNAL } from '../../src/contract/names.ts';
import type { ParticipantsMuteResult, ParticipantOutcome } from '../../src/contract/operation.ts';
import type { ModerationRequest, ParticipantsMuteRequest } from '../../src/contract/request.ts';
import type { RosterUpdate } from '../../src/contract/signals.ts';
import { sameTarget, type Target } from '../../src/contract/target.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { BIN, Command, killCommands } from '../support/command-kit.ts';
import { failureOf } from '../support/expect.ts';
import { Service, untilPhase, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/** The mute of others than the application, as one operation with an outcome for each of them. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => {
  await killCommands();
  await service.stop();
});

const untold: Faults = { notifications: [{ on: 'roster', drop: true, times: 'forever' }] };

/** Everyone in the call but the application, in the roster's order. */
function peopleOf(call: TestCall): { id: string; serverMuted: boolean }[] {
  return service.graph.describe(call.id).participants.filter(({ id }) => id !== call.participantId);
}

async function muteOthers(
  call: TestCall,
  request: Partial<ParticipantsMuteRequest> = {},
): Promise<ParticipantsMuteResult> {
  return await (await service.moderation.muteParticipants({ callId: call.id, target: 'others', ...request })).result();
}

function countOf({ participants }: ParticipantsMuteResult): Partial<Record<ParticipantOutcome, number>> {
  const counts: Partial<Record<ParticipantOutcome, number>> = {};
  for (const { outcome } of participants) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

function asked(call: TestCall): string[] {
  const mutes = call.requests.filter(({ name }) => name === 'muteParticipant');
  return mutes.map(({ path }) => path.split('/').at(-2) ?? '');
}

async function outcomeOf(call: TestCall): Promise<string | undefined> {
  return (await service.moderation.getLatestOperation(call.id))?.record.outcome;
}

describe.concurrent('a mute of others', () => {
  test('mutes everyone except the application, and the rosters confirm each', async () => {
    const call = service.call({ participants: 6 });
    const result = await muteOthers(call);
    const ids = peopleOf(call).map(({ id }) => id);
    expect(result.participants.map(({ participantId }) => participantId)).toEqual(ids);
    expect(countOf(result)).toEqual({ confirmed: 5 });
    expect(result).toMatchObject({ action: 'mute', target: 'others', isRosterComplete: true });
    expect(peopleOf(call).every(({ serverMuted }) => serverMuted)).toBe(true);
    expect(call.self.isMuted).toBe(false);
    expect(await outcomeOf(call)).toBe('Confirmed');
    const latest = await service.moderation.getLatestOperation(call.id);
    expect(latest).toMatchObject({ record: { target: 'others', action: 'mute' }, status: { phase: 'confirmed' } });
  });

  test('continues as new under a stream of rosters, with all its state', async () => {
    const call = service.call({ participants: 4, faults: untold });
    const [, , last] = peopleOf(call);
    const lost = { on: 'muteParticipant', skip: 2, effect: false } as const;
    service.graph.setFaults(call.id, { requests: [lost], ...untold });
    const handle = await service.moderation.muteParticipants({
      callId: call.id,
      target: 'others',
      confirmWithinSeconds: 60,
    });
    await until(
      async () => await handle.status(),
      ({ participants = [] }) => participants.filter(({ outcome }) => outcome === 'confirmed').length === 2,
    );
    const { runId } = await handle.run();
    const run = service.client.workflow.getHandle(call.workflowId);
    // Rosters of before, which settle nobody.
    const roster: RosterUpdate = { participants: [{ id: call.participantId, isMuted: false }], full: false };
    for (let sent = 0; sent < 100; sent += 1) await run.signal(SIGNAL.rosterUpdated, roster);
    const { runId: next } = await until(
      async () => await run.describe(),
      (description) => description.runId !== runId,
    );
    expect(await handle.status()).toMatchObject({ phase: 'confirming', attempts: 1 });
    await run.signal(SIGNAL.rosterUpdated, { ...roster, participants: [{ id: last?.id ?? '', isMuted: true }] });
    const result = await handle.result();
    expect(result).toMatchObject({ clientContext: runId, isRosterComplete: true });
    expect(countOf(result)).toEqual({ confirmed: 3 });
    expect(asked(call)).toHaveLength(3);
    expect(next).not.toBe(runId);
  });

  test('leaves out whom it excepts, in any spelling of the ID', async () => {
    const call = service.call({ participants: 5 });
    const [chair, ...rest] = peopleOf(call);
    const except = [(chair?.id ?? '').toUpperCase().replaceAll('-', '')];
    const result = await muteOthers(call, { target: { others: { except } } });
    expect(countOf(result)).toEqual({ confirmed: 3 });
    expect(asked(call).toSorted()).toEqual(rest.map(({ id }) => id).toSorted());
  });

  test('mutes those who are named, and tells who is not in the call', async () => {
    const call = service.call({ participants: 5 });
    const [one, two] = peopleOf(call).map(({ id }) => id);
    const nobody = '00000000-0000-4000-8000-000000000000';
    const target = { participantIds: [two ?? '', nobody, one ?? ''] };
    const result = await muteOthers(call, { target });
    expect(countOf(result)).toEqual({ confirmed: 2, left: 1 });
    expect(result.participants.find(({ participantId }) => participantId === nobody)?.outcome).toBe('left');
    expect(new Set(asked(call))).toEqual(new Set([one, two]));
    expect(await outcomeOf(call)).toBe('Confirmed');
  });

  test('reads the roster where no notification comes', async () => {
    const call = service.call({ participants: 4, faults: untold });
    const result = await muteOthers(call);
    expect(result.participants.map(({ confirmedBy }) => confirmedBy)).toEqual(Array(3).fill('roster-read'));
  });

  test('asks for no more than eight at a time', async () => {
    const call = service.call({
      participants: 31,
      faults: { requests: [{ on: 'muteParticipant', latencyMs: 150, times: 'forever' }] },
    });
    expect(countOf(await muteOthers(call))).toEqual({ confirmed: 30 });
    const posts = call.requests.filter(({ name }) => name === 'muteParticipant');
    const most = Math.max(
      ...posts.map(({ startedAt }) => {
        const open = posts.filter((other) => other.startedAt <= startedAt && (other.endedAt ?? Infinity) > startedAt);
        return open.length;
      }),
    );
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(8);
  });

  test('tells who was refused, who has left and who unmuted again', { timeout: 30_000 }, async () => {
    const call = service.call({
      participants: 6,
      faults: {
        requests: [
          { on: 'muteParticipant', answer: { status: 400, code: 'BadRequest' } },
          { on: 'muteParticipant', skip: 3, effect: false },
        ],
        unmutes: [{ who: 'people', skip: 1, afterMs: 50 }],
      },
    });
    const handle = await service.moderation.muteParticipants({
      callId: call.id,
      target: 'others',
      confirmWithinSeconds: 3,
    });
    const result = await handle.result();
    expect(countOf(result)).toEqual({ confirmed: 2, refused: 1, unmutedAgain: 1, notConfirmed: 1 });
    expect(result.participants.find(({ outcome }) => outcome === 'refused')).toMatchObject({
      status: 400,
      code: 'BadRequest',
    });
    expect(await outcomeOf(call)).toBe('Partial');
  });

  test('asks nothing for people in the lobby, and says that they are there', async () => {
    const call = service.call({ participants: 6, lobby: 2 });
    const waiting = service.graph.describe(call.id).participants.filter(({ isInLobby }) => isInLobby);
    const result = await muteOthers(call);
    expect(countOf(result)).toEqual({ confirmed: 3, inLobby: 2 });
    for (const { id } of waiting) expect(asked(call)).not.toContain(id);
    expect(await outcomeOf(call)).toBe('Confirmed');
    const named = await muteOthers(call, { target: { participantIds: waiting.map(({ id }) => id) } });
    expect(countOf(named)).toEqual({ inLobby: 2 });
    expect(await outcomeOf(call)).toBe('Partial');
  });

  test('says where the roster ended, and reaches beyond it by ID', { timeout: 60_000 }, async () => {
    const call = service.call({ participants: 130 });
    const beyond = peopleOf(call).at(-1)?.id ?? '';
    const everyone = await muteOthers(call);
    expect(everyone.isRosterComplete).toBe(false);
    expect(countOf(everyone)).toEqual({ confirmed: 99 });
    expect(await outcomeOf(call)).toBe('Partial');
    expect(asked(call)).not.toContain(beyond);
    const named = await muteOthers(call, { target: { participantIds: [beyond] } });
    expect(named.participants).toMatchObject([
      { participantId: beyond, outcome: 'confirmed', confirmedBy: 'roster-read' },
    ]);
    expect(await outcomeOf(call)).toBe('Confirmed');
  });

  test('notes who leaves meanwhile', async () => {
    const call = service.call({
      participants: 4,
      faults: { requests: [{ on: 'muteParticipant', latencyMs: 800, times: 'forever' }] },
    });
    const handle = await service.moderation.muteParticipants({ callId: call.id, target: 'others' });
    await call.until(() => asked(call).length >= 3);
    const [first] = peopleOf(call);
    await service.graph.removeParticipant(call.id, first?.id ?? '');
    expect(countOf(await handle.result())).toEqual({ confirmed: 2, left: 1 });
  });
});

describe.concurrent('a mute of others fails', () => {
  test('where the application may not do it, asking no more than the first few', async () => {
    const call = service.call({
      participants: 40,
      faults: { requests: [{ on: 'muteParticipant', answer: { status: 403, code: '7504' }, times: 'forever' }] },
    });
    const handle = await service.moderation.muteParticipants({ callId: call.id, target: 'others' });
    const { message, details } = await failureOf(handle, 'PermissionDenied');
    expect(message).toContain('Calls.JoinGroupCall.All');
    expect(details.participants).toHaveLength(39);
    expect(asked(call).length).toBeLessThanOrEqual(16);
  });

  test('where nobody is shown as muted', async () => {
    const call = service.call({
      faults: { requests: [{ on: 'muteParticipant', effect: false, times: 'forever' }] },
    });
    const handle = await service.moderation.muteParticipants({
      callId: call.id,
      target: 'others',
      confirmWithinSeconds: 1,
    });
    const { details } = await failureOf(handle, 'Unconfirmed');
    expect(details.participants?.map(({ outcome }) => outcome)).toEqual(['notConfirmed', 'notConfirmed']);
  });

  test('where the call ends, and where it is cancelled, and undoes nothing', async () => {
    const slow: Faults = {
      requests: [{ on: 'muteParticipant', skip: 2, latencyMs: 1_000, effect: false, times: 'forever' }],
    };
    const [ended, cancelled] = [
      service.call({ participants: 5, faults: slow }),
      service.call({ participants: 5, faults: slow }),
    ];
    const one = await service.moderation.muteParticipants({ callId: ended.id, target: 'others' });
    const other = await service.moderation.muteParticipants({ callId: cancelled.id, target: 'others' });
    await Promise.all([ended, cancelled].map(async (call) => await call.until(() => asked(call).length >= 4)));
    await service.graph.endCall(ended.id);
    await other.cancel();
    await failureOf(one, 'CallEnded');
    const { message, details } = await failureOf(other, 'Cancelled');
    expect(details.participants?.filter(({ outcome }) => outcome === 'confirmed').length).toBeGreaterThanOrEqual(2);
    expect(message).toContain('Graph cannot unmute others');
    expect(cancelled.requests.some(({ name }) => name === 'unmute')).toBe(false);
  });

  test('where the application itself is named, before anything is sent', async () => {
    const call = service.call();
    const target = { participantIds: [call.participantId] };
    const handle = await service.moderation.muteParticipants({ callId: call.id, target });
    expect((await failureOf(handle, 'InvalidRequest')).message).toContain("target 'self'");
    expect(asked(call)).toEqual([]);
  });
});

describe.concurrent('an unmute of others', () => {
  test('is refused with the reason by the client', async () => {
    const request: ModerationRequest = { callId: 'c', target: 'others' };
    const refused = service.moderation.unmute(request);
    await expect(refused).rejects.toMatchObject({ type: 'InvalidRequest' });
    await expect(refused).rejects.toThrow(/Graph can mute other participants and can never unmute them/);
  });

  test('of mute is refused by the client, which names the method that takes it', async () => {
    const request: ModerationRequest = { callId: 'c', target: 'others' };
    await expect(service.moderation.mute(request)).rejects.toThrow(
      /^The request is not valid: target is not a field of mute\(\): use muteParticipants/,
    );
    const nobody = { callId: 'c' } as ParticipantsMuteRequest;
    await expect(service.moderation.muteParticipants(nobody)).rejects.toThrow(/target must name participants/);
  });

  test('is refused by the workflow, and by the command with code 2', async () => {
    const call = service.call();
    const raw = service.client.workflow.execute('unmute', {
      workflowId: call.workflowId,
      taskQueue: service.taskQueue,
      args: [{ callId: call.id, target: 'others' }],
    });
    await expect(raw).rejects.toMatchObject({ cause: { type: 'InvalidRequest' } });
    expect(call.requests).toEqual([]);
    const { code, stderr } = await new Command(BIN, ['unmute', call.id, '--others'], {}).ended;
    expect({ code, stderr }).toMatchObject({ code: 2 });
    expect(stderr).toContain('never unmute');
  });
});

describe.concurrent('beside the application’s own mute', () => {
  test('each waits for the other, and neither joins nor supersedes it', async () => {
    const call = service.call({ participants: 4, faults: { requests: [{ on: 'mute', latencyMs: 800 }] } });
    const own = await service.moderation.mute({ callId: call.id });
    const others = await service.moderation.muteParticipants({ callId: call.id, target: 'others' });
    const back = await service.moderation.unmute({ callId: call.id });
    expect(await own.result()).toMatchObject({ isMuted: true });
    expect(countOf(await others.result())).toEqual({ confirmed: 3 });
    expect(await back.result()).toMatchObject({ isMuted: false });
    expect(call.posts).toEqual(['mute', 'mute', 'mute', 'mute', 'unmute']);
  });

  test('the same target joins, in whatever order its IDs are given', async () => {
    const call = service.call({ participants: 4, faults: { requests: [{ on: 'muteParticipant', latencyMs: 800 }] } });
    const [a = '', b = ''] = peopleOf(call).map(({ id }) => id);
    const first = await service.moderation.muteParticipants({ callId: call.id, target: { participantIds: [a, b] } });
    const second = await service.moderation.muteParticipants({ callId: call.id, target: { participantIds: [b, a] } });
    expect((await second.run()).attached).toBe(true);
    expect(await second.result()).toEqual(await first.result());
  });

  test('a raw supersede hands over, and a later restore goes back to before the first', async () => {
    const call = service.call({ self: { serverMuted: true }, participants: 4, faults: untold });
    const first = await service.moderation.unmute({ callId: call.id });
    await untilPhase(first, 'confirming');
    const run = service.client.workflow.getHandle(call.workflowId);
    await run.signal(SIGNAL.supersede, { action: 'mute', request: { callId: call.id, target: 'others' } });
    await call.until(() => asked(call).length >= 3);
    await run.signal(SIGNAL.supersede, { action: 'mute', request: { callId: call.id, reason: 'back' } });
    expect(await run.result()).toMatchObject({ action: 'mute', isMuted: true });
    expect(await run.query('operation')).toMatchObject({ before: { serverMuted: true } });
  });
});

describe('the command', () => {
  test('prints a row for each, and ends with 1 where not all are muted', async () => {
    const call = service.call({
      participants: 4,
      faults: { requests: [{ on: 'muteParticipant', answer: { status: 400, code: 'BadRequest' } }] },
    });
    const { TEMPORAL_ADDRESS, MODERATION_TASK_QUEUE } = service.env;
    const env = { TEMPORAL_ADDRESS, MODERATION_TASK_QUEUE };
    const some = await new Command(BIN, ['mute', call.id, '--others'], env).ended;
    expect(some.code).toBe(1);
    expect(some.stdout.match(/ confirmed/g)).toHaveLength(2);
    expect(some.stdout).toMatch(/ refused +BadRequest/);
    const [one = '', two = '', three = ''] = peopleOf(call).map(({ id }) => id);
    const all = await new Command(BIN, ['mute', call.id, '--participant', one, '--participant', two, '--json'], env)
      .ended;
    expect(all.code).toBe(0);
    expect(JSON.parse(all.stdout)).toMatchObject({
      participants: [{ outcome: 'confirmed' }, { outcome: 'confirmed' }],
    });
    const except = await new Command(BIN, ['mute', call.id, '--others', '--except', three, '--json'], env).ended;
    expect(JSON.parse(except.stdout)).toMatchObject({ target: { others: { except: [three] } } });
    const wrong = await new Command(BIN, ['mute', call.id, '--except', three], env).ended;
    expect(wrong.code).toBe(2);
  });
});

describe('a target', () => {
  const same: [Target | undefined, Target | undefined][] = [
    [undefined, 'self'],
    ['others', { others: { except: [] } }],
    [{ participantIds: ['b', 'a', 'a'] }, { participantIds: ['a', 'b'] }],
  ];
  test.each(same)('%j is %j', (a, b) => {
    expect(sameTarget(a, b)).toBe(true);
    expect(sameTarget(a, { participantIds: ['c'] })).toBe(false);
  });

  test.each([
    'everyone',
    {},
    { participantIds: [] },
    { participantIds: ['a b'] },
    { participantIds: Array.from({ length: 101 }, (_, i) => `p${i}`) },
    { others: {} },
    { others: { except: 'a' } },
    { participantIds: ['a'], others: { except: [] } },
    null,
  ])('%j is refused', async (target) => {
    const request = { callId: 'c', target } as unknown as ParticipantsMuteRequest;
    await expect(service.moderation.muteParticipants(request)).rejects.toThrow(/target must be 'self', 'others'/);
  });

  test('that cannot be put back is not asked to be', async () => {
    const request: ParticipantsMuteRequest = { callId: 'c', target: 'others', onUnconfirmed: 'restore' };
    await expect(service.moderation.muteParticipants(request)).rejects.toThrow(/can never unmute other participants/);
  });
});
