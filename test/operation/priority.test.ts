import { randomUUID } from 'node:crypto';
import type { Priority } from '@temporalio/common';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { muteLockIdOf } from '../../src/contract/mute-lock.ts';
import { liveWorkflowIdOf, workflowIdOf } from '../../src/contract/call-id.ts';
import { muteOnEntryIdOf } from '../../src/contract/mute-on-entry.ts';
import { SIGNAL, WORKFLOW } from '../../src/contract/names.ts';
import { scheduleIdOf } from '../../src/contract/policy.ts';
import { policyPriority, priorityOf } from '../../src/contract/priority.ts';
import type { Faults, RequestEntry } from '../../src/simulator/index.ts';
import { failureOf } from '../support/expect.ts';
import { MadePolicies } from '../support/made-policies.ts';
import { triggered } from '../support/policy-run.ts';
import { Service, undecided, untilPhase, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/** Who goes first if there is more to do than the workers can: what each start asks for, and what comes of it. */

const POLICY = { action: 'mute', target: { calls: ['x'] }, when: { once: '2099-01-01' } } as const;

/** As in a policy that somebody has left, and that nothing confirms. */
const untold: Faults = { notifications: [{ on: 'roster', drop: true, times: 'forever' }] };

/** The last run of a workflow. */
async function priorityOfRun({ client }: Service, workflowId: string, runId?: string): Promise<Priority> {
  const { priority } = await client.workflow.getHandle(workflowId, runId).describe();
  return Object.fromEntries(Object.entries(priority ?? {}).filter(([, value]) => value));
}

/** What the history says of the activities of one type; what it does not say, they have of their workflow. */
async function priorityKeysOf({ client }: Service, workflowId: string, type: string): Promise<number[]> {
  const { events = [] } = await client.workflow.getHandle(workflowId).fetchHistory();
  const scheduled = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: one }) => one ?? []);
  return scheduled
    .filter(({ activityType }) => activityType?.name === type)
    .map(({ priority }) => priority?.priorityKey ?? 0);
}

