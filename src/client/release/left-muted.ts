import { setTimeout as pause } from 'node:timers/promises';
import { PENDING } from '../../contract/names.ts';
import { grpcStatusOf } from '../any-error.ts';
import { toModerationError } from '../operations/failed-operation.ts';
import { pastRuns, type PastRun } from '../operations/past-runs.ts';
import type { OperationRecord } from '../operations/records.ts';
import type { Runs } from '../operations/runs.ts';

/**
 * Whether an operation has left the application muted in a call, as the call's operations show it, the newest first:
 *
 * L1. The first decisive operation decides. A mute is decisive if it is confirmed, or if nobody knows that it was undone:
 *     it runs, was terminated, or failed and put nothing back. An unmute is decisive as well then, and has unmuted the
 *     call if it is confirmed.
 * L2. An operation that failed and left the call as it was says nothing, and neither does one that was superseded: its
 *     successor undoes what it did. A mute of others undoes nothing, so a mute that it superseded is decisive.
 * L3. As long as an operation may be missing (`past-runs.ts`), no unmute proves that the call is unmuted, and an empty list
 *     proves nothing. It is waited for DECIDE_MS; then the answer is `unknown`.
 */
export type LeftMuted =
  /** By that operation. */
  | { answer: 'muted'; by: PastRun }
  | { answer: 'notMuted' }
  /** The newest operation, if one is known. */
  | { answer: 'unknown'; newest?: PastRun };

const DECIDE_MS = 6_000;
const LOOK_AGAIN_MS = 250;

/** One look. A call may have thousands of operations that have failed, and each is read. */
const LOOK_WITHIN_MS = 15_000;

/** Outcomes after which the call may be as the operation wanted it. */
const DECISIVE: ReadonlySet<string> = new Set(['Confirmed', 'RestoreFailed', 'Terminated', 'TimedOut', PENDING]);

/** Outcomes of operations that never had anything to undo, or whose call has ended. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(['InvalidRequest', 'CallNotFound', 'CallEnded', 'NotAGroupCall']);

export async function leftMuted(runs: Runs, callId: string): Promise<LeftMuted> {
  const deadline = Date.now() + DECIDE_MS;
  for (;;) {
    const found = await look(runs, callId);
    if (found.answer !== 'unknown' || Date.now() >= deadline) return found; // L3
    await pause(LOOK_AGAIN_MS);
  }
}

async function look(runs: Runs, callId: string): Promise<LeftMuted> {
  let newest: PastRun | undefined;
  let isSupersededByOthers = false;
  const unknown = (): LeftMuted => ({ answer: 'unknown', ...(newest !== undefined && { newest }) });
  const past = pastRuns(runs, callId);
  const work = async (): Promise<LeftMuted> => {
    for (;;) {
      const next = await past.next();
      if (next.done === true) return next.value ? { answer: 'notMuted' } : unknown();
      const run = next.value;
      const { record, isCertain } = run;
      newest ??= run;
      if (record.target !== undefined) {
        isSupersededByOthers = true;
        continue;
      }
      const isDecisive = record.outcome === 'Superseded' ? isSupersededByOthers : await isDecisiveEnd(runs, record);
      isSupersededByOthers = false;
      if (!isDecisive) continue;
      if (record.action !== 'unmute' || record.outcome !== 'Confirmed') return { answer: 'muted', by: run }; // L1
      return isCertain ? { answer: 'notMuted' } : unknown();
    }
  };
  try {
    return await runs.client.withDeadline(Date.now() + LOOK_WITHIN_MS, work);
  } catch (error) {
    // The newest run could not be read: nothing at all is known, and whoever asked is told why.
    if (newest === undefined) throw error;
    return unknown();
  } finally {
    await past.return(false);
  }
}

/** What cannot be read, such as a result whose key is missing, has not been undone as far as anybody knows. */
async function isDecisiveEnd(runs: Runs, { workflowId, runId, callId, outcome }: OperationRecord): Promise<boolean> {
  if (DECISIVE.has(outcome)) return true;
  if (WITHOUT_EFFECT.has(outcome)) return false;
  const run = runs.of(workflowId, runId);
  const error: unknown = await run.result().catch((failure: unknown) => failure);
  if (grpcStatusOf(error) !== undefined) throw error;
  try {
    return (await toModerationError(error, callId, run)).details.restored === false;
  } catch {
    return true;
  }
}
