import { CancellationScope, condition } from '@temporalio/workflow';
import { fromActivity, type Failure } from '../lib/failures.ts';

/** Thrown by a step that cannot continue. */
export class OperationFailed {
  readonly failure: Failure;

  constructor(failure: Failure) {
    this.failure = failure;
  }
}

/**
 * Runs an activity until it ends, or until `isLetGo` returns true. Temporal then makes no further attempt. The
 * attempt that is under way depends on the activity: a read is abandoned, a POST is waited for
 * (`activity-proxies.ts`).
 *
 * @returns the result, or `undefined` if the activity was let go without one
 * @throws {OperationFailed} if the activity failed and was not let go
 */
export async function attempt<T>(isLetGo: () => boolean, activity: () => Promise<T>): Promise<T | undefined> {
  const scope = new CancellationScope();
  let isOver = false;
  const letGo = (): void => {
    if (!isOver) scope.cancel();
  };
  // A cancellation from outside reaches the activity by itself.
  void condition(() => isOver || isLetGo()).then(letGo, () => undefined);
  try {
    return await scope.run(activity);
  } catch (error) {
    if (isLetGo()) return undefined;
    throw new OperationFailed(fromActivity(error));
  } finally {
    isOver = true;
  }
}

/** Waits until `isDone` returns true, at most `ms`. A wait that is over before it begins costs no timer. */
export function waitFor(isDone: () => boolean, ms: number, summary: string): Promise<unknown> {
  return ms > 0 && !isDone() ? condition(isDone, ms, { summary }) : Promise.resolve();
}
