import { InternalWorkflowStartOptionsSymbol } from '@temporalio/client/lib/internal.js';

/**
 * The server treats two starts with one ID as the same start, also if the first run has ended by the time of the
 * second start. This uses an internal option of the SDK; without it, two concurrent starts with the same ID would
 * race.
 */
export function sameStart(startId: string | undefined): object {
  return startId === undefined ? {} : { [InternalWorkflowStartOptionsSymbol]: { requestId: startId } };
}
