import { describe, expect, test } from 'vitest';
import { liveWorkflowIdOf } from '../../src/contract/call-id.ts';
import { WORKFLOW } from '../../src/contract/names.ts';
import type { Policy } from '../../src/contract/policy.ts';
import type { RequestName } from '../../src/simulator/index.ts';
import type { TestCall } from '../support/service.ts';
import { SkippedTime } from '../support/skipped-time.ts';
import { findTestServer } from '../support/test-server.ts';
import { until } from '../support/until.ts';

/**
 * What lasts for hours, days and weeks, at its real length on a clock that is skipped. What a roster notification
 * does to a mute lock and to a mute on entry is not seen here (T3 of `support/skipped-time.ts`): it is as if each
 * were lost.
 */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
/** Long enough for what looks every minute to continue as new. */
const NIGHT = 8 * HOUR;
const DAY = 24 * HOUR;

/** Temporal suggests to continue as new from so many events on, and the task in which it does adds a few. */
const MAX_EVENTS = 4_096 + 50;

/** Eight hours of looks take ten seconds and more of a processor. One test at a time, as others want it too. */
const timeout = 240_000;

const program = await findTestServer('test/temporal/long-lived.test.ts');

/** A service with a clock of its own, for the clock is skipped for all that runs by it. */
async function withSkippedTime(work: (service: SkippedTime) => Promise<void>): Promise<void> {
  const service = await SkippedTime.start(program ?? '');
  try {
    await work(service);
  } finally {
    await service.stop();
  }
}

/** How long the history of each run of a workflow is, from the first run on. */
async function historiesOf({ client }: SkippedTime, workflowId: string): Promise<number[]> {
  const lengths: number[] = [];
  for (let runId: string | undefined; runId !== '';) {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    lengths.unshift(events?.length ?? 0);
    runId = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? '';
  }
  return lengths;
}

function count({ requests }: TestCall, name: RequestName): number {
  return requests.filter((request) => request.name === name).length;
}

function secondsBetween({ startedAt, endedAt }: { startedAt: string; endedAt: string }): number {
  return (Date.parse(endedAt) - Date.parse(startedAt)) / 1_000;
}

