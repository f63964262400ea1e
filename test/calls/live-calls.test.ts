import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { ModerationError } from '../../src/client/errors.ts';
import type { CallFilter, CallRecord } from '../../src/client/calls/calls.ts';
import { liveWorkflowIdOf } from '../../src/contract/call-id.ts';
import type { LiveCallStatus } from '../../src/contract/live-call.ts';
import { LIVE_CALL_SIGNAL } from '../../src/contract/names.ts';
import { loadWebhookConfig } from '../../src/config/webhook.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { startWebhook } from '../../src/webhook.ts';
import { BIN, Command } from '../support/command-kit.ts';
import { log, Service, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/** The calls that are alive, as the webhook makes them known, and as Graph is read where it does not. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

/** Tells of the call itself, as Graph does; resolves when the webhook has answered. */
async function tell(call: TestCall, state: 'established' | 'terminated'): Promise<void> {
  if (state === 'terminated') await service.graph.endCall(call.id);
  else await service.graph.setCallState(call.id, state);
}

async function listed(filter: CallFilter = {}): Promise<CallRecord[]> {
  const records: CallRecord[] = [];
  for await (const record of service.moderation.calls.list(filter)) records.push(record);
  return records;
}

async function stateOf({ id }: TestCall): Promise<LiveCallStatus | undefined> {
  return await service.moderation.calls.get(id);
}

async function untilListed(
  call: TestCall,
  isListed: boolean,
  filter: CallFilter = {},
): Promise<CallRecord | undefined> {
  const find = async () => (await listed(filter)).find(({ callId }) => callId === call.id);
  return await until(find, (record) => (record !== undefined) === isListed);
}

describe.concurrent('a live call', () => {
  test('is known from established to terminated, with its tenant', async () => {
    const call = service.call();
    expect(await stateOf(call)).toBeUndefined();
    await tell(call, 'established');
    const record = await untilListed(call, true);
    const { tenantId } = record ?? {};
    expect(tenantId).toMatch(/^[0-9a-f-]{36}$/);
    expect(record).toMatchObject({ state: 'established', labels: [], workflowId: `${call.workflowId}/live` });
    expect((await listed({ tenantId: tenantId ?? '' })).map(({ callId }) => callId)).toContain(call.id);
    expect((await listed({ tenantId: randomUUID() })).map(({ callId }) => callId)).not.toContain(call.id);
    await tell(call, 'terminated');
    await untilListed(call, false);
    expect(await stateOf(call)).toMatchObject({ state: 'terminated', endedBy: 'notification' });
  });

  test('hears nothing of rosters', async () => {
    const call = service.call();
    await tell(call, 'established');
    await until(
      () => stateOf(call),
      (status) => status?.state === 'established',
    );
    const handle = service.client.workflow.getHandle(liveWorkflowIdOf(call.id));
    // Its one activity, what policies want of it, is done.
    const isStill = (d: WorkflowExecutionDescription): boolean =>
      d.historyLength > 8 && (d.raw.pendingActivities ?? []).length === 0 && !d.raw.pendingWorkflowTask;
    const { historyLength: before } = await until(async () => await handle.describe(), isStill);
    for (let i = 0; i < 5; i += 1) await service.graph.addParticipants(call.id, 1);
    await service.graph.settled();
    expect(call.rosters.length).toBeGreaterThanOrEqual(5);
    expect((await handle.describe()).historyLength).toBe(before);
  });

  test('that is told of twice is one', async () => {
    const call = service.call();
    await tell(call, 'established');
    await tell(call, 'established');
    await untilListed(call, true);
    expect((await listed()).filter(({ callId }) => callId === call.id)).toHaveLength(1);
    await tell(call, 'terminated');
    await service.graph.notify(call.id, { kind: 'call' });
    await untilListed(call, false);
    expect(await stateOf(call)).toMatchObject({ state: 'terminated' });
  });

  test('whose established comes after its terminated has ended', async () => {
    const call = service.call();
    service.graph.setFaults(call.id, { notifications: [{ on: 'call', delayMs: 1_500 }] });
    const late = tell(call, 'established');
    await tell(call, 'terminated');
    await until(
      () => stateOf(call),
      (status) => status?.state === 'terminated',
    );
    await late;
    await service.graph.settled();
    const told = call.log.filter((entry) => entry.type === 'notification' && entry.kind === 'call');
    expect(told.map((entry) => 'status' in entry && entry.status)).toEqual([202, 202]);
    expect(await stateOf(call)).toMatchObject({ state: 'terminated', endedBy: 'notification' });
    expect((await listed()).map(({ callId }) => callId)).not.toContain(call.id);
  });

  test('whose terminated was lost is found out by a read', async () => {
    const call = service.call({ faults: { notifications: [{ on: 'call', skip: 1, drop: true, times: 'forever' }] } });
    await tell(call, 'established');
    await untilListed(call, true);
    await tell(call, 'terminated');
    expect(await stateOf(call)).toMatchObject({ state: 'established' });
    const status = await until(
      () => stateOf(call),
      (now) => now?.state === 'terminated',
      30_000,
    );
    expect(status).toMatchObject({ endedBy: 'read' });
    await untilListed(call, false);
  });

  test('is read for its state, and stays where Graph does not answer', { timeout: 90_000 }, async () => {
    const call = service.call({ faults: { requests: [{ on: 'getCall', answer: { status: 403 } }] } });
    await tell(call, 'established');
    await until(
      async () => call.requests.length,
      (requests) => requests > 0,
      30_000,
    );
    expect(call.requests.map(({ name }) => name)).toEqual(['getCall']);
    await service.graph.settled();
    expect(await stateOf(call)).toMatchObject({ state: 'established', reads: 0 });
  });

  test('has labels, set before or after it is established, by which it is listed', async () => {
    const label = `test-${randomUUID()}`;
    const call = service.call({ state: 'establishing' });
    await service.moderation.calls.label(call.id, { add: [label, 'other'] });
    await untilListed(call, true, { label, state: 'establishing' });
    expect(await listed({ label })).toEqual([]);
    await tell(call, 'established');
    expect(await untilListed(call, true, { label })).toMatchObject({ labels: [label, 'other'], state: 'established' });
    await service.moderation.calls.label(call.id, { add: ['third'], remove: [label] });
    await untilListed(call, false, { label });
    expect(await stateOf(call)).toMatchObject({ labels: ['other', 'third'] });
  });

  test('refuses invalid labels and filters, with the reason', async () => {
    const label = service.moderation.calls.label('a call', { add: ['no spaces'], tenantId: '?' });
    const error: unknown = await label.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ModerationError);
    expect(error).toMatchObject({ type: 'InvalidRequest', details: { issues: { length: 3 } } });
    await expect(service.moderation.calls.label('a-call', {})).rejects.toThrow('at least one label');
    await expect(listed({ label: "'" })).rejects.toThrow('label must be');
  });

  test('takes wrong signals without harm', async () => {
    const call = service.call();
    await tell(call, 'established');
    const handle = service.client.workflow.getHandle(liveWorkflowIdOf(call.id));
    for (const name of Object.values(LIVE_CALL_SIGNAL)) await handle.signal(name, 17);
    await handle.signal(LIVE_CALL_SIGNAL.label, { add: ['ok', 'not ok'] });
    await handle.signal(LIVE_CALL_SIGNAL.callEstablished, { tenantId: {} });
    await service.moderation.calls.label(call.id, { add: ['fine'] });
    const status = await until(
      () => stateOf(call),
      (now) => now?.labels.length === 1,
    );
    expect(status).toMatchObject({ state: 'established', labels: ['fine'] });
  });

  test.each([
    ['another input', 'x', { call: 'y' }],
    ['another ID', 'x', { callId: 'another' }],
  ])('refuses %s', async (_what, id, input) => {
    const workflowId = `call-moderation/${id}-${randomUUID()}/live`;
    const run = service.client.workflow.execute('liveCall', {
      workflowId,
      taskQueue: service.taskQueue,
      args: [input],
    });
    await expect(run).rejects.toMatchObject({ cause: { type: 'InvalidRequest' } });
  });
});

