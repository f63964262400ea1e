import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GivenOrder, OperationReading, OperationStart, OperationTarget } from '../../src/activities/types.ts';
import { SIGNAL } from '../../src/contract/names.ts';
import { Service, undecided, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/** Operations as other workflows order them: two short activities, run by the worker that is deployed. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

async function run<R>(activity: string, input: object): Promise<R> {
  return await service.client.activity.execute<R>(activity, {
    id: randomUUID(),
    taskQueue: service.taskQueue,
    args: [input],
    startToCloseTimeout: '20s',
  });
}

type Order = Partial<GivenOrder> & Pick<GivenOrder, 'request'>;

async function start(order: Order): Promise<OperationStart> {
  return await run<OperationStart>('startOperation', {
    action: 'mute',
    startId: randomUUID(),
    wishedAt: Date.now(),
    isRetry: false,
    ...order,
  });
}

async function read(target: Partial<OperationTarget> & Pick<OperationTarget, 'callId' | 'runId'>) {
  const usual = { action: 'mute', startId: 'none', as: 'running', attached: false, isEnding: false };
  return await run<OperationReading>('readOperation', { ...usual, ...target });
}

/** The outcome, read as often as it takes. */
async function outcomeOf(callId: string, started: OperationStart): Promise<OperationReading> {
  if (started.kind !== 'running') throw new Error(`nothing runs, but the start is ${started.kind}`);
  return await until(
    async () => await read({ callId, runId: started.runId }),
    ({ kind }) => kind === 'ended',
  );
}

const slow = (on: 'mute' | 'unmute', latencyMs: number) => ({ faults: { requests: [{ on, latencyMs }] } });

async function latest(call: TestCall) {
  return (await service.moderation.getLatestOperation(call.id))?.record;
}

describe.concurrent('an order', () => {
  test('starts the operation under the ID of its call, and its outcome is read from the run', async () => {
    const call = service.call();
    const started = await start({ request: { callId: call.id, reason: 'a policy' } });
    expect(started).toEqual({ kind: 'running', runId: expect.any(String) as string, attached: false });
    expect(await outcomeOf(call.id, started)).toMatchObject({
      outcome: { outcome: 'Confirmed', attached: false, result: { callId: call.id, isMuted: true } },
    });
    expect(await latest(call)).toMatchObject({ outcome: 'Confirmed', workflowId: call.workflowId });
    expect(call.posts).toEqual(['mute']);
  });

  test('hands the first task of the operation to its own worker, past the queue', async () => {
    const call = service.call();
    await start({ request: { callId: call.id } });
    const { events = [] } = await service.client.workflow.getHandle(call.workflowId).fetchHistory();
    expect(events?.[0]?.workflowExecutionStartedEventAttributes).toMatchObject({ eagerExecutionAccepted: true });
  });

  test('has the failure of its operation as its outcome', async () => {
    const started = await start({ request: { callId: 'no-such-call-of-operations' } });
    const { outcome } = (await outcomeOf('no-such-call-of-operations', started)) as { outcome: object };
    expect(outcome).toMatchObject({
      outcome: 'CallNotFound',
      details: { callId: 'no-such-call-of-operations', status: 404 },
    });
    expect(outcome).toHaveProperty('message', expect.stringContaining('no-such-call-of-operations'));
  });

  test('with an invalid request has that as its outcome', async () => {
    const started = await start({ request: { callId: 'x', confirmWithinSeconds: 0 } });
    expect(started).toMatchObject({ kind: 'ended', outcome: { outcome: 'InvalidRequest' } });
  });

  test('joins, is busy, or is rejected, as the client would be', async () => {
    const call = service.call({ faults: undecided });
    const first = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 120 });
    await call.untilAsked('mute');
    const { runId } = await first.run();
    const unmute = { action: 'unmute', request: { callId: call.id } } as const;
    const same = { callId: call.id, confirmWithinSeconds: 120 };
    expect(await start({ request: same })).toEqual({ kind: 'running', runId, attached: true });
    expect(await start({ ...unmute, onConflict: 'queue' })).toEqual({ kind: 'busy', runId });
    expect(await start({ ...unmute, onConflict: 'reject' })).toMatchObject({
      outcome: { outcome: 'OperationInProgress' },
    });
    expect(await read({ callId: call.id, runId, as: 'busy' })).toEqual({ kind: 'running' });
    await service.graph.clearFaults(call.id);
    await first.result();
    expect(await read({ callId: call.id, runId, as: 'busy' })).toEqual({ kind: 'free' });
    expect(call.posts).toEqual(['mute']);
  });

  test('that supersedes is found as the run that takes over', async () => {
    const call = service.call(slow('mute', 1_500));
    const first = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    const startId = randomUUID();
    const started = await start({ action: 'unmute', startId, request: { callId: call.id } });
    const { runId } = await first.run();
    expect(started).toEqual({ kind: 'superseding', runId });
    const target = { callId: call.id, runId, action: 'unmute', startId, as: 'superseding' } as const;
    const moved = await until(
      async () => await read(target),
      ({ kind }) => kind === 'moved',
    );
    expect(moved).toMatchObject({ kind: 'moved', as: 'running', attached: false });
    await expect(first.result()).rejects.toMatchObject({ type: 'Superseded' });
  });

  test('is read until it has closed, if it announced its end', async () => {
    const call = service.call(slow('mute', 800));
    const started = await start({ request: { callId: call.id } });
    const runId = started.kind === 'running' ? started.runId : '';
    expect(await read({ callId: call.id, runId, isEnding: true })).toMatchObject({ kind: 'ended' });
  });
});

