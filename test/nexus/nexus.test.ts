import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import { costOf } from '../../bench/counts.ts';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { WORKFLOW } from '../../src/contract/names.ts';
import { muteLockIdOf } from '../../src/contract/mute-lock.ts';
import { policyPriority } from '../../src/contract/priority.ts';
import type { Finding } from '../../src/doctor/check.ts';
import { examine } from '../../src/doctor/doctor.ts';
import { BIN, Command, killCommands, type Ended } from '../support/command-kit.ts';
import { Team, type Language } from './team.ts';
import { until } from '../support/until.ts';
import { Service, undecided, untilPhase } from '../support/service.ts';

/** Workflows of another team, in a namespace of their own, which call the service over Nexus. */

const endpoint = `moderation-${randomUUID()}`;
const languages: Language[] = ['TypeScript', 'Python'];

let service: Service;
let team: Team;
const works = new Map<Language, boolean>();
beforeAll(async () => {
  service = await Service.start({ MODERATION_NEXUS_ENDPOINT: endpoint });
  team = await Team.start(endpoint, service.taskQueue);
  for (const language of languages) works.set(language, await team.work(language));
});
afterAll(async () => {
  await killCommands();
  await team.stop();
  await service.stop();
});

describe.each(languages)('a caller in %s', (language) => {
  const needs = ({ skip }: TestContext): void => skip(works.get(language) !== true, `no ${language}`);
  const call = async (...args: Parameters<Team['call']> extends [unknown, ...infer Rest] ? Rest : never) =>
    await team.call(language, ...args);
  const ended = async (...args: Parameters<typeof call>) => await team.ended(language, ...args);

  test('has its mute and unmute confirmed', async (context) => {
    needs(context);
    const { id: callId, participantId } = service.call();
    const muted = { callId, action: 'mute', isMuted: true, participantId };
    expect(await ended('mute', { callId, requestedBy: 'team' })).toMatchObject({ result: muted });
    expect(await ended('unmute', { callId })).toMatchObject({ result: { action: 'unmute', isMuted: false } });
    expect((await service.moderation.getLatestOperation(callId))?.record).toMatchObject({
      action: 'unmute',
      outcome: 'Confirmed',
    });
  });

  test('receives failures with their type and details', async (context) => {
    needs(context);
    const callId = randomUUID();
    expect(await ended('mute', { callId })).toMatchObject({ type: 'CallNotFound', details: { callId, status: 404 } });
    const issues = [expect.stringContaining('callId')];
    expect(await ended('mute', { callId: 'no call' })).toMatchObject({ type: 'InvalidRequest', details: { issues } });
    expect(await ended('status', { callId: 'no call' })).toMatchObject({ type: 'InvalidRequest', details: { issues } });
    expect(await ended('keepMuted', { callId, enforce: false })).toMatchObject({
      type: 'InvalidRequest',
      details: { issues: [expect.stringContaining('enforce')] },
    });
    expect(await ended('muteFor', { callId })).toMatchObject({
      type: 'InvalidRequest',
      details: { issues: [expect.stringContaining('forSeconds')] },
    });
    expect(await ended('release', { callId, tenantId: 'contoso.com' })).toMatchObject({
      type: 'InvalidRequest',
      details: { issues: [expect.stringContaining('tenantId')] },
    });
  });

  test('cancels its mute, and the call is put back', async (context) => {
    needs(context);
    const call1 = service.call({ faults: undecided });
    const caller = await call('mute', { callId: call1.id });
    await call1.untilAsked('mute');
    await caller.cancel();
    await call1.untilAsked('unmute');
    service.graph.setFaults(call1.id, {});
    expect(await caller.result()).toMatchObject({ cancelled: true });
    expect(call1.self.isMuted).toBe(false);
    expect((await service.moderation.getLatestOperation(call1.id))?.record.outcome).toBe('Cancelled');
  });

  test('joins a running mute, and a cancellation lets go of it', async (context) => {
    needs(context);
    const call1 = service.call({ faults: undecided });
    const first = await service.moderation.mute({ callId: call1.id, clientContext: 'first' });
    await untilPhase(first, 'confirming');
    const [joined, letGo] = [await call('mute', { callId: call1.id }), await call('mute', { callId: call1.id })];
    await signalled(first, 'watch', 2);
    await letGo.cancel();
    expect(await letGo.result()).toMatchObject({ cancelled: true });
    service.graph.setFaults(call1.id, {});
    expect(await joined.result()).toMatchObject({ result: { clientContext: 'first' } });
    expect(await first.result()).toMatchObject({ isMuted: true });
    expect(call1.posts).toEqual(['mute']);
  });

  test('is superseded, and supersedes', async (context) => {
    needs(context);
    const [first, second] = [service.call({ faults: undecided }), service.call({ faults: undecided })];
    const superseded = await call('mute', { callId: first.id });
    await first.untilAsked('mute');
    const unmute = await service.moderation.unmute({ callId: first.id });
    expect(await superseded.result()).toMatchObject({ type: 'Superseded', details: { callId: first.id } });
    const mute = await service.moderation.mute({ callId: second.id });
    await untilPhase(mute, 'confirming');
    const superseding = await call('unmute', { callId: second.id });
    await expect(mute.result()).rejects.toMatchObject({ type: 'Superseded' });
    for (const { id } of [first, second]) service.graph.setFaults(id, {});
    expect(await superseding.result()).toMatchObject({ result: { action: 'unmute', isMuted: false } });
    expect(await unmute.result()).toMatchObject({ isMuted: false });
  });

  test('cancels an unmute that supersedes, once that has its run', async (context) => {
    needs(context);
    const call1 = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 2_000 }] } });
    const callId = call1.id;
    const mute = await service.moderation.mute({ callId });
    await call1.untilAsked('mute');
    const caller = await call('unmute', { callId });
    await signalled(mute, 'supersede', 1);
    await caller.cancel();
    expect(await caller.result()).toMatchObject({ cancelled: true });
    await expect(mute.result()).rejects.toMatchObject({ type: 'Superseded' });
    expect((await service.moderation.getLatestOperation(callId))?.record).toMatchObject({
      action: 'unmute',
      outcome: 'Cancelled',
    });
    expect(call1.self.isMuted).toBe(false);
  });

  test('waits durably for what runs, with onConflict queue', async (context) => {
    needs(context);
    const call1 = service.call({ faults: undecided });
    const callId = call1.id;
    const mute = await service.moderation.mute({ callId });
    await untilPhase(mute, 'confirming');
    expect(await ended('unmute', { callId, onConflict: 'reject' })).toMatchObject({ type: 'OperationInProgress' });
    const queued = await call('unmute', { callId, onConflict: 'queue' });
    await signalled(mute, 'watch', 1);
    service.graph.setFaults(callId, {});
    expect(await queued.result()).toMatchObject({ result: { action: 'unmute', isMuted: false } });
    expect(await mute.result()).toMatchObject({ isMuted: true });
  });

  test('keeps a call muted until a release, together with another caller', async (context) => {
    needs(context);
    const { id: callId } = service.call();
    const first = await call('keepMuted', { callId });
    await untilLocked(callId);
    const second = await call('keepMuted', { callId, forSeconds: 3_600 });
    await expect
      .poll(async () => (await (await service.moderation.getMuteLock(callId))?.status())?.until)
      .toBeDefined();
    expect(await ended('keepMuted', { callId, onConflict: 'reject' })).toMatchObject({ type: 'OperationInProgress' });
    const status = await ended('status', { callId });
    expect(status).toMatchObject({
      result: { callId, operation: { action: 'mute' }, muteLock: { phase: 'keepingMuted' } },
    });
    expect(await ended('release', { callId })).toMatchObject({ result: { callId, outcome: 'released' } });
    for (const caller of [first, second])
      expect(await caller.result()).toMatchObject({ result: { endedBy: 'released' } });
  });

  test('mutes for a time, and ends it early by a cancellation', async (context) => {
    needs(context);
    const [short, long] = [service.call(), service.call()];
    const timed = await call('muteFor', { callId: short.id, forSeconds: 1 });
    const cancelled = await call('muteFor', { callId: long.id, forSeconds: 3_600 });
    await untilLocked(long.id);
    await cancelled.cancel();
    expect(await cancelled.result()).toMatchObject({ cancelled: true });
    expect(long.posts).toEqual(['mute', 'unmute']);
    expect(await timed.result()).toMatchObject({ result: { callId: short.id, endedBy: 'expired' } });
    expect(short.self.isMuted).toBe(false);
  });

  test('mutes participants, and those who join', async (context) => {
    needs(context);
    const call1 = service.call();
    const callId = call1.id;
    expect(await ended('muteParticipants', { callId, target: 'others' })).toMatchObject({
      result: { target: 'others', isRosterComplete: true },
    });
    expect(await ended('mute', { callId, target: 'others' })).toMatchObject({ type: 'InvalidRequest' });
    const entry = await call('muteOnEntry', { callId });
    await expect.poll(async () => (await service.moderation.getMuteOnEntry(callId)) !== undefined).toBe(true);
    expect(await ended('release', { callId })).toMatchObject({ result: { muteOnEntry: 'ended' } });
    expect(await entry.result()).toMatchObject({ result: { endedBy: 'released' } });
  });
});

