import { WorkflowContinuedAsNewError, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { workflowIdOf } from '../../contract/call-id.ts';
import type { ModerationResult, ParticipantsMuteResult } from '../../contract/operation.ts';
import type { ModerationRequest } from '../../contract/request.ts';
import { grpcStatusOf } from '../any-error.ts';
import { requireOwnDeployment } from '../own-deployment.ts';
import { readContinuation } from './continued.ts';
import { failedOperation, toModerationError, type FailedOperation } from './failed-operation.ts';
import { operationFromWorkflow, type OperationRecord } from './records.ts';
import { resultOf } from './run-result.ts';
import type { Runs } from './runs.ts';
import { readWorkflowInput } from './workflow-input.ts';

/** An operation that was started before, with what became of it: neither result nor failure while it runs. */
export interface KnownOperation {
  record: OperationRecord;
  /** What it was asked for; absent if that is no request of ours. */
  request?: ModerationRequest;
  result?: ModerationResult | ParticipantsMuteResult;
  failure?: FailedOperation;
}

/**
 * Reads one operation by its run, and follows it where it has gone on as another run. Waits for nothing.
 *
 * @returns nothing if Temporal does not know the run (any more), or if it is no operation
 * @throws {ModerationError} `OtherDeployment` if it belongs to another task queue
 */
export async function readOperation(
  runs: Runs,
  taskQueue: string,
  callId: string,
  runId: string,
): Promise<KnownOperation | undefined> {
  const workflowId = workflowIdOf(callId);
  const first = runs.of(workflowId, runId);
  try {
    let run = first;
    let info = await run.describe();
    for (let next = await readContinuation(run); next !== undefined; next = await readContinuation(run)) {
      run = next;
      info = await run.describe();
    }
    const record = operationFromWorkflow(info);
    if (record === undefined) return undefined;
    requireOwnDeployment({ workflowId, taskQueue: info.taskQueue }, taskQueue, callId);
    const request = (await readWorkflowInput(runs.client, { workflowId, runId }))?.request;
    const known = { record, ...(request !== undefined && { request }) };
    if (record.closedAt === undefined) return known;
    try {
      return { ...known, result: await resultOf(run) };
    } catch (error) {
      const isOutcome = error instanceof WorkflowFailedError || error instanceof WorkflowContinuedAsNewError;
      if (!isOutcome) throw error;
      return { ...known, failure: failedOperation(await toModerationError(error, callId, run)) };
    }
  } catch (error) {
    const isInvalidRunId = grpcStatusOf(error) === 'INVALID_ARGUMENT';
    if (error instanceof WorkflowNotFoundError || isInvalidRunId) return undefined;
    throw error;
  }
}
