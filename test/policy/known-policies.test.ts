import type { Client } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { knownPolicies } from '../../src/activities/known-policies.ts';
import { WORKFLOW } from '../../src/contract/names.ts';
import { scheduleIdOf, type Policy } from '../../src/contract/policy.ts';
import { ENCRYPTED, KEY_ID } from '../../src/contract/unreadable.ts';
import { dataConverterOf } from '../../src/temporal/payload-codec.ts';

/** What a worker knows of policies, over a Temporal that is slow, or fails: no server can be asked to be just so slow. */

const TASK_QUEUE = 'ours';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Lets time pass until the work is done. */
async function done<T>(work: Promise<T>): Promise<T> {
  const state = { isDone: false };
  const end = (): void => {
    state.isDone = true;
  };
  work.then(end, end);
  while (!state.isDone) await vi.advanceTimersByTimeAsync(50);
  return await work;
}

const encryptedElsewhere: Payload = {
  metadata: { encoding: Buffer.from(ENCRYPTED), [KEY_ID]: Buffer.from('theirs') },
  data: Buffer.alloc(64),
};

class SlowTemporal {
  readonly ids: string[];
  asked = 0;
  latencyMs = 100;
  failing = new Set<string>();
  unreadable = new Set<string>();

  constructor(count: number) {
    this.ids = Array.from({ length: count }, (_, i) => `policy-${i}`);
  }

  /** As much of a client as is asked. */
  get client(): Client {
    const describeSchedule = async ({ scheduleId }: { scheduleId: string }) => {
      const id = scheduleId.split('/').at(-1) ?? '';
      this.asked += 1;
      await sleep(this.latencyMs);
      if (this.failing.has(id)) throw new Error('unavailable');
      const policy = { id, action: 'mute', target: { live: {} }, when: {}, rules: { onEstablished: true } };
      const payload = this.unreadable.has(id) ? encryptedElsewhere : defaultPayloadConverter.toPayload(policy);
      const taskQueue = { name: id === 'policy-1' ? 'theirs' : TASK_QUEUE };
      const startWorkflow = { taskQueue, workflowType: { name: WORKFLOW.applyPolicy }, input: { payloads: [payload] } };
      return { schedule: { action: { startWorkflow }, state: { paused: id === 'policy-2' } } };
    };
    const listSchedules = async () => {
      await sleep(100);
      return { schedules: this.ids.map((id) => ({ scheduleId: scheduleIdOf(id) })) };
    };
    const { dataConverter } = dataConverterOf(undefined);
    const loadedDataConverter = { ...dataConverter, payloadConverter: defaultPayloadConverter };
    return {
      options: { namespace: 'default' },
      workflow: { workflowService: { listSchedules, describeSchedule }, options: { loadedDataConverter } },
      withAbortSignal: async <T>(_signal: AbortSignal, work: () => Promise<T>) => await work(),
      withDeadline: async <T>(_deadline: number, work: () => Promise<T>) => await work(),
    } as unknown as Client;
  }
}

test('a thousand policies are known within 5 seconds, but for those of others and those that are paused', async () => {
  const temporal = new SlowTemporal(1_000);
  const known = knownPolicies(temporal.client, TASK_QUEUE);
  const begun = Date.now();
  const [policies] = await done(Promise.all([known.soon(), known.soon(), known.soon()]));
  expect(Date.now() - begun).toBeLessThan(5_000);
  expect(policies).toHaveLength(998);
  // All who ask at the same time share one read.
  expect(temporal.asked).toBe(1_000);
});

test('what cannot be decrypted here, of whichever deployment, keeps nobody from the others', async () => {
  const temporal = new SlowTemporal(10);
  temporal.unreadable = new Set(['policy-1', 'policy-3']);
  const known = knownPolicies(temporal.client, TASK_QUEUE);
  const activity = new MockActivityEnvironment();
  const policies = await done<readonly Policy[]>(activity.run(async () => await known.now()));
  expect(policies.map(({ id }) => id)).toEqual([0, 4, 5, 6, 7, 8, 9].map((number) => `policy-${number}`));
});

test('what was read survives a read that fails', async () => {
  const temporal = new SlowTemporal(200);
  temporal.failing.add('policy-7');
  const known = knownPolicies(temporal.client, TASK_QUEUE);
  await expect(done(known.soon())).rejects.toThrow('unavailable');
  expect(temporal.asked).toBe(200);
  temporal.failing.clear();
  expect(await done(known.soon())).toHaveLength(198);
  expect(temporal.asked).toBe(201);
});

test('a late or failing read leaves what was known before to those in a hurry, and not to the others', async () => {
  const temporal = new SlowTemporal(10);
  const known = knownPolicies(temporal.client, TASK_QUEUE);
  await done(known.soon());
  await vi.advanceTimersByTimeAsync(5_100);
  temporal.latencyMs = 9_000;
  temporal.ids.push('policy-new');
  const begun = Date.now();
  const soon = await done(known.soon());
  expect(Date.now() - begun).toBeLessThan(8_000);
  expect(soon).toHaveLength(8);
  expect(await done(known.now())).toHaveLength(9);
});