async function untilLocked(callId: string): Promise<void> {
  const phase = async () => (await (await service.moderation.getMuteLock(callId))?.status())?.phase;
  await expect.poll(phase, { timeout: 45_000, interval: 50 }).toBe('keepingMuted');
}

/** Until the run of an operation was signalled so often. */
async function signalled(operation: OperationHandle, name: string, times: number): Promise<void> {
  const { handle } = await operation.run();
  const signals = async (): Promise<number> => {
    const events = (await handle.fetchHistory()).events ?? [];
    return events.filter((event) => event.workflowExecutionSignaledEventAttributes?.signalName === name).length;
  };
  await expect.poll(signals, { timeout: 30_000, interval: 50 }).toBe(times);
}

test('the Python example of the documents mutes a call', async ({ skip }) => {
  skip(works.get('Python') !== true, 'no Python');
  const [call, callId] = [service.call(), randomUUID()];
  const run = async (id: string): Promise<unknown> =>
    await team.client.workflow.execute('MuteTheCall', { workflowId: randomUUID(), taskQueue: 'Python', args: [id] });
  await run(call.id);
  expect(call.self.isMuted).toBe(true);
  await expect(run(callId)).rejects.toMatchObject({ cause: { cause: { type: 'CallNotFound' } } });
});

/** A lock and its successor have one workflow ID: that of the call. */
test('a cancellation that comes late ends no newer mute lock', async () => {
  const { id: callId } = service.call();
  const caller = await team.call('TypeScript', 'keepMuted', { callId });
  await untilLocked(callId);
  // The cancellation is on its way, and nobody takes it until the lock has ended and another one runs.
  await service.stopWorker();
  await caller.cancel();
  await expect
    .poll(async () => {
      const { events } = await caller.fetchHistory();
      return (events ?? []).some((event) => event.nexusOperationCancelRequestedEventAttributes);
    })
    .toBe(true);
  await service.client.workflow.getHandle(muteLockIdOf(callId)).terminate();
  const newer = await service.moderation.keepMuted({ callId });
  expect(newer.attached).toBe(false);
  await service.startWorker();
  await expect(caller.result()).rejects.toThrow();
  await untilLocked(callId);
  // It comes after the cancellation, which has waited for longer.
  expect(await team.ended('TypeScript', 'status', { callId })).toMatchObject({ result: { callId } });
  const { raw } = await service.client.workflow.getHandle(muteLockIdOf(callId)).describe();
  expect(raw.workflowExtendedInfo?.cancelRequested).toBeFalsy();
  await newer.release();
  await newer.result();
});

