import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PolicyReport } from '../../src/contract/policy.ts';
import { triggered } from '../support/policy-run.ts';
import { Service, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/** A policy over more live calls than a batch holds, some of which do not go well. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

const CALLS = 220;
const REFUSED = 5;

test(
  'each call succeeds or fails alone, over batches and under a stream of signals',
  { timeout: 240_000 },
  async () => {
    const label = `many-${randomUUID()}`;
    const { calls, policies } = service.moderation;
    const all: TestCall[] = Array.from({ length: CALLS }, () => service.call());
    const refused = all.slice(0, REFUSED);
    const [ending] = all.slice(-1) as [TestCall];
    for (const { id } of refused) {
      service.graph.setFaults(id, { requests: [{ on: 'mute', answer: { status: 403 }, times: 'forever' }] });
    }
    service.graph.setFaults(ending.id, { requests: [{ on: 'mute', latencyMs: 3_000 }] });
    for (let at = 0; at < CALLS; at += 20) {
      const some = all.slice(at, at + 20);
      await Promise.all(some.map(async ({ id }) => await service.graph.setCallState(id, 'established')));
      await Promise.all(some.map(async ({ id }) => await calls.label(id, { add: [label] })));
    }
    const known = async (): Promise<number> => {
      let count = 0;
      for await (const record of calls.list({ label })) count += record.labels.length;
      return count;
    };
    await until(known, (count) => count === CALLS, 60_000);

    const id = `many-${randomUUID()}`;
    const target = { live: { label } };
    const request = { confirmWithinSeconds: 90 };
    await policies.create({
      id,
      action: 'mute',
      target,
      when: { once: '2099-01-01' },
      request,
      concurrency: 40,
      perSecond: 50,
    });
    try {
      await policies.trigger(id);
      const ended = ending.untilAsked('mute').then(async () => await service.graph.endCall(ending.id));
      const { lastRun: begun } = await until(
        async () => await policies.describe(id),
        ({ lastRun }) => lastRun !== undefined,
      );
      // Nobody signals a run of a policy; whoever does must not hold it up, nor keep it from continuing as new.
      const handle = service.client.workflow.getHandle(begun?.workflowId ?? '');
      let signals = 0;
      const done = await until(
        async () => {
          await handle.signal('unheard-of', signals).catch(() => undefined);
          signals += 1;
          return await policies.describe(id);
        },
        ({ lastRun }) => lastRun?.status === 'COMPLETED',
        200_000,
      );
      await ended;
      const report = done.lastRun?.report as PolicyReport;
      expect(signals).toBeGreaterThan(5);
      expect(report.calls).toBe(CALLS);
      expect(report.outcomes).toEqual({ Confirmed: CALLS - REFUSED - 1, PermissionDenied: REFUSED, CallEnded: 1 });
      expect(report.failures.map(({ callId }) => callId).toSorted()).toEqual(
        [...refused, ending].map(({ id: callId }) => callId).toSorted(),
      );
      expect(new Set(report.confirmed).size).toBe(CALLS - REFUSED - 1);
      for (const call of all.slice(REFUSED, -1)) {
        expect(call.self.serverMuted).toBe(true);
        expect(call.posts).toEqual(['mute']);
      }
      // More than a batch: the run has continued as new.
      const first = service.client.workflow.getHandle(handle.workflowId, done.lastRun?.runId, { followRuns: false });
      expect((await first.describe()).status.name).toBe('CONTINUED_AS_NEW');
      expect((await policies.delete(id)).muted).toHaveLength(CALLS - REFUSED - 1);
    } finally {
      await policies.delete(id).catch(() => undefined);
    }
  },
);

test('operations are started at most so many a second, and waited for at most so many at a time', async () => {
  const { policies } = service.moderation;
  const calls = Array.from({ length: 9 }, () => service.call().id);
  const id = `paced-${randomUUID()}`;
  const when = { once: '2099-01-01' };
  await policies.create({ id, action: 'mute', target: { calls }, when, concurrency: 2, perSecond: 3 });
  try {
    const { workflowId, report } = await triggered(policies, id);
    expect(report.outcomes).toEqual({ Confirmed: 9 });
    const { events } = await service.client.workflow.getHandle(workflowId).fetchHistory();
    let waiting = 0;
    let most = 0;
    let first = Number.NaN;
    let last = Number.NaN;
    for (const event of events ?? []) {
      const at = Number(event.eventTime?.seconds) * 1_000 + Number(event.eventTime?.nanos) / 1e6;
      if (event.workflowTaskStartedEventAttributes && Number.isNaN(first)) first = at;
      if (event.activityTaskScheduledEventAttributes) {
        waiting += 1;
        last = at;
      }
      if (event.activityTaskCompletedEventAttributes) waiting -= 1;
      most = Math.max(most, waiting);
    }
    expect(most).toBe(2);
    // Nine at three a second are started in three seconds, the last ones two seconds after the first.
    expect(last - first).toBeGreaterThanOrEqual(2_000);
  } finally {
    await policies.delete(id).catch(() => undefined);
  }
});

test('a run that is cancelled starts nothing more', { timeout: 90_000 }, async () => {
  const { policies } = service.moderation;
  const calls = Array.from({ length: 12 }, () => service.call());
  const id = `cancelled-${randomUUID()}`;
  const target = { calls: calls.map((call) => call.id) };
  await policies.create({ id, action: 'mute', target, when: { once: '2099-01-01' }, concurrency: 2, perSecond: 1 });
  try {
    await policies.trigger(id);
    const running = await until(
      async () => await policies.describe(id),
      ({ lastRun }) => (lastRun?.report?.calls ?? 0) > 0,
    );
    await service.client.workflow.getHandle(running.lastRun?.workflowId ?? '').cancel();
    await until(
      async () => await policies.describe(id),
      ({ lastRun }) => lastRun?.status === 'CANCELLED',
    );
    await until(
      async () => calls.filter((call) => call.posts.length > 0),
      (asked) => asked.every((call) => call.self.serverMuted),
    );
    expect(calls.filter((call) => call.posts.length > 0).length).toBeLessThan(calls.length);
  } finally {
    await policies.delete(id).catch(() => undefined);
  }
});
