import { CancellationScope, condition } from '@temporalio/workflow';
import { fromActivity } from './failures.ts';
import { Stop } from './interruptions.ts';

/**
 * Runs an activity until it ends, or until `isLetGo` holds, from when on Temporal tries no more. What became of an
 * activity that was let go depends on its kind: a read is abandoned at once, while a POST that is under way is waited
 * for (`src/workflows/activities.ts`).
 *
 * @returns the result, or nothing where the activity was let go without one
 * @throws {Stop} with the failure of an activity that was not let go
 */
export async function attempt<T>(isLetGo: () => boolean, activity: () => Promise<T>): Promise<T | undefined> {
  const scope = new CancellationScope();
  let isOver = false;
  const letGo = async (): Promise<void> => {
    await condition(() => isOver || isLetGo());
    if (!isOver) scope.cancel();
  };
  const watch = letGo();
  try {
    return await scope.run(activity);
  } catch (error) {
    if (isLetGo()) return undefined;
    throw new Stop(fromActivity(error));
  } finally {
    isOver = true;
    await watch;
  }
}

/** Waits until `isDone` holds, at most `ms`. A wait that is over before it begins costs no timer. */
export async function waitFor(isDone: () => boolean, ms: number, summary: string): Promise<void> {
  if (ms > 0 && !isDone()) await condition(isDone, ms, { summary });
}