describe('a start', () => {
  let service: Service;
  const made = new MadePolicies(POLICY);
  const tenantId = randomUUID();
  beforeAll(async () => {
    service = await Service.start();
  });
  afterEach(async () => await made.delete(service.client));
  afterAll(async () => await service.stop());

  test('of a single mute and a single unmute', async () => {
    const call = service.call();
    await (await service.moderation.mute({ callId: call.id, tenantId })).result();
    expect(await priorityOfRun(service, call.workflowId)).toEqual({ priorityKey: 2, fairnessKey: tenantId });
    await (await service.moderation.unmute({ callId: call.id, tenantId })).result();
    expect(await priorityOfRun(service, call.workflowId)).toEqual({ priorityKey: 1, fairnessKey: tenantId });
  });

  test('of a mute lock: its own, of its mute, and of the unmute at its end', async () => {
    const call = service.call();
    const hold = await service.moderation.keepMuted({ callId: call.id, tenantId });
    await until(
      async () => await hold.status(),
      ({ phase }) => phase === 'keepingMuted',
    );
    expect(await priorityOfRun(service, muteLockIdOf(call.id))).toEqual({ priorityKey: 3, fairnessKey: tenantId });
    expect(await priorityOfRun(service, call.workflowId)).toEqual({ priorityKey: 3, fairnessKey: tenantId });
    await hold.release();
    await hold.result();
    expect(await priorityOfRun(service, call.workflowId)).toEqual({ priorityKey: 1, fairnessKey: tenantId });
    expect(await priorityKeysOf(service, muteLockIdOf(call.id), 'startOperation')).toEqual([3, 1]);
  });

  test('of a mute on entry, and of its mutes', async () => {
    const call = service.call();
    const handle = await service.moderation.muteOnEntry({ callId: call.id, tenantId });
    await until(
      async () => await handle.status(),
      ({ since }) => since !== undefined,
    );
    expect(await priorityOfRun(service, muteOnEntryIdOf(call.id))).toEqual({ priorityKey: 3, fairnessKey: tenantId });
    await service.graph.addParticipants(call.id, 1);
    await call.until(() => call.requests.some(({ name }) => name === 'muteParticipant'));
    expect(await priorityOfRun(service, call.workflowId)).toEqual({ priorityKey: 3, fairnessKey: tenantId });
    await handle.release();
    await handle.result();
  });

  test("of a policy's run, and of its mutes and unmutes", async () => {
    const { policies } = service.moderation;
    const call = service.call();
    for (const [action, priorityKey] of [
      ['mute', 5],
      ['unmute', 4],
    ] as const) {
      const policy = made.of({ action, target: { calls: [call.id] }, request: { tenantId } });
      await policies.create(policy);
      const { workflowId } = await triggered(policies, policy.id);
      expect(await priorityOfRun(service, workflowId)).toEqual({ priorityKey: 4, fairnessKey: tenantId });
      expect(await priorityOfRun(service, call.workflowId)).toEqual({ priorityKey, fairnessKey: tenantId });
    }
  });

  test('of the run that ends quiet hours, and of the schedule itself after a change', async () => {
    const { policies } = service.moderation;
    const when = { quietHours: { from: '00:00', to: '00:01' }, start: '2098-01-01' };
    const policy = made.of({ target: { live: { tenantId } }, when });
    await policies.create(policy);
    await policies.update(policy.id, { perSecond: 5 });
    const { action } = await service.client.schedule.getHandle(scheduleIdOf(policy.id)).describe();
    expect(action.priority).toMatchObject({ priorityKey: 4, fairnessKey: tenantId });
    const query = `WorkflowType = '${WORKFLOW.applyPolicy}' AND WorkflowId STARTS_WITH '${scheduleIdOf(policy.id)}-closing'`;
    const closing = await until(
      async () => {
        for await (const { workflowId } of service.client.workflow.list({ query })) return workflowId;
        return undefined;
      },
      (workflowId) => workflowId !== undefined,
    );
    expect(await priorityOfRun(service, closing ?? '')).toEqual({ priorityKey: 4, fairnessKey: tenantId });
  });

  test('of what a policy does as a call is established', async () => {
    const { policies } = service.moderation;
    const label = `p${randomUUID()}`;
    const joining = made.of({ target: { live: { label } }, when: {}, rules: { onEstablished: true } });
    const entering = made.of({ target: { live: { label } }, when: {}, rules: { onEntry: true } });
    await Promise.all([policies.create(joining), policies.create(entering)]);
    const call = service.call();
    // As the token of its notifications says.
    const { tenantId: ofToken } = service.graph.addresses;
    await service.moderation.calls.label(call.id, { add: [label], tenantId: ofToken });
    await service.graph.setCallState(call.id, 'established');
    await call.untilAsked('mute');
    expect(await priorityOfRun(service, liveWorkflowIdOf(call.id))).toEqual({ priorityKey: 3, fairnessKey: ofToken });
    expect(await priorityOfRun(service, call.workflowId)).toEqual({ priorityKey: 5, fairnessKey: ofToken });
    const entry = await until(
      async () => await service.moderation.getMuteOnEntry(call.id),
      (handle) => handle !== undefined,
    );
    expect(await priorityOfRun(service, muteOnEntryIdOf(call.id))).toEqual({ priorityKey: 3, fairnessKey: ofToken });
    expect(await priorityKeysOf(service, liveWorkflowIdOf(call.id), 'startMuteOnEntry')).toEqual([5]);
    await entry?.release();
  });

  test('of a Temporal client is as that client wants it, and so is what comes of it', async () => {
    const [own, none] = [service.call(), service.call()];
    const { client, taskQueue } = service;
    const start = async (call: TestCall, priority?: Priority): Promise<void> => {
      await client.workflow.start('keepMuted', {
        workflowId: muteLockIdOf(call.id),
        taskQueue,
        args: [{ callId: call.id, tenantId }],
        ...(priority !== undefined && { priority }),
      });
    };
    await Promise.all([start(own, { priorityKey: 4, fairnessKey: 'gold', fairnessWeight: 2 }), start(none)]);
    await Promise.all([own.untilAsked('mute'), none.untilAsked('mute')]);
    expect(await priorityOfRun(service, own.workflowId)).toEqual({
      priorityKey: 4,
      fairnessKey: 'gold',
      fairnessWeight: 2,
    });
    expect(await priorityOfRun(service, none.workflowId)).toEqual({});
    await Promise.all([own, none].map(async ({ id }) => await (await service.moderation.getMuteLock(id))?.release()));
    await Promise.all([own.untilAsked('unmute'), none.untilAsked('unmute')]);
    expect(await priorityOfRun(service, own.workflowId)).toMatchObject({ priorityKey: 1, fairnessKey: 'gold' });
  });

  test('what puts back goes first, whatever the operation is', async () => {
    const call = service.call({ faults: untold });
    const run = await service.client.workflow.start('mute', {
      workflowId: call.workflowId,
      taskQueue: service.taskQueue,
      args: [{ callId: call.id, confirmWithinSeconds: 1 }],
      priority: policyPriority('mute'),
    });
    await expect(run.result()).rejects.toThrow();
    expect(call.posts).toEqual(['mute', 'unmute']);
    expect(await priorityKeysOf(service, call.workflowId, 'readAndMute')).toEqual([0]);
    expect(await priorityKeysOf(service, call.workflowId, 'postUnmute')).toEqual([1]);
    expect((await priorityKeysOf(service, call.workflowId, 'readParticipant')).at(-1)).toBe(1);
  });
});

