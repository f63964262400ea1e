import { WorkflowContinuedAsNewError, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure, TimeoutFailure } from '@temporalio/common';
import { endedAs } from '../../contract/ended-as.ts';
import { CANCELLED, isFailureType, type FailureDetails } from '../../contract/failure.ts';
import { ModerationError, type ModerationErrorType } from '../errors.ts';
import type { OperationRecord } from './records.ts';
import { resultOf } from './run-result.ts';

/**
 * The typed error for an error of a run's `result()`; an error that is not an outcome of the run is thrown unchanged.
 */
export async function toModerationError(error: unknown, callId: string, run: WorkflowHandle): Promise<ModerationError> {
  if (error instanceof WorkflowContinuedAsNewError) {
    const ended = endedAs((await run.describe()).memo);
    if (ended !== undefined && 'failure' in ended) {
      const { type, message, details } = ended.failure;
      return new ModerationError(type, message, details, error);
    }
    return new ModerationError(
      'Superseded',
      `Another operation on call ${callId} has superseded this one.`,
      { callId },
      error,
    );
  }
  if (!(error instanceof WorkflowFailedError)) throw error;
  const { cause } = error;
  if (cause instanceof ApplicationFailure && isFailureType(cause.type)) {
    return new ModerationError(cause.type, cause.message, toDetails(cause.details?.[0]), error);
  }
  if (cause instanceof CancelledFailure) {
    const { message, ...details } = toDetails((await run.describe()).memo?.[CANCELLED]);
    const said = typeof message === 'string' ? message : `The operation on call ${callId} was cancelled.`;
    return new ModerationError(CANCELLED, said, { callId, ...details }, error);
  }
  if (cause instanceof TerminatedFailure) {
    const message = `The operation on call ${callId} was terminated in Temporal. Check the call: nothing was put back.`;
    return new ModerationError('Terminated', message, { callId }, error);
  }
  if (cause instanceof TimeoutFailure) {
    const message = `Temporal ended the operation on call ${callId} at a timeout that its starter had set. Check the call: nothing was put back.`;
    return new ModerationError('TimedOut', message, { callId }, error);
  }
  throw error;
}

function toDetails(value: unknown): FailureDetails & { message?: unknown } {
  return typeof value === 'object' && value !== null ? value : {};
}

/** Why an ended operation has no result, from its error. */
export interface FailedOperation {
  type: ModerationErrorType;
  message: string;
  details: FailureDetails;
}

/** `undefined` for an operation that is running, or that was confirmed. */
export async function failureOf(
  { callId, closedAt }: OperationRecord,
  run: WorkflowHandle,
): Promise<FailedOperation | undefined> {
  if (closedAt === undefined) return undefined;
  try {
    await resultOf(run);
    return undefined;
  } catch (error) {
    try {
      const { type, message, details } = await toModerationError(error, callId, run);
      return { type, message, details };
    } catch (other) {
      // A run that foreign code has failed has no outcome of ours.
      if (other instanceof WorkflowFailedError) return undefined;
      throw other;
    }
  }
}
