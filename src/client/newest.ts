import { pastRuns } from './past-runs.ts';
import type { OperationRecord } from './records.ts';
import type { Runs } from './runs.ts';

export interface NewestOwn {
  /** Absent if the call has no such operation, or none is known. */
  record?: OperationRecord;
  /** False if a newer one may be missing: Temporal's list has not caught up yet, or cannot be read. */
  isCertain: boolean;
}

/**
 * The newest operation on the application's own mute in a call, running or ended. It is certain if it is the newest
 * operation of the call. Behind mutes of others it is looked for in Temporal's list (`past-runs.ts`), and whoever would
 * mute because of what was found must ask `isCertain`: an unmute may be missing.
 */
export async function newestOwn(runs: Runs, callId: string): Promise<NewestOwn> {
  const past = pastRuns(runs, callId);
  try {
    for (;;) {
      const next = await past.next();
      if (next.done === true) return { isCertain: next.value };
      const { record, isCertain } = next.value;
      if (record.target === undefined) return { record, isCertain };
    }
  } finally {
    await past.return(false);
  }
}
