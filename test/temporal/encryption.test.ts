import { randomBytes, randomUUID } from 'node:crypto';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModerationClient } from '../../src/client/moderation-client.ts';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import { loadClientConfig } from '../../src/config/common.ts';
import { SIGNAL } from '../../src/contract/names.ts';
import { PLAIN } from '../../src/contract/payload-keys.ts';
import { KEY_ID, UnreadablePayload, unreadableIn } from '../../src/contract/unreadable.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { closeClient, connectClient } from '../../src/temporal/connect.ts';
import { createCodecServer } from '../../src/temporal/codec-server.ts';
import { EncryptionCodec, keep, marking } from '../../src/temporal/payload-codec.ts';
import { Deployment } from '../support/deployment.ts';
import { log as quiet, untilPhase } from '../support/service.ts';
import { temporal } from '../support/temporal.ts';

/** With `MODERATION_PAYLOAD_KEYS`, what Temporal keeps is encrypted, and whatever cannot be read stops nothing. */

const newKey = (): string => randomBytes(32).toString('base64');
const [A, B] = [`a:${newKey()}`, `b:${newKey()}`];

let service: Deployment;
beforeAll(async () => {
  service = await Deployment.start({ LOG_LEVEL: 'trace', MODERATION_PAYLOAD_KEYS: A });
  await service.webhook();
});
afterAll(async () => await service.stop());

const onQueue = (taskQueue: string): { MODERATION_TASK_QUEUE: string } => ({ MODERATION_TASK_QUEUE: taskQueue });

/** Nothing confirms until the faults are cleared. */
const undecided: Faults = {
  requests: [{ on: 'getParticipant', answer: { status: 503 }, times: 'forever' }],
  notifications: [{ on: 'roster', drop: true, times: 'forever' }],
};

/** A client with other keys than the deployment's, or none. */
async function withClient<T>(
  keys: string | undefined,
  taskQueue: string,
  work: (moderation: ModerationClient) => Promise<T>,
): Promise<T> {
  const env = { ...service.env, MODERATION_PAYLOAD_KEYS: keys };
  const client = await connectClient(loadClientConfig(env));
  try {
    return await work(new ModerationClient({ client, taskQueue }));
  } finally {
    await closeClient(client);
  }
}

/** A history as Temporal keeps it, its bytes as text, and the keys that its payloads name. */
async function kept(handle: OperationHandle): Promise<{ text: string; keys: Set<string> }> {
  const history = await (await handle.run()).handle.fetchHistory();
  const keys = new Set<string>();
  const text = JSON.stringify(history).replaceAll(
    /"(data|encryption-key-id)":"([^"]*)"/g,
    (_, name: string, data: string) => {
      const bytes = Buffer.from(data, 'base64').toString('latin1');
      if (name !== 'data') keys.add(bytes);
      return `"${name}":${bytes}`;
    },
  );
  return { text, keys };
}

/** What stands in a history that the CLI has printed. */
function dataOf(stdout: string): string {
  const data = [...stdout.matchAll(/"data": "([^"]*)"/g)].map(([, text]) => Buffer.from(text ?? '', 'base64'));
  expect(data.length).toBeGreaterThan(0);
  return Buffer.concat(data).toString('latin1');
}

test('what an operation was asked for and what came of it can be read with the key alone', async () => {
  const worker = await service.worker();
  const webhook = await service.webhook({ MODERATION_WEBHOOK_PORT: '0' });
  const call = service.call();
  const request = { callId: call.id, requestedBy: 'planted-requester', reason: 'planted-reason' };
  const handle = await service.moderation().mute(request);
  expect(await handle.result()).toMatchObject({ isMuted: true, confirmedBy: 'notification' });
  const { text, keys } = await kept(handle);
  expect([...keys]).toEqual(['a']);
  for (const planted of ['planted-', call.participantId, 'isMuted']) expect(text).not.toContain(planted);
  // What lists and searches need stays as it is.
  expect(text).toContain(call.workflowId);
  const [, secret = ''] = A.split(':');
  for (const log of [worker.stderr, webhook.stderr]) expect(log).not.toContain(secret);
  expect(worker.log.length).toBeGreaterThan(0);
  await worker.kill();

  // An operator who has the key, with Temporal's own CLI.
  const { payloadKeys: ours = [] } = loadClientConfig(service.env);
  const server = createCodecServer({ keys: ours, uiOrigin: 'http://localhost:8233', log: quiet });
  const endpoint = await server.listen({ host: '127.0.0.1', port: 0 });
  const show = ['workflow', 'show', '--workflow-id', call.workflowId, '--output', 'json'];
  expect(dataOf((await temporal(...show)).stdout)).not.toContain('planted-');
  const shown = dataOf((await temporal(...show, '--codec-endpoint', endpoint)).stdout);
  for (const planted of ['planted-requester', 'planted-reason']) expect(shown).toContain(planted);
  await server.close();
});

