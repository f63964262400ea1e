import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { liveWorkflowIdOf, workflowIdOf } from '../../src/contract/call-id.ts';
import { isFailureType } from '../../src/contract/failure.ts';
import { muteLockIdOf } from '../../src/contract/mute-lock.ts';
import { muteOnEntryIdOf } from '../../src/contract/mute-on-entry.ts';
import { SIGNAL, type WORKFLOW } from '../../src/contract/names.ts';
import { Service } from '../support/service.ts';
import { evidenceOf } from './evidence.ts';
import { judge } from './judge.ts';
import { tell } from './tried.ts';

/**
 * A hostile or clumsy Temporal client: whatever it starts fails with a type and a message, and whatever it signals leaves
 * the operation as it was. A run that is wedged shows in that it never closes: its workflow task fails, and is tried again
 * for ever.
 */

let service: Service;
let client: Client;
beforeAll(async () => {
  service = await Service.start();
  ({ client } = service);
});
afterAll(async () => await service.stop());

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

interface RawPayload {
  metadata?: Record<string, Uint8Array>;
  data?: Uint8Array;
}

const json = (value: unknown): RawPayload => ({
  metadata: { encoding: bytes('json/plain') },
  data: bytes(JSON.stringify(value) ?? 'null'),
});

/** Every workflow type, with the workflow ID that it requires; that of a policy, a Nexus order and an event may be any. */
const TYPES = {
  mute: workflowIdOf,
  unmute: workflowIdOf,
  keepMuted: muteLockIdOf,
  muteOnEntry: muteOnEntryIdOf,
  liveCall: liveWorkflowIdOf,
  applyPolicy: (callId: string) => `raw-policy/${callId}`,
  nexusOrder: (callId: string) => `raw-order/${callId}`,
  publishEvent: (callId: string) => `raw-event/${callId}`,
} as const satisfies Record<keyof typeof WORKFLOW, (callId: string) => string>;

type WorkflowType = keyof typeof TYPES;

const types = Object.keys(TYPES) as WorkflowType[];

/** Starts a run as no client of ours would. */
async function startRaw(callId: string, payloads: RawPayload[], type: WorkflowType = 'mute'): Promise<void> {
  await client.workflowService.startWorkflowExecution({
    namespace: 'default',
    workflowId: TYPES[type](callId),
    workflowType: { name: type },
    taskQueue: { name: service.taskQueue },
    input: { payloads },
    requestId: randomUUID(),
  });
}

async function signalRaw(callId: string, signalName: string, payloads: RawPayload[]): Promise<void> {
  await client.workflowService.signalWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: workflowIdOf(callId) },
    signalName,
    input: { payloads },
    requestId: randomUUID(),
  });
}

/** What a run closed with. */
async function failureOf(
  callId: string,
  workflowType: WorkflowType = 'mute',
): Promise<{ type: string; message: string }> {
  const error: unknown = await client.workflow
    .getHandle(TYPES[workflowType](callId))
    .result()
    .catch((caught: unknown) => caught);
  const { cause } = error as { cause?: { type?: string; message?: string } };
  return { type: cause?.type ?? String(error), message: cause?.message ?? '' };
}

const FIELDS = [
  'callId',
  'clientContext',
  'tenantId',
  'confirmWithinSeconds',
  'onUnconfirmed',
  'requestedBy',
  'reason',
  'target',
  'until',
  'forSeconds',
  'enforce',
  'atMost',
  'except',
  'id',
  'action',
  'when',
  'rules',
  'request',
  'catchupWindow',
];

const scalar = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.double({ noNaN: true }),
  fc.constantFrom<unknown>(null, true, 0, -1, 1e308, '', '../../admin', '__proto__', '\u0000', '\ud800'),
);

/** Near enough to a request to get past the first look. */
const nearRequest = fc.dictionary(
  fc.oneof(fc.constantFrom(...FIELDS, '__proto__', 'constructor', 'toString'), fc.string()),
  fc.oneof(scalar, fc.jsonValue({ maxDepth: 3 })),
  { noNullPrototype: true },
);

const readable = fc.oneof(nearRequest, fc.jsonValue()).map(json);

const unreadable: fc.Arbitrary<RawPayload> = fc.record(
  {
    metadata: fc.dictionary(
      fc.constantFrom('encoding', 'messageType', 'x'),
      fc.oneof(
        fc
          .constantFrom('json/plain', 'json/protobuf', 'binary/protobuf', 'binary/plain', 'binary/null', 'x')
          .map(bytes),
        fc.uint8Array({ maxLength: 20 }),
      ),
    ),
    data: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constantFrom('{', '"', '[[', '\ufeff{}', '').map(bytes)),
  },
  { requiredKeys: [] },
);

const payloads = fc.array(fc.oneof({ weight: 3, arbitrary: readable }, unreadable), { maxLength: 3 });

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const RUNS = Number(process.env['HOSTILE'] ?? 60);

test.for(types)('any input of %s: the run fails with a type, and says what is wrong', async (workflowType, context) => {
  const inputs = fc.sample(payloads, { seed, numRuns: RUNS });
  const failures = await Promise.all(
    inputs.map(async (input) => {
      const callId = randomUUID();
      await startRaw(callId, input, workflowType);
      return await failureOf(callId, workflowType);
    }),
  );
  for (const [index, { type, message }] of failures.entries()) {
    expect(isFailureType(type), `${type} for ${JSON.stringify(inputs[index])} (seed ${seed})`).toBe(true);
    expect(message.length).toBeGreaterThan(20);
    expect(message.length).toBeLessThan(8_000);
  }
  const row = { what: 'hostile inputs of workflows', faults: RUNS, operations: RUNS, violations: 0 };
  tell(context, { ...row, note: `seed ${seed}` });
});

