import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { workflowIdOf } from '../../src/contract/call-id.ts';
import { Service, untilPhase } from '../support/service.ts';

/** What the tab *Call Stack* of Temporal's UI asks. */
const CALL_STACK_QUERY = '__stack_trace';

let service: Service;

/** While an operation waits for the roster. */
async function callStack(): Promise<string> {
  const call = service.call({ faults: { notifications: [{ on: 'roster', drop: true, times: 'forever' }] } });
  const handle = await service.moderation.mute({ callId: call.id });
  await untilPhase(handle, 'confirming');
  const stack = await service.client.workflow.getHandle(call.workflowId).query<string>(CALL_STACK_QUERY);
  await handle.result();
  return stack;
}

/** Of the error that a run fails with, as its history has it. */
async function stackOfFailure(): Promise<string> {
  const callId = randomUUID();
  const { taskQueue } = service;
  const run = await service.client.workflow.start('mute', {
    workflowId: workflowIdOf(callId),
    taskQueue,
    args: [{ callId, confirmWithinSeconds: -1 }],
  });
  await expect(run.result()).rejects.toThrow(WorkflowFailedError);
  const { events } = await run.fetchHistory();
  const failed = events?.at(-1)?.workflowExecutionFailedEventAttributes;
  return failed?.failure?.stackTrace ?? '';
}

describe('as it is built', () => {
  beforeAll(async () => {
    service = await Service.start();
  });
  afterAll(async () => await service.stop());

  // If the SDK looks its stacks up in another way, this fails; see `quiet-promises.ts`.
  test('it records no stack of promises', async () => {
    expect(await callStack()).toBe('');
  });

  test('errors of workflows keep their stacks, mapped to the source', async () => {
    expect(await stackOfFailure()).toMatch(/src\/workflows\/[\w/-]+\.ts:\d+:\d+/);
  });
});

describe('with MODERATION_CALL_STACKS=true', () => {
  beforeAll(async () => {
    service = await Service.start({ MODERATION_CALL_STACKS: 'true' });
  });
  afterAll(async () => await service.stop());

  test('it records where a workflow waits', async () => {
    expect(await callStack()).toMatch(/src\/workflows\/operation\/self-mute\.ts:\d+:\d+/);
  });
});
