import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { NativeConnection, Worker } from '@temporalio/worker';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { costOf, eventsByType, type HistoryEvent } from '../../bench/counts.ts';
import type { MuteLockHandle } from '../../src/client/standing/mute-locks.ts';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import type { Environment } from '../../src/lib/environment.ts';
import {
  eventWorkflowIdOf,
  type ModerationEvent,
  type OperationEvent,
  type StandingMuteEvent,
} from '../../src/contract/event.ts';
import { muteLockIdOf } from '../../src/contract/mute-lock.ts';
import { SIGNAL, STANDING_MUTE_SIGNAL, WORKFLOW } from '../../src/contract/names.ts';
import { keyOf, signaturesOf } from '../../src/events/signature.ts';
import { withEvents } from '../../src/temporal/workflow-bundle.ts';
import { traceSinks } from '../../src/tracing/worker.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { EventReceiver, newSecret } from '../support/event-receiver.ts';
import { Process } from '../support/process.ts';
import { Service, undecided, untilPhase, type TestCall } from '../support/service.ts';
import { SkippedTime } from '../support/skipped-time.ts';
import { findTestServer } from '../support/test-server.ts';
import { until } from '../support/until.ts';

/** Events out: what becomes of operations and standing mutes, as a receiver that others wrote gets it. */

const untold: Faults = { notifications: [{ on: 'roster', drop: true, times: 'forever' }] };

