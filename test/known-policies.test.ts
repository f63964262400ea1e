import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import { knownPolicies } from '../src/activities/known-policies.ts';
import { APPLY_POLICY, scheduleIdOf } from '../src/contract/policy.ts';

/** What a worker knows of policies, over a Temporal that is slow, or fails: no server can be asked to be just so slow. */

const TASK_QUEUE = 'ours';

class SlowTemporal {
  readonly ids: string[];
  asked = 0;
  latencyMs = 100;
  failing = new Set<string>();

  constructor(count: number) {
    this.ids = Array.from({ length: count }, (_, i) => `policy-${i}`);
  }

  /** As much of a client as is asked. */
  get client(): Client {
    const describe = async (id: string) => {
      this.asked += 1;
      await sleep(this.latencyMs);
      if (this.failing.has(id)) throw new Error('unavailable');
      const policy = { id, action: 'mute', target: { live: {} }, when: {}, rules: { onJoin: true } };
      const taskQueue = id === 'policy-1' ? 'theirs' : TASK_QUEUE;
      return {
        action: { taskQueue, workflowType: APPLY_POLICY, args: [policy] },
        state: { paused: id === 'policy-2' },
      };
    };
    const list = async function* (ids: readonly string[]) {
      await sleep(100);
      for (const id of ids) yield { scheduleId: scheduleIdOf(id) };
    };
    return {
      schedule: {
        list: () => list(this.ids),
        getHandle: (scheduleId: string) => ({
          describe: async () => await describe(scheduleId.split('/').at(-1) ?? ''),
        }),
      },
      withAbortSignal: async <T>(_signal: AbortSignal, work: () => Promise<T>) => await work(),
      withDeadline: async <T>(_deadline: number, work: () => Promise<T>) => await work(),
    } as unknown as Client;
  }
}

test('a thousand policies are known within 5 seconds, but for those of others and those that are paused', async () => {
  const temporal = new SlowTemporal(1_000);
  const known = knownPolicies(temporal.client, TASK_QUEUE);
  const begun = Date.now();
  const [policies] = await Promise.all([known.soon(), known.soon(), known.soon()]);
  expect(Date.now() - begun).toBeLessThan(5_000);
  expect(policies).toHaveLength(998);
  // All who ask at the same time share one read.
  expect(temporal.asked).toBe(1_000);
});

test('what was read survives a read that fails', async () => {
  const temporal = new SlowTemporal(200);
  temporal.failing.add('policy-7');
  const known = knownPolicies(temporal.client, TASK_QUEUE);
  await expect(known.soon()).rejects.toThrow('unavailable');
  expect(temporal.asked).toBe(200);
  temporal.failing.clear();
  expect(await known.soon()).toHaveLength(198);
  expect(temporal.asked).toBe(201);
});

test(
  'a late or failing read leaves what was known before to those in a hurry, and not to the others',
  { timeout: 60_000 },
  async () => {
    const temporal = new SlowTemporal(10);
    const known = knownPolicies(temporal.client, TASK_QUEUE);
    await known.soon();
    await sleep(5_100);
    temporal.latencyMs = 9_000;
    temporal.ids.push('policy-new');
    const begun = Date.now();
    const soon = await known.soon();
    expect(Date.now() - begun).toBeLessThan(8_000);
    expect(soon).toHaveLength(8);
    expect(await known.now()).toHaveLength(9);
  },
);
