import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SIGNAL } from '../../src/contract/names.ts';
import type { RosterUpdate } from '../../src/contract/signals.ts';
import { failureOf } from '../support/expect.ts';
import { Service, untilPhase } from '../support/service.ts';

/** An operation completes once the roster confirms it, in whatever way the roster comes. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

describe.concurrent('the roster confirms', () => {
  test('a mute, by a notification', async () => {
    const call = service.call();
    const handle = await service.moderation.mute({ callId: call.id, clientContext: 'context of the test' });
    const result = await handle.result();
    expect(result).toMatchObject({
      callId: call.id,
      participantId: call.participantId,
      action: 'mute',
      isMuted: true,
      confirmedBy: 'notification',
      clientContext: 'context of the test',
    });
    expect(call.self.serverMuted).toBe(true);
    expect(call.posts).toEqual(['mute']);
    const post = call.requests.find(({ action }) => action === 'mute');
    expect(post).toMatchObject({
      clientContext: 'context of the test',
      path: `/v1.0/communications/calls/${call.id}/mute`,
    });
    expect(result.operationId).toMatch(/^[0-9a-f-]{36}$/);
    const times = [result.requestedAt, result.acceptedAt, result.confirmedAt];
    expect(times).toEqual(times.toSorted());
    expect(times.every((time) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(time))).toBe(true);
  });

  test('an unmute, with the run ID as clientContext where none was given', async () => {
    const call = service.call({ self: { serverMuted: true } });
    const handle = await service.moderation.unmute({ callId: call.id });
    const result = await handle.result();
    const { runId } = await handle.run();
    expect(result).toMatchObject({
      action: 'unmute',
      isMuted: false,
      confirmedBy: 'notification',
      clientContext: runId,
    });
    expect(call.requests.find(({ action }) => action === 'unmute')?.clientContext).toBe(runId);
    expect(call.self.isMuted).toBe(false);
  });

  test('when the notification comes before Graph answers', async () => {
    const call = service.call({
      faults: {
        requests: [{ on: 'mute', latencyMs: 1_500, effect: { afterMs: 0 } }],
        notifications: [{ on: 'roster', early: true }],
      },
    });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.until(() => call.rosters.some(({ outcome }) => outcome === 'delivered'));
    expect(await handle.status()).toMatchObject({ phase: 'reading' });
    expect(await handle.result()).toMatchObject({ confirmedBy: 'notification' });
    expect(call.requests.filter(({ name }) => name === 'getParticipant')).toHaveLength(0);
  });

  test('when the notification comes twice', async () => {
    const call = service.call({ faults: { notifications: [{ on: 'roster', copies: 3 }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    expect(await handle.result()).toMatchObject({ confirmedBy: 'notification' });
    await call.until(() => call.rosters.filter(({ outcome }) => outcome === 'delivered').length === 3);
    expect(call.posts).toEqual(['mute']);
  });

  test('when the notification is late', async () => {
    const call = service.call({ faults: { notifications: [{ on: 'roster', delayMs: 1_000 }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    expect(await handle.result()).toMatchObject({ confirmedBy: 'notification' });
  });

  test('by a read when the notification never comes', async () => {
    const call = service.call({ faults: { notifications: [{ on: 'roster', drop: true, times: 'forever' }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    const result = await handle.result();
    expect(result).toMatchObject({ confirmedBy: 'roster-read' });
    const waited = Date.parse(result.confirmedAt) - Date.parse(result.acceptedAt);
    expect(waited).toBeGreaterThanOrEqual(2_000);
    expect(waited).toBeLessThan(6_000);
  });

  test('when the roster shows the wrong value first', async () => {
    const call = service.call({ faults: { notifications: [{ on: 'roster', precededBy: 'wrong' }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    expect(await handle.result()).toMatchObject({ isMuted: true, confirmedBy: 'notification' });
    expect(call.rosters.map(({ own }) => own?.isMuted)).toEqual([false, true]);
  });

  test('and not a roster in which somebody else is muted', async () => {
    const call = service.call({
      faults: { requests: [{ on: 'mute', effect: false }] },
    });
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    const other = service.graph.describe(call.id).participants.find(({ id }) => id !== call.participantId);
    await service.graph.setParticipant(call.id, other?.id ?? '', { clientMuted: true });
    await call.until(() => call.rosters.some(({ outcome }) => outcome === 'delivered'));
    expect(await handle.status()).toMatchObject({ phase: 'confirming', lastSeen: { isMuted: false } });
    await service.graph.setParticipant(call.id, call.participantId, { serverMuted: true });
    expect(await handle.result()).toMatchObject({ isMuted: true });
    expect(call.rosters.map(({ own }) => own?.isMuted)).toEqual([false, true]);
  });

  test('at once where it showed the wanted state already, which is asked for all the same', async () => {
    const call = service.call({ self: { serverMuted: true }, form: { unchanged: 'silent' } });
    const handle = await service.moderation.mute({ callId: call.id });
    const result = await handle.result();
    expect(result).toMatchObject({ confirmedBy: 'roster-read' });
    expect(call.posts).toEqual(['mute']);
    expect(call.rosters).toEqual([]);
    expect(Date.parse(result.confirmedAt) - Date.parse(result.acceptedAt)).toBeLessThan(1_500);
  });

  test('when the application is not in the roster yet', async () => {
    const call = service.call({ faults: { hideSelf: true } });
    const handle = await service.moderation.mute({ callId: call.id });
    const status = await untilPhase(handle, 'confirming');
    expect(status.before).toBeUndefined();
    await service.graph.clearFaults(call.id);
    expect(await handle.result()).toMatchObject({ isMuted: true });
  });

  test('when the application stands beyond the hundred that a roster lists', async () => {
    const call = service.call({ participants: 150, appJoins: 'last' });
    const handle = await service.moderation.mute({ callId: call.id });
    expect(await handle.result()).toMatchObject({ confirmedBy: 'roster-read' });
    expect((await handle.status()).before).toEqual({ isMuted: false, serverMuted: false });
  });

  test('on hold, too', async () => {
    const call = service.call({ state: 'hold' });
    expect(await (await service.moderation.mute({ callId: call.id })).result()).toMatchObject({ isMuted: true });
  });

  test('in a group call by its several targets', async () => {
    const call = service.call({ meeting: false, participants: 4 });
    expect(await (await service.moderation.mute({ callId: call.id })).result()).toMatchObject({ isMuted: true });
  });

  test('when Graph answers that the operation is running and it completes later', async () => {
    const call = service.call({
      faults: { requests: [{ on: 'mute', operation: { status: 'running', ends: { afterMs: 500 } } }] },
    });
    expect(await (await service.moderation.mute({ callId: call.id })).result()).toMatchObject({
      confirmedBy: 'notification',
    });
  });
});

describe.concurrent('every form of notification confirms', () => {
  test.each([
    { name: 'delta rosters', form: { roster: 'delta' } },
    { name: 'the older path field', form: { paths: 'resource' } },
    { name: 'both path fields and hexadecimal IDs', form: { paths: 'both', urlIds: 'hex', entityIds: 'upper' } },
    { name: 'types without a hash, enums in Pascal case', form: { odataType: 'plain', enumCase: 'pascal' } },
    { name: 'a bare notification', form: { collection: false } },
    { name: 'a roster that does not tell serverMuted', form: { serverMuted: false } },
  ] as const)('$name', async ({ form }) => {
    const call = service.call({ form });
    const handle = await service.moderation.mute({ callId: call.id });
    expect(await handle.result()).toMatchObject({ confirmedBy: 'notification', isMuted: true });
  });

  test('a call ID in hexadecimal is the same call', async () => {
    const call = service.call();
    const hex = call.id.replaceAll('-', '').toUpperCase();
    const handle = await service.moderation.mute({ callId: hex });
    expect(handle.workflowId).toBe(`call-moderation/${call.id}`);
    expect(await handle.result()).toMatchObject({ callId: call.id, confirmedBy: 'notification' });
  });
});

const roster = (id: string, isMuted: boolean, sequence: number): RosterUpdate => ({
  full: false,
  sequenceNumber: sequence,
  participants: [{ id, isMuted, sequence }],
});

describe.concurrent('order', () => {
  test('an older delta roster does not undo a newer one', async () => {
    const call = service.call({
      faults: {
        requests: [{ on: 'mute', latencyMs: 1_500, effect: false }],
        notifications: [{ on: 'roster', drop: true, times: 'forever' }],
      },
    });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    const raw = service.client.workflow.getHandle(call.workflowId);
    await raw.signal(SIGNAL.rosterUpdated, roster(call.participantId, true, 8));
    await raw.signal(SIGNAL.rosterUpdated, roster(call.participantId, false, 7));
    expect(await handle.result()).toMatchObject({ confirmedBy: 'notification' });
  });

  test('a newer one does undo an older one', async () => {
    const call = service.call({
      faults: {
        requests: [{ on: 'mute', latencyMs: 1_500, effect: false }],
        notifications: [{ on: 'roster', drop: true, times: 'forever' }],
      },
    });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    await call.untilAsked('mute');
    const raw = service.client.workflow.getHandle(call.workflowId);
    await raw.signal(SIGNAL.rosterUpdated, roster(call.participantId, true, 8));
    await raw.signal(SIGNAL.rosterUpdated, roster(call.participantId, false, 9));
    await failureOf(handle, 'Unconfirmed');
  });

  test('a notification from before the POST confirms nothing, nor does its repetition', async () => {
    const call = service.call({
      faults: {
        requests: [{ on: 'mute', effect: false }],
        notifications: [{ on: 'roster', drop: true, times: 'forever' }],
      },
    });
    const before = roster(call.participantId, true, 5);
    const raw = await service.client.workflow.signalWithStart('mute', {
      workflowId: call.workflowId,
      taskQueue: service.taskQueue,
      args: [{ callId: call.id, confirmWithinSeconds: 2 }],
      signal: SIGNAL.rosterUpdated,
      signalArgs: [before],
    });
    await call.untilAsked('mute');
    await raw.signal(SIGNAL.rosterUpdated, before);
    await expect(raw.result()).rejects.toMatchObject({ cause: { type: 'Unconfirmed' } });
  });

  test('a delta roster of what was before the operation confirms nothing, however late it comes', async () => {
    const call = service.call({
      form: { roster: 'delta', numberedReads: true },
      faults: {
        requests: [{ on: 'mute', effect: false }],
        notifications: [{ on: 'roster', delayMs: 1_500 }],
      },
    });
    const late = service.graph.setParticipant(call.id, call.participantId, { serverMuted: true });
    await service.graph.setParticipant(call.id, call.participantId, { serverMuted: false });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 3 });
    await failureOf(handle, 'Unconfirmed');
    await late;
    expect(call.rosters.filter(({ own }) => own?.isMuted === true)).toMatchObject([{ status: 202 }]);
  });

  test('nor does one that is no newer than what the operation before has heard', async () => {
    const call = service.call({
      faults: {
        requests: [
          { on: 'mute', effect: false },
          { on: 'unmute', effect: false },
        ],
        notifications: [{ on: 'roster', drop: true, times: 'forever' }],
      },
    });
    const first = await service.moderation.mute({ callId: call.id });
    await untilPhase(first, 'confirming');
    const raw = service.client.workflow.getHandle(call.workflowId);
    await raw.signal(SIGNAL.rosterUpdated, roster('somebody-else', true, 6));
    await service.graph.setParticipant(call.id, call.participantId, { serverMuted: true });
    const second = await service.moderation.unmute({ callId: call.id, confirmWithinSeconds: 2 });
    await untilPhase(second, 'confirming');
    await raw.signal(SIGNAL.rosterUpdated, roster(call.participantId, false, 5));
    await failureOf(second, 'Unconfirmed');
  });
});

describe.concurrent('what only the client mutes', () => {
  test('is muted by the server as well when asked for', async () => {
    const call = service.call({ self: { clientMuted: true } });
    expect(await (await service.moderation.mute({ callId: call.id })).result()).toMatchObject({ isMuted: true });
    expect(call.posts).toEqual(['mute']);
    expect(call.self.serverMuted).toBe(true);
  });

  test('an unmute that was done and cannot show is not undone', async () => {
    const call = service.call({ self: { clientMuted: true, serverMuted: true } });
    const handle = await service.moderation.unmute({ callId: call.id, confirmWithinSeconds: 4 });
    const error = await failureOf(handle, 'Unconfirmed');
    expect(error.message).toContain('the client itself is muted');
    expect(error.details.restored).toBe(false);
    expect(call.posts).toEqual(['unmute']);
    expect(call.self).toEqual({ isMuted: true, serverMuted: false });
  });
});
