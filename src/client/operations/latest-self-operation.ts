import { EFFECTIVE } from '../../contract/failure.ts';
import { pastRuns } from './past-runs.ts';
import type { OperationRecord } from './records.ts';
import type { Runs } from './runs.ts';

export interface LatestSelfOperation {
  /** Absent if the call has no such operation, or none is known. */
  record?: OperationRecord;
  /** No other one has run after it. */
  isLast: boolean;
  /** False if a newer one may be missing: Temporal's list has not caught up yet, or cannot be read. */
  isCertain: boolean;
}

/**
 * The newest operation on the application's own mute in a call, running or ended. It is certain if it is the newest
 * operation of the call. Behind mutes of others it is looked for in Temporal's list (`past-runs.ts`), and before a
 * mute `isCertain` must be checked: an unmute may be missing.
 *
 * With `since`, an unmute that may have taken effect and was wished for after that moment counts also if operations
 * that are older wishes have run after it, because an order may be late. That takes the list, unless the newest
 * operation is older.
 */
export async function latestSelfOperation(runs: Runs, callId: string, since = Infinity): Promise<LatestSelfOperation> {
  const past = pastRuns(runs, callId);
  let last: OperationRecord | undefined;
  let newer: OperationRecord | undefined;
  let wishedAt = since;
  const found = (isCertain: boolean): LatestSelfOperation => {
    const record = newer ?? last;
    return { ...(record !== undefined && { record }), isLast: record === last, isCertain };
  };
  try {
    for (;;) {
      const next = await past.next();
      if (next.done === true) return found(next.value);
      const { record, isCertain } = next.value;
      const isBefore = Date.parse(record.startedAt) < since;
      if (record.target === undefined) {
        last ??= record;
        const isUnmuted = record.action === 'unmute' && EFFECTIVE.has(record.outcome);
        if (isUnmuted && record.wishedAt > wishedAt) newer = record;
        wishedAt = Math.max(wishedAt, record.wishedAt);
      }
      if (isBefore && last !== undefined) return found(isCertain);
    }
  } finally {
    await past.return(false);
  }
}
