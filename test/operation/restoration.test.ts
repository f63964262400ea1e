import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Faults } from '../../src/simulator/index.ts';
import { failureOf } from '../support/expect.ts';
import { Service, untilPhase } from '../support/service.ts';

/** What does not come to a confirmed end puts the call back as it was, and says whether it has. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

/** Graph says 200 completed, and nothing comes of it. */
const ineffective: Faults = { requests: [{ on: 'mute', effect: false }] };

/** The mute is done, and no roster tells it in time. */
const untold: Faults = { notifications: [{ on: 'roster', drop: true, times: 'forever' }] };

describe.concurrent('an operation that the roster does not confirm', () => {
  test('is undone', async () => {
    const call = service.call({ faults: untold });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    const error = await failureOf(handle, 'Unconfirmed');
    expect(error.details).toMatchObject({ callId: call.id, restored: true });
    expect(error.message).toContain('put back');
    expect(call.posts).toEqual(['mute', 'unmute']);
    expect(call.self.isMuted).toBe(false);
    expect(await handle.status()).toMatchObject({ phase: 'failed', before: { isMuted: false, serverMuted: false } });
  });

  test('is undone also where it seems to have had no effect, for it may have one yet', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', effect: { afterMs: 900 } }], ...untold } });
    const error = await failureOf(
      await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 }),
      'Unconfirmed',
    );
    expect(error.details.restored).toBe(true);
    expect(call.posts).toEqual(['mute', 'unmute']);
    expect(call.self.isMuted).toBe(false);
  });

  test('that was an unmute is muted again', async () => {
    const call = service.call({ self: { serverMuted: true }, faults: untold });
    const handle = await service.moderation.unmute({ callId: call.id, confirmWithinSeconds: 1 });
    expect((await failureOf(handle, 'Unconfirmed')).details.restored).toBe(true);
    expect(call.posts).toEqual(['unmute', 'mute']);
    expect(call.self.serverMuted).toBe(true);
  });

  test('goes back to isMuted where the roster does not tell serverMuted', async () => {
    const call = service.call({ form: { serverMuted: false }, faults: untold });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    expect((await failureOf(handle, 'Unconfirmed')).details.restored).toBe(true);
    expect(call.self.serverMuted).toBe(false);
  });

  test("leaves the client's own mute as it was", async () => {
    const call = service.call({
      self: { clientMuted: true },
      faults: {
        requests: [{ on: 'mute' }, { on: 'getParticipant', answer: { status: 503 }, times: 3 }],
        ...untold,
      },
    });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    expect((await failureOf(handle, 'Unconfirmed')).details.restored).toBe(true);
    expect(call.posts).toEqual(['mute', 'unmute']);
    expect(call.self).toEqual({ isMuted: true, serverMuted: false });
  });

  test('is left as it is where that was asked for', async () => {
    const call = service.call({ faults: untold });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1, onUnconfirmed: 'leave' });
    const error = await failureOf(handle, 'Unconfirmed');
    expect(error.details.restored).toBe(false);
    expect(call.posts).toEqual(['mute']);
    expect(call.self.serverMuted).toBe(true);
  });

  test('is left as it is where nothing was read before', async () => {
    const call = service.call({ faults: { hideSelf: true, ...untold } });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    expect((await failureOf(handle, 'Unconfirmed')).details.restored).toBe(false);
    expect(call.posts).toEqual(['mute']);
  });

  test('is left as it is where it was so before', async () => {
    const call = service.call({
      self: { serverMuted: true },
      faults: { requests: [{ on: 'getParticipant', answer: { status: 503 }, times: 'forever' }], ...untold },
    });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    expect((await failureOf(handle, 'Unconfirmed')).details.restored).toBe(false);
    expect(call.posts).toEqual(['mute']);
  });

  test('unmutes nobody for good: an unmute of who only muted itself is not turned into a mute', async () => {
    const call = service.call({ self: { clientMuted: true }, faults: untold });
    const handle = await service.moderation.unmute({ callId: call.id, confirmWithinSeconds: 1 });
    expect((await failureOf(handle, 'Unconfirmed')).details.restored).toBe(false);
    expect(call.posts).toEqual(['unmute']);
    expect(call.self).toEqual({ isMuted: true, serverMuted: false });
  });
});