test('a cancellation by a caller who has joined a mute lock ends it for all', async () => {
  const call = service.call();
  const { id: callId } = call;
  const first = await team.call('TypeScript', 'keepMuted', { callId });
  await untilLocked(callId);
  const attached = await team.call('TypeScript', 'keepMuted', { callId, forSeconds: 3_600 });
  const lock = service.client.workflow.getHandle(muteLockIdOf(callId));
  const until3600 = async () => (await (await service.moderation.getMuteLock(callId))?.status())?.until;
  await expect.poll(until3600).toBeDefined();
  await attached.cancel();
  expect(await attached.result()).toMatchObject({ cancelled: true });
  expect(await first.result()).toMatchObject({ cancelled: true });
  expect((await lock.describe()).status.name).toBe('CANCELLED');
  expect(call.self.isMuted).toBe(false);
});

test('an order has the priority of what it orders, and the tenant as its fairness key', async () => {
  const tenantId = randomUUID();
  const call = service.call({ faults: undecided });
  const { id: callId } = call;
  // The run of a policy, which waits behind everything else.
  await service.client.workflow.start('mute', {
    workflowId: call.workflowId,
    taskQueue: service.taskQueue,
    args: [{ callId, tenantId }],
    priority: policyPriority('mute', tenantId),
  });
  await call.untilAsked('mute');
  const muted = await team.call('TypeScript', 'mute', { callId, tenantId });
  const priorityOf = async (workflowId: string): Promise<unknown> =>
    (await service.client.workflow.getHandle(workflowId).describe()).priority;
  // It has joined that run, which is urgent from then on.
  await expect.poll(async () => await priorityOf(call.workflowId)).toMatchObject({ priorityKey: 2 });
  service.graph.setFaults(callId, {});
  expect(await muted.result()).toMatchObject({ result: { isMuted: true } });
  expect(await team.ended('TypeScript', 'unmute', { callId, tenantId })).toMatchObject({ result: { isMuted: false } });
  expect(await priorityOf(call.workflowId)).toMatchObject({ priorityKey: 1, fairnessKey: tenantId });
  const orders = await until(
    async () => await listed(`WorkflowType = '${WORKFLOW.nexusOrder}' AND ModerationCallId = '${callId}'`),
    (found) => found.length === 2,
  );
  const found = await Promise.all(orders.map(priorityOf));
  const keys = found.map((priority) => priority as { priorityKey?: number; fairnessKey?: string });
  expect(new Set(keys.map(({ priorityKey }) => priorityKey))).toEqual(new Set([1, 2]));
  for (const { fairnessKey } of keys) expect(fairnessKey).toBe(tenantId);
});

