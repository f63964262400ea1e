import { ActivityFailure, ApplicationFailure, isCancellation, patched, sleep } from '@temporalio/workflow';
import type { CallReading, CallTarget } from '../activities/types.ts';
import { firstReads, FIRST_PAUSE_MS, reads, REQUEST_MS } from './activities.ts';

/**
 * The read that every operation begins with, once as a local activity: the worker that has the workflow task does it at
 * once, so that it costs no task of its own, and the POST is scheduled with the same answer to the server that records
 * what was read (S1 of the saga). It has one attempt and little time. Where Graph fails, the read goes on as a regular
 * activity, so that an operator sees the attempts and what Graph said, and waits for no workflow task to end.
 *
 * While it lasts the run hears nothing: a cancellation that comes in these milliseconds is heard after the POST, and
 * undoes it.
 */

/** Operations that began before 0.2.0 read with a regular activity from the start. */
const PATCH = 'first-read-is-local';

export async function readCallFirst(target: CallTarget): Promise<CallReading> {
  const options = { summary: `Read call ${target.callId}` };
  if (patched(PATCH)) {
    try {
      return await firstReads.readCall.executeWithOptions(options, [target]);
    } catch (error) {
      const pause = pauseAfter(error);
      if (pause === undefined) throw error;
      await sleep(pause, { summary: 'Wait before the call is read again' });
    }
  }
  return await reads.readCall.executeWithOptions(options, [target]);
}

/** How long to wait before the next attempt, or nothing where there is to be none. */
function pauseAfter(error: unknown): number | undefined {
  if (isCancellation(error)) return undefined;
  // What a local activity throws may have an `ActivityFailure` around it or not, and where time has run out it has one at
  // first and none on replay: only what is inside is looked at.
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (!(cause instanceof ApplicationFailure)) return FIRST_PAUSE_MS;
  const pause = Number(cause.nextRetryDelay ?? FIRST_PAUSE_MS);
  return cause.nonRetryable === true || pause > REQUEST_MS ? undefined : pause;
}
