import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import { QUERY, SIGNAL } from '../../src/contract/names.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { Service, type TestCall } from '../support/service.ts';
import { evidenceOf } from './evidence.ts';
import { judge } from './judge.ts';
import { tell } from './tried.ts';

/**
 * Operations that are queried before a worker has them, and interrupted while the call is read. A query is answered between
 * a workflow's steps, and what it must not do is change their order: whoever looks at an operation, in Temporal's UI or by
 * joining it, does so in its first moments. The judge queries every run once more, which replays it.
 */

const AT_ONCE = 30;

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

type Interruption = (call: TestCall, handle: OperationHandle) => Promise<unknown>;

const signal =
  (name: string, payload: (call: TestCall) => object): Interruption =>
  async (call) =>
    await service.client.workflow.getHandle(call.workflowId).signal(name, payload(call));

const interruptions: [string, Interruption][] = [
  ['superseded', signal(SIGNAL.supersede, ({ id: callId }) => ({ action: 'unmute', request: { callId } }))],
  ['whose call ends', signal(SIGNAL.callEnded, () => ({ code: 200 }))],
  ['cancelled', async (_, handle) => await handle.cancel()],
];
const gone: Faults = { requests: [{ on: 'getCall', latencyMs: 10, answer: { status: 404, code: '8522' } }] };
const reads: [string, Faults][] = [
  ['is read', {}],
  ['is not found', gone],
];
const cases = reads.flatMap(([read, faults]) => interruptions.map(([what, by]) => ({ read, faults, what, by })));

for (const { read, faults, what, by } of cases) {
  test(`operations ${what} while a call that ${read} is read, and queried`, { timeout: 120_000 }, async (context) => {
    const calls = Array.from({ length: AT_ONCE }, () => service.call({ faults }));
    await service.stopWorker();
    const begun = calls.map(async (call) => {
      const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 5 });
      return { call, handle, asked: service.client.workflow.getHandle(call.workflowId).query(QUERY.operation) };
    });
    const operations = await Promise.all(begun);
    const interrupted = operations.map(async ({ call, handle }) => {
      await call.until(() => call.requests.length > 0);
      // One that has ended by then was not to be interrupted.
      await by(call, handle).catch(() => undefined);
    });
    await service.startWorker();
    await Promise.all(interrupted);
    await Promise.all(operations.map(async ({ asked }) => await asked));
    const evidence = await Promise.all(calls.map(async (call) => await evidenceOf(service.client, call)));
    const verdicts = evidence.map((each) => judge(each));
    const violations = verdicts.flatMap((verdict) => verdict.violations);
    tell(context, {
      what: 'queries from the first moment',
      faults: AT_ONCE,
      operations: evidence.flatMap(({ runs }) => runs).length,
      violations: violations.length,
      note: `${what}, ${read}`,
    });
    expect(violations).toEqual([]);
  });
}
