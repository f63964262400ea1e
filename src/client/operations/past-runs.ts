import { WorkflowNotFoundError, type WorkflowExecutionInfo } from '@temporalio/client';
import { workflowIdOf } from '../../contract/call-id.ts';
import { quote } from '../../contract/list-filter.ts';
import { operationFromWorkflow, type OperationRecord } from './records.ts';
import type { Runs } from './runs.ts';

/**
 * The operations of a call, the newest first, each with whether one between it and the one before may be missing.
 *
 * - **The server knows some runs for certain.** These are the newest run of a workflow ID, and a run that has
 *   continued as new.
 * - **Older runs come from the list.** A run that was started after another one had closed does not know that one.
 *   The list is written a moment after the runs. It is complete up to a run once it shows that run and the run is
 *   SETTLED_MS old, because all earlier runs had closed by then.
 * - **A run that is listed as running is described.** Only the newest run can be running, so the list is out of date
 *   for the others.
 */
export interface PastRun {
  record: OperationRecord;
  taskQueue: string;
  /** No operation between this one and the newest is missing. */
  isCertain: boolean;
}

/** Elasticsearch shows what was written after a second; and runs of one call may be written in another order. */
const SETTLED_MS = 3_000;

type Info = Omit<WorkflowExecutionInfo, 'raw'>;

/** Yields the runs; returns whether it is certain that there are no more. */
export async function* pastRuns(runs: Runs, callId: string): AsyncGenerator<PastRun, boolean, undefined> {
  const workflowId = workflowIdOf(callId);
  const newest = await describe(runs, workflowId);
  if (newest === undefined) return true;
  const seen = new Set<string>();
  let oldest: Info = newest;
  for (let run: Info | undefined = newest; run !== undefined;) {
    seen.add(run.runId);
    oldest = run;
    yield* toPastRun(run, true);
    const previous: string | undefined = await continuedFrom(runs, run);
    // **The server knows some runs for certain.**
    run = previous === undefined ? undefined : await describe(runs, workflowId, previous);
  }
  let isShown = false;
  const isSettled = Date.now() - oldest.startTime.getTime() >= SETTLED_MS;
  for await (const listed of runs.client.workflow.list({ query: `WorkflowId = ${quote(workflowId)}` })) {
    if (listed.runId === oldest.runId) isShown = true;
    if (seen.has(listed.runId)) continue;
    seen.add(listed.runId);
    const isOld = listed.status.name === 'RUNNING';
    // **A run that is listed as running is described.**
    const run = isOld ? await describe(runs, workflowId, listed.runId) : listed;
    if (run !== undefined) yield* toPastRun(run, isShown && isSettled); // **Older runs come from the list.**
  }
  return isShown && isSettled;
}

function* toPastRun(info: Info, isCertain: boolean): Generator<PastRun> {
  const record = operationFromWorkflow(info);
  if (record !== undefined) yield { record, taskQueue: info.taskQueue, isCertain };
}

async function describe(runs: Runs, workflowId: string, runId?: string): Promise<Info | undefined> {
  try {
    return await runs.client.workflow.getHandle(workflowId, runId).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** The run that has continued as this one, from its first event. */
async function continuedFrom(
  { client }: Runs,
  { workflowId, runId }: { workflowId: string; runId: string },
): Promise<string | undefined> {
  const { history } = await client.workflow.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const previous = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId;
  return previous === null || previous === '' ? undefined : previous;
}