describe.skipIf(program === undefined)('on a clock that is skipped', () => {
  test(
    'a mute lock of a night looks every minute, mutes again by itself, and unmutes at its end',
    { timeout },
    async () => {
      await withSkippedTime(async (service) => {
        await service.startWorker();
        const call = service.call();
        const handle = await service.moderation.keepMuted({
          callId: call.id,
          forSeconds: NIGHT,
          reason: 'a long night',
        });
        await call.until(() => call.self.serverMuted);
        await service.pass(4 * HOUR);
        const looks = count(call, 'getParticipant');
        expect(looks).toBeGreaterThanOrEqual(4 * 60 - 5);
        expect(looks).toBeLessThanOrEqual(4 * 60 + 5);
        await service.graph.setParticipant(call.id, call.participantId, { serverMuted: false });
        await service.pass(2 * MINUTE); // It looks each minute, and a read confirms the mute 2 s later.
        expect(call.self.serverMuted).toBe(true);
        // The mute's own read comes after its POST, and the skipped time may be over then.
        const status = await until(
          async () => await handle.status(),
          ({ mutesAgain }) => mutesAgain > 0,
        );
        expect(status).toMatchObject({ phase: 'keepingMuted', mutesAgain: 1, rosters: 0 });
        await service.pass(3 * HOUR);
        expect(await handle.status()).toMatchObject({ phase: 'keepingMuted', mutesAgain: 1 });
        expect(call.self.serverMuted).toBe(true);
        expect(count(call, 'getParticipant') - looks).toBeGreaterThanOrEqual(3 * 60 - 5);
        await service.pass(HOUR);
        const result = await handle.result();
        expect(result).toMatchObject({ endedBy: 'expired', mutesAgain: 1 });
        expect(secondsBetween(result)).toBeGreaterThanOrEqual(NIGHT);
        expect(secondsBetween(result)).toBeLessThan(NIGHT + 10);
        expect(call.posts).toEqual(['mute', 'mute', 'unmute']);
        expect(call.self.isMuted).toBe(false);
        const histories = await historiesOf(service, handle.workflowId);
        expect(histories.length).toBeGreaterThanOrEqual(2);
        expect(Math.max(...histories)).toBeLessThan(MAX_EVENTS);
      });
    },
  );

  test('a timed mute of 30 days, and a mute lock that is released after ten', { timeout }, async () => {
    await withSkippedTime(async (service) => {
      await service.startWorker();
      const [paused, held] = [service.call(), service.call()];
      const pause = await service.moderation.muteFor({ callId: paused.id, forSeconds: 30 * DAY });
      const hold = await service.moderation.keepMuted({ callId: held.id });
      for (const call of [paused, held]) await call.until(() => call.self.serverMuted);
      await hold.extend({ enforce: false }); // Ten days of looks would show nothing that a night does not.
      await service.pass(10 * DAY);
      expect(await hold.status()).toMatchObject({ phase: 'keepingMuted' });
      await hold.release();
      expect(await hold.result()).toMatchObject({ endedBy: 'released' });
      await service.pass(20 * DAY - HOUR);
      expect(await pause.status()).toMatchObject({ phase: 'keepingMuted' });
      expect(paused.self.serverMuted).toBe(true);
      await service.pass(2 * HOUR);
      const result = await pause.result();
      expect(result).toMatchObject({ endedBy: 'expired' });
      expect(secondsBetween(result)).toBeGreaterThanOrEqual(30 * DAY);
      for (const call of [paused, held]) {
        expect(call.posts).toEqual(['mute', 'unmute']);
        expect(call.self.isMuted).toBe(false);
        // The test server has no lists, so each looks for a newer wish again and again, and at last once a day.
        expect(Math.max(...(await historiesOf(service, `${call.workflowId}/keep-muted`)))).toBeLessThan(1_000);
      }
    });
  });

  test('the unmute at the end of a mute lock is tried again for a day, and no longer', { timeout }, async () => {
    await withSkippedTime(async (service) => {
      await service.startWorker();
      const call = service.call();
      const handle = await service.moderation.keepMuted({ callId: call.id });
      await call.until(() => call.self.serverMuted);
      // Final for each operation, and not for the mute lock (T7).
      const refused = { status: 403, code: '7504' };
      service.graph.setFaults(call.id, { requests: [{ on: 'any', answer: refused, times: 'forever' }] });
      await handle.release();
      await service.pass(DAY - 10 * MINUTE);
      expect(await handle.status()).toMatchObject({ phase: 'unmuting' });
      // Every five minutes, but for the first few.
      expect(count(call, 'getCall')).toBeGreaterThanOrEqual(24 * 12 - 5);
      await service.pass(15 * MINUTE);
      await expect(handle.result()).rejects.toMatchObject({ type: 'PermissionDenied', details: { status: 403 } });
      const asked = call.requests.length;
      await service.pass(HOUR);
      expect(call.requests).toHaveLength(asked);
      expect(call.posts).toEqual(['mute']);
    });
  });

  test('a call is alive for five days, or ends by a read, or by a day of silence', { timeout }, async () => {
    await withSkippedTime(async (service) => {
      await service.startWorker();
      const { calls } = service.moderation;
      const alive = service.call();
      const silent = service.call({
        faults: { requests: [{ on: 'getCall', answer: { status: 403 }, times: 'forever' }] },
      });
      const lost = service.call({ faults: { notifications: [{ on: 'call', skip: 1, drop: true, times: 'forever' }] } });
      for (const call of [alive, silent, lost]) await service.graph.setCallState(call.id, 'established');
      const heard = await until(
        () => calls.get(silent.id),
        (status) => status?.state === 'established',
      );
      await calls.label(alive.id, { add: ['board'] });
      await service.pass(10 * HOUR);
      await service.graph.endCall(lost.id);
      expect(await calls.get(lost.id)).toMatchObject({ state: 'established' });
      await service.pass(15 * MINUTE);
      expect(await calls.get(lost.id)).toMatchObject({ state: 'terminated', endedBy: 'read' });
      await service.pass(13 * HOUR + 40 * MINUTE);
      expect(await calls.get(silent.id)).toMatchObject({ state: 'established', reads: 0 });
      await service.pass(25 * MINUTE);
      const ended = await calls.get(silent.id);
      expect(ended).toMatchObject({ state: 'terminated', endedBy: 'silence' });
      const silence = secondsBetween({ startedAt: heard?.since ?? '', endedAt: ended?.endedAt ?? '' });
      expect(silence).toBeGreaterThanOrEqual(DAY);
      expect(silence).toBeLessThanOrEqual(DAY + 15 * MINUTE + 10);
      await service.pass(4 * DAY);
      const status = await calls.get(alive.id);
      expect(status).toMatchObject({ state: 'established', labels: ['board'], since: expect.any(String) as string });
      expect(status?.reads).toBeGreaterThanOrEqual(5 * 24 * 4 - 5);
      const histories = await historiesOf(service, liveWorkflowIdOf(alive.id));
      expect(histories.length).toBeGreaterThanOrEqual(2);
      expect(Math.max(...histories)).toBeLessThan(MAX_EVENTS);
      await service.graph.endCall(alive.id);
      await until(
        () => calls.get(alive.id),
        (now) => now?.endedBy === 'notification',
      );
    });
  });

  test('a mute on entry of seven hours mutes newcomers in the last hour, and none after it', { timeout }, async () => {
    await withSkippedTime(async (service) => {
      await service.startWorker();
      const call = service.call();
      const handle = await service.moderation.muteOnEntry({ callId: call.id, forSeconds: 7 * HOUR });
      await until(
        async () => await handle.status(),
        ({ phase }) => phase === 'watching',
      );
      await service.pass(6 * HOUR + 31 * MINUTE);
      await service.graph.addParticipants(call.id, 1);
      expect(count(call, 'muteParticipant')).toBe(0);
      await service.pass(2 * MINUTE); // It looks each minute, and a read confirms the mute 2 s later.
      expect(await handle.status()).toMatchObject({ newcomers: 1, muted: 1, wereThere: 2, rosters: 0 });
      await service.pass(HOUR);
      const result = await handle.result();
      expect(result).toMatchObject({ endedBy: 'expired', newcomers: 1, muted: 1, wereThere: 2 });
      expect(secondsBetween(result)).toBeGreaterThanOrEqual(7 * HOUR);
      await service.graph.addParticipants(call.id, 1);
      await service.pass(HOUR);
      expect(count(call, 'muteParticipant')).toBe(1);
      const histories = await historiesOf(service, handle.workflowId);
      expect(histories.length).toBeGreaterThanOrEqual(2);
      expect(Math.max(...histories)).toBeLessThan(MAX_EVENTS);
    });
  });

  test('an operation waits for its confirmation for all of 300 s, and another one behind it', { timeout }, async () => {
    await withSkippedTime(async (service) => {
      await service.startWorker();
      const call = service.call({ faults: { requests: [{ on: 'mute', effect: false }] } });
      const mute = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 300 });
      await call.untilAsked('mute');
      const queued = service.moderation.unmute({ callId: call.id }, { onConflict: 'queue' });
      await service.pass(295);
      expect(await mute.status()).toMatchObject({ phase: 'confirming' });
      expect(call.posts).toEqual(['mute']);
      expect(count(call, 'getParticipant')).toBeGreaterThanOrEqual(300 / 15);
      await service.pass(10);
      await expect(mute.result()).rejects.toMatchObject({ type: 'Unconfirmed', details: { restored: true } });
      expect(await (await queued).result()).toMatchObject({ action: 'unmute' });
      expect(call.posts).toEqual(['mute', 'unmute', 'unmute']);
    });
  });

  test('what a worker comes too late for is not done', { timeout }, async () => {
    await withSkippedTime(async (service) => {
      const [missed, late, held] = [service.call(), service.call(), service.call()];
      const start = async (id: string, more: Partial<Policy>) => {
        const policy = { id, action: 'mute', when: { every: '1d' }, target: { calls: [] }, ...more };
        const { taskQueue } = service;
        return await service.client.workflow.start(WORKFLOW.applyPolicy, { workflowId: id, taskQueue, args: [policy] });
      };
      const inAnHour = new Date((await service.now()) + HOUR * 1_000).toISOString();
      const tooLate = await start('too-late', { target: { calls: [missed.id] }, catchupWindow: '2h' });
      const inTime = await start('in-time', { target: { calls: [late.id] }, catchupWindow: '4h' });
      const hold = await service.moderation.keepMuted({ callId: held.id, until: inAnHour });
      await service.passWithoutWorker(3 * HOUR);
      await service.startWorker();
      expect(await tooLate.result()).toMatchObject({ missed: true, calls: 0 });
      expect(await inTime.result()).toMatchObject({ confirmed: [late.id] });
      expect(await hold.result()).toMatchObject({ endedBy: 'expired' });
      // The mute lock has muted nobody, so there is nothing to undo.
      expect([missed, late, held].map(({ posts }) => posts)).toEqual([[], ['mute'], []]);
    });
  });
});