describe('keys are rotated', () => {
  test('while an operation runs: the new one encrypts, and the old one decrypts still', async () => {
    const queue = 'test-rotation';
    const worker = await service.worker(onQueue(queue));
    const call = service.call({ faults: undecided });
    const handle = await service.moderation(queue).mute({ callId: call.id, confirmWithinSeconds: 60 });
    await untilPhase(handle, 'confirming');
    await worker.kill();
    const rotated = await service.worker({ ...onQueue(queue), MODERATION_PAYLOAD_KEYS: `${B},${A}` });
    await service.graph.clearFaults(call.id);
    await withClient(`${A},${B}`, queue, async (moderation) => {
      const joined = await moderation.mute({ callId: call.id });
      expect(await joined.result()).toMatchObject({ isMuted: true });
    });
    expect((await kept(handle)).keys).toEqual(new Set(['a', 'b']));
    await rotated.kill();
  });

  test('and an operation whose key the worker does not have waits for one that has it', async () => {
    const queue = 'test-unknown-key';
    const worker = await service.worker(onQueue(queue));
    const call = service.call();
    // Moved to the front before the worker had it.
    await withClient(`${B},${A}`, queue, async (moderation) => {
      const handle = await moderation.mute({ callId: call.id });
      await worker.untilLogged(UnreadablePayload.withoutKey('b').message);
      await worker.kill();
      expect(call.requests).toEqual([]);
      const rotated = await service.worker({ ...onQueue(queue), MODERATION_PAYLOAD_KEYS: `${A},${B}` });
      expect(await handle.result()).toMatchObject({ isMuted: true });
      await rotated.kill();
    });
  });

  test.each([
    ['on', `plain,${A}`, A],
    ['over to another key', `${A},${B}`, `${B},${A}`],
    ['off', A, `plain,${A}`],
  ])('in two steps, while operations run: encryption goes %s', async (_, before, after) => {
    const queue = `test-steps-${randomUUID()}`;
    const call = service.call({ faults: undecided });
    const first = await service.worker({ ...onQueue(queue), MODERATION_PAYLOAD_KEYS: before });
    const second = await service.worker({ ...onQueue(queue), MODERATION_PAYLOAD_KEYS: after });
    await withClient(before, queue, async (moderation) => {
      const mute = await moderation.mute({ callId: call.id });
      await untilPhase(mute, 'confirming');
    });
    await withClient(after, queue, async (moderation) => {
      const unmute = await moderation.unmute({ callId: call.id });
      await service.graph.clearFaults(call.id);
      expect(await unmute.result()).toMatchObject({ isMuted: false });
      const { runId } = await unmute.run();
      const { events } = await service.client.workflow.getHandle(call.workflowId, runId).fetchHistory();
      expect(events?.filter((event) => event.workflowTaskFailedEventAttributes)).toEqual([]);
    });
    await Promise.all([first.kill(), second.kill()]);
  });
});

test('who has no key may still ask and signal, and what nobody can read stops nothing', async () => {
  const queue = 'test-plain';
  const worker = await service.worker(onQueue(queue));
  const call = service.call({ faults: undecided });
  await withClient(undefined, queue, async (moderation) => {
    await moderation.mute({ callId: call.id, confirmWithinSeconds: 60 });
  });
  const handle = await service.moderation(queue).mute({ callId: call.id });
  await untilPhase(handle, 'confirming');
  const stranger = await connectClient(loadClientConfig({ ...service.env, MODERATION_PAYLOAD_KEYS: B }));
  await stranger.workflow.getHandle(call.workflowId).signal(SIGNAL.rosterUpdated, { participants: [] });
  await closeClient(stranger);
  await untilPhase(handle, 'confirming');
  await service.graph.clearFaults(call.id);
  expect(await handle.result()).toMatchObject({ isMuted: true });
  await worker.kill();
});

