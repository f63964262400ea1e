import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Faults } from '../../src/simulator/index.ts';
import { failureOf } from '../support/expect.ts';
import { Service, untilPhase } from '../support/service.ts';

/** Operations that take as long as they may: a minute. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

/** No roster shows the mute in time. */
const untold: Faults = { notifications: [{ on: 'roster', drop: true, times: 'forever' }] };

describe.concurrent('the limits of time', { timeout: 120_000 }, () => {
  test('a cancelled operation waits also for a POST that the limit of all attempts cuts off', async () => {
    const call = service.call({
      faults: {
        requests: [
          { on: 'mute', answer: { status: 429, retryAfter: 52 } },
          { on: 'mute', latencyMs: 8_900 },
        ],
        ...untold,
      },
    });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.until(() => call.posts.length === 2, 70_000);
    await handle.cancel();
    expect((await failureOf(handle, 'Cancelled')).details.restored).toBe(true);
    const [, late, undo] = call.requests.filter(({ action }) => action !== undefined);
    expect(undo).toMatchObject({ action: 'unmute' });
    expect(undo?.startedAt).toBeGreaterThanOrEqual(late?.endedAt ?? Infinity);
    expect(call.self.isMuted).toBe(false);
  });

  test('if Graph hangs, an attempt takes 10 s and all of them a minute', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', answer: 'hang', times: 'forever' }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    const status = await untilPhase(handle, 'requesting');
    const error = await failureOf(handle, 'GraphUnavailable');
    expect(error.details.restored).toBe(true);
    const took = Date.now() - Date.parse(status.requestedAt ?? '');
    expect(took).toBeGreaterThan(40_000);
    expect(took).toBeLessThan(75_000);
    const attempts = call.requests.filter(({ action }) => action === 'mute');
    for (const { startedAt, endedAt } of attempts) expect((endedAt ?? 0) - startedAt).toBeLessThanOrEqual(10_000);
    const restore = call.requests.find(({ action }) => action === 'unmute');
    for (const { endedAt } of attempts) expect(restore?.startedAt).toBeGreaterThanOrEqual(endedAt ?? Infinity);
  });
});