describe.concurrent('what took effect late', () => {
  test('is seen by a read just before the time is over', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', effect: { afterMs: 5_800 } }], ...untold } });
    const result = await (await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 8 })).result();
    expect(result).toMatchObject({ confirmedBy: 'roster-read' });
    expect(call.posts).toEqual(['mute']);
  });
});

describe.concurrent('a restore that fails', () => {
  test('because Graph refuses it', async () => {
    const call = service.call({
      faults: { requests: [{ on: 'unmute', answer: { status: 403, code: '7503' }, times: 'forever' }], ...untold },
    });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    const error = await failureOf(handle, 'RestoreFailed');
    expect(error.details).toMatchObject({ failure: 'Unconfirmed', restored: false, status: 403, code: '7503' });
    expect(error.message).toContain(call.id);
  });

  test('because no read shows it', async () => {
    const call = service.call({ faults: { requests: [{ on: 'unmute', effect: false }], ...untold } });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    const started = Date.now();
    const error = await failureOf(handle, 'RestoreFailed');
    expect(error.details).toMatchObject({ failure: 'Unconfirmed', restored: false });
    expect(Date.now() - started).toBeLessThan(15_000);
  });

  test('is tried again while Graph is unavailable', async () => {
    const call = service.call({
      faults: { requests: [{ on: 'unmute', answer: { status: 503 }, times: 2 }], ...untold },
    });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    expect((await failureOf(handle, 'Unconfirmed')).details.restored).toBe(true);
    expect(call.posts).toEqual(['mute', 'unmute', 'unmute', 'unmute']);
  });

  test('because the call ends meanwhile, is no failure of the restore', async () => {
    const call = service.call({
      faults: { requests: [{ on: 'unmute', answer: { status: 503 }, times: 'forever' }], ...ineffective, ...untold },
    });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    await call.untilAsked('unmute');
    await service.graph.endCall(call.id, { code: 200, subcode: 5003 });
    await failureOf(handle, 'CallEnded');
  });
});