describe('the operation that runs', () => {
  let service: Service;
  const tenantId = randomUUID();
  beforeAll(async () => {
    service = await Service.start();
  });
  afterAll(async () => await service.stop());

  const ofPolicy = async (call: TestCall) => {
    const run = await service.client.workflow.start('mute', {
      workflowId: call.workflowId,
      taskQueue: service.taskQueue,
      args: [{ callId: call.id, tenantId }],
      priority: policyPriority('mute', tenantId),
    });
    await call.untilAsked('mute');
    return run;
  };

  test('gets the priority of who joins it, and not that of who is less urgent', async () => {
    const call = service.call({ faults: undecided });
    await ofPolicy(call);
    const joined = await service.moderation.mute({ callId: call.id, tenantId });
    expect(await priorityOfRun(service, call.workflowId)).toEqual({ priorityKey: 2, fairnessKey: tenantId });
    const hold = await service.moderation.keepMuted({ callId: call.id, tenantId });
    await until(
      async () => await priorityKeysOf(service, muteLockIdOf(call.id), 'startOperation'),
      (found) => found.length > 0,
    );
    await service.graph.clearFaults(call.id);
    await joined.result();
    expect(await priorityOfRun(service, call.workflowId)).toEqual({ priorityKey: 2, fairnessKey: tenantId });
    await hold.release();
    await hold.result();
  });

  test('gives the priority of who supersedes it to the run that goes on', async () => {
    const call = service.call({ faults: undecided });
    const before = await ofPolicy(call);
    const unmute = await service.moderation.unmute({ callId: call.id, tenantId });
    await service.graph.clearFaults(call.id);
    const { runId } = await unmute.run();
    await unmute.result();
    expect(runId).not.toBe(before.firstExecutionRunId);
    expect(await priorityOfRun(service, call.workflowId, runId)).toEqual({ priorityKey: 1, fairnessKey: tenantId });
  });

  test('gets the priority of who waits for it', async () => {
    const call = service.call({ faults: undecided });
    await ofPolicy(call);
    const waiting = service.moderation.unmute({ callId: call.id }, { onConflict: 'queue' });
    await until(
      async () => await priorityOfRun(service, call.workflowId),
      ({ priorityKey }) => priorityKey === 1,
    );
    await service.graph.clearFaults(call.id);
    await (await waiting).result();
  });

  test('keeps its priority in the run that it continues as', async () => {
    const call = service.call({ faults: undecided });
    const before = await ofPolicy(call);
    // As a Temporal client supersedes it, that asks for no other priority.
    const successor = { action: 'unmute', request: { callId: call.id, tenantId }, id: randomUUID() };
    await service.client.workflow.getHandle(call.workflowId).signal(SIGNAL.supersede, successor);
    await service.graph.clearFaults(call.id);
    await call.untilAsked('unmute');
    const { runId } = await service.client.workflow.getHandle(call.workflowId).describe();
    expect(runId).not.toBe(before.firstExecutionRunId);
    expect(await priorityOfRun(service, call.workflowId)).toEqual({ priorityKey: 5, fairnessKey: tenantId });
  });
});