let receiver: EventReceiver;
let service: Service;
beforeAll(async () => {
  receiver = await EventReceiver.start();
  service = await Service.start(receiver.env);
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

async function historyOf({ client }: Pick<Service, 'client'>, workflowId: string, runId?: string) {
  return await client.workflow.getHandle(workflowId, runId).fetchHistory();
}

async function eventsOf(from: Pick<Service, 'client'>, workflowId: string): Promise<readonly HistoryEvent[]> {
  return (await historyOf(from, workflowId)).events ?? [];
}

async function outcomeOf({ client }: Pick<Service, 'client'>, { id }: Pick<ModerationEvent, 'id'>) {
  const { status, typedSearchAttributes } = await client.workflow.getHandle(eventWorkflowIdOf(id)).describe();
  return { status: status.name, outcome: typedSearchAttributes.get({ name: 'ModerationOutcome', type: 'KEYWORD' }) };
}

/** The event that the receiver was asked to take, whether or not it has. */
function onlyEventOf(from: EventReceiver, call: TestCall): ModerationEvent {
  const events = from.attemptsOf(call.id).map(({ event }) => event);
  expect(new Set(events.map(({ id }) => id)).size).toBe(1);
  return events[0] as ModerationEvent;
}

async function settled(handle: OperationHandle): Promise<void> {
  await handle.result().catch(() => undefined);
}

describe.concurrent('an operation that ends', () => {
  test('confirmed', async () => {
    const call = service.call();
    const handle = await service.moderation.mute({
      callId: call.id,
      requestedBy: 'service-7',
      reason: 'because Alice asked',
    });
    const before = Date.now();
    const { confirmedBy } = await handle.result();
    const { runId } = await handle.run();
    const [event, ...more] = await receiver.untilOf(call.id, 1);
    expect(more).toEqual([]);
    expect(event).toEqual({
      specversion: '1.0',
      id: `${runId}-confirmed`,
      source: `/namespaces/default/task-queues/${service.taskQueue}`,
      type: 'call-moderation.operation.confirmed',
      subject: call.id,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      datacontenttype: 'application/json',
      data: {
        workflowId: call.workflowId,
        runId,
        action: 'mute',
        target: 'self',
        requestedBy: 'service-7',
        outcome: 'Confirmed',
        confirmedBy,
      },
    });
    expect(Math.abs(Date.parse(event?.time ?? '') - before)).toBeLessThan(10_000);
    const [attempt] = receiver.attemptsOf(call.id);
    expect(attempt?.headers).toMatchObject({
      'content-type': 'application/cloudevents+json',
      'webhook-id': event?.id,
      'user-agent': expect.stringMatching(/^call-moderation/),
    });
    await until(
      async () => await outcomeOf(service, event as ModerationEvent),
      ({ status }) => status === 'COMPLETED',
    );
    expect(await outcomeOf(service, event as ModerationEvent)).toEqual({ status: 'COMPLETED', outcome: 'Delivered' });
  });

  test('partially, with how many and not who', async () => {
    const call = service.call({
      participants: 4,
      faults: { requests: [{ on: 'muteParticipant', answer: { status: 400 } }] },
    });
    await (await service.moderation.muteParticipants({ callId: call.id, target: 'others' })).result();
    const [event] = await receiver.untilOf(call.id, 1);
    expect(event).toMatchObject({
      type: 'call-moderation.operation.partial',
      data: { target: 'others', outcome: 'Partial', participants: { confirmed: 2, all: 3 } },
    });
    for (const { id } of service.graph.describe(call.id).participants) {
      expect(receiver.attemptsOf(call.id)[0]?.body).not.toContain(id);
    }
  });

  test.each([
    ['PermissionDenied', { requests: [{ on: 'mute', answer: { status: 403, code: '7504' } }] }, {}, undefined],
    ['Unconfirmed', untold, { confirmWithinSeconds: 1 }, true],
    ['Unconfirmed', untold, { confirmWithinSeconds: 1, onUnconfirmed: 'leave' as const }, false],
  ] satisfies [string, Faults, object, boolean | undefined][])(
    'failed: %s',
    async (type, faults, request, restored) => {
      const unseen: Faults = type === 'Unconfirmed' ? { requests: [{ on: 'mute', effect: false }], ...faults } : faults;
      const call = service.call({ faults: unseen });
      await settled(await service.moderation.mute({ callId: call.id, ...request }));
      const [event] = await receiver.untilOf(call.id, 1);
      expect(event).toMatchObject({ type: 'call-moderation.operation.failed', data: { outcome: type } });
      const data = event?.data as OperationEvent | undefined;
      expect(data?.restored).toBe(restored);
    },
  );

  test('cancelled', async () => {
    const call = service.call({ faults: undecided });
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    service.graph.setFaults(call.id, {});
    await handle.cancel();
    await settled(handle);
    const [event] = await receiver.untilOf(call.id, 1);
    expect(event).toMatchObject({
      type: 'call-moderation.operation.cancelled',
      data: { outcome: 'Cancelled', restored: true },
    });
  });

  test('superseded, and then what has superseded it', async () => {
    const call = service.call({ faults: undecided });
    const first = await service.moderation.mute({ callId: call.id });
    await untilPhase(first, 'confirming');
    const second = await service.moderation.unmute({ callId: call.id });
    service.graph.setFaults(call.id, {});
    await service.graph.notify(call.id);
    await second.result();
    const [superseded, confirmed] = await receiver.untilOf(call.id, 2);
    const { runId } = await second.run();
    expect([superseded, confirmed].toSorted((a, b) => (a?.time ?? '').localeCompare(b?.time ?? ''))).toMatchObject([
      {
        type: 'call-moderation.operation.superseded',
        data: { action: 'mute', outcome: 'Superseded', supersededBy: 'unmute' },
      },
      { type: 'call-moderation.operation.confirmed', data: { action: 'unmute', runId } },
    ]);
  });

  test('refused because its request is invalid, without what the request says', async () => {
    const call = service.call();
    const request = { callId: call.id, participant: 'Bob' };
    const run = await service.client.workflow.start('mute', {
      workflowId: call.workflowId,
      taskQueue: service.taskQueue,
      args: [request],
    });
    await expect(run.result()).rejects.toThrow();
    const [event] = await receiver.untilOf(call.id, 1);
    expect(event).toMatchObject({ type: 'call-moderation.operation.failed', data: { outcome: 'InvalidRequest' } });
    expect(JSON.stringify(event)).not.toContain('Bob');
  });
});

describe.concurrent('a standing mute', () => {
  async function held(call: TestCall, request: object = {}): Promise<MuteLockHandle> {
    const handle = await service.moderation.keepMuted({ callId: call.id, ...request });
    await until(
      async () => await handle.status(),
      ({ phase }) => phase === 'keepingMuted',
    );
    return handle;
  }

  const ofStanding = (call: TestCall): ModerationEvent[] =>
    receiver.of(call.id).filter(({ type }) => type.startsWith('call-moderation.standing-mute.'));

  async function untilStanding(call: TestCall, count: number): Promise<ModerationEvent[]> {
    await receiver.until(() => ofStanding(call).length >= count);
    return ofStanding(call).toSorted((a, b) => a.time.localeCompare(b.time));
  }

  test('a mute lock begins, and ends by its release', async () => {
    const call = service.call();
    const handle = await held(call, { requestedBy: 'service-7' });
    await handle.release();
    await handle.result();
    expect(await untilStanding(call, 2)).toMatchObject([
      {
        type: 'call-moderation.standing-mute.begun',
        subject: call.id,
        data: { workflowId: muteLockIdOf(call.id), kind: 'keepMuted', requestedBy: 'service-7' },
      },
      {
        type: 'call-moderation.standing-mute.ended',
        data: { kind: 'keepMuted', outcome: 'Released', result: { endedBy: 'released', mutesAgain: 0 } },
      },
    ]);
    expect(receiver.of(call.id).map(({ data }) => data.workflowId)).toContain(call.workflowId);
  });

  test('a timed mute', async () => {
    const call = service.call();
    const handle = await service.moderation.muteFor({ callId: call.id, forSeconds: 3 });
    await handle.result();
    const [begun, ended] = await untilStanding(call, 2);
    expect(begun).toMatchObject({ type: 'call-moderation.standing-mute.begun', data: { kind: 'muteFor' } });
    const [first, last] = [begun?.data as StandingMuteEvent, ended?.data as StandingMuteEvent];
    expect(Date.parse(first.until ?? '') - Date.parse(first.startedAt)).toBe(3_000);
    expect(last.until).toBe(first.until);
    expect(ended).toMatchObject({ data: { outcome: 'Expired' } });
  });

  test('a mute lock that gives up', { timeout: 60_000 }, async () => {
    const call = service.call({ faults: { unmutes: [{ who: 'app', times: 'forever', afterMs: 2_500 }] } });
    const handle = await service.moderation.keepMuted({ callId: call.id, atMost: { mutes: 1, withinSeconds: 60 } });
    await handle.result();
    const events = await untilStanding(call, 2);
    expect(events.map(({ type }) => type.split('.').at(-1))).toEqual(['begun', 'gave-up']);
    expect(events[1]).toMatchObject({ data: { outcome: 'GaveUp', result: { mutesAgain: 1 } } });
  });

  test('a mute lock that cannot begin has an end alone', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', answer: { status: 403, code: '7504' } }] } });
    await (await service.moderation.keepMuted({ callId: call.id })).result().catch(() => undefined);
    const [event, ...more] = await untilStanding(call, 1);
    expect(event).toMatchObject({
      type: 'call-moderation.standing-mute.failed',
      data: { outcome: 'PermissionDenied' },
    });
    expect(more).toEqual([]);
  });

  test('a mute on entry', async () => {
    const call = service.call();
    const handle = await service.moderation.muteOnEntry({ callId: call.id, except: [] });
    await until(
      async () => await handle.status(),
      ({ phase }) => phase !== 'reading',
    );
    await handle.release();
    await handle.result();
    expect(await untilStanding(call, 2)).toMatchObject([
      { type: 'call-moderation.standing-mute.begun', data: { kind: 'muteOnEntry' } },
      { type: 'call-moderation.standing-mute.ended', data: { outcome: 'Released', result: { newcomers: 0 } } },
    ]);
  });

  test('is reported as begun once, also if it continues as new', async () => {
    const call = service.call();
    const handle = await held(call);
    const run = service.client.workflow.getHandle(muteLockIdOf(call.id));
    const { runId } = await run.describe();
    const roster = { participants: [{ id: call.participantId, isMuted: true }], full: true };
    for (let sent = 0; sent < 90; sent += 1) await run.signal(SIGNAL.rosterUpdated, roster);
    await until(
      async () => await run.describe(),
      (description) => description.runId !== runId,
    );
    await handle.release();
    await handle.result();
    const events = await untilStanding(call, 2);
    expect(events.map(({ type }) => type.split('.').at(-1))).toEqual(['begun', 'ended']);
    expect(new Set(events.map(({ data }) => data.runId)).size).toBe(2);
  });

  test('that is extended as it ends goes on, however the two meet', async () => {
    const calls = await Promise.all(
      [0, 5, 10, 20, 40].map(async (afterMs) => {
        const call = service.call();
        const handle = await held(call);
        const run = service.client.workflow.getHandle(handle.workflowId);
        await (await service.moderation.unmute({ callId: call.id })).result();
        await new Promise((resolve) => {
          setTimeout(resolve, afterMs);
        });
        const isTaken = await run.signal(STANDING_MUTE_SIGNAL.extend, {}).then(
          () => true,
          () => false,
        );
        return { call, handle, isTaken };
      }),
    );
    for (const { call, handle, isTaken } of calls) {
      // The server took the signal, so the mute lock must have heard it.
      if (!isTaken) continue;
      await call.until(() => call.self.serverMuted);
      await handle.release();
      expect(await handle.result()).toMatchObject({ endedBy: 'released' });
    }
  });
});

describe.concurrent('the receiver', () => {
  test('is asked again, with the same ID and body, and a new timestamp', async () => {
    const call = service.call();
    const other = await EventReceiver.start(receiver.secret);
    const answers = [503, { status: 307, headers: { location: other.url } }, 204] as const;
    const before = receiver.answer;
    receiver.answer = (event, attempt) =>
      event.subject === call.id ? (answers[attempt - 1] ?? 204) : before(event, attempt);
    await (await service.moderation.mute({ callId: call.id })).result();
    await receiver.untilOf(call.id, 1, 60_000);
    const attempts = receiver.attemptsOf(call.id);
    expect(attempts.map(({ status }) => status)).toEqual([503, 307, 204]);
    expect(new Set(attempts.map(({ body }) => body)).size).toBe(1);
    const times = attempts.map(({ headers }) => Number(headers['webhook-timestamp']));
    expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
    const pauses = attempts.slice(1).map(({ at }, index) => at - (attempts[index]?.at ?? 0));
    expect(pauses[0]).toBeGreaterThan(4_000);
    expect(pauses[1]).toBeGreaterThan(8_000);
    expect(other.attempts).toEqual([]); // Redirects are not followed.
    await other.close();
  });

  test('that says Retry-After is asked then, and pauses grow although it names a short one', async () => {
    const call = service.call();
    const before = receiver.answer;
    receiver.answer = (event, attempt) =>
      event.subject === call.id && attempt <= 2
        ? { status: 429, headers: { 'retry-after': attempt === 1 ? '7' : '1' } }
        : before(event, attempt);
    await (await service.moderation.mute({ callId: call.id })).result();
    await receiver.untilOf(call.id, 1);
    const [first = 0, second = 0, third = 0] = receiver.attemptsOf(call.id).map(({ at }) => at);
    expect(second - first).toBeGreaterThan(6_500);
    expect(third - second).toBeGreaterThan(8_000);
  });

  test('that is gone is asked once', async () => {
    const call = service.call();
    const before = receiver.answer;
    receiver.answer = (event, attempt) => (event.subject === call.id ? 410 : before(event, attempt));
    const handle = await service.moderation.mute({ callId: call.id });
    await handle.result();
    await receiver.until(() => receiver.attemptsOf(call.id).length === 1);
    const event = onlyEventOf(receiver, call);
    await until(
      async () => await outcomeOf(service, event),
      ({ status }) => status !== 'RUNNING',
    );
    expect(await outcomeOf(service, event)).toEqual({ status: 'FAILED', outcome: 'Gone' });
    const run = service.client.workflow.getHandle(eventWorkflowIdOf(event.id));
    await expect(run.result()).rejects.toMatchObject({
      cause: { type: 'Gone', message: expect.stringContaining('reset this workflow') },
    });
    expect(receiver.attemptsOf(call.id)).toHaveLength(1);
  });

  test('is sent nothing but an event of ours', async () => {
    const id = 'made-up';
    const run = await service.client.workflow.start(WORKFLOW.publishEvent, {
      workflowId: 'somewhere-else',
      taskQueue: service.taskQueue,
      args: [{ specversion: '1.0', id, source: '/', type: 't', time: new Date().toISOString(), data: {} }],
    });
    await expect(run.result()).rejects.toMatchObject({ cause: { type: 'InvalidRequest' } });
    expect(receiver.attempts.filter(({ event }) => event.id === id)).toEqual([]);
  });
});

test('a receiver gets no request that it cannot verify', () => {
  expect(receiver.refused).toEqual([]);
});

describe('a receiver that does not answer', () => {
  /** From the start of an operation until its result, beside the same without events. */
  async function operate(on: Service): Promise<{ ms: number; events: readonly HistoryEvent[]; call: TestCall }> {
    const call = on.call();
    const began = performance.now();
    await (await on.moderation.mute({ callId: call.id })).result();
    return { ms: performance.now() - began, events: await eventsOf(on, call.workflowId), call };
  }

  test('delays no operation', async () => {
    const silent = await EventReceiver.start();
    silent.answer = () => 'none';
    const slow = await Service.start(silent.env);
    const off = await Service.start();
    try {
      await Promise.all([operate(slow), operate(off)]);
      const [waited, plain] = [await operate(slow), await operate(off)];
      expect(waited.ms).toBeLessThan(plain.ms + 2_000);
      await silent.until(() => silent.attemptsOf(waited.call.id).length > 0);
      // It still waits for its answer.
      const event = onlyEventOf(silent, waited.call);
      expect(await outcomeOf(slow, event)).toEqual({ status: 'RUNNING', outcome: 'Pending' });
      const [ours, others] = [eventsByType(waited.events), eventsByType(plain.events)];
      expect(ours).toMatchObject({ StartChildWorkflowExecutionInitiated: 1, ChildWorkflowExecutionStarted: 1 });
      expect(ours['ActivityTaskScheduled']).toBe(others['ActivityTaskScheduled']);
    } finally {
      await slow.stop();
      await off.stop();
      await silent.close();
    }
  });
});

test('an event costs its operation one workflow task, and no activity', async () => {
  const call = service.call({ faults: { notifications: [{ on: 'roster', drop: true }] } });
  const handle = await service.moderation.mute({ callId: call.id });
  await untilPhase(handle, 'confirming');
  await service.graph.notify(call.id);
  await handle.result();
  const [event] = await receiver.untilOf(call.id, 1);
  const workflowId = eventWorkflowIdOf(event?.id ?? '');
  await service.client.workflow.getHandle(workflowId).result();
  // Without events: 18 events, 3 workflow tasks, 6 billable actions (test/operation/cost.test.ts).
  const happy = { events: 25, workflowTasks: 4, activityTasks: 1, timers: 1, upserts: 2, billableActions: 7 };
  expect(costOf(await eventsOf(service, call.workflowId))).toMatchObject(happy);
  const delivery = { events: 12, workflowTasks: 2, activityTasks: 1, timers: 0, upserts: 1, billableActions: 3 };
  expect(costOf(await eventsOf(service, workflowId))).toMatchObject(delivery);
});

describe('without MODERATION_EVENTS_URL', () => {
  test('histories have no child and no marker', async () => {
    const off = await Service.start();
    try {
      const call = off.call();
      const handle = await off.moderation.keepMuted({ callId: call.id });
      await call.until(() => call.self.serverMuted);
      await handle.release();
      await handle.result();
      const histories = [await eventsOf(off, call.workflowId), await eventsOf(off, muteLockIdOf(call.id))];
      for (const history of histories) {
        const types = Object.keys(eventsByType(history));
        expect(types.filter((type) => /Marker|Child/.test(type))).toEqual([]);
      }
    } finally {
      await off.stop();
    }
  });

  test('a replay follows the history, and not the worker', async () => {
    const call = service.call();
    await (await service.moderation.mute({ callId: call.id })).result();
    const off = await Service.start();
    const plain = off.call();
    await (await off.moderation.mute({ callId: plain.id })).result();
    const histories = [await historyOf(service, call.workflowId), await historyOf(off, plain.workflowId)] as const;
    await off.stop();
    const bundle = { codePath: inject('workflowBundle') };
    for (const workflowBundle of [bundle, await withEvents(bundle)]) {
      await Worker.runReplayHistory({ workflowBundle }, histories[0], call.workflowId);
      await Worker.runReplayHistory({ workflowBundle }, histories[1], plain.workflowId);
    }
  });
});

test('a run keeps to what its history says when its worker changes', { timeout: 90_000 }, async () => {
  const own = await EventReceiver.start();
  const changing = await Service.start();
  const ofLock = (call: TestCall): string[] =>
    own.of(call.id).flatMap(({ type }) => (type.includes('standing-mute') ? [type.split('.').at(-1) ?? ''] : []));
  try {
    const early = changing.call();
    const first = await changing.moderation.keepMuted({ callId: early.id });
    await early.until(() => early.self.serverMuted);
    await until(
      async () => await first.status(),
      ({ phase }) => phase === 'keepingMuted',
    );
    await changing.stopWorker();
    await changing.startWorker(own.env);
    // Begun without events: its end has one.
    await first.release();
    await first.result();
    await own.until(() => ofLock(early).length === 1);
    expect(ofLock(early)).toEqual(['ended']);
    // Begun with events: they are handed over to the end, and wait for a worker that sends them.
    const late = changing.call();
    const second = await changing.moderation.keepMuted({ callId: late.id });
    await own.until(() => ofLock(late).length === 1);
    await changing.stopWorker();
    await changing.startWorker();
    await second.release();
    await second.result();
    expect(ofLock(late)).toEqual(['begun']);
    await changing.stopWorker();
    await changing.startWorker(own.env);
    await own.until(() => ofLock(late).length === 2, 60_000);
    expect(ofLock(late)).toEqual(['begun', 'ended']);
  } finally {
    await changing.stop();
    await own.close();
  }
});

test('secrets can be rotated: each of them signs', async () => {
  const [old, next] = [newSecret(), newSecret()];
  const own = await EventReceiver.start(old);
  const rotating = await Service.start({
    MODERATION_EVENTS_URL: own.url,
    MODERATION_EVENTS_SECRETS: `${next}, ${old}`,
  });
  try {
    const call = rotating.call();
    await (await rotating.moderation.mute({ callId: call.id })).result();
    await own.untilOf(call.id, 1);
    const [attempt] = own.attemptsOf(call.id);
    const { headers = {}, body = '' } = attempt ?? {};
    for (const secret of [old, next])
      expect(() => new Webhook(secret).verify(body, headers as Record<string, string>)).not.toThrow();
    expect(() => new Webhook(newSecret()).verify(body, headers as Record<string, string>)).toThrow();
  } finally {
    await rotating.stop();
    await own.close();
  }
});

test('no history contains a secret, or the address of the receiver', async () => {
  const call = service.call();
  const before = receiver.answer;
  receiver.answer = (event, attempt) =>
    event.subject === call.id && attempt === 1 ? { status: 500, body: receiver.secret } : before(event, attempt);
  await (await service.moderation.mute({ callId: call.id })).result();
  const [event] = await receiver.untilOf(call.id, 1);
  const workflowIds = [call.workflowId, eventWorkflowIdOf(event?.id ?? '')];
  for (const workflowId of workflowIds) {
    const history = JSON.stringify(historyToJSON(await historyOf(service, workflowId)));
    const plain = history.replaceAll(/"data":"([A-Za-z0-9+/=]+)"/g, (_, data: string) =>
      Buffer.from(data, 'base64').toString(),
    );
    expect(plain).toContain(call.id);
    for (const word of [receiver.secret, receiver.secret.slice(6), 'in-the-query', receiver.url]) {
      expect(plain).not.toContain(word);
    }
  }
});

const program = await findTestServer('test/events.test.ts');
const HOUR = 3_600;

/** The clock may be held by an attempt that is due later (T7 of `support/skipped-time.ts`), so it is let go. */
describe.skipIf(program === undefined)('on a clock that is skipped', () => {
  async function withSkippedTime(work: (skipped: SkippedTime, own: EventReceiver) => Promise<void>): Promise<void> {
    const own = await EventReceiver.start();
    const skipped = await SkippedTime.start(program ?? '', own.env);
    try {
      await skipped.startWorker();
      await work(skipped, own);
    } finally {
      await skipped.stop();
      await own.close();
    }
  }

  test('a receiver that is down for an hour loses nothing', { timeout: 120_000 }, async () => {
    await withSkippedTime(async (skipped, own) => {
      own.answer = () => 503;
      const calls = Array.from({ length: 5 }, () => skipped.call());
      const ended = calls.map(async (call) => {
        await (await skipped.moderation.mute({ callId: call.id })).result();
      });
      await Promise.all(ended);
      await own.until(() => new Set(own.attempts.map(({ event }) => event.id)).size === calls.length);
      await skipped.passWithoutWorker(HOUR);
      expect(own.events).toEqual([]);
      const ids = new Set(own.attempts.map(({ event }) => event.id));
      own.answer = () => 204;
      // Each waits 15 minutes at most; the server that skips time may let one wait for longer.
      const areAllThere = (): boolean => own.events.length >= calls.length;
      for (let times = 0; times < 4 && !areAllThere(); times += 1) {
        await skipped.passWithoutWorker(HOUR / 3);
        await own.until(areAllThere, 5_000).catch(() => undefined);
      }
      expect(own.events).toHaveLength(calls.length);
      expect(new Set(own.events.map(({ id }) => id))).toEqual(ids);
      expect(new Set(own.events.map(({ subject }) => subject))).toEqual(new Set(calls.map(({ id }) => id)));
      const most = Math.max(...[...ids].map((id) => own.attempts.filter(({ event }) => event.id === id).length));
      expect(most).toBeLessThan(24);
    });
  });
});

test('an event that was not delivered in a day is given up, for all to see', async () => {
  // Temporal fails the activity with its last failure, once the next attempt would come after a day.
  const taskQueue = `${service.taskQueue}-last`;
  const worker = await Worker.create({
    connection: await NativeConnection.connect({ address: inject('temporalAddress') }),
    taskQueue,
    workflowBundle: { codePath: inject('workflowBundle') },
    activities: {
      postEvent: () => {
        const message = 'The receiver of events answered 503.';
        throw ApplicationFailure.nonRetryable(message, 'NotDelivered');
      },
    },
    sinks: traceSinks,
  });
  const id = `${randomUUID()}-confirmed`;
  const event = {
    specversion: '1.0',
    id,
    source: '/',
    type: 'call-moderation.operation.confirmed',
    time: new Date().toISOString(),
    data: {},
  };
  const workflowId = eventWorkflowIdOf(id);
  await worker.runUntil(async () => {
    const run = await service.client.workflow.start(WORKFLOW.publishEvent, { workflowId, taskQueue, args: [event] });
    await expect(run.result()).rejects.toMatchObject({
      cause: { type: 'EventNotDelivered', message: expect.stringContaining('answered 503') },
    });
  });
  expect(await outcomeOf(service, { id })).toEqual({ status: 'FAILED', outcome: 'GaveUp' });
  const scheduled = (await eventsOf(service, workflowId)).flatMap(
    ({ activityTaskScheduledEventAttributes: attributes }) => attributes ?? [],
  );
  const seconds = (duration: { seconds?: unknown } | null | undefined): number => Number(duration?.seconds);
  expect(scheduled).toHaveLength(1);
  expect(seconds(scheduled[0]?.scheduleToCloseTimeout)).toBe(24 * HOUR);
  expect(seconds(scheduled[0]?.retryPolicy?.initialInterval)).toBe(5);
  expect(seconds(scheduled[0]?.retryPolicy?.maximumInterval)).toBe(15 * 60);
  expect(Number(scheduled[0]?.retryPolicy?.maximumAttempts)).toBe(0);
});

describe('configuration', () => {
  const faultsOf = (env: Environment): readonly string[] => {
    try {
      loadWorkerConfig(env);
    } catch (error) {
      if (error instanceof ConfigError) return error.faults;
      throw error;
    }
    return [];
  };
  const url = 'https://events.example.com/hooks?code=abc';
  const secret = newSecret();

  test('takes an https: address, or http: on this machine', () => {
    const both = { MODERATION_EVENTS_URL: url, MODERATION_EVENTS_SECRETS: secret };
    expect(loadWorkerConfig(both).events).toEqual({ url, keys: [keyOf(secret)] });
    expect(loadWorkerConfig({}).events).toBeUndefined();
    expect(faultsOf({ ...both, MODERATION_EVENTS_URL: 'http://127.0.0.1:8080/' })).toEqual([]);
    const fault = 'MODERATION_EVENTS_URL: must be https:; http: is allowed on a loopback address only';
    expect(faultsOf({ ...both, MODERATION_EVENTS_URL: 'http://events.example.com/' })).toEqual([fault]);
  });

  test('needs both variables', () => {
    expect(faultsOf({ MODERATION_EVENTS_URL: url })).toEqual([
      expect.stringMatching(/^MODERATION_EVENTS_SECRETS: required/),
    ]);
    expect(faultsOf({ MODERATION_EVENTS_SECRETS: secret })).toEqual([
      expect.stringMatching(/^MODERATION_EVENTS_URL: required/),
    ]);
  });

  test.each([
    ['no prefix', secret.slice(6)],
    ['not base64', 'whsec_$$$'],
    ['too short', `whsec_${Buffer.alloc(23, 1).toString('base64')}`],
    ['too long', `whsec_${Buffer.alloc(65, 1).toString('base64')}`],
    ['base64url', `whsec_${Buffer.alloc(32, 255).toString('base64url')}`],
    ['the second', `${secret} whsec_`],
    ['only commas', ', ,'],
  ])('refuses a secret that is none: %s, and does not quote it', (_, value) => {
    const [fault, ...more] = faultsOf({ MODERATION_EVENTS_URL: url, MODERATION_EVENTS_SECRETS: value });
    expect(more).toEqual([]);
    expect(fault).toMatch(/^MODERATION_EVENTS_SECRETS: (secret \d must|must name)/);
    expect(fault).not.toContain(secret.slice(6));
  });

  test.each([' ', ',', ', ', '  '])('takes several secrets with %j between them', (between) => {
    const other = newSecret();
    const { events } = loadWorkerConfig({
      MODERATION_EVENTS_URL: url,
      MODERATION_EVENTS_SECRETS: `${secret}${between}${other}`,
    });
    expect(events?.keys).toEqual([keyOf(secret), keyOf(other)]);
  });
});

test("a signature is that of the specification's example", () => {
  const key = keyOf('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const signature = signaturesOf(
    key === undefined ? [] : [key],
    'msg_p5jXN8AQM9LWM0D4loKWxJek',
    1_614_265_330,
    '{"test": 2432232314}',
  );
  expect(signature).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});

describe('docs/events.md', () => {
  const page = readFileSync(fileURLToPath(new URL('../../docs/events.md', import.meta.url)), 'utf8');
  const [, code = ''] = /^```ts\n([\s\S]*?)^```$/m.exec(page) ?? [];

  test('has a receiver that runs', { timeout: 60_000 }, async () => {
    const folder = fileURLToPath(new URL('../../.cache/events', import.meta.url));
    const path = `${folder}/receiver.ts`;
    await mkdir(folder, { recursive: true });
    await writeFile(path, code);
    const [port, secret] = [await freePort(), newSecret()];
    const env = { PORT: String(port), EVENTS_SECRET: secret, NODE_OPTIONS: '--import=tsx' };
    const example = new Process(path, env);
    const sending = await Service.start({
      MODERATION_EVENTS_URL: `http://127.0.0.1:${port}/`,
      MODERATION_EVENTS_SECRETS: secret,
    });
    try {
      const call = sending.call();
      await (await sending.moderation.mute({ callId: call.id })).result();
      await until(
        async () => await Promise.resolve(example.stdout),
        (output) => output.includes(`call-moderation.operation.confirmed ${call.id}`),
      );
    } finally {
      await sending.stop();
      await example.kill();
      await rm(folder, { recursive: true });
    }
  });
});