/** The workflow that stands between a Nexus caller and an operation, beside what the operation itself costs. */
const ORDER = {
  workflowTasks: 4,
  activityTasks: 2,
  localActivities: 0,
  timers: 1,
  signals: 1,
  upserts: 0,
  billableActions: 5,
};

test('a mute costs one small workflow beside the operation', async () => {
  const { id: callId } = service.call();
  expect(await team.ended('TypeScript', 'mute', { callId })).toMatchObject({ result: { isMuted: true } });
  const query = `WorkflowType = '${WORKFLOW.nexusOrder}' AND ModerationCallId = '${callId}'`;
  const [order] = await until(
    async () => await listed(query),
    (found) => found.length > 0,
  );
  const { events } = await service.client.workflow.getHandle(order ?? '').fetchHistory();
  expect(costOf(events ?? [])).toMatchObject(ORDER);
});

async function listed(query: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { workflowId } of service.client.workflow.list({ query })) found.push(workflowId);
  return found;
}

test.each([undefined, 'x', {}, { operation: 'list' }, { operation: 'mute', input: [] }, { refusal: { type: 1 } }])(
  'an order that no handler made fails: %j',
  async (given) => {
    const { client, taskQueue } = service;
    const workflowId = `call-moderation/nexus/${randomUUID()}`;
    const started = client.workflow.execute(WORKFLOW.nexusOrder, { workflowId, taskQueue, args: [given] });
    await expect(started).rejects.toMatchObject({ cause: { type: 'InvalidRequest' } });
  },
);

describe('the endpoint', () => {
  const run = async (args: readonly string[], env = service.env): Promise<Ended> =>
    await new Command(BIN, args, env).ended;

  test('is created by setup once, and never turned to other workers', async () => {
    const name = `moderation-${randomUUID()}`;
    const { env, taskQueue } = service;
    const created = await run(['setup', '--nexus-endpoint', name, '--json']);
    const nexusEndpoint = { name, namespace: 'default', taskQueue };
    expect(JSON.parse(created.stdout)).toMatchObject({ nexusEndpoint: { ...nexusEndpoint, created: true } });
    const again = await run(['setup', '--nexus-endpoint', name]);
    expect(again).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`Nexus endpoint ${name} is there already`),
    });
    const elsewhere = await run(['setup', '--nexus-endpoint', name], { ...env, MODERATION_TASK_QUEUE: 'another' });
    expect(elsewhere.code).toBe(1);
    expect(elsewhere.stderr).toContain(
      `leads to task queue ${taskQueue} of namespace default, and not to another of default`,
    );
    expect((await run(['setup', '--nexus-endpoint', 'no_name'])).code).toBe(2);
  });

  test('is checked by the doctor, if the workers serve Nexus', async () => {
    const nexus = async (overrides: Environment): Promise<Finding | undefined> =>
      (await examine({ ...service.env, ...overrides }, { webhookUrl: service.callbackUrl })).find(
        ({ check }) => check === 'nexus',
      );
    expect(await nexus({})).toMatchObject({ state: 'ok', said: expect.stringContaining(endpoint) });
    expect(await nexus({ MODERATION_NEXUS_ENDPOINT: undefined })).toBeUndefined();
    expect(await nexus({ MODERATION_NEXUS_ENDPOINT: 'nobody' })).toMatchObject({
      state: 'failed',
      remedy: expect.stringContaining('call-moderation setup --nexus-endpoint nobody'),
    });
    expect(await nexus({ MODERATION_TASK_QUEUE: 'another' })).toMatchObject({ state: 'failed' });
  });
});

test('the contract brings no client and no worker into a bundle', async () => {
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('./caller.ts', import.meta.url)),
    logger: new DefaultLogger('WARN'),
  });
  expect(code).toContain('/src/nexus/contract.ts');
  expect(code).not.toMatch(/\/src\/(client|activities|graph|config|worker)\b/);
});