describe('behind a backlog', () => {
  let service: Service;
  const QUEUED = 40;
  beforeAll(async () => {
    service = await Service.start({
      // Little at a time, so that what waits does so in the queue; and so slowly that it lasts on a slow machine, too.
      MODERATION_MAX_WORKFLOW_TASKS: '2',
      MODERATION_MAX_ACTIVITIES: '2',
      MODERATION_MAX_ACTIVITIES_PER_SECOND: '4',
    });
  });
  afterAll(async () => await service.stop());

  const isOf =
    (calls: readonly TestCall[]) =>
    (callId: string): boolean =>
      calls.some(({ id }) => id === callId);

  /** The calls in the order in which Graph was first asked for something after a moment. */
  function askedAfter(moment: number, calls: readonly TestCall[], action: RequestEntry['action']): string[] {
    const posts = calls.flatMap(({ id, requests }) => {
      const post = requests.find((one) => one.action === action && one.startedAt >= moment);
      return post === undefined ? [] : [{ id, startedAt: post.startedAt }];
    });
    return posts.toSorted((a, b) => a.startedAt - b.startedAt).map(({ id }) => id);
  }

  const startAll = async (calls: readonly TestCall[], priority: Priority): Promise<void> => {
    const { client, taskQueue } = service;
    await Promise.all(
      calls.map(async ({ id }) => {
        const options = { workflowId: workflowIdOf(id), taskQueue, args: [{ callId: id }], priority };
        await client.workflow.start('mute', options);
      }),
    );
  };

  const hasTimedOut = async ({ workflowId }: TestCall): Promise<boolean> => {
    const { events = [] } = await service.client.workflow.getHandle(workflowId).fetchHistory();
    return (events ?? []).some((event) => event.timerFiredEventAttributes);
  };

  test('what puts back or ends a mute, and a single mute, go before the mutes of policies', async () => {
    const [restoring, single, muted] = [service.call({ faults: untold }), service.call(), service.call()];
    const queued = Array.from({ length: QUEUED }, () => service.call());
    // Nothing confirms it, so it has to be put back when the worker is there again.
    const confirming = await service.moderation.mute({ callId: restoring.id, confirmWithinSeconds: 2 });
    await untilPhase(confirming, 'confirming');
    await service.stopWorker();
    await startAll(queued, policyPriority('mute'));
    const mute = await service.moderation.mute({ callId: single.id });
    const unmute = await service.moderation.unmute({ callId: muted.id });
    await until(
      async () => await hasTimedOut(restoring),
      (isOver) => isOver,
    );
    const moment = Date.now();
    await service.startWorker();
    await Promise.all([
      restoring.untilAsked('unmute'),
      ...[single, ...queued].map(async (call) => await call.untilAsked('mute')),
      muted.untilAsked('unmute'),
    ]);
    const order = [
      ...askedAfter(moment, [single, ...queued], 'mute'),
      ...askedAfter(moment, [restoring, muted], 'unmute'),
    ];
    expect(order).toHaveLength(QUEUED + 3);
    const times = (call: TestCall, action: 'mute' | 'unmute'): number =>
      call.requests.find((one) => one.action === action && one.startedAt >= moment)?.startedAt ?? Infinity;
    const policyTimes = queued.map((call) => times(call, 'mute')).toSorted((a, b) => a - b);
    // Some are under way before the worker has seen the others.
    const half = policyTimes[QUEUED / 2] ?? 0;
    for (const time of [times(muted, 'unmute'), times(restoring, 'unmute'), times(single, 'mute')]) {
      expect(time).toBeLessThan(half);
    }
    await Promise.all([mute.result(), unmute.result(), failureOf(confirming, 'Unconfirmed')]);
  });

  test('the few operations of one tenant do not wait for the many of another', async () => {
    const [many, few] = [randomUUID(), randomUUID()];
    const queued = Array.from({ length: QUEUED }, () => service.call());
    const others = Array.from({ length: 4 }, () => service.call());
    await service.stopWorker();
    await startAll(queued, priorityOf('mute', many));
    await startAll(others, priorityOf('mute', few));
    const moment = Date.now();
    await service.startWorker();
    const all = [...queued, ...others];
    await Promise.all(all.map(async (call) => await call.untilAsked('mute')));
    const order = askedAfter(moment, all, 'mute');
    const places = order.flatMap((id, place) => (isOf(others)(id) ? [place] : []));
    expect(places).toHaveLength(others.length);
    // Each partition of the queue is fair by itself. In the order of the requests they would be the last.
    expect(places.reduce((sum, place) => sum + place, 0) / places.length).toBeLessThan(0.6 * QUEUED);
  });
});
