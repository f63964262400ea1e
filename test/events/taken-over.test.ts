import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import { WORKFLOW } from '../../src/contract/names.ts';
import { EventReceiver } from '../support/event-receiver.ts';
import { failureOf } from '../support/expect.ts';
import { Service, untilPhase, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/**
 * What an operation has come to is final: another operation that takes over in the moment in which it tells of its end changes
 * nothing of it. `held-events.ts` makes that moment last.
 */

let receiver: EventReceiver;
let service: Service;
beforeAll(async () => {
  receiver = await EventReceiver.start();
  service = await Service.start(receiver.env);
  await service.stopWorker();
  const besides = (name: string): string => fileURLToPath(new URL(`../../src/workflows/${name}.ts`, import.meta.url));
  const holding = fileURLToPath(new URL('held-events.ts', import.meta.url));
  const { code } = await bundleWorkflowCode({
    workflowsPath: besides('index'),
    payloadConverterPath: besides('runtime/payload-converter'),
    workflowInterceptorModules: [besides('runtime/unreadable'), besides('runtime/trace'), holding],
    logger: new DefaultLogger('WARN'),
  });
  await service.startWorker({}, { code });
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

const outcomesOf = (call: TestCall): unknown[] =>
  receiver
    .of(call.id)
    .toSorted((a, b) => a.time.localeCompare(b.time))
    .map(({ type, data }) => [type.split('.').at(-1), 'action' in data && data.action]);

async function recordOf(handle: OperationHandle) {
  const { handle: run, runId } = await handle.run();
  const operation = await service.moderation.getOperation({ callId: handle.callId, runId });
  const attribute = (await run.describe()).typedSearchAttributes.get({ name: 'ModerationOutcome', type: 'KEYWORD' });
  return { ...operation, attribute };
}

test('a mute that was confirmed stays so, for everyone who asks', async () => {
  const call = service.call();
  const { id: callId } = call;
  const mute = await service.moderation.mute({ callId, requestId: randomUUID() });
  await untilPhase(mute, 'confirmed');
  const unmute = await service.moderation.unmute({ callId });
  expect(await unmute.result()).toMatchObject({ action: 'unmute', isMuted: false });
  expect(await mute.result()).toMatchObject({ action: 'mute', isMuted: true });
  const record = await recordOf(mute);
  expect(record).toMatchObject({ attribute: 'Confirmed', record: { outcome: 'Confirmed' }, result: { isMuted: true } });
  expect(record.failure).toBeUndefined();
  await receiver.untilOf(callId, 2);
  expect(outcomesOf(call)).toEqual([
    ['confirmed', 'mute'],
    ['confirmed', 'unmute'],
  ]);
});

test('a workflow that has ordered it hears the same', async () => {
  const { id: callId } = service.call();
  const { client, taskQueue } = service;
  const workflowId = `call-moderation/nexus/${randomUUID()}`;
  const args = [{ operation: 'mute', input: { callId } }];
  const order = await client.workflow.start(WORKFLOW.nexusOrder, { workflowId, taskQueue, args });
  await until(
    async () => (await service.moderation.getLatestOperation(callId))?.status?.phase,
    (phase) => phase === 'confirmed',
  );
  const unmute = await service.moderation.unmute({ callId });
  expect(await unmute.result()).toMatchObject({ isMuted: false });
  expect(await order.result()).toMatchObject({ action: 'mute', isMuted: true });
});

test('a mute that failed stays so, with its details', async () => {
  const call = service.call({ faults: { requests: [{ on: 'mute', answer: { status: 403, code: '7504' } }] } });
  const { id: callId } = call;
  const mute = await service.moderation.mute({ callId });
  await untilPhase(mute, 'failed');
  const unmute = await service.moderation.unmute({ callId });
  expect(await unmute.result()).toMatchObject({ isMuted: false });
  const details = { callId, status: 403, code: '7504' };
  expect((await failureOf(mute, 'PermissionDenied')).details).toMatchObject(details);
  expect(await recordOf(mute)).toMatchObject({
    attribute: 'PermissionDenied',
    failure: { type: 'PermissionDenied', details },
  });
  await receiver.untilOf(callId, 2);
  expect(outcomesOf(call)).toEqual([
    ['failed', 'mute'],
    ['confirmed', 'unmute'],
  ]);
});

test('what takes over puts the call back as the confirmed mute has left it', async () => {
  const call = service.call();
  const { id: callId } = call;
  const mute = await service.moderation.mute({ callId });
  await untilPhase(mute, 'confirmed');
  // Graph does it, and nobody hears of it in time.
  service.graph.setFaults(callId, { notifications: [{ on: 'roster', drop: true, times: 'forever' }] });
  const unmute = await service.moderation.unmute({ callId, confirmWithinSeconds: 1 });
  expect((await failureOf(unmute, 'Unconfirmed')).details).toMatchObject({ restored: true });
  expect(await mute.result()).toMatchObject({ isMuted: true });
  expect(call.self.isMuted).toBe(true);
  expect(call.posts).toEqual(['mute', 'unmute', 'mute']);
});
