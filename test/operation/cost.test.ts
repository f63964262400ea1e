import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { costOf, eventsByType, type Cost, type HistoryEvent } from '../../bench/counts.ts';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import { loadWebhookConfig } from '../../src/config/webhook.ts';
import { liveWorkflowIdOf } from '../../src/contract/call-id.ts';
import { startWebhook, type RunningWebhook } from '../../src/webhook.ts';
import { triggered } from '../support/policy-run.ts';
import { log, Service, untilPhase, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/**
 * What things cost, by exact count, so that nobody makes them dearer unnoticed. A change that makes the happy path
 * cheaper changes the numbers here; one that makes it dearer had better have a reason.
 */

interface Expected {
  events: Record<string, number>;
  cost: Cost;
  /** Requests to Graph, in the order of their names. */
  requests: string[];
}

/** A mute that a notification confirms after Graph's answer. */
const HAPPY: Expected = {
  events: {
    WorkflowExecutionStarted: 1,
    // Start, call read and POST answered, roster notified.
    WorkflowTaskScheduled: 3,
    WorkflowTaskStarted: 3,
    WorkflowTaskCompleted: 3,
    // Read and POST.
    ActivityTaskScheduled: 1,
    ActivityTaskStarted: 1,
    ActivityTaskCompleted: 1,
    // The wait for the roster.
    TimerStarted: 1,
    WorkflowExecutionSignaled: 1,
    TimerCanceled: 1,
    // ModerationOutcome.
    UpsertWorkflowSearchAttributes: 1,
    WorkflowExecutionCompleted: 1,
  },
  cost: {
    events: 18,
    workflowTasks: 3,
    activityTasks: 1,
    localActivities: 0,
    timers: 1,
    signals: 1,
    upserts: 1,
    billableActions: 6,
    visibilityWrites: 3,
  },
  requests: ['getCall', 'listParticipants', 'mute'],
};

const COSTS = {
  happy: HAPPY,
  /** The next operation on a call that this worker has read. */
  known: { requests: ['getParticipant', 'unmute'] },
  /** Nothing tells the roster, so that it is read. */
  lostNotification: { requests: ['getCall', 'getParticipant', 'listParticipants', 'mute'] },
  /** A call that is established and ends within ten seconds, until nobody hears of it any more. */
  liveCall: {
    workflowTasks: 3,
    activityTasks: 1,
    localActivities: 0,
    timers: 2,
    signals: 2,
    upserts: 2,
    billableActions: 8,
  },
  /** A run of a policy, beside its operations: for each call a start, a wait with a timer, the signal of its end, and a read. */
  policy: { calls: 3, activityTasks: 6, timers: 4, signals: 3, upserts: 0, billableActions: 14 },
  /** One that mutes on entry: for each call a start, a timer, and a read. */
  policyOnEntry: { activityTasks: 6, timers: 4, signals: 0, upserts: 0, billableActions: 11 },
  /** A mute on entry that a policy has started, until its release; how it stands is asked beside that. */
  onEntry: {
    cost: { activityTasks: 1, localActivities: 0, signals: 1, upserts: 1 },
    requests: ['getCall', 'listParticipants'],
  },
  /** Signals that a roster costs where no operation is in flight. */
  idleNotification: { signals: 1 },
  /** From an answer until the retry: the interval of 500 ms, and what Temporal needs. */
  retryMs: 750,
  /** A second full of rosters costs a signal at once, one after each pause, and one for what is left at the end. */
  storm: { rosters: 200, overMs: 1_000, pauseMs: 100 },
};

let service: Service;
/** With its metrics beside it. */
let webhook: RunningWebhook;
beforeAll(async () => {
  service = await Service.start();
  const config = loadWebhookConfig({ ...service.env, MODERATION_HEALTH_PORT: undefined });
  webhook = await startWebhook({ config, log });
});
afterAll(async () => {
  await webhook.stop();
  await service.stop();
});

function callOf(given: Parameters<Service['call']>[0] = {}): TestCall {
  return service.call({ callbackUri: webhook.callbackUrl, ...given });
}

async function historyOf({ workflowId }: { workflowId: string }): Promise<readonly HistoryEvent[]> {
  return (await service.client.workflow.getHandle(workflowId).fetchHistory()).events ?? [];
}

/** Signals that the webhook has sent to Temporal, whatever became of them. */
async function handOvers(): Promise<number> {
  const metrics = await (await fetch(`${webhook.url}/metrics`)).text();
  const counts = metrics.matchAll(/^call_moderation_hand_over_seconds_count\{[^}]*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Until `ended` rosters of the call were answered. */
async function untilTold(call: TestCall, ended: number): Promise<void> {
  await call.until(() => call.rosters.filter(({ endedAt }) => endedAt !== undefined).length >= ended);
}

function namesOf(call: TestCall): string[] {
  return call.requests.map(({ name }) => name).toSorted();
}

/** Sends a storm of rosters evenly; gives how long it took until the last one was answered, in ms. */
async function storm(call: TestCall): Promise<number> {
  const { rosters, overMs } = COSTS.storm;
  const began = performance.now();
  const told: Promise<void>[] = [];
  for (let sent = 0; sent < rosters; sent += 1) {
    const due = began + (sent * overMs) / rosters;
    while (performance.now() < due) {
      await new Promise((resolve) => {
        setTimeout(resolve, Math.ceil(due - performance.now()));
      });
    }
    told.push(service.graph.notify(call.id));
  }
  await Promise.all(told);
  const outcomes = call.rosters.map(({ outcome, attempt }) => `${outcome} at ${attempt}`);
  expect(outcomes).toEqual(Array.from({ length: rosters }, () => 'delivered at 1'));
  return performance.now() - began;
}

/** A machine that takes longer than a second for a storm is allowed the ten a second for longer. */
function most(tookMs: number): number {
  return Math.floor(tookMs / COSTS.storm.pauseMs) + 2;
}

describe('a mute that a notification confirms', () => {
  let call: TestCall;
  let handle: OperationHandle;
  beforeAll(async () => {
    // The roster is told once the operation waits for it: neither earlier, nor by a read.
    call = callOf({ faults: { notifications: [{ on: 'roster', drop: true }] } });
    handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    await service.graph.notify(call.id);
    expect(await handle.result()).toMatchObject({ confirmedBy: 'notification' });
  });

  test('costs just these events', async () => {
    expect(eventsByType(await historyOf(handle))).toEqual(COSTS.happy.events);
  });

  test('costs just these tasks, timers, signals, billable actions and writes to what lists show', async () => {
    expect(costOf(await historyOf(handle))).toEqual(COSTS.happy.cost);
  });

  test('costs just these requests to Graph', () => {
    expect(namesOf(call)).toEqual(COSTS.happy.requests);
  });
});

test('the next operation on the call costs one request to Graph less', async () => {
  const call = callOf();
  await (await service.moderation.mute({ callId: call.id })).result();
  const before = call.requests.length;
  await (await service.moderation.unmute({ callId: call.id })).result();
  const names = call.requests.slice(before).map(({ name }) => name);
  expect(names.toSorted()).toEqual(COSTS.known.requests);
});

test('a lost notification costs one request to Graph more', async () => {
  const call = callOf({ faults: { notifications: [{ on: 'roster', drop: true }] } });
  const handle = await service.moderation.mute({ callId: call.id });
  expect(await handle.result()).toMatchObject({ confirmedBy: 'roster-read' });
  expect(namesOf(call)).toEqual(COSTS.lostNotification.requests);
});

test('a retry comes after half a second, and not 0.4 s late as on a server with its defaults', async () => {
  let shortest = Infinity;
  // A busy machine delays some of them; a server with its defaults delays all.
  for (let times = 0; times < 6 && shortest > COSTS.retryMs; times += 1) {
    const call = callOf({ faults: { requests: [{ on: 'mute', answer: { status: 503 } }] } });
    await (await service.moderation.mute({ callId: call.id })).result();
    const [first, second] = call.requests.filter(({ name }) => name === 'mute');
    shortest = Math.min(shortest, (second?.startedAt ?? Infinity) - (first?.endedAt ?? 0));
  }
  expect(shortest).toBeLessThanOrEqual(COSTS.retryMs);
});

test('an active call costs a workflow, and no request to Graph if it soon ends', async () => {
  const call = callOf();
  const { calls } = service.moderation;
  await service.graph.setCallState(call.id, 'established');
  await until(
    async () => await calls.get(call.id),
    (status) => status?.state === 'established',
  );
  // The policies were asked, too: what comes meanwhile costs less.
  await until(
    async () => eventsByType(await historyOf({ workflowId: liveWorkflowIdOf(call.id) })),
    ({ TimerStarted: timers = 0 }) => timers > 0,
  );
  await service.graph.endCall(call.id);
  await until(
    async () => await calls.get(call.id),
    (status) => status?.state === 'terminated',
  );
  const history = await historyOf({ workflowId: liveWorkflowIdOf(call.id) });
  expect(costOf(history)).toMatchObject(COSTS.liveCall);
  expect(call.requests).toEqual([]);
});

test('a run of a policy costs two activities, a timer and a signal a call', async () => {
  const { policies } = service.moderation;
  const calls = Array.from({ length: COSTS.policy.calls }, () => callOf().id);
  const id = `cost-${randomUUID()}`;
  await policies.create({ id, action: 'mute', target: { calls }, when: { once: '2099-01-01' } });
  const { workflowId } = await triggered(policies, id);
  await policies.delete(id);
  const { calls: _calls, ...cost } = COSTS.policy;
  expect(costOf(await historyOf({ workflowId }))).toMatchObject(cost);
});

test('a run of a policy that mutes on entry costs two activities and a timer a call', async () => {
  const { policies } = service.moderation;
  const calls = Array.from({ length: COSTS.policy.calls }, () => callOf());
  const id = `cost-${randomUUID()}`;
  const target = { calls: calls.map((call) => call.id) };
  await policies.create({ id, action: 'mute', target, when: {}, rules: { onEntry: true } });
  const { workflowId } = await triggered(policies, id);
  await policies.delete(id);
  expect(costOf(await historyOf({ workflowId }))).toMatchObject(COSTS.policyOnEntry);
  const released = calls.map(async (call) => {
    expect(namesOf(call)).toEqual(COSTS.onEntry.requests);
    const entry = await service.moderation.getMuteOnEntry(call.id);
    await entry?.release();
    await entry?.result();
    expect(costOf(await historyOf({ workflowId: entry?.workflowId ?? '' }))).toMatchObject(COSTS.onEntry.cost);
  });
  await Promise.all(released);
});

describe('a roster with no operation in flight', () => {
  test('costs one signal on a call that was never moderated, and leaves nothing', async () => {
    const call = callOf();
    const before = await handOvers();
    await service.graph.notify(call.id);
    await untilTold(call, 1);
    expect((await handOvers()) - before).toBe(COSTS.idleNotification.signals);
    const run = service.client.workflow.getHandle(call.workflowId);
    await expect(run.describe()).rejects.toBeInstanceOf(WorkflowNotFoundError);
  });

  test('costs one signal after an operation has ended, and no event', async () => {
    const call = callOf();
    await (await service.moderation.mute({ callId: call.id })).result();
    await untilTold(call, 1);
    const [before, events] = [await handOvers(), await historyOf(call)];
    await service.graph.notify(call.id);
    await untilTold(call, 2);
    expect((await handOvers()) - before).toBe(COSTS.idleNotification.signals);
    expect(await historyOf(call)).toHaveLength(events.length);
  });
});

describe('a second full of rosters of one call', () => {
  test('costs no more signals than it may, with no operation in flight', async () => {
    const call = callOf({ form: { inOrder: false } });
    const before = await handOvers();
    const tookMs = await storm(call);
    expect((await handOvers()) - before).toBeLessThanOrEqual(most(tookMs));
  });

  test('nor with one in flight', async () => {
    const call = callOf({ form: { inOrder: false }, faults: { requests: [{ on: 'mute', effect: false }] } });
    const handle = await service.moderation.mute({ callId: call.id, onUnconfirmed: 'leave' });
    await untilPhase(handle, 'confirming');
    const before = await handOvers();
    const tookMs = await storm(call);
    const signals = (await handOvers()) - before;
    expect(signals).toBeLessThanOrEqual(most(tookMs));
    // A signal that comes during a workflow task stands in the history once the task has ended.
    await until(
      async () => costOf(await historyOf(handle)).signals,
      (told) => told === signals,
    );
    await handle.cancel();
    await expect(handle.result()).rejects.toMatchObject({ type: 'Cancelled' });
  });
});