test('continues as new under a stream of signals, and loses none', { timeout: 120_000 }, async () => {
  const call = service.call();
  await tell(call, 'established');
  const handle = service.client.workflow.getHandle(liveWorkflowIdOf(call.id));
  const first = (await handle.describe()).runId;
  await service.moderation.calls.label(call.id, { add: ['kept'] });
  const rounds = 60;
  for (let round = 0; round < rounds; round += 1) {
    // Each leaves one label behind that only its own successor takes off: a lost one would show at the end.
    const signals = Array.from({ length: 12 }, async (_, i) => {
      await handle.signal(LIVE_CALL_SIGNAL.label, { add: [`s${i}-${round}`], remove: [`s${i}-${round - 1}`] });
    });
    await Promise.all(signals);
  }
  const last = Array.from({ length: 12 }, (_, i) => `s${i}-${rounds - 1}`);
  const status = await until(
    () => stateOf(call),
    (now) => last.every((label) => now?.labels.includes(label)),
  );
  expect([...(status?.labels ?? [])].toSorted()).toEqual(['kept', ...last].toSorted());
  expect(status?.state).toBe('established');
  expect((await handle.describe()).runId).not.toBe(first);
  expect(await untilListed(call, true, { label: last[0] ?? '' })).toMatchObject({ state: 'established' });
});

test('that a call is established is answered 503 while Temporal cannot be reached', async () => {
  const config = loadWebhookConfig({ ...service.env, TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}` });
  const webhook = await startWebhook({ config, log });
  try {
    const call = service.call({ callbackUri: webhook.callbackUrl });
    tell(call, 'established').catch(() => undefined);
    const first = () => call.log.find((entry) => entry.type === 'notification');
    await call.until(() => first()?.status !== undefined);
    expect(first()).toMatchObject({ kind: 'call', status: 503 });
  } finally {
    await webhook.stop();
  }
});

test('the commands list and label', async () => {
  const label = `cli-${randomUUID()}`;
  const call = service.call();
  await tell(call, 'established');
  const run = async (...args: string[]) => await new Command(BIN, args, service.env).ended;
  const labelled = await run('label', call.id, '--add', label, '--add', 'vip', '--json');
  expect(labelled).toMatchObject({ code: 0 });
  expect(JSON.parse(labelled.stdout)).toEqual({ callId: call.id, add: [label, 'vip'], remove: [] });
  await untilListed(call, true, { label });
  const shown = await run('calls', '--label', label, '--json');
  expect(shown.code).toBe(0);
  expect(JSON.parse(shown.stdout)).toEqual([
    expect.objectContaining({ callId: call.id, state: 'established', labels: [label, 'vip'] }),
  ]);
  const table = await run('calls', '--label', label);
  expect(table.stdout).toContain(call.id);
  expect(await run('label', call.id, '--add', 'not a label')).toMatchObject({ code: 2 });
});
