import { setTimeout as pause } from 'node:timers/promises';
import { PENDING } from '../../contract/names.ts';
import { grpcStatusOf } from '../any-error.ts';
import type { AnyErrorDetails } from '../errors.ts';
import { toModerationError } from '../operations/failed-operation.ts';
import { pastRuns, type PastRun } from '../operations/past-runs.ts';
import type { OperationRecord } from '../operations/records.ts';
import { resultOf } from '../operations/run-result.ts';
import type { Runs } from '../operations/runs.ts';

/**
 * Whether an operation has left the application muted in a call, as the call's operations show it, the newest first:
 *
 * - **The first decisive operation decides.** A mute is decisive if it is confirmed, or if nobody knows that it was
 *   undone: it is running, was terminated, or failed without being put back. An unmute is decisive in the same cases,
 *   and has unmuted the call if it is confirmed.
 * - **Operations without effect are skipped.** These are operations that failed and left the call as it was, and
 *   superseded ones, because their successor undoes what they did. A mute of others undoes nothing, so a mute that it
 *   superseded is decisive.
 * - **A missing operation leaves it open.** As long as an operation may be missing (`past-runs.ts`), no unmute proves
 *   that the call is unmuted, and an empty list proves nothing. The list is read again for DECIDE_MS; then the answer
 *   is `unknown`.
 */
export type LeftMuted =
  /** By that operation. */
  | { answer: 'muted'; by: PastRun }
  | { answer: 'notMuted' }
  /** The newest operation, if one is known. */
  | { answer: 'unknown'; newest?: PastRun };

const DECIDE_MS = 6_000;
const LOOK_AGAIN_MS = 250;

/** Time limit of one look. A call may have thousands of failed operations, and each is read. */
const LOOK_WITHIN_MS = 15_000;

/** Outcomes after which the call may be as the operation wanted it. */
const DECISIVE: ReadonlySet<string> = new Set(['Confirmed', 'RestoreFailed', 'Terminated', 'TimedOut', PENDING]);

/** Outcomes of operations that never had anything to undo, or whose call has ended. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(['InvalidRequest', 'CallNotFound', 'CallEnded', 'NotAGroupCall']);

export async function leftMuted(runs: Runs, callId: string): Promise<LeftMuted> {
  const deadline = Date.now() + DECIDE_MS;
  for (;;) {
    const found = await look(runs, callId);
    if (found.answer !== 'unknown' || Date.now() >= deadline) return found; // **A missing operation leaves it open.**
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
      // **The first decisive operation decides.**
      if (record.action !== 'unmute' || record.outcome !== 'Confirmed') return { answer: 'muted', by: run };
      return isCertain ? { answer: 'notMuted' } : unknown();
    }
  };
  try {
    return await runs.client.withDeadline(Date.now() + LOOK_WITHIN_MS, work);
  } catch (error) {
    // The newest run could not be read, so nothing is known: the caller gets the error.
    if (newest === undefined) throw error;
    return unknown();
  } finally {
    await past.return(false);
  }
}

/** An operation that cannot be read, such as one whose key is missing, counts as not undone. */
async function isDecisiveEnd(runs: Runs, { workflowId, runId, callId, outcome }: OperationRecord): Promise<boolean> {
  if (DECISIVE.has(outcome)) return true;
  if (WITHOUT_EFFECT.has(outcome)) return false;
  const run = runs.of(workflowId, runId);
  const error: unknown = await resultOf(run).catch((failure: unknown) => failure);
  if (grpcStatusOf(error) !== undefined) throw error;
  try {
    const { details }: { details: AnyErrorDetails } = await toModerationError(error, callId, run);
    return details.restored === false;
  } catch {
    return true;
  }
}
