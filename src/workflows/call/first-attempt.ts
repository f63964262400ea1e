import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import type { CallReading, FirstAttempt } from '../../activities/types.ts';
import { REQUEST_MS, RETRY_MS } from '../activity-proxies.ts';
import { fromActivity, type Failure } from '../lib/failures.ts';

/**
 * What the workflow knows after the first attempt at an operation, which reads and POSTs in one activity
 * (`src/activities/first-attempt.ts`). Whatever it has not done, `self-mute.ts` does step by step.
 */
export interface FirstOutcome extends Partial<FirstAttempt> {
  /** The POST was sent, or may have been. */
  isPosted: boolean;
  /** Why a retry is of no use. */
  failure?: Failure;
  /** Delay before Graph is asked again. */
  retryMs: number;
}

export function succeeded(first: FirstAttempt): FirstOutcome {
  return { ...first, isPosted: first.requestedAt !== undefined, retryMs: 0 };
}

/**
 * What an attempt that failed has read and sent. If no reading has reached the workflow, nothing was sent, because
 * the POST is sent only once Temporal has the reading.
 */
export function failed(error: unknown): FirstOutcome {
  if (!(error instanceof ActivityFailure)) throw error;
  const { cause } = error;
  const failure = fromActivity(error);
  if (cause instanceof TimeoutFailure) {
    const reading = cause.lastHeartbeatDetails as CallReading | null | undefined;
    if (reading) return { reading, isPosted: true, retryMs: 0 };
    // An attempt that timed out leaves time for others. If no worker took it, there is none left.
    return { isPosted: false, retryMs: 0, ...(cause.timeoutType !== 'START_TO_CLOSE' && { failure }) };
  }
  if (!(cause instanceof ApplicationFailure)) return { isPosted: false, retryMs: 0, failure };
  const first = (cause.details?.[1] ?? {}) as Partial<FirstAttempt>;
  const { retryAfterSeconds } = failure.details;
  const retryMs = retryAfterSeconds === undefined ? RETRY_MS : retryAfterSeconds * 1_000;
  const isFinal = cause.nonRetryable === true || retryMs > REQUEST_MS;
  return { ...first, isPosted: first.requestedAt !== undefined, retryMs, ...(isFinal && { failure }) };
}
