import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MuteOnEntryHandle } from '../../src/client/standing/mutes-on-entry.ts';
import { MAX_NEWCOMERS, type MuteOnEntryStatus } from '../../src/contract/mute-on-entry.ts';
import { SIGNAL } from '../../src/contract/names.ts';
import { Service, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/** A mute on entry of a call that talks so much that its history has to begin anew, and of one that everyone joins. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

const untold = { notifications: [{ on: 'roster' as const, drop: true, times: 'forever' as const }] };

async function untilEntry(
  handle: MuteOnEntryHandle,
  holds: (status: MuteOnEntryStatus) => boolean,
  ms = 60_000,
): Promise<MuteOnEntryStatus> {
  return await until(async () => await handle.status(), holds, ms);
}

function peopleOf(call: TestCall): string[] {
  const { participants } = service.graph.describe(call.id);
  return participants.map(({ id }) => id).filter((id) => id !== call.participantId);
}

test('continues as new under a stream of rosters and loses nobody', { timeout: 120_000 }, async () => {
  const call = service.call({ faults: untold });
  const handle = await service.moderation.muteOnEntry({ callId: call.id });
  await untilEntry(handle, ({ phase }) => phase === 'watching');
  const run = service.client.workflow.getHandle(handle.workflowId);
  const first = (await run.describe()).runId;
  const send = async (): Promise<void> => {
    const participants = [...peopleOf(call), call.participantId].map((id) => ({ id, isMuted: false }));
    await run.signal(SIGNAL.rosterUpdated, { participants, full: true });
  };
  const count = 1_100;
  let late = 0;
  for (let sent = 0; sent < count; sent += 10) {
    if (sent % 200 === 100) {
      await service.graph.addParticipants(call.id, 1);
      late += 1;
    }
    await Promise.all(Array.from({ length: 10 }, send));
  }
  const status = await untilEntry(handle, ({ rosters, muted }) => rosters >= count && muted === late);
  expect(status).toMatchObject({ rosters: count, newcomers: late, muted: late, wereThere: 2 });
  const described = await run.describe();
  expect(described.runId).not.toBe(first);
  expect(described.historyLength).toBeLessThan(10_000);
  // The release comes in the midst of more.
  const more = Array.from({ length: 50 }, send);
  const released = handle.release();
  await Promise.allSettled([...more, released]);
  await released;
  expect(await handle.result()).toMatchObject({ endedBy: 'released', newcomers: late });
  expect(call.requests.filter(({ name }) => name === 'muteParticipant')).toHaveLength(late);
});

test('gives up where more come than it may mute', { timeout: 180_000 }, async () => {
  const call = service.call({ faults: untold });
  const handle = await service.moderation.muteOnEntry({ callId: call.id });
  await untilEntry(handle, ({ phase }) => phase === 'watching');
  await service.graph.addParticipants(call.id, MAX_NEWCOMERS + 1);
  const late = peopleOf(call).slice(2);
  const run = service.client.workflow.getHandle(handle.workflowId);
  // They come a hundred at a time, as far as the rosters tell.
  for (let from = 0; from < late.length; from += 100) {
    const participants = late.slice(from, from + 100).map((id) => ({ id, isMuted: false }));
    await run.signal(SIGNAL.rosterUpdated, { participants, full: false });
    await untilEntry(handle, ({ newcomers, phase }) => newcomers >= from + participants.length || phase === 'ended');
  }
  expect(await handle.result()).toMatchObject({ endedBy: 'gaveUp', muted: MAX_NEWCOMERS });
  expect(call.requests.filter(({ name }) => name === 'muteParticipant')).toHaveLength(MAX_NEWCOMERS);
});
