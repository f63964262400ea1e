import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { MuteLockHandle } from '../../src/client/standing/mute-locks.ts';
import { liveWorkflowIdOf, workflowIdOf } from '../../src/contract/call-id.ts';
import { muteLockIdOf } from '../../src/contract/mute-lock.ts';
import { SIGNAL } from '../../src/contract/names.ts';
import { startDevServer, type DevServer } from '../../src/temporal/dev-server.ts';
import { deliverTo } from '../../src/webhook/delivery/signal-workflows.ts';
import { Service, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/**
 * What lasts on a Temporal server whose limits are small: there a run that never continues as new dies within a test and
 * not after days. Temporal's own limits are 51,200 events and 10,000 signals a run, and it suggests to continue as new at
 * 4,096 events.
 */
const LIMITS = {
  'limit.historyCount.error': 1_000,
  'limit.historyCount.warn': 900,
  'limit.historyCount.suggestContinueAsNew': 200,
  'history.maximumSignalsPerExecution': 100,
};

let temporal: DevServer;
let service: Service;
beforeAll(async () => {
  temporal = await startDevServer({ cli: inject('temporalCli'), port: 0, uiPort: 0, dynamicConfig: LIMITS });
  service = await Service.start({ TEMPORAL_ADDRESS: temporal.address });
});
afterAll(async () => {
  await service.stop();
  await temporal.stop();
});

async function shapeOf(workflowId: string) {
  const { runId, status, historyLength } = await service.client.workflow.getHandle(workflowId).describe();
  return { runId, status: status.name, events: historyLength };
}

async function holding(call: TestCall): Promise<MuteLockHandle> {
  const hold = await service.moderation.keepMuted({ callId: call.id });
  await until(
    async () => await hold.status(),
    ({ phase }) => phase === 'keepingMuted',
  );
  return hold;
}

/** More rosters than one run may take. A signal that a run refuses is sent again, as Graph does. */
async function sendRosters(workflowId: string, participantId: string, count = 250): Promise<void> {
  const run = service.client.workflow.getHandle(workflowId);
  const roster = { participants: [{ id: participantId, isMuted: true }], full: true };
  for (let sent = 0; sent < count; sent += 1) {
    await until(
      async () =>
        await run.signal(SIGNAL.rosterUpdated, roster).then(
          () => true,
          () => false,
        ),
      (isTaken) => isTaken,
      10_000,
    );
  }
}

describe.concurrent('a mute lock takes signals without end and continues as new', () => {
  test('while Graph refuses its unmute, and is released when Graph no longer does', { timeout: 120_000 }, async () => {
    const call = service.call({
      faults: { requests: [{ on: 'unmute', answer: { status: 403, code: '7504' }, times: 'forever' }] },
    });
    const hold = await holding(call);
    await hold.release();
    await until(
      async () => await hold.status(),
      ({ phase }) => phase === 'unmuting',
    );
    const before = await shapeOf(hold.workflowId);
    await sendRosters(hold.workflowId, call.participantId);
    expect((await shapeOf(hold.workflowId)).runId).not.toBe(before.runId);
    service.graph.setFaults(call.id, {});
    await hold.release();
    expect(await hold.result()).toMatchObject({ endedBy: 'released' });
    expect(call.self.serverMuted).toBe(false);
  });

  test('while it waits for its own mute', { timeout: 120_000 }, async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 6_000 }] } });
    const hold = await service.moderation.keepMuted({ callId: call.id });
    await call.untilAsked('mute');
    const before = await shapeOf(hold.workflowId);
    await sendRosters(hold.workflowId, call.participantId);
    expect((await shapeOf(hold.workflowId)).runId).not.toBe(before.runId);
    await until(
      async () => await hold.status(),
      ({ phase }) => phase === 'keepingMuted',
    );
    await hold.release();
    expect(await hold.result()).toMatchObject({ endedBy: 'released' });
    expect(call.posts).toEqual(['mute', 'unmute']);
  });
});

test('a mute lock asks at growing intervals for an operation that stands still', { timeout: 120_000 }, async () => {
  const call = service.call();
  const hold = await holding(call);
  const workflowId = workflowIdOf(call.id);
  const stuck = await service.client.workflow.start('mute', {
    workflowId,
    taskQueue: `nobody-${randomUUID()}`,
    args: [{ callId: call.id }],
  });
  await service.graph.setParticipant(call.id, call.participantId, { serverMuted: false });
  const before = await shapeOf(muteLockIdOf(call.id));
  await sleep(40_000);
  const after = await shapeOf(muteLockIdOf(call.id));
  expect(after).toMatchObject({ status: 'RUNNING', runId: before.runId });
  // It was 16 events a second.
  expect(after.events - before.events).toBeLessThan(120);
  await stuck.terminate();
  await call.untilAsked('mute', 2);
  await hold.release();
  expect(await hold.result()).toMatchObject({ endedBy: 'released' });
});

test('the webhook takes the rosters of a call whose operation stands still and takes no more signals', async () => {
  const call = service.call();
  const workflowId = workflowIdOf(call.id);
  const taskQueue = `nobody-${randomUUID()}`;
  const stuck = await service.client.workflow.start('mute', { workflowId, taskQueue, args: [{ callId: call.id }] });
  const roster = { participants: [{ id: call.participantId, isMuted: true }], full: true };
  for (let sent = 0; sent < 100; sent += 1) await stuck.signal(SIGNAL.rosterUpdated, roster);
  await expect(stuck.signal(SIGNAL.rosterUpdated, roster)).rejects.toThrow();
  await service.graph.setParticipant(call.id, call.participantId, { clientMuted: true });
  await call.until(() => call.rosters.some(({ status }) => status !== undefined));
  expect(call.rosters.map(({ status }) => status)).toEqual([202]);
  await stuck.terminate();
});

test('the webhook takes what tells of a live call that stands still and takes no more signals', async () => {
  const { id: callId } = service.call();
  const deliver = deliverTo(service.client, `nobody-${randomUUID()}`);
  const established = { kind: 'callEstablished', callId, payload: {} } as const;
  const fates: string[] = [];
  for (let sent = 0; sent <= 100; sent += 1) fates.push(await deliver(established, Date.now() + 5_000));
  expect([fates[0], fates.at(-1)]).toEqual(['handed-over', 'refused']);
  // The operation counts, of which there is none.
  const ended = { kind: 'callEnded', callId, payload: {} } as const;
  expect(await deliver(ended, Date.now() + 5_000)).toBe('no-operation');
  await service.client.workflow.getHandle(liveWorkflowIdOf(callId)).terminate();
});
