import { WorkflowContinuedAsNewError, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure, TimeoutFailure } from '@temporalio/common';
import { CANCELLED, isFailureType, type FailureDetails } from '../contract/failure.ts';
import { ModerationError } from './errors.ts';

/** The typed error for what a run's `result()` has thrown; what is no outcome of the run is thrown on as it is. */
export async function toModerationError(error: unknown, callId: string, run: WorkflowHandle): Promise<ModerationError> {
  if (error instanceof WorkflowContinuedAsNewError) {
    return new ModerationError('Superseded', `Another operation on call ${callId} has taken over.`, { callId }, error);
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
    const message = `The operation on call ${callId} was terminated in Temporal. Look at the call, for nothing was put back.`;
    return new ModerationError('Terminated', message, { callId }, error);
  }
  if (cause instanceof TimeoutFailure) {
    const message = `Temporal ended the operation on call ${callId} at a timeout that its starter had set. Look at the call, for nothing was put back.`;
    return new ModerationError('TimedOut', message, { callId }, error);
  }
  throw error;
}

function toDetails(value: unknown): FailureDetails & { message?: unknown } {
  return typeof value === 'object' && value !== null ? value : {};
}
