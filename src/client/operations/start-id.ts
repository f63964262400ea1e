import { InternalWorkflowStartOptionsSymbol } from '@temporalio/client/lib/internal.js';

/**
 * Two starts with one ID are the same start to the server, also where the first has ended by the time of the second. The
 * SDK has this for its own use only; without it, what two that ask at the same moment get would be left to chance.
 */
export function sameStart(startId: string | undefined): object {
  return startId === undefined ? {} : { [InternalWorkflowStartOptionsSymbol]: { requestId: startId } };
}
