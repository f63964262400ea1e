import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { ModerationError } from '../client/errors.ts';
import { LastingRuns } from '../client/lasting-runs.ts';
import { MUTES_ON_ENTRY, type MuteOnEntryHandle, type MutesOnEntry } from '../client/mutes-on-entry.ts';
import { Runs } from '../client/runs.ts';
import type { EntryOrder, EntryStart } from './types.ts';
import { keepBeating, startIdOf } from './waiting.ts';

/**
 * A mute on entry that a policy wants on a call, started as our client does it, under the call's own workflow ID. Where one
 * runs there already, it is given the policy's terms.
 *
 * N1. What is told has happened: it is waited for until it has read the roster, from which moment on those who come are
 *     muted, or has failed. A read fails after a minute at the latest; what has not begun after WITHIN_MS is told as such.
 * N2. An attempt that comes after another starts no second one, and tells the same word: it starts with the same
 *     `startId`, for which the server gives the same run, running or ended. Only what others have done to the call since
 *     then is another word.
 * N3. A cancellation, and a worker that stops, leave it to itself.
 */

const WITHIN_MS = 75_000;

/** Before it is asked how it stands: what it reads takes two requests to Graph. The last one repeats. */
const PAUSES_MS = [250, 500, 1_000, 2_000] as const;

/** For a worker to answer how it stands, or for Temporal the result of what has ended. */
const ANSWER_WITHIN_MS = 3_000;

export async function startMuteOnEntry({ policyId, request }: EntryOrder): Promise<EntryStart> {
  const context = Context.current();
  const { client, info } = context;
  const entries: MutesOnEntry = new LastingRuns(new Runs(client), info.taskQueue, MUTES_ON_ENTRY);
  const startId = startIdOf(context);
  const stopBeating = keepBeating(context);
  try {
    return await begun(context, await entries.start(request, 'extend', { startId, policyId })); // N2
  } catch (error) {
    if (error instanceof ModerationError) return { outcome: error.type, message: error.message };
    if (!context.cancellationSignal.aborted || context.cancellationDetails?.cancelRequested === true) throw error;
    throw ApplicationFailure.retryable('The worker that waited for the mute on entry stops; that goes on.'); // N3
  } finally {
    stopBeating();
  }
}

/** N1. Throws why it has failed. */
async function begun(context: Context, handle: MuteOnEntryHandle): Promise<EntryStart> {
  const { callId, joined } = handle;
  const outcome = joined ? 'Extended' : 'Started';
  const deadline = Date.now() + WITHIN_MS;
  for (let asked = 0; Date.now() < deadline; asked += 1) {
    if (asked > 0 || !joined) await context.sleep(PAUSES_MS[Math.min(asked, PAUSES_MS.length - 1)] ?? 0);
    const status = await inTime(context, async () => await handle.status());
    if (status !== undefined && status.phase !== 'ended') {
      if (status.since !== undefined) return { outcome };
      continue;
    }
    // One that has failed before it could be asked anything answers nothing.
    const result = await inTime(context, async () => await handle.result());
    if (result?.endedBy === 'callEnded') {
      return { outcome: 'CallEnded', message: `Call ${callId} has ended, so nobody comes any more.` };
    }
    if (result !== undefined) return { outcome };
  }
  const message = `The mute on entry of call ${callId} has not read yet who is there. Look at it with call-moderation status ${callId}.`;
  return { outcome: 'NotBegun', message };
}

/** Nothing where no answer comes in time. */
async function inTime<T>(context: Context, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await context.client.withDeadline(Date.now() + ANSWER_WITHIN_MS, ask);
  } catch (error) {
    if (error instanceof ModerationError || context.cancellationSignal.aborted) throw error;
    return undefined;
  }
}
