import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SIGNAL } from '../../src/contract/names.ts';
import type { RosterUpdate } from '../../src/contract/signals.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { failureOf } from '../support/expect.ts';
import { Service, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/** Graph answers with an empty list although people are in the call: that proves nothing about who is not in it. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

type Times = number | 'forever';

const lists = (times: Times, rawBody = '{"value":[]}', skip = 0) =>
  ({ on: 'listParticipants', times, skip, answer: { status: 200, rawBody } }) as const;
const untold = [{ on: 'roster', drop: true, times: 'forever' }] as const;

function empty(times: Times, more: Partial<Faults> = {}): Faults {
  return { requests: [lists(times)], notifications: [...untold], ...more };
}

function asked(call: TestCall): string[] {
  const mutes = call.requests.filter(({ name }) => name === 'muteParticipant');
  return mutes.map(({ path }) => path.split('/').at(-2) ?? '');
}

function people(call: TestCall): string[] {
  const { participants } = service.graph.describe(call.id);
  return participants.map(({ id }) => id).filter((id) => id !== call.participantId);
}

describe.concurrent('a list that is empty for a while', () => {
  test('makes nobody a newcomer who was there', { timeout: 120_000 }, async () => {
    const call = service.call({ participants: 4, faults: empty(2) });
    const there = people(call);
    const handle = await service.moderation.muteOnEntry({ callId: call.id });
    await until(
      async () => await handle.status(),
      ({ phase }) => phase !== 'reading',
    );
    await until(
      async () => await handle.status(),
      ({ isRosterComplete }) => isRosterComplete,
    );
    await service.graph.addParticipants(call.id, 1);
    await until(
      async () => await handle.status(),
      ({ muted }) => muted === 1,
      60_000,
    );
    expect(await handle.status()).toMatchObject({ wereThere: 3, newcomers: 1 });
    expect(asked(call).filter((id) => there.includes(id))).toEqual([]);
  });

  test('is read again by a mute of others, which then mutes everyone', { timeout: 120_000 }, async () => {
    const call = service.call({ participants: 4, faults: empty(2) });
    const result = await (await service.moderation.muteParticipants({ callId: call.id, target: 'others' })).result();
    expect(result.isRosterComplete).toBe(true);
    expect(result.participants.map(({ outcome }) => outcome)).toEqual(['confirmed', 'confirmed', 'confirmed']);
  });

  test('still shows how the application stands, by a single read', { timeout: 120_000 }, async () => {
    const call = service.call({
      self: { serverMuted: true },
      faults: empty('forever', { requests: [lists('forever'), { on: 'unmute', effect: false }] }),
    });
    const handle = await service.moderation.unmute({ callId: call.id, confirmWithinSeconds: 1 });
    const { details } = await failureOf(handle, 'Unconfirmed');
    expect((await handle.status()).before).toEqual({ isMuted: true, serverMuted: true });
    expect(details.restored).toBe(true);
  });

  test('does not make a group call one of two', { timeout: 120_000 }, async () => {
    const call = service.call({ meeting: false, participants: 2, faults: empty('forever') });
    await service.graph.addParticipants(call.id, 1);
    const result = await (await service.moderation.mute({ callId: call.id })).result();
    expect(result).toMatchObject({ isMuted: true });
  });
});

describe.concurrent('a list that stays incomplete', () => {
  test.each(['{"value":[]}', '{"value":null}', '{}', '', '{"value":{}}'])(
    'fails a mute of others that found nobody: %s',
    { timeout: 120_000 },
    async (rawBody) => {
      const call = service.call({ faults: { requests: [lists('forever', rawBody)], notifications: [...untold] } });
      const target = 'others' as const;
      const handle = await service.moderation.muteParticipants({ callId: call.id, target, confirmWithinSeconds: 3 });
      expect((await failureOf(handle, 'Unconfirmed')).message).toContain('no complete roster');
    },
  );

  test('is completed by a full notification', { timeout: 120_000 }, async () => {
    const call = service.call({ participants: 3, faults: { requests: [lists('forever')] } });
    const handle = await service.moderation.muteParticipants({ callId: call.id, target: 'others' });
    await call.until(() => call.requests.some(({ name }) => name === 'listParticipants'));
    await until(
      async () => {
        await service.graph.notify(call.id);
        return asked(call).length;
      },
      (count) => count >= 2,
    );
    expect(await handle.result()).toMatchObject({ isRosterComplete: true });
  });

  test('is not completed by a notification that the webhook could not read whole', { timeout: 120_000 }, async () => {
    const call = service.call({
      participants: 3,
      faults: { requests: [lists('forever')], notifications: [...untold] },
    });
    const [one = ''] = people(call);
    const handle = await service.moderation.muteParticipants({
      callId: call.id,
      target: 'others',
      confirmWithinSeconds: 5,
    });
    await until(
      async () => await handle.status(),
      ({ phase }) => phase === 'confirming',
    );
    const roster: RosterUpdate = {
      participants: [call.participantId, one].map((id) => ({ id, isMuted: false })),
      full: true,
      isIncomplete: true,
    };
    await service.client.workflow.getHandle(call.workflowId).signal(SIGNAL.rosterUpdated, roster);
    expect((await failureOf(handle, 'Unconfirmed')).message).toContain('no complete roster');
    expect(asked(call)).toEqual([]);
  });

  test('does not make those left who are named', { timeout: 120_000 }, async () => {
    const call = service.call({
      participants: 3,
      faults: empty('forever', {
        requests: [lists('forever'), { on: 'getParticipant', times: 2, answer: { status: 404 } }],
      }),
    });
    const [one = ''] = people(call);
    const target = { participantIds: [one] };
    const result = await (await service.moderation.muteParticipants({ callId: call.id, target })).result();
    expect(result.participants).toMatchObject([{ participantId: one, outcome: 'confirmed' }]);
  });
});