describe('the codec', () => {
  const [first, second] = [
    { id: '1', key: randomBytes(32) },
    { id: '2', key: randomBytes(32) },
  ];
  const payload = defaultPayloadConverter.toPayload({ callId: 'a' });
  const codec = new EncryptionCodec([first, second]);
  const one = async (payloads: Promise<Payload[]>): Promise<Payload> => (await payloads)[0] as Payload;
  const encodedAs = (encoding: string) => ({ metadata: { encoding: Buffer.from(encoding) } });
  const refusalOf = async (by: EncryptionCodec, refused: Payload): Promise<UnreadablePayload> => {
    const error: unknown = await by.decode([refused]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnreadablePayload);
    return error as UnreadablePayload;
  };

  test('decrypts what it has encrypted, with any of its keys, and never encrypts alike', async () => {
    const encrypted = await one(codec.encode([payload]));
    expect(Buffer.from(encrypted.data ?? []).toString('latin1')).not.toContain('callId');
    expect((await one(codec.encode([payload]))).data).not.toEqual(encrypted.data);
    for (const keys of [[first], [second, first]]) {
      const decrypted = await one(new EncryptionCodec(keys).decode([encrypted]));
      expect(defaultPayloadConverter.fromPayload(decrypted)).toEqual({ callId: 'a' });
    }
  });

  test('encrypts nothing after `plain`, and decrypts with the keys that follow', async () => {
    const encrypted = await one(codec.encode([payload]));
    const reader = new EncryptionCodec([PLAIN, first]);
    expect(await reader.encode([payload])).toEqual([payload]);
    expect(defaultPayloadConverter.fromPayload(await one(reader.decode([encrypted])))).toEqual({ callId: 'a' });
  });

  test('gives back as it is what is not encrypted', async () => {
    const plain = [payload, { data: Buffer.from('x') }, {}, { metadata: {} }, encodedAs('binary/encrypted2')];
    expect(await codec.decode(plain)).toEqual(plain);
  });

  test('names the key that is missing, also if another one has its ID', async () => {
    const encrypted = await one(codec.encode([payload]));
    for (const keys of [[second], [PLAIN], [{ id: '1', key: randomBytes(32) }]] as const) {
      const refusal = await refusalOf(new EncryptionCodec(keys), encrypted);
      expect(refusal).toMatchObject({ missingKey: '1', message: expect.stringContaining('MODERATION_PAYLOAD_KEYS') });
    }
    // As the samples of Temporal's SDKs write it, without a check of the key.
    const { [KEY_ID]: id = Buffer.of(), encoding = Buffer.of() } = encrypted.metadata ?? {};
    const bare = { ...encrypted, metadata: { [KEY_ID]: id, encoding } };
    expect(defaultPayloadConverter.fromPayload(await one(codec.decode([bare])))).toEqual({ callId: 'a' });
    expect(await refusalOf(new EncryptionCodec([second]), bare)).toMatchObject({ missingKey: '1' });
  });

  test('takes nothing that was cut or changed for data, whatever it is', async () => {
    const encrypted = await one(codec.encode([payload]));
    const whole = Buffer.from(encrypted.data ?? []);
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat({ max: whole.length - 1 }).map((length) => whole.subarray(0, length)),
      fc.tuple(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 1, max: 255 })).map(([at, bits]) => {
        const changed = Buffer.from(whole);
        changed.writeUInt8(changed.readUInt8(at) ^ bits, at);
        return changed;
      }),
    );
    const ids = fc.oneof(
      fc.constantFrom('1', '2', '3', '', 'a b', '__proto__', 'x'.repeat(100_000), '\u0000'),
      fc.string({ unit: 'binary' }),
    );
    const check = fc.option(fc.uint8Array({ maxLength: 9 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(bytes, ids, check, async (data, id, keyCheck) => {
        const metadata = {
          ...encodedAs('binary/encrypted').metadata,
          [KEY_ID]: Buffer.from(id),
          ...(keyCheck && { 'encryption-key-check': keyCheck }),
        };
        const garbage = { metadata, data };
        const refusal = await refusalOf(codec, garbage);
        expect(refusal.missingKey ?? id).toBe(id);
        expect(refusal.message.length).toBeLessThan(500);
        // A worker's is marked, and no converter reads it. The codec server's is shown as it is.
        const told: UnreadablePayload[] = [];
        const worker = new EncryptionCodec(
          [first, second],
          marking((why) => told.push(why)),
        );
        const [seen = {}] = (await worker.decode([garbage, garbage])).toReversed();
        expect(told).toEqual(refusal.missingKey === undefined ? [] : [refusal]);
        expect(unreadableIn(seen)).toEqual(refusal);
        expect(() => defaultPayloadConverter.fromPayload(seen)).toThrow(refusal.message);
        expect(await new EncryptionCodec([first, second], keep).decode([garbage])).toEqual([garbage]);
      }),
      { numRuns: 500 },
    );
  });

  test('takes keys of 32 bytes and with fitting IDs only', () => {
    expect(() => new EncryptionCodec([])).toThrow('at least one key');
    expect(() => new EncryptionCodec([{ id: 'a b', key: randomBytes(32) }])).toThrow('the ID of a key');
    expect(() => new EncryptionCodec([{ id: 'short', key: randomBytes(16) }])).toThrow('key short must be 32 bytes');
  });
});
