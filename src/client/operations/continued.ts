import { WorkflowContinuedAsNewError, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { CONTINUES_MEMO } from '../../contract/names.ts';

/**
 * An operation whose history became long goes on as another run, and is still the same operation. Who knows it by the ID of
 * a run follows it here.
 *
 * @returns the run that the operation goes on as; `undefined` if it has not, or if another operation has taken over
 */
export async function continuationOf(run: WorkflowHandle): Promise<WorkflowHandle | undefined> {
  const runId = await nextRunId(run);
  if (runId === undefined) return undefined;
  const next = run.client.getHandle(run.workflowId, runId, { followRuns: false });
  const { memo } = await next.describe();
  return memo?.[CONTINUES_MEMO] === true ? next : undefined;
}

/** The run that an ended one has continued as, whatever that is. Waits for nothing. */
async function nextRunId(run: WorkflowHandle): Promise<string | undefined> {
  const { status } = await run.describe();
  if (status.name !== 'CONTINUED_AS_NEW') return undefined;
  try {
    await run.result();
  } catch (error) {
    if (error instanceof WorkflowContinuedAsNewError) return error.newExecutionRunId;
    if (!(error instanceof WorkflowFailedError)) throw error;
  }
  return undefined;
}