describe.concurrent('a cancelled operation', () => {
  test('has sent nothing while it was reading', async () => {
    const call = service.call({ faults: { requests: [{ on: 'getCall', latencyMs: 3_000 }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'reading');
    await call.until(() => call.requests.length > 0);
    await handle.cancel();
    const error = await failureOf(handle, 'Cancelled');
    expect(error.details.restored).toBeUndefined();
    expect(call.posts).toEqual([]);
  });

  test('waits for the POST that is under way, then undoes it', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 2_000 }], ...untold } });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    await handle.cancel();
    expect((await failureOf(handle, 'Cancelled')).details.restored).toBe(true);
    const [mute, unmute] = call.requests.filter(({ action }) => action !== undefined);
    expect(mute).toMatchObject({ action: 'mute', outcome: 'answered' });
    expect(unmute).toMatchObject({ action: 'unmute' });
    expect(unmute?.startedAt).toBeGreaterThanOrEqual(mute?.endedAt ?? Infinity);
    expect(call.self.isMuted).toBe(false);
  });

  test('tries no more where Graph was unavailable, and undoes what may have been done', async () => {
    const call = service.call({
      faults: { requests: [{ on: 'mute', answer: { status: 503, retryAfter: 20 }, effect: true, times: 'forever' }] },
    });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.until(() => call.requests.some(({ action, outcome }) => action === 'mute' && outcome === 'answered'));
    const asked = Date.now();
    await handle.cancel();
    expect((await failureOf(handle, 'Cancelled')).details.restored).toBe(true);
    expect(Date.now() - asked).toBeLessThan(5_000);
    expect(call.posts).toEqual(['mute', 'unmute']);
    expect(call.self.isMuted).toBe(false);
  });

  test('is undone while it waits for the roster, and closes as cancelled', async () => {
    const call = service.call({ faults: untold });
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    await handle.cancel();
    const error = await failureOf(handle, 'Cancelled');
    expect(error.details).toMatchObject({ callId: call.id, restored: true });
    expect(call.self.isMuted).toBe(false);
    const { handle: run } = await handle.run();
    const { status, memo, typedSearchAttributes } = await run.describe();
    expect(status.name).toBe('CANCELLED');
    expect(memo).toMatchObject({ Cancelled: { restored: true, message: expect.stringContaining(call.id) } });
    expect(typedSearchAttributes.get({ name: 'ModerationOutcome', type: 'KEYWORD' })).toBe('Cancelled');
  });

  test('whose restore fails says so', async () => {
    const call = service.call({
      faults: { requests: [{ on: 'unmute', answer: { status: 403, code: '7503' } }], ...untold },
    });
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    await handle.cancel();
    expect((await failureOf(handle, 'RestoreFailed')).details).toMatchObject({ failure: 'Cancelled', restored: false });
  });

  test('whose POST Graph has refused meanwhile has nothing to undo', async () => {
    const refused = { on: 'mute', latencyMs: 1_000, answer: { status: 403, code: '7503' } } as const;
    const call = service.call({ faults: { requests: [refused] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    await handle.cancel();
    expect((await failureOf(handle, 'Cancelled')).details.restored).toBeUndefined();
    expect(call.posts).toEqual(['mute']);
  });

  test('that is confirmed already stays confirmed', async () => {
    const call = service.call();
    const handle = await service.moderation.mute({ callId: call.id });
    await handle.result();
    await handle.cancel().catch(() => undefined);
    expect(await handle.result()).toMatchObject({ isMuted: true });
    expect(call.posts).toEqual(['mute']);
  });
});

describe.concurrent('while Graph is unavailable', () => {
  test('it is asked again, after the time that it names', async () => {
    const call = service.call({
      faults: {
        requests: [
          { on: 'mute', answer: { status: 429, retryAfter: 2 } },
          { on: 'mute', answer: { status: 503 } },
          { on: 'mute', answer: 'reset' },
        ],
      },
    });
    const handle = await service.moderation.mute({ callId: call.id });
    expect(await handle.result()).toMatchObject({ confirmedBy: 'notification' });
    expect((await handle.status()).attempts).toBe(4);
    const posts = call.requests.filter(({ action }) => action === 'mute');
    const pauses = posts.slice(1).map((post, index) => post.startedAt - (posts[index]?.endedAt ?? 0));
    expect(pauses[0]).toBeGreaterThanOrEqual(1_950);
    expect(pauses[0]).toBeLessThan(3_500);
    for (const pause of pauses.slice(1)) expect(pause).toBeLessThan(5_500);
  });

  test('reading is tried again too', async () => {
    const call = service.call({
      faults: {
        requests: [
          { on: 'getCall', answer: { status: 503 } },
          { on: 'listParticipants', answer: { status: 500 } },
        ],
      },
    });
    expect(await (await service.moderation.mute({ callId: call.id })).result()).toMatchObject({ isMuted: true });
  });

  test('for as long as it asks for too much patience, the operation fails and is undone', async () => {
    const call = service.call({
      faults: { requests: [{ on: 'mute', answer: { status: 503, retryAfter: 600 }, effect: true, times: 'forever' }] },
    });
    const error = await failureOf(await service.moderation.mute({ callId: call.id }), 'GraphUnavailable');
    expect(error.details).toMatchObject({ status: 503, restored: true });
    expect(call.self.isMuted).toBe(false);
  });

  test('what was refused only after an attempt without an answer is undone', async () => {
    const call = service.call({
      faults: {
        requests: [
          { on: 'mute', answer: 'reset', effect: true },
          { on: 'mute', answer: { status: 400, code: 'BadRequest' } },
        ],
        ...untold,
      },
    });
    const error = await failureOf(await service.moderation.mute({ callId: call.id }), 'OperationFailed');
    expect(error.details).toMatchObject({ attempt: 2, restored: true });
    expect(call.self.isMuted).toBe(false);
  });

  test('what failed only after an attempt without an answer is undone, also where that showed later', async () => {
    const ends = { status: 'failed', afterMs: 300 } as const;
    const call = service.call({
      faults: {
        requests: [
          { on: 'mute', answer: 'reset', effect: true },
          { on: 'mute', operation: { status: 'running', ends } },
        ],
        notifications: [{ on: 'roster', drop: true, times: 'forever' }],
      },
    });
    const error = await failureOf(await service.moderation.mute({ callId: call.id }), 'OperationFailed');
    expect(error.details.restored).toBe(true);
    expect(call.self.isMuted).toBe(false);
  });
});
