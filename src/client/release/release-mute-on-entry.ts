import { toOwnError } from '../any-error.ts';
import { ModerationError } from '../errors.ts';
import { isTaken } from '../standing/standing-mutes.ts';
import type { ReleasedCall } from './release-types.ts';
import {
  answerOf,
  endBy,
  notEnded,
  type Deadlines,
  type Failed,
  type ReleaseTerms,
  type ReleaseTools,
} from './release-work.ts';

/**
 * Ends the mute on entry of a call, and waits for its end, because it may be muting somebody. A failure is an end, too.
 */
export async function releaseMuteOnEntry(
  { runs, mutesOnEntry }: ReleaseTools,
  callId: string,
  { dryRun = false, seconds }: ReleaseTerms,
  { end }: Deadlines,
): Promise<Pick<ReleasedCall, 'muteOnEntry'> & Partial<Failed>> {
  try {
    const running = await answerOf(runs, async () => await mutesOnEntry.running(callId));
    if (running === undefined) return {};
    if (dryRun) return { muteOnEntry: 'wouldEnd' };
    if (!(await answerOf(runs, async () => await isTaken(running.release())))) return {};
    const ended = await endBy(runs, end, async () => {
      await running.result().catch((error: unknown) => {
        if (!(error instanceof ModerationError)) throw error;
      });
      return true;
    });
    if (ended === true) return { muteOnEntry: 'ended' };
    throw notEnded(callId, `The mute on entry of call ${callId} was asked to end, and has not within ${seconds} s.`);
  } catch (error) {
    const { type, message } = toOwnError(error, `Ending the mute on entry of call ${callId}`, callId);
    return { muteOnEntry: 'failed', type, message };
  }
}
