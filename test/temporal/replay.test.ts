import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { temporal } from '@temporalio/proto';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import { liveWorkflowIdOf } from '../../src/contract/call-id.ts';
import { eventWorkflowIdOf } from '../../src/contract/event.ts';
import { CANCELLED, FAILURE_TYPES } from '../../src/contract/failure.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { WORKFLOW } from '../../src/contract/names.ts';
import { VERSION } from '../../src/lib/version.ts';
import { EventReceiver } from '../support/event-receiver.ts';
import { triggered } from '../support/policy-run.ts';
import { Service, undecided, untilPhase } from '../support/service.ts';
import { until } from '../support/until.ts';

/**
 * Histories of operations, one for each way that an operation can take, and of the other workflows, kept in `test/histories/{version}` and replayed
 * with today's workflows: a change that would strand an operation that runs while a new version is deployed fails here.
 *
 * `RECORD=1 npx vitest run test/temporal/replay.test.ts` runs every way anew and writes the histories of this version. Those of
 * versions that were released are never written again.
 */

const FOLDER = fileURLToPath(new URL('../histories', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const isRecording = process.env['RECORD'] === '1';

async function files(): Promise<string[]> {
  const names = await readdir(FOLDER, { recursive: true }).catch(() => []);
  return names.filter((name) => name.endsWith('.json')).toSorted();
}

/** Under its own workflow ID, for the workflows check theirs. */
async function replay(history: temporal.api.history.v1.IHistory): Promise<void> {
  const { workflowId } = history.events?.[0]?.workflowExecutionStartedEventAttributes ?? {};
  const options = { workflowBundle: { codePath: inject('workflowBundle') } };
  await Worker.runReplayHistory(options, history, workflowId ?? undefined);
}

function closingOf({ events }: temporal.api.history.v1.IHistory): string {
  const last = events?.at(-1);
  const failure = last?.workflowExecutionFailedEventAttributes?.failure?.applicationFailureInfo?.type;
  if (failure !== undefined && failure !== null) return failure;
  if (last?.workflowExecutionCompletedEventAttributes) return 'Confirmed';
  if (last?.workflowExecutionCanceledEventAttributes) return CANCELLED;
  return last?.workflowExecutionContinuedAsNewEventAttributes ? 'Superseded' : 'open';
}

const untold: Faults = { notifications: [{ on: 'roster', drop: true, times: 'forever' }] };
const refusedRestore: Faults = { requests: [{ on: 'unmute', answer: { status: 403, code: '7503' } }], ...untold };

interface Way {
  name: string;
  closes: string;
  faults?: Faults;
  request?: object;
  /** What happens once the operation has begun. */
  meanwhile?: (handle: OperationHandle, service: Service) => Promise<void>;
  state?: 'establishing';
}

const ways: readonly Way[] = [
  { name: 'confirmed-by-notification', closes: 'Confirmed' },
  { name: 'confirmed-by-read', closes: 'Confirmed', faults: untold },
  {
    name: 'confirmed-after-throttling',
    closes: 'Confirmed',
    faults: { requests: [{ on: 'mute', answer: { status: 429, retryAfter: 1 } }] },
  },
  {
    name: 'confirmed-early',
    closes: 'Confirmed',
    faults: {
      requests: [{ on: 'mute', latencyMs: 500, effect: { afterMs: 0 } }],
      notifications: [{ on: 'roster', early: true }],
    },
  },
  {
    name: 'confirmed-after-throttled-read',
    closes: 'Confirmed',
    faults: { requests: [{ on: 'getCall', answer: { status: 429, retryAfter: 1 } }] },
  },
  { name: 'unconfirmed-restored', closes: 'Unconfirmed', faults: untold, request: { confirmWithinSeconds: 1 } },
  {
    name: 'unconfirmed-left',
    closes: 'Unconfirmed',
    faults: untold,
    request: { confirmWithinSeconds: 1, onUnconfirmed: 'leave' },
  },
  { name: 'restore-failed', closes: 'RestoreFailed', faults: refusedRestore, request: { confirmWithinSeconds: 1 } },
  {
    name: 'refused',
    closes: 'PermissionDenied',
    faults: { requests: [{ on: 'mute', answer: { status: 403, code: '7504' } }] },
  },
  {
    name: 'graph-unavailable',
    closes: 'GraphUnavailable',
    faults: { requests: [{ on: 'mute', answer: { status: 503, retryAfter: 600 } }] },
  },
  {
    name: 'not-found',
    closes: 'CallNotFound',
    faults: { requests: [{ on: 'getCall', answer: { status: 404, code: '8522' }, times: 'forever' }] },
  },
  { name: 'not-established', closes: 'CallNotEstablished', state: 'establishing' },
  {
    name: 'call-ended',
    closes: 'CallEnded',
    faults: untold,
    meanwhile: async (handle, { graph }) => {
      await untilPhase(handle, 'confirming');
      await graph.endCall(handle.callId);
    },
  },
  {
    name: 'cancelled-while-confirming',
    closes: CANCELLED,
    faults: untold,
    meanwhile: async (handle) => {
      await untilPhase(handle, 'confirming');
      await handle.cancel();
    },
  },
  {
    name: 'cancelled-while-reading',
    closes: CANCELLED,
    faults: { requests: [{ on: 'getCall', latencyMs: 1_500 }] },
    meanwhile: async (handle) => {
      await untilPhase(handle, 'reading');
      await handle.cancel();
    },
  },
  {
    name: 'superseded-while-requesting',
    closes: 'Superseded',
    faults: { requests: [{ on: 'mute', latencyMs: 1_000 }] },
    meanwhile: async (handle, { graph, moderation }) => {
      await until(
        async () => graph.log(handle.callId).some((entry) => entry.type === 'request' && entry.action === 'mute'),
        Boolean,
      );
      await (await moderation.unmute({ callId: handle.callId })).result();
    },
  },
];

/** The workflows beside the application's own operations. */
interface FakeNotification {
  name: string;
  closes: 'Confirmed' | typeof CANCELLED | 'open';
  /** The worker sends events. */
  withEvents?: boolean;
  /** Gives the ID of the workflow, once it has nothing more to do. */
  run: (service: Service) => Promise<string>;
}

const tales: readonly FakeNotification[] = [
  {
    name: 'others-muted',
    closes: 'Confirmed',
    run: async (service) => {
      const handle = await service.moderation.muteParticipants({ callId: service.call().id, target: 'others' });
      await handle.result();
      return handle.workflowId;
    },
  },
  {
    name: 'hold-released',
    closes: 'Confirmed',
    run: async (service) => {
      const hold = await service.moderation.keepMuted({ callId: service.call().id });
      await until(
        async () => await hold.status(),
        ({ phase }) => phase === 'keepingMuted',
      );
      await hold.release();
      await hold.result();
      return hold.workflowId;
    },
  },
  {
    name: 'pause-over',
    closes: 'Confirmed',
    run: async (service) => {
      const pause = await service.moderation.muteFor({ callId: service.call().id, forSeconds: 2 });
      await pause.result();
      return pause.workflowId;
    },
  },
  {
    name: 'entry-released',
    closes: 'Confirmed',
    run: async (service) => {
      const call = service.call();
      const entry = await service.moderation.muteOnEntry({ callId: call.id });
      await until(
        async () => await entry.status(),
        ({ phase }) => phase === 'watching',
      );
      await service.graph.addParticipants(call.id, 1);
      await until(
        async () => await entry.status(),
        ({ muted }) => muted === 1,
      );
      await entry.release();
      await entry.result();
      return entry.workflowId;
    },
  },
  {
    // As a Nexus handler starts it.
    name: 'nexus-order-confirmed',
    closes: 'Confirmed',
    run: async (service) => {
      const { client, taskQueue } = service;
      const workflowId = `call-moderation/nexus/${randomUUID()}`;
      const args = [{ operation: 'mute', input: { callId: service.call().id } }];
      await client.workflow.execute(WORKFLOW.nexusOrder, { workflowId, taskQueue, args });
      return workflowId;
    },
  },
  {
    name: 'nexus-order-cancelled',
    closes: CANCELLED,
    run: async (service) => {
      const { client, taskQueue } = service;
      const call = service.call({ faults: undecided });
      const workflowId = `call-moderation/nexus/${randomUUID()}`;
      const args = [{ operation: 'mute', input: { callId: call.id } }];
      const order = await client.workflow.start(WORKFLOW.nexusOrder, { workflowId, taskQueue, args });
      await call.untilAsked('mute');
      await order.cancel();
      await call.untilAsked('unmute');
      service.graph.setFaults(call.id, {});
      await order.result().catch(() => undefined);
      return workflowId;
    },
  },
  {
    name: 'confirmed-with-events',
    closes: 'Confirmed',
    withEvents: true,
    run: async (service) => {
      const handle = await service.moderation.mute({ callId: service.call().id });
      await handle.result();
      return handle.workflowId;
    },
  },
  {
    name: 'hold-released-with-events',
    closes: 'Confirmed',
    withEvents: true,
    run: async (service) => {
      const lock = await service.moderation.keepMuted({ callId: service.call().id });
      await until(
        async () => await lock.status(),
        ({ phase }) => phase === 'keepingMuted',
      );
      await lock.release();
      await lock.result();
      return lock.workflowId;
    },
  },
  {
    name: 'event-delivered',
    closes: 'Confirmed',
    withEvents: true,
    run: async (service) => {
      const { id } = service.call();
      await (await service.moderation.mute({ callId: id })).result();
      const [event] = await receiver.untilOf(id, 1);
      const workflowId = eventWorkflowIdOf(event?.id ?? '');
      await service.client.workflow.getHandle(workflowId).result();
      return workflowId;
    },
  },
  {
    // It stays for a minute, so that what comes late finds it ended.
    name: 'live-call-ended',
    closes: 'open',
    run: async (service) => {
      const call = service.call();
      await service.graph.setCallState(call.id, 'established');
      await service.graph.endCall(call.id);
      await until(
        async () => await service.moderation.calls.get(call.id),
        (status) => status?.state === 'terminated',
      );
      return liveWorkflowIdOf(call.id);
    },
  },
  {
    // As the one before, with a policy that mutes it and one that mutes who comes.
    name: 'live-call-entered',
    closes: 'open',
    run: async (service) => {
      const call = service.call({ state: 'establishing' });
      const { calls, policies } = service.moderation;
      const [entering, joining] = [`replayed-${randomUUID()}`, `replayed-${randomUUID()}`];
      const policy = { action: 'mute', target: { calls: [call.id] }, when: {} } as const;
      await policies.create({ ...policy, id: entering, rules: { onEntry: true } });
      await policies.create({ ...policy, id: joining, rules: { onEstablished: true } });
      await sleep(5_100); // For so long workers remember what policies there are.
      await service.graph.setCallState(call.id, 'established');
      await until(
        async () => await calls.get(call.id),
        (status) => status?.onEntry?.outcome === 'Started' && status.onEstablished?.outcome === 'Confirmed',
      );
      await Promise.all([entering, joining].map(async (id) => await policies.delete(id)));
      await service.graph.endCall(call.id);
      await until(
        async () => await calls.get(call.id),
        (status) => status?.state === 'terminated',
      );
      return liveWorkflowIdOf(call.id);
    },
  },
  {
    name: 'policy-applied-on-entry',
    closes: 'Confirmed',
    run: async (service) => {
      const { policies } = service.moderation;
      const id = `replayed-${randomUUID()}`;
      const target = { calls: [service.call().id, 'no-such-call-of-replays'] };
      await policies.create({ id, action: 'mute', target, when: {}, rules: { onEntry: true } });
      const { workflowId } = await triggered(policies, id);
      await policies.delete(id);
      return workflowId;
    },
  },
  {
    name: 'policy-applied',
    closes: 'Confirmed',
    run: async ({ moderation: { policies } }) => {
      const id = `replayed-${randomUUID()}`;
      const target = { calls: ['no-such-call-of-replays'] };
      await policies.create({ id, action: 'mute', target, when: { once: '2099-01-01' } });
      const { workflowId } = await triggered(policies, id);
      await policies.delete(id);
      return workflowId;
    },
  },
];

let service: Service;
let receiver: EventReceiver;
let telling: Service;
beforeAll(async () => {
  receiver = await EventReceiver.start();
  [service, telling] = await Promise.all([Service.start(), Service.start(receiver.env)]);
});
afterAll(async () => {
  await Promise.all([service.stop(), telling.stop()]);
  await receiver.close();
});

describe.concurrent('a workflow beside the operations that has just run is replayed', () => {
  test.each(tales)('$name', async ({ name, closes, withEvents = false, run }) => {
    const of = withEvents ? telling : service;
    const history = await of.client.workflow.getHandle(await run(of)).fetchHistory();
    expect(closingOf(history)).toBe(closes);
    await replay(history);
    if (isRecording) await record(name, history);
  });
});

describe.concurrent('an operation that has just run is replayed', () => {
  test.each(ways)('$name', async ({ name, closes, faults, request, meanwhile, state }) => {
    const call = service.call({ ...(faults && { faults }), ...(state && { state }) });
    const handle = await service.moderation.mute({ callId: call.id, ...request });
    await meanwhile?.(handle, service);
    await handle.result().catch(() => undefined);
    const history = await (await handle.run()).handle.fetchHistory();
    expect(closingOf(history)).toBe(closes);
    await replay(history);
    if (isRecording) await record(name, history);
  });
});

describe('what has run before is replayed', async () => {
  const recorded = await files();

  test.each(recorded)('%s', async (file) => {
    const history = historyFromJSON(JSON.parse(await readFile(join(FOLDER, file), 'utf8')));
    const name = basename(file, '.json');
    expect(closingOf(history)).toBe([...ways, ...tales].find((told) => told.name === name)?.closes);
    await replay(history);
  });

  test('in every way that there is', () => {
    const known = recorded.map((file) => basename(file, '.json'));
    expect(known).toEqual(expect.arrayContaining([...ways, ...tales].map(({ name }) => name)));
    const types: readonly string[] = [...FAILURE_TYPES, CANCELLED, 'Confirmed'];
    for (const { closes } of ways) expect(types).toContain(closes);
  });

  test('and one that took another way is told from it', async () => {
    const file = recorded.find((name) => name.endsWith('confirmed-by-read.json')) ?? '';
    const text = await readFile(join(FOLDER, file), 'utf8');
    const changed = historyFromJSON(JSON.parse(text.replaceAll('"readAndMute"', '"readAndUnmute"')));
    await expect(replay(changed)).rejects.toThrow(/readAndUnmute|Nondeterminism/);
  });
});

/** Who ran it, and where, is nobody's business: identities and stacks name the machine. */
async function record(name: string, history: temporal.api.history.v1.IHistory): Promise<void> {
  const folder = join(FOLDER, VERSION);
  await mkdir(folder, { recursive: true });
  const text = JSON.stringify(JSON.parse(historyToJSON(history)), undefined, 1);
  await writeFile(
    join(folder, `${name}.json`),
    `${text.replaceAll(ROOT, '').replaceAll(/"(identity|name)": "\d+@[^"]*"/g, '"$1": "recorded"')}\n`,
  );
}
