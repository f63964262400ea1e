import { WorkflowContinuedAsNewError, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { CONTINUES_MEMO } from '../../contract/names.ts';

/**
 * An operation whose history became long continues as another run, and is still the same operation. This follows it
 * from the ID of a run.
 *
 * @returns the run as which the operation continues; `undefined` if there is none, or if another operation has
 * superseded it
 */
export async function readContinuation(run: WorkflowHandle): Promise<WorkflowHandle | undefined> {
  const runId = await nextRunId(run);
  if (runId === undefined) return undefined;
  const next = run.client.getHandle(run.workflowId, runId, { followRuns: false });
  const { memo } = await next.describe();
  return memo?.[CONTINUES_MEMO] === true ? next : undefined;
}

/** The run that an ended one has continued as, whatever that is. Waits for nothing. */
async function nextRunId(run: WorkflowHandle): Promise<string | undefined> {
  const { status } = await run.describe();
  return status.name === 'CONTINUED_AS_NEW' ? await waitForNextRunId(run) : undefined;
}

/** Waits for the end of a run. Returns the ID of the run that it has continued as; `undefined` if there is none. */
export async function waitForNextRunId(run: WorkflowHandle): Promise<string | undefined> {
  try {
    await run.result();
  } catch (error) {
    if (error instanceof WorkflowContinuedAsNewError) return error.newExecutionRunId;
    if (!(error instanceof WorkflowFailedError)) throw error;
  }
  return undefined;
}