describe.each(types)('an input of %s as large as Temporal takes', (workflowType) => {
  test.for<[string, (callId: string) => unknown]>([
    ['one endless text', (callId) => ({ callId, reason: 'x'.repeat(1_900_000) })],
    ['an endless call ID', () => ({ callId: 'x'.repeat(1_900_000) })],
    ['an endless field', (callId) => ({ callId, ['x'.repeat(1_900_000)]: 1 })],
    [
      'fields without end',
      (callId) => ({ callId, ...Object.fromEntries(Array.from({ length: 180_000 }, (_, i) => [`f${i}`, 0])) }),
    ],
    ['an endless list', () => Array.from({ length: 900_000 }, () => 1)],
    ['the deepest nesting', () => `${'['.repeat(900_000)}${']'.repeat(900_000)}`],
    [
      'the deepest nesting in a field',
      (callId) => `{"callId":"${callId}","reason":${'['.repeat(900_000)}${']'.repeat(900_000)}}`,
    ],
  ])('fails as invalid: %s', async ([, inputOf]) => {
    const callId = randomUUID();
    const input = inputOf(callId);
    // A text is JSON already: `JSON.stringify` itself gives up on what is nested so deep.
    const payload = typeof input === 'string' ? { ...json(0), data: bytes(input) } : json(input);
    await startRaw(callId, [payload], workflowType);
    const { type, message } = await failureOf(callId, workflowType);
    expect(type).toBe('InvalidRequest');
    expect(message.length).toBeLessThan(8_000);
  });
});

test.each(['99999999999999999999', '9'.repeat(300), 'Fri, 31 Dec 9999 23:59:59 GMT'])(
  'a Graph that wants to be asked again in ages (%s) is not waited for',
  async (retryAfter) => {
    const call = service.call({ faults: { requests: [{ on: 'mute', answer: { status: 429, retryAfter } }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await handle.result().catch(() => undefined);
    const { type, message } = await failureOf(call.id);
    expect(type).toBe('GraphUnavailable');
    expect(message).toContain('it is throttling');
    expect(call.posts).toEqual(['mute', 'unmute']);
  },
);

describe('an operation that is under way', () => {
  test('takes any signal and any query, and is confirmed', async (context) => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 2_000 }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    const names = [...Object.values(SIGNAL), '__proto__', '__stack_trace', 'constructor', '', 'x'.repeat(900)];
    const sent = fc.sample(fc.tuple(fc.constantFrom(...names), payloads), { seed, numRuns: RUNS * 2 });
    // A payload that ends the call, or hands it over, would be one that fits.
    const hostile = sent.filter(([name, [first]]) => name !== SIGNAL.callEnded || first !== undefined);
    await Promise.all(
      hostile.map(async ([name, given]) => {
        const isEnd = name === SIGNAL.callEnded;
        await signalRaw(call.id, name, isEnd ? [json('over'), ...given] : given).catch(() => undefined);
      }),
    );
    const raw = client.workflow.getHandle(call.workflowId);
    for (const query of ['operation', 'nothing', '__proto__'])
      await raw.query(query, '\ud800', {}).catch(() => undefined);
    expect(await handle.result()).toMatchObject({ isMuted: true });
    expect((await handle.status()).phase).toBe('confirmed');
    const { violations } = judge(await evidenceOf(client, call));
    tell(context, { what: 'hostile signals', faults: hostile.length, operations: 1, violations: violations.length });
    expect(violations).toEqual([]);
  });

  test('takes thousands of signals, and is confirmed', async (context) => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 1_000 }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    const flood = 2_000;
    const roster = { full: false, participants: [{ id: randomUUID(), isMuted: true }] };
    const news = (index: number): unknown => ({ operationId: `op-${index}`, status: 'failed' });
    for (let sent = 0; sent < flood; sent += 100) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const [name, payload] =
            index % 2 === 0 ? [SIGNAL.rosterUpdated, roster] : [SIGNAL.operationUpdated, news(sent + index)];
          await signalRaw(call.id, name, [json(payload)]).catch(() => undefined);
        }),
      );
      // On a starved machine the worker is to keep up: what takes 5 s at once is broken off by Temporal's SDK.
      await handle.status();
    }
    expect(await handle.result()).toMatchObject({ isMuted: true });
    const { violations, ...rest } = judge(await evidenceOf(client, call));
    expect(rest).toEqual({ misled: 0, overtaken: 0 });
    tell(context, { what: 'thousands of signals', faults: flood, operations: 1, violations: violations.length });
    expect(violations).toEqual([]);
  });

  test('is handed over once, however often it is asked to', async (context) => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 1_000 }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    const request = { callId: call.id, confirmWithinSeconds: 5 };
    await Promise.all(
      Array.from({ length: 500 }, async (_, index) => {
        const action = index % 2 === 0 ? 'unmute' : 'mute';
        await signalRaw(call.id, SIGNAL.supersede, [json({ action, request, id: 'x'.repeat(500) })]);
      }),
    );
    await handle.result().catch(() => undefined);
    const { runs } = await evidenceOf(client, call);
    const { violations } = judge(await evidenceOf(client, call));
    tell(context, {
      what: 'thousands of signals',
      faults: 500,
      operations: runs.length,
      violations: violations.length,
    });
    expect(violations).toEqual([]);
    expect(runs.length).toBeLessThan(10);
  });
});
