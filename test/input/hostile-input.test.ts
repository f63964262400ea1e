import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModerationError } from '../../src/client/errors.ts';
import type { OperationRecord } from '../../src/client/operations/records.ts';
import { liveWorkflowIdOf, workflowIdOf } from '../../src/contract/call-id.ts';
import { isFailureType } from '../../src/contract/failure.ts';
import { muteLockIdOf } from '../../src/contract/mute-lock.ts';
import { muteOnEntryIdOf } from '../../src/contract/mute-on-entry.ts';
import type { ModerationRequest } from '../../src/contract/request.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

/**
 * What a hostile or clumsy starter gives a workflow, on a real server. A run that is wedged never closes: its workflow
 * task fails, and is tried again for ever, and what it stands for cannot be asked for any more.
 */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

const KINDS = {
  mute: workflowIdOf,
  keepMuted: muteLockIdOf,
  muteOnEntry: muteOnEntryIdOf,
  liveCall: liveWorkflowIdOf,
  applyPolicy: () => `raw-${randomUUID()}`,
} as const;

type Kind = keyof typeof KINDS;

const kinds = Object.keys(KINDS) as Kind[];

async function startRaw(kind: Kind, callId: string, input: object): Promise<WorkflowHandle> {
  return await service.client.workflow.start(kind, {
    workflowId: KINDS[kind](callId),
    taskQueue: service.taskQueue,
    args: [{ callId, ...input }],
  });
}

async function failureOf(handle: WorkflowHandle): Promise<{ type: string; message: string; bytes: number }> {
  const error: unknown = await handle.result().catch((caught: unknown) => caught);
  const { cause } = error as { cause?: { type?: string; message?: string; details?: unknown[] } };
  const message = cause?.message ?? '';
  return { type: cause?.type ?? String(error), message, bytes: JSON.stringify([message, cause?.details]).length };
}

const fields = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, 1]));
const many = fields(60_000);
/** Several of these are what Temporal takes. */
const some = fields(20_000);
const long = Array.from({ length: 30_000 }, (_, i) => `i${i}`);
const half = '\ud800';

const FORMS: readonly [string, object][] = [
  ['fields without end', many],
  ['a field of a mebibyte', { ['k'.repeat(1_000_000)]: 1 }],
  ['a field that is half a character', { [half]: 1 }],
  [
    'fields without end in each of its objects',
    { target: { live: some }, atMost: some, rules: some, request: some, when: some, except: some },
  ],
  [
    'lists without end',
    { target: { calls: long }, except: long, rules: { onEntry: { except: long } }, when: { at: long } },
  ],
  [
    'half a character in each of its texts',
    { reason: half, requestedBy: half, tenantId: half, id: half, rules: { [half]: 1 }, request: { [half]: 1 } },
  ],
];

describe.each(kinds)('%s', (kind) => {
  test.concurrent.each(FORMS)('closes as InvalidRequest with %s', { timeout: 60_000 }, async (_what, input) => {
    const { type, message, bytes } = await failureOf(await startRaw(kind, randomUUID(), input));
    expect(type).toBe('InvalidRequest');
    expect(message).toContain('the request is not valid');
    expect(bytes).toBeLessThan(16_000);
  });
});

test('a valid request after an invalid one starts a mute lock', async () => {
  const call = service.call();
  expect(await failureOf(await startRaw('keepMuted', call.id, many))).toMatchObject({ type: 'InvalidRequest' });
  const hold = await service.moderation.keepMuted({ callId: call.id, forSeconds: 60 });
  expect(hold.attached).toBe(false);
  await call.until(() => call.self.serverMuted);
  await hold.release();
  expect(await hold.result()).toMatchObject({ endedBy: 'released' });
});

