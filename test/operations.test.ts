import { randomUUID } from 'node:crypto';
import type { ActivityHandle, ActivityOptions } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OperationOrder, OperationOutcome } from '../src/activities/types.ts';
import type { Run } from '../src/client/operation-handle.ts';
import { Runs } from '../src/client/runs.ts';
import { Starter } from '../src/client/starter.ts';
import { Deployment } from './support/deployment.ts';
import { Service, type TestCall } from './support/service.ts';

/** An operation as another workflow has it run: the activity `runOperation`, by the worker that is deployed. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

async function order(
  { onConflict, onCancel, action, request }: OperationOrder,
  options: Partial<ActivityOptions> = {},
): Promise<ActivityHandle<OperationOutcome>> {
  const given = { action, request, ...(onConflict && { onConflict }), ...(onCancel && { onCancel }) };
  return await service.client.activity.start<OperationOutcome>('runOperation', {
    id: randomUUID(),
    taskQueue: service.taskQueue,
    args: [given],
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: '2s',
    ...options,
  });
}

describe.concurrent('runOperation', () => {
  test('starts the operation under the ID of its call and waits for its result', async () => {
    const call = service.call();
    const handle = await order({ action: 'mute', request: { callId: call.id, reason: 'a policy' } });
    const outcome = await handle.result();
    expect(outcome).toMatchObject({ outcome: 'Confirmed', joined: false, result: { callId: call.id, isMuted: true } });
    const latest = await service.moderation.latest(call.id);
    expect(latest?.record).toMatchObject({ outcome: 'Confirmed', workflowId: call.workflowId });
    expect(outcome).toMatchObject({ runId: latest?.record.runId });
    expect(call.posts).toEqual(['mute']);
  });

  test('hands the first task of the operation to its own worker, past the queue', async () => {
    const call = service.call();
    await (await order({ action: 'mute', request: { callId: call.id } })).result();
    const { events = [] } = await service.client.workflow.getHandle(call.workflowId).fetchHistory();
    expect(events?.[0]?.workflowExecutionStartedEventAttributes).toMatchObject({ eagerExecutionAccepted: true });
  });

  test('has the failure of an operation as its result, and tries nothing again', async () => {
    const handle = await order({ action: 'mute', request: { callId: 'no-such-call' } });
    const outcome = await handle.result();
    expect(outcome).toMatchObject({ outcome: 'CallNotFound', details: { callId: 'no-such-call', status: 404 } });
    expect(outcome).toHaveProperty('message', expect.stringContaining('no-such-call'));
  });

  test('has a request that is not valid as its result', async () => {
    const request = { callId: 'x', confirmWithinSeconds: 0 };
    const outcome = await (await order({ action: 'mute', request })).result();
    expect(outcome).toMatchObject({ outcome: 'InvalidRequest' });
  });

  test("follows the client's rules for conflicts", async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 1_000 }] } });
    const first = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    const joining = await order({ action: 'mute', request: { callId: call.id } });
    const rejected = await order({ action: 'unmute', request: { callId: call.id }, onConflict: 'reject' });
    expect(await rejected.result()).toMatchObject({ outcome: 'OperationInProgress' });
    expect(await joining.result()).toMatchObject({ outcome: 'Confirmed', joined: true });
    expect(await first.result()).toMatchObject({ isMuted: true });
    expect(call.posts).toEqual(['mute']);
  });

  test('tells that another operation has taken over', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 1_000 }] } });
    const handle = await order({ action: 'mute', request: { callId: call.id } });
    await call.untilAsked('mute');
    const second = await service.moderation.unmute({ callId: call.id });
    expect(await handle.result()).toMatchObject({ outcome: 'Superseded' });
    expect(await second.result()).toMatchObject({ isMuted: false });
  });

  test('leaves the operation to itself when it is cancelled', async () => {
    // Longer than it takes a busy machine to hear of the cancellation.
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 6_000 }] } });
    const handle = await order({ action: 'mute', request: { callId: call.id } });
    await call.untilAsked('mute');
    await handle.cancel('enough');
    await expect(handle.result()).rejects.toThrow();
    const latest = await service.moderation.latest(call.id);
    expect(latest?.record.outcome).toBe('Pending');
    const joined = await service.moderation.mute({ callId: call.id });
    expect(await joined.result()).toMatchObject({ isMuted: true });
    expect(call.posts).toEqual(['mute']);
  });

  test('cancels the operation where it is told to, and has what came of that as its result', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 2_000 }] } });
    const handle = await order({ action: 'mute', request: { callId: call.id }, onCancel: 'cancel' });
    await call.untilAsked('mute');
    await handle.cancel('enough');
    expect(await handle.result()).toMatchObject({ outcome: 'Cancelled', details: { restored: true } });
    expect(call.posts).toEqual(['mute', 'unmute']);
    expect(call.self.isMuted).toBe(false);
  });
});

describe.concurrent('a start that is asked for again, as by a worker that died before it could tell', () => {
  async function start(call: TestCall, startId: string): Promise<Run> {
    const starter = new Starter(new Runs(service.client), service.taskQueue);
    return await (
      await starter.start('mute', { callId: call.id }, 'supersede', startId)
    )();
  }

  test('is the same run, while it runs and when it has ended', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 500 }] } });
    const first = await start(call, 'a');
    expect(await start(call, 'a')).toMatchObject({ runId: first.runId, joined: false });
    await first.handle.result();
    expect(await start(call, 'a')).toMatchObject({ runId: first.runId, joined: false });
    expect(call.posts).toEqual(['mute']);
    const other = await start(call, 'b');
    expect(other.runId).not.toBe(first.runId);
    await other.handle.result();
    expect(call.posts).toEqual(['mute', 'mute']);
  });

  test('and joins what another has started, as ever', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 500 }] } });
    const first = await service.moderation.mute({ callId: call.id });
    const { runId } = await first.run();
    expect(await start(call, 'c')).toMatchObject({ runId, joined: true });
    await first.result();
  });
});

describe('where the worker dies', () => {
  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await Deployment.start();
  });
  afterAll(async () => await deployment.stop());

  test('the next attempt waits for the same run, and undoes nothing that was asked since', async () => {
    await deployment.webhook();
    const first = await deployment.worker();
    const call = deployment.call({ faults: { notifications: [{ on: 'roster', drop: true, times: 'forever' }] } });
    const handle = await order({ action: 'mute', request: { callId: call.id } }, { taskQueue: deployment.taskQueue });
    await call.untilAsked('mute');
    await first.kill();
    const unmute = await deployment.moderation().unmute({ callId: call.id });
    await deployment.worker();
    expect(await unmute.result()).toMatchObject({ isMuted: false });
    expect(await handle.result()).toMatchObject({ outcome: 'Superseded' });
    expect((await handle.describe()).attempt).toBeGreaterThan(1);
    expect(call.posts.at(-1)).toBe('unmute');
    expect(call.self.isMuted).toBe(false);
  });
});
