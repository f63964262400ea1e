import { isGrpcServiceError, WorkflowFailedError } from '@temporalio/client';
import { ModerationError } from './errors.ts';

/** Names of gRPC's status codes, by number. Their messages are the server's, and may quote what was sent. */
const GRPC_STATUS = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** gRPC's status of an error of the SDK's client, which may be wrapped. */
export function grpcStatusOf(error: unknown): string | undefined {
  const cause = grpcErrorOf(error);
  return cause === undefined ? undefined : GRPC_STATUS[cause.code];
}

/** gRPC's own error in an error of the SDK's client. */
export function grpcErrorOf(error: unknown) {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth += 1) {
    if (isGrpcServiceError(cause)) return cause;
  }
  return undefined;
}

/** An error of any kind as one of ours. `doing` is in a sentence, such as "Releasing call X". */
export function toOwnError(error: unknown, doing: string, callId?: string): ModerationError {
  if (error instanceof ModerationError) return error;
  const details = callId === undefined ? {} : { callId };
  if (error instanceof WorkflowFailedError) {
    const message = `${doing} failed, because its workflow failed with an unexpected error. See it in Temporal.`;
    return callId === undefined
      ? new ModerationError('TemporalUnavailable', message, details, error)
      : new ModerationError('OperationFailed', message, { callId }, error);
  }
  const status = grpcStatusOf(error);
  const why = status ?? (error instanceof Error ? error.name : 'an unknown error');
  const message = `${doing} failed, because Temporal gave no valid answer (${why}). Try again.`;
  return new ModerationError('TemporalUnavailable', message, details, error);
}
