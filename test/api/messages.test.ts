import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { liveWorkflowIdOf, muteLockIdOf, muteOnEntryIdOf, WORKFLOW, workflowIdOf } from '../../src/index.ts';
import {
  callEndedSignal,
  callEstablishedSignal,
  extendMuteLockSignal,
  extendMuteOnEntrySignal,
  keepMutedQuery,
  labelSignal,
  liveCallQuery,
  muteOnEntryQuery,
  operationQuery,
  policyQuery,
  releaseSignal,
  rosterUpdatedSignal,
  supersedeSignal,
  watchSignal,
  type keepMuted,
  type liveCall,
  type mute,
  type muteOnEntry,
} from '../../src/workflows/index.ts';
import { Service, undecided, type TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';

/**
 * Temporal's own client, without ours: it starts the workflows by their types, and signals and queries them by the
 * constants of `call-moderation/workflows`.
 */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

const started = (workflowId: string) => ({ workflowId, taskQueue: service.taskQueue });

/** A mute that no notification and no read confirms. */
async function startMute(call: TestCall) {
  const handle = await service.client.workflow.start<typeof mute>(WORKFLOW.mute, {
    ...started(workflowIdOf(call.id)),
    args: [{ callId: call.id }],
  });
  await until(
    async () => await handle.query(operationQuery),
    ({ phase }) => phase === 'confirming',
  );
  return handle;
}

test.concurrent('an operation is confirmed by a signalled roster', async () => {
  const call = service.call({ faults: undecided });
  const handle = await startMute(call);
  await handle.signal(watchSignal, { wishedAt: Date.now() });
  expect(await handle.query(operationQuery)).toMatchObject({ action: 'mute', participantId: call.participantId });
  const participants = [{ id: call.participantId, isMuted: true, sequence: 99 }];
  await handle.signal(rosterUpdatedSignal, { participants, full: true });
  expect(await handle.result()).toMatchObject({ action: 'mute', confirmedBy: 'notification' });
});

test.concurrent('an operation is superseded, and ends with its call', async () => {
  const call = service.call({ faults: undecided });
  const handle = await startMute(call);
  await handle.signal(supersedeSignal, { action: 'unmute', request: { callId: call.id } });
  const newest = service.client.workflow.getHandle(call.workflowId);
  await until(
    async () => await newest.query(operationQuery),
    ({ action }) => action === 'unmute',
  );
  await newest.signal(callEndedSignal, { code: 200 });
  await expect(newest.result()).rejects.toMatchObject({ cause: { type: 'CallEnded', details: [{ code: '200' }] } });
});

test.concurrent('a mute lock gets new terms, and is released', async () => {
  const call = service.call();
  const handle = await service.client.workflow.start<typeof keepMuted>(WORKFLOW.keepMuted, {
    ...started(muteLockIdOf(call.id)),
    args: [{ callId: call.id, forSeconds: 600 }],
  });
  await until(
    async () => await handle.query(keepMutedQuery),
    ({ phase }) => phase === 'keepingMuted',
  );
  await handle.signal(extendMuteLockSignal, { enforce: false, forSeconds: 60 });
  expect(await handle.query(keepMutedQuery)).toMatchObject({ enforce: false });
  await handle.signal(releaseSignal);
  expect(await handle.result()).toMatchObject({ endedBy: 'released' });
  expect(call.posts).toEqual(['mute', 'unmute']);
});

test.concurrent('a mute on entry gets new terms, and is released', async () => {
  const call = service.call();
  const handle = await service.client.workflow.start<typeof muteOnEntry>(WORKFLOW.muteOnEntry, {
    ...started(muteOnEntryIdOf(call.id)),
    args: [{ callId: call.id }],
  });
  const chair = randomUUID();
  await handle.signal(extendMuteOnEntrySignal, { except: [chair] });
  expect(await handle.query(muteOnEntryQuery)).toMatchObject({ except: [chair] });
  await handle.signal(releaseSignal, { wishedAt: Date.now() });
  expect(await handle.result()).toMatchObject({ endedBy: 'released' });
});

test.concurrent('an active call is established, labelled, and ends', async () => {
  const callId = randomUUID();
  const handle = await service.client.workflow.start<typeof liveCall>(WORKFLOW.liveCall, {
    ...started(liveWorkflowIdOf(callId)),
    args: [{ callId }],
  });
  await handle.signal(callEstablishedSignal);
  await handle.signal(labelSignal, { add: ['sales'] });
  expect(await handle.query(liveCallQuery)).toMatchObject({ state: 'established', labels: ['sales'] });
  await handle.signal(callEndedSignal);
  expect(await handle.query(liveCallQuery)).toMatchObject({ state: 'terminated', endedBy: 'notification' });
});

test.concurrent('a run of a policy reports', async () => {
  const call = service.call();
  const id = `raw-${randomUUID()}`;
  const { policies } = service.moderation;
  await policies.create({ id, action: 'mute', target: { calls: [call.id] }, when: { once: '2099-01-01' } });
  await policies.trigger(id);
  const { lastRun } = await until(
    async () => await policies.describe(id),
    (policy) => policy.lastRun !== undefined,
  );
  const run = service.client.workflow.getHandle(lastRun?.workflowId ?? '');
  await run.result();
  expect(await run.query(policyQuery)).toMatchObject({ policyId: id, confirmed: [call.id] });
  await policies.delete(id);
});
