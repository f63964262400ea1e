import type { Policies } from '../../src/client/policies/policies.ts';
import type { PolicyReport } from '../../src/contract/policy.ts';
import { until } from './until.ts';

export interface PolicyRun {
  workflowId: string;
  report: PolicyReport;
}

/** Until the policy has run so often and the last of its runs has completed. */
export async function untilRun(policies: Policies, id: string, times = 1, ms?: number): Promise<PolicyRun> {
  const { lastRun } = await until(
    async () => await policies.describe(id),
    ({ runs, lastRun: last }) => runs >= times && last?.status === 'COMPLETED',
    ms,
  );
  if (lastRun?.report === undefined) throw new Error(`the run of policy ${id} has no report`);
  return { workflowId: lastRun.workflowId, report: lastRun.report };
}

/** Runs the policy now, and waits until that has completed. */
export async function triggered(policies: Policies, id: string, times = 1): Promise<PolicyRun> {
  await policies.trigger(id);
  return await untilRun(policies, id, times);
}
