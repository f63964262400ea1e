import { WorkflowNotFoundError, type Client, type ScheduleDescription } from '@temporalio/client';
import { QUERY } from '../../contract/names.ts';
import type { PolicyReport } from '../../contract/policy.ts';
import type { PolicyRunRecord } from './policy-types.ts';

/** How long to wait for a worker's answer about the progress of a run, in ms. */
const REPORT_WITHIN_MS = 3_000;

/** The last run of a policy, with its report; `undefined` if there is none, or Temporal has deleted it. */
export async function readLastRun(client: Client, { info }: ScheduleDescription): Promise<PolicyRunRecord | undefined> {
  const last = info.recentActions.at(-1);
  if (last === undefined) return undefined;
  const { workflowId, firstExecutionRunId: runId } = last.action.workflow;
  const times = { scheduledAt: last.scheduledAt.toISOString(), takenAt: last.takenAt.toISOString() };
  try {
    // Without a run ID it is the last of those that it has continued as.
    const handle = client.workflow.getHandle(workflowId);
    const { status } = await handle.describe();
    const report =
      status.name === 'COMPLETED'
        ? ((await handle.result()) as PolicyReport)
        : status.name === 'RUNNING'
          ? await reportSoFar(client, workflowId)
          : undefined;
    return { workflowId, runId, ...times, status: status.name, ...(report !== undefined && { report }) };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

async function reportSoFar(client: Client, workflowId: string): Promise<PolicyReport | undefined> {
  const handle = client.workflow.getHandle(workflowId);
  try {
    return await client.withDeadline(Date.now() + REPORT_WITHIN_MS, () => handle.query<PolicyReport>(QUERY.policy));
  } catch {
    return undefined;
  }
}
