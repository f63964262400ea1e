import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MuteLockHandle } from '../../src/client/standing/mute-locks.ts';
import { muteLockIdOf, type MuteLockStatus } from '../../src/contract/mute-lock.ts';
import { SIGNAL } from '../../src/contract/names.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

/** A mute lock whose call talks so much that its history has to begin anew. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

async function untilHeld(
  handle: MuteLockHandle,
  holds: (status: MuteLockStatus) => boolean,
  ms = 30_000,
): Promise<MuteLockStatus> {
  return await until(async () => await handle.status(), holds, ms);
}

test('a mute lock that continues as new under a stream of rosters loses no signal', { timeout: 120_000 }, async () => {
  const call = service.call();
  const handle = await service.moderation.keepMuted({ callId: call.id });
  await untilHeld(handle, ({ phase }) => phase === 'keepingMuted');
  const run = service.client.workflow.getHandle(muteLockIdOf(call.id));
  const first = (await run.describe()).runId;
  const base = (await handle.status()).rosters;
  const participants = [{ id: call.participantId, isMuted: true }];
  const count = 1_100;
  const send = async (): Promise<void> => await run.signal(SIGNAL.rosterUpdated, { participants, full: true });
  for (let sent = 0; sent < count; sent += 10) await Promise.all(Array.from({ length: 10 }, send));
  const status = await untilHeld(handle, ({ rosters }) => rosters >= base + count, 60_000);
  expect(status.rosters).toBe(base + count);
  const described = await run.describe();
  expect(described.runId).not.toBe(first);
  expect(described.historyLength).toBeLessThan(10_000);
  // The release comes in the midst of more.
  const more = Array.from({ length: 50 }, send);
  const released = handle.release();
  await Promise.allSettled([...more, released]);
  await released;
  expect(await handle.result()).toMatchObject({ endedBy: 'released', mutesAgain: 0 });
  expect(call.posts).toEqual(['mute', 'unmute']);
});
