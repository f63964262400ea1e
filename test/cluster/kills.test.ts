import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import type { Faults, LogEntry } from '../../src/simulator/index.ts';
import { evidenceOf } from '../faults/evidence.ts';
import { judge } from '../faults/judge.ts';
import { tell } from '../faults/tried.ts';
import type { TestCall } from '../support/service.ts';
import { Cluster } from './cluster.ts';

/**
 * SIGKILL of each part of a deployment in the middle of operations, by a hook of the simulator: in the very moment in
 * which Graph takes a request, or sends a roster. What dies comes back as a supervisor brings it back. Nothing is lost, no
 * operation says what is not so, and those that nothing else goes wrong with are confirmed.
 */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(async () => await cluster?.stop());

/** Slow enough that several are under way when the third begins. */
const slow = { on: 'mute', latencyMs: 400 } as const;
const untold = [{ on: 'roster', drop: true, times: 'forever' }] as const satisfies Faults['notifications'];

/** What else may go wrong with an operation, beside the death that all of them live through. */
const LIVES: { name: string; faults: Faults; confirmWithinSeconds: number; isConfirmed: boolean }[] = [
  { name: 'nothing', faults: { requests: [slow] }, confirmWithinSeconds: 120, isConfirmed: true },
  { name: 'nothing', faults: { requests: [slow] }, confirmWithinSeconds: 120, isConfirmed: true },
  { name: 'nothing', faults: { requests: [slow] }, confirmWithinSeconds: 120, isConfirmed: true },
  {
    name: 'the answer is lost',
    faults: { requests: [{ ...slow, answer: 'reset', effect: true }] },
    confirmWithinSeconds: 120,
    isConfirmed: true,
  },
  {
    name: 'the roster is lost',
    faults: { requests: [slow], notifications: [...untold] },
    confirmWithinSeconds: 120,
    isConfirmed: true,
  },
  // Restored, or confirmed by a read that comes first.
  {
    name: 'no roster in time',
    faults: { requests: [slow], notifications: [...untold] },
    confirmWithinSeconds: 1,
    isConfirmed: false,
  },
];

type Moment = [at: string, isReached: (entry: LogEntry) => boolean];

const MOMENTS: Moment[] = [
  [
    'requests to Graph are under way',
    (entry) => entry.type === 'request' && entry.action === 'mute' && entry.endedAt === undefined,
  ],
  [
    'rosters are on their way',
    (entry) => entry.type === 'notification' && entry.kind === 'roster' && entry.endedAt === undefined,
  ],
];

const PARTS = ['temporal', 'postgres', 'worker-1', 'worker-2', 'webhook-1', 'webhook-2'];

/** Of requests and rosters, the one that kills: some are over then, others have not begun. */
const WHICH = 3;

describe.each(PARTS)('%s is killed while', (name) => {
  test.for(MOMENTS)('%s, and nothing is lost', async ([, isReached], context) => {
    const part = cluster.topology.part(name);
    const deaths = part.deaths;
    const calls = LIVES.map(({ faults }) => cluster.call({ faults }));
    const ours = new Set(calls.map(({ id }) => id));
    let seen = 0;
    const killed = cluster.when(
      (callId, entry) => ours.has(callId) && isReached(entry) && (seen += 1) === WHICH,
      async () => await part.kill(),
    );
    const handles = await Promise.all(calls.map(begin));
    await killed;
    expect(part.deaths).toBe(deaths + 1);
    await part.ready();

    const outcomes = await Promise.allSettled(handles.map(async (handle) => await handle.result()));
    for (const [index, { name: life, isConfirmed }] of LIVES.entries()) {
      const outcome = outcomes[index];
      if (isConfirmed) expect(outcome, life).toMatchObject({ status: 'fulfilled', value: { isMuted: true } });
    }
    await judged(calls, name, context);
  });
});

async function begin(call: TestCall, index: number): Promise<OperationHandle> {
  const { confirmWithinSeconds = 30 } = LIVES[index] ?? {};
  return await cluster.moderation.mute({ callId: call.id, confirmWithinSeconds });
}

async function judged(calls: readonly TestCall[], name: string, context: TestContext): Promise<void> {
  // Lists lag behind, the more so after a death; the judge reads them.
  for (const call of calls) {
    await expect.poll(async () => await listed(call), { timeout: 30_000, interval: 200 }).toBeGreaterThan(0);
  }
  const verdicts = await Promise.all(calls.map(async (call) => judge(await evidenceOf(cluster.client, call))));
  const violations = verdicts.flatMap((verdict) => verdict.violations);
  const row = { what: `${name.replace(/-\d$/, '')} is killed`, faults: 1, operations: calls.length };
  tell(context, { ...row, violations: violations.length });
  expect(violations).toEqual([]);
}

async function listed(call: TestCall): Promise<number> {
  return (await cluster.client.workflow.count(`WorkflowId = '${call.workflowId}' AND CloseTime IS NOT NULL`)).count;
}
