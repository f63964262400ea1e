import { CompleteAsyncError } from '@temporalio/activity';
import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import type { ActivityInterceptors } from '@temporalio/worker';
import { isForPeople } from '../lib/operator-error.ts';
import { classNameOf, framesOf, reasonOf } from '../lib/error-reason.ts';

/**
 * The history stores what an activity throws, with all its causes, and Temporal's UI shows it. So only the kind of
 * another library's error is stored: its message may quote its input.
 */
export function ownWords(): ActivityInterceptors {
  return {
    inbound: {
      async execute(input, next) {
        try {
          return await next(input);
        } catch (error) {
          throw inOwnWords(error);
        }
      },
    },
  };
}

/** Failures that are made for Temporal, and its own signs, pass. */
export function inOwnWords(error: unknown): unknown {
  const isForTemporal = error instanceof TemporalFailure || error instanceof CompleteAsyncError;
  if (isForTemporal || classNameOf(error) === 'AbortError') return error;
  const message = isForPeople(error) ? error.message : `The activity failed: ${reasonOf(error)}.`;
  const failure = ApplicationFailure.create({ type: classNameOf(error), message });
  failure.stack = [`${failure.name}: ${message}`, ...framesOf(error).map((frame) => `    ${frame}`)].join('\n');
  return failure;
}