describe.concurrent('a retry of an order, as after the death of a worker', () => {
  test('returns the run that it started, while it runs and when it has ended', async () => {
    const call = service.call(slow('mute', 500));
    const order: Order = { startId: randomUUID(), wishedAt: Date.now(), request: { callId: call.id } };
    const first = await start(order);
    expect(await start(order)).toEqual(first);
    await outcomeOf(call.id, first);
    expect(await start(order)).toEqual(first);
    expect(call.posts).toEqual(['mute']);
  });

  test('returns the run that superseded another, also when it has ended', async () => {
    const call = service.call(slow('mute', 800));
    await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    const order: Order = {
      action: 'unmute',
      startId: randomUUID(),
      wishedAt: Date.now(),
      request: { callId: call.id },
    };
    expect(await start(order)).toMatchObject({ kind: 'superseding' });
    await until(
      async () => await latest(call),
      (record) => record?.action === 'unmute' && record.outcome === 'Confirmed',
    );
    expect(await start(order)).toMatchObject({ kind: 'running', runId: (await latest(call))?.runId, attached: false });
    expect(call.posts).toEqual(['mute', 'unmute']);
  });

  test.each(['mute', 'unmute'] as const)('to %s never overrides a newer wish for the opposite', async (action) => {
    const call = service.call({ self: { serverMuted: action === 'unmute' } });
    const order: Order = { action, startId: randomUUID(), wishedAt: Date.now(), request: { callId: call.id } };
    await outcomeOf(call.id, await start(order));
    const opposite = action === 'mute' ? 'unmute' : 'mute';
    await (await service.moderation[opposite]({ callId: call.id })).result();
    expect(await start(order)).toMatchObject({ kind: 'ended', outcome: { outcome: 'Superseded' } });
    expect(call.posts).toEqual([action, opposite]);
  });

  test('to mute, also by another activity, counts any newer operation', async () => {
    const call = service.call({ faults: { requests: [{ on: 'unmute', answer: { status: 403 } }] } });
    const order: Order = { wishedAt: Date.now() - 1, request: { callId: call.id } };
    const unmute = await service.moderation.unmute({ callId: call.id });
    await expect(unmute.result()).rejects.toMatchObject({ type: 'PermissionDenied' });
    expect(await start({ ...order, isRetry: true })).toMatchObject({ outcome: { outcome: 'Superseded' } });
    expect(await start(order)).toMatchObject({ kind: 'running' });
  });

  test('to unmute waits for a newer mute, and continues if that fails', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 800, answer: { status: 403 } }] } });
    const order: Order = { action: 'unmute', wishedAt: Date.now() - 1, request: { callId: call.id } };
    const mute = await service.moderation.mute({ callId: call.id });
    expect(await start(order)).toMatchObject({ kind: 'busy', runId: (await mute.run()).runId });
    await expect(mute.result()).rejects.toMatchObject({ type: 'PermissionDenied' });
    expect(await start(order)).toMatchObject({ kind: 'running' });
  });

  test('never supersedes a running operation that was wished for later', async () => {
    const call = service.call(slow('unmute', 1_500));
    const wishedAt = Date.now();
    const unmute = await service.moderation.unmute({ callId: call.id });
    await call.untilAsked('unmute');
    expect(await start({ wishedAt, request: { callId: call.id } })).toMatchObject({
      outcome: { outcome: 'Superseded' },
    });
    await unmute.result();
    expect(call.posts).toEqual(['unmute']);
  });
});

test('an operation declines to be superseded by an order that is older, and not by one that is newer', async () => {
  const call = service.call(slow('unmute', 1_500));
  const wishedAt = Date.now() - 1;
  const unmute = await service.moderation.unmute({ callId: call.id });
  await call.untilAsked('unmute');
  const order = { action: 'mute', request: { callId: call.id }, watcher: 'somebody' };
  const workflow = service.client.workflow.getHandle(call.workflowId);
  await workflow.signal(SIGNAL.supersede, { ...order, id: 'older', wishedAt });
  expect(await unmute.status()).not.toHaveProperty('supersededBy');
  await workflow.signal(SIGNAL.supersede, { ...order, id: 'newer', wishedAt: Date.now() });
  await expect(unmute.result()).rejects.toMatchObject({ type: 'Superseded' });
});

test('an operation that receives many rosters continues as another run, and is the same operation', async () => {
  const call = service.call({
    faults: {
      notifications: [{ on: 'roster', drop: true, times: 'forever' }],
      requests: [{ on: 'getParticipant', latencyMs: 9_000, times: 'forever' }],
    },
  });
  const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 60 });
  await call.untilAsked('mute');
  await until(
    async () => await handle.status(),
    ({ phase }) => phase === 'confirming',
  );
  const { runId, handle: before } = await handle.run();
  const workflow = service.client.workflow.getHandle(call.workflowId);
  const roster = (isMuted: boolean) => ({ participants: [{ id: call.participantId, isMuted }], full: true });
  for (let sent = 0; sent < 100; sent += 1) await workflow.signal(SIGNAL.rosterUpdated, roster(false));
  await until(
    async () => await before.describe(),
    ({ status }) => status.name === 'CONTINUED_AS_NEW',
  );
  expect(await handle.status()).toMatchObject({ phase: 'confirming', participantId: call.participantId, attempts: 1 });
  await workflow.signal(SIGNAL.rosterUpdated, roster(true));
  expect(await handle.result()).toMatchObject({ isMuted: true, confirmedBy: 'notification', clientContext: runId });
  expect(await latest(call)).toMatchObject({ outcome: 'Confirmed' });
  expect(call.posts).toEqual(['mute']);
});