describe('a signal', () => {
  const slow = { requests: [{ on: 'mute', latencyMs: 1_500 }] } as const;

  test('with a roster without end is left out, and the operation is confirmed', async () => {
    const call = service.call({ faults: { requests: [...slow.requests] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    const raw = service.client.workflow.getHandle(call.workflowId);
    const participants = long.map((id) => ({ id, isMuted: true }));
    await raw.signal('rosterUpdated', { full: true, participants });
    await raw.signal('rosterUpdated', {
      full: true,
      participants: [{ id: call.participantId, isMuted: true, sequence: 1e308 }],
    });
    expect(await handle.result()).toMatchObject({ isMuted: true });
  });

  test.each([
    ['of a mebibyte', 'x'.repeat(1_000_000)],
    ['of half a character', half],
    ['in Markdown', '**x**\n\n# y'],
  ])('that a call has ended, with a code %s, ends nothing and wedges nothing', async (_what, word) => {
    const call = service.call({ faults: { requests: [...slow.requests] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    const raw = service.client.workflow.getHandle(call.workflowId);
    await raw.signal('callEnded', { code: word });
    await raw.signal('callEnded', { subcode: word });
    await raw.signal('operationUpdated', { operationId: 'x', status: 'failed', code: word });
    await raw.signal('operationUpdated', { operationId: 'x', status: word });
    expect(await handle.result()).toMatchObject({ isMuted: true });
  });
});

describe('a requestId', () => {
  test.each(["it's", 'a"b', 'a\\b', 'a\nb', 'a\tb', 'a\u0000b'])(
    '%j is refused, and never runs twice',
    async (requestId) => {
      const call = service.call();
      const request: ModerationRequest = { callId: call.id, requestId };
      await expect(service.moderation.mute(request)).rejects.toMatchObject({ type: 'InvalidRequest' });
      const raw = await startRaw('mute', call.id, { requestId });
      expect(await failureOf(raw)).toMatchObject({ type: 'InvalidRequest' });
      expect(call.posts).toEqual([]);
    },
  );

  test.each(['at once', 'urn:uuid:1', 'a/b+c=', 'me@x.example~1.2_3-4'])(
    '%j is found again behind another',
    async (requestId) => {
      const call = service.call();
      const request: ModerationRequest = { callId: call.id, requestId };
      const result = await (await service.moderation.mute(request)).result();
      await (await service.moderation.unmute({ callId: call.id })).result();
      expect(await (await service.moderation.mute(request)).result()).toEqual(result);
      expect(call.posts).toEqual(['mute', 'unmute']);
    },
  );
});

describe('a list', () => {
  const firstOf = async (filter: object): Promise<OperationRecord | undefined> => {
    for await (const record of service.moderation.list(filter)) return record;
    return undefined;
  };

  test('finds a call and a tenant in any spelling', async () => {
    const call = service.call();
    const tenantId = `Contoso-${randomUUID()}.Example`;
    await (await service.moderation.mute({ callId: call.id, tenantId })).result();
    const callId = call.id.replaceAll('-', '').toUpperCase();
    const found = await until(
      () => firstOf({ callId }),
      (record) => record !== undefined,
    );
    expect(found).toMatchObject({ callId: call.id, tenantId: tenantId.toLowerCase() });
    expect(await firstOf({ tenantId: tenantId.toUpperCase() })).toMatchObject({ callId: call.id });
  });

  test.each([
    { callId: "'" },
    { callId: 'a\u0000' },
    { tenantId: "x' OR 'a' = 'a" },
    { requestId: '\\' },
    { outcome: 'Nonsense' },
    { action: 'restore' },
    { call: 'x' },
  ])('is refused of %j', async (filter) => {
    await expect(firstOf(filter)).rejects.toBeInstanceOf(ModerationError);
    await expect(firstOf(filter)).rejects.toMatchObject({ type: 'InvalidRequest' });
  });
});

describe('a tenant', () => {
  const callsOf = async (tenantId: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const { callId } of service.moderation.calls.list({ tenantId })) found.push(callId);
    return found;
  };

  test(
    'in another case is the same to a release, with mute locks and with single mutes',
    { timeout: 60_000 },
    async () => {
      const name = `Contoso-${randomUUID()}.Example`;
      const [muted, held] = [service.call(), service.call()];
      await (await service.moderation.mute({ callId: muted.id, tenantId: name })).result();
      await service.moderation.keepMuted({ callId: held.id, tenantId: name });
      await held.until(() => held.self.serverMuted);
      const released = async (): Promise<unknown[]> => {
        const outcomes: unknown[] = [];
        for await (const { callId } of service.moderation.release({ tenantId: name.toLowerCase() }))
          outcomes.push(callId);
        return outcomes;
      };
      await until(released, () => !muted.self.serverMuted && !held.self.serverMuted);
      expect([muted.self.serverMuted, held.self.serverMuted]).toEqual([false, false]);
    },
  );

  test('in another case is the same to a live call, its list and a policy', { timeout: 60_000 }, async () => {
    const name = `Contoso-${randomUUID()}.Example`;
    const call = service.call();
    await service.moderation.calls.label(call.id, { add: ['x'], tenantId: name });
    await service.graph.setCallState(call.id, 'established');
    await service.client.workflow.getHandle(liveWorkflowIdOf(call.id)).signal('callEstablished', { tenantId: name });
    await until(
      () => callsOf(name.toUpperCase()),
      (found) => found.includes(call.id),
    );
    const result: unknown = await service.client.workflow.execute('applyPolicy', {
      workflowId: `raw-${randomUUID()}`,
      taskQueue: service.taskQueue,
      args: [{ id: 'p', action: 'mute', target: { live: { tenantId: name.toUpperCase() } }, when: {} }],
    });
    expect(result).toMatchObject({ calls: 1 });
  });
});

test('a day that is no text fails a policy run, and not its worker', async () => {
  const quietHours = { from: '22:00', to: '06:00', days: [{ toString: 1 }] };
  const handle = await service.client.workflow.start('applyPolicy', {
    workflowId: `raw-${randomUUID()}`,
    taskQueue: service.taskQueue,
    args: [{ id: 'p', action: 'mute', target: { calls: ['x'] }, when: { quietHours } }],
  });
  const { type, message } = await failureOf(handle);
  expect(isFailureType(type)).toBe(true);
  expect(message).toContain('when.quietHours.days an object is no day');
});
