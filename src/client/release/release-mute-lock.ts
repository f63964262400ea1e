import { CANCELLED } from '../../contract/failure.ts';
import type { MuteLockResult } from '../../contract/mute-lock.ts';
import { grpcStatusOf } from '../any-error.ts';
import { ModerationError } from '../errors.ts';
import type { Runs } from '../operations/runs.ts';
import type { MuteLockHandle } from '../standing/mute-locks.ts';
import { isTaken } from '../standing/standing-mutes.ts';
import type { ReleasedCall, ReleaseOutcome } from './release-types.ts';
import {
  answerOf,
  endBy,
  hasEnded,
  type Deadlines,
  type Failed,
  type ReleaseTerms,
  type ReleaseTools,
} from './release-work.ts';

/** **A mute lock unmutes by itself** (`release.ts`). */

/** A mute lock that has not ended after this is queried, and waited for only if a worker answers. */
const MUTE_LOCK_LOOK_MS = 5_000;
const MUTE_LOCK_ANSWER_MS = 3_000;

/** How a mute lock was left that has not ended. */
type Unended = NonNullable<ReleasedCall['muteLock']>;

/** The outcome if the mute lock has unmuted the call, or else how it was left. */
export type ReleasedMuteLock = { outcome: ReleaseOutcome } | { unended?: Unended; isCancelled?: true };

/** `undefined` if there is none any more. */
export async function releaseMuteLock(
  { runs, muteLocks }: ReleaseTools,
  callId: string,
  { dryRun = false }: ReleaseTerms,
  deadlines: Deadlines,
): Promise<ReleasedMuteLock | undefined> {
  let muteLock: MuteLockHandle | undefined;
  try {
    muteLock = await answerOf(runs, async () => await muteLocks.running(callId));
  } catch (error) {
    if (error instanceof ModerationError) throw error; // **Other deployments are left alone.**
    return { unended: 'notKnown' };
  }
  if (muteLock === undefined) return undefined;
  if (dryRun) return { outcome: 'wouldRelease' };
  const asked = await askToEnd(runs, muteLock);
  if (asked !== 'asked') return asked === 'ended' ? undefined : { unended: asked };
  try {
    const result = await endOf(runs, muteLock, deadlines);
    if (result === undefined) return { unended: 'goesOn' };
    if (result.endedBy === 'callEnded') return { outcome: 'callEnded' };
    const isUnmuted = result.endedBy === 'released' || result.endedBy === 'expired';
    return isUnmuted ? { outcome: 'released' } : undefined;
  } catch (error) {
    // It has failed, so it has not unmuted; the operations show whether an unmute is needed.
    if (error instanceof ModerationError) {
      if (error.type === CANCELLED) return { isCancelled: true };
      return hasEnded(error) ? { outcome: 'callEnded' } : undefined;
    }
    return grpcStatusOf(error) === undefined ? undefined : { unended: 'goesOn' };
  }
}

async function askToEnd(runs: Runs, muteLock: MuteLockHandle): Promise<'asked' | 'ended' | 'terminated' | 'notKnown'> {
  const run = runs.client.workflow.getHandle(muteLock.workflowId);
  const ways = [
    ['asked', async () => await muteLock.release()],
    ['asked', async () => void (await run.cancel())],
    [
      'terminated',
      async () => void (await run.terminate('Released, and it took neither the signal nor a cancellation')),
    ],
  ] as const;
  for (const [asked, way] of ways) {
    try {
      return (await answerOf(runs, async () => await isTaken(way()))) ? asked : 'ended';
    } catch {
      // Try the next, stronger way.
    }
  }
  return 'notKnown';
}

/** `undefined` if it has not ended in time, or no worker answers for it. */
async function endOf(
  runs: Runs,
  muteLock: MuteLockHandle,
  { muteLock: deadline }: Deadlines,
): Promise<MuteLockResult | undefined> {
  const ended = async (): Promise<MuteLockResult> => await muteLock.result();
  const soon = await endBy(runs, Math.min(Date.now() + MUTE_LOCK_LOOK_MS, deadline), ended);
  if (soon !== undefined) return soon;
  const status = async () => await muteLock.status();
  const isAlive = await endBy(runs, Date.now() + MUTE_LOCK_ANSWER_MS, status).catch(() => undefined);
  return isAlive === undefined ? undefined : await endBy(runs, deadline, ended);
}

/** Why a call was unmuted beside its mute lock. */
export function unendedFailure(callId: string, unended: Unended): Failed {
  const how = {
    goesOn: `The mute lock of call ${callId} was asked to end, but has not ended in time. It ends when a worker runs it.`,
    terminated: `The mute lock of call ${callId} accepted neither a signal nor a cancellation, so it was terminated.`,
    notKnown: `Temporal did not report whether call ${callId} is kept muted, or did not accept the end of its mute lock. Release the call again.`,
  };
  return { type: unended === 'notKnown' ? 'TemporalUnavailable' : 'NotEnded', message: how[unended] };
}
