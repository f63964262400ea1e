import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowContinuedAsNewError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { isFields } from '../../contract/check.ts';
import { endedAs } from '../../contract/ended-as.ts';
import { CANCELLED, isFailureType, type FailureDetails, type FailureType } from '../../contract/failure.ts';
import { ModerationError, type ModerationErrorDetails, type ModerationErrorType } from '../errors.ts';
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
      return type === CANCELLED
        ? new ModerationError(type, message, { callId, ...details }, error)
        : new ModerationError(type, message, toDetails(type, callId, details), error);
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
    return new ModerationError(cause.type, cause.message, toDetails(cause.type, callId, cause.details?.[0]), error);
  }
  if (cause instanceof CancelledFailure) {
    const memo = (await run.describe()).memo?.[CANCELLED];
    const { message, ...details } = isFields(memo) ? memo : {};
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

/** What every failure of the type has in its details, in case that a run of other code has left it out. */
const REQUIRED: { [Type in FailureType]?: Partial<FailureDetails<Type>> } = {
  InvalidRequest: { issues: [] },
  CallNotEstablished: { state: '' },
  RestoreFailed: { restored: false, failure: 'OperationFailed' },
};

/** The details of a failure as they came over the wire. */
function toDetails<Type extends FailureType>(type: Type, callId: string, value: unknown): FailureDetails<Type> {
  return { callId, ...REQUIRED[type], ...(isFields(value) && value) } as FailureDetails<Type>;
}

/** A failure of one type. */
export interface FailedOperationOf<Type extends ModerationErrorType> {
  type: Type;
  /** What happened, to which call, and what to do. */
  message: string;
  details: ModerationErrorDetails[Type];
}

/** Why an ended operation has no result: a `ModerationError` as plain data. A `switch` on `type` narrows `details`. */
export type FailedOperation = { [Type in ModerationErrorType]: FailedOperationOf<Type> }[ModerationErrorType];

/** The error as plain data. */
export function failedOperation({ type, message, details }: ModerationError): FailedOperation {
  // They belong together, as they did in the error.
  return { type, message, details } as FailedOperation;
}

/** `undefined` for an operation that is running, or that was confirmed. */
export async function readFailure(
  { callId, closedAt }: OperationRecord,
  run: WorkflowHandle,
): Promise<FailedOperation | undefined> {
  if (closedAt === undefined) return undefined;
  try {
    await resultOf(run);
    return undefined;
  } catch (error) {
    try {
      return failedOperation(await toModerationError(error, callId, run));
    } catch (other) {
      // A run that foreign code has failed has no outcome of ours.
      if (other instanceof WorkflowFailedError) return undefined;
      throw other;
    }
  }
}
