import { activityInfo, ApplicationFailure } from '@temporalio/activity';
import type { GraphError } from '../graph/errors.ts';

/** The error as Temporal needs it: whether it is final, and when Graph allows a retry. */
export function toApplicationFailure(
  { type, message, details, isRetryable }: GraphError,
  attemptsBefore = 0,
): ApplicationFailure {
  const { retryAfterSeconds } = details;
  return ApplicationFailure.create({
    type,
    message,
    details: [{ ...details, attempt: attemptsBefore + activityInfo().attempt }],
    nonRetryable: !isRetryable,
    // Expected of Graph, and reported in the operation's history: not worth a warning in the worker's log at every
    // attempt.
    ...((isRetryable || type === 'CallNotFound') && { category: 'BENIGN' as const }),
    ...(isRetryable && retryAfterSeconds !== undefined && { nextRetryDelay: Math.max(retryAfterSeconds * 1_000, 100) }),
  });
}
