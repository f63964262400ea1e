import { Context } from '@temporalio/activity';
import { isOutcome } from '../client/errors.ts';
import { StandingMutes } from '../client/standing/standing-mutes.ts';
import type { MutesOnEntry } from '../client/standing/mutes-on-entry.ts';
import { MUTE_ON_ENTRY } from '../contract/mute-on-entry.ts';
import { Runs } from '../client/operations/runs.ts';
import type { MuteOnEntryReading, MuteOnEntryStart, GivenMuteOnEntryOrder } from './types.ts';

/**
 * A mute on entry that a policy starts on a call, as our client does, under the call's own workflow ID. If one is
 * running there already, it gets the policy's terms. Both activities are short;
 * `workflows/policy/policy-mutes-on-entry.ts` waits.
 *
 * **A retry starts no second one**: every attempt has the same `startId`, for which the server returns the same run,
 * running or ended, as long as nothing newer was started on the call.
 */

export async function startMuteOnEntry({
  policyId,
  request,
  startId,
}: GivenMuteOnEntryOrder): Promise<MuteOnEntryStart> {
  try {
    const { attached } = await mutesOnEntry().start(request, 'extend', { startId, policyId });
    return { outcome: attached ? 'Extended' : 'Started' };
  } catch (error) {
    if (isOutcome(error)) return { outcome: error.type, message: error.message };
    throw error;
  }
}

/** Time limit for a worker to answer the query. */
const ANSWER_WITHIN_MS = 3_000;

export async function readMuteOnEntry(callId: string): Promise<MuteOnEntryReading> {
  const { client } = Context.current();
  const running = await mutesOnEntry().running(callId);
  if (running === undefined) return { kind: 'ended', outcome: await failureOf(callId) };
  const status = await client
    .withDeadline(Date.now() + ANSWER_WITHIN_MS, async () => await running.status())
    .catch(() => undefined);
  return status?.since === undefined ? { kind: 'notBegun' } : { kind: 'begun' };
}

/** The failure of the last one, if it ended before it had begun. */
async function failureOf(callId: string): Promise<MuteOnEntryStart | undefined> {
  try {
    const { endedBy } = await mutesOnEntry().last(callId).result();
    if (endedBy !== 'callEnded') return undefined;
    return { outcome: 'CallEnded', message: `Call ${callId} has ended, so nobody comes any more.` };
  } catch (error) {
    if (isOutcome(error)) return { outcome: error.type, message: error.message };
    throw error;
  }
}

function mutesOnEntry(): MutesOnEntry {
  const { client, info } = Context.current();
  return new StandingMutes(new Runs(client), info.taskQueue, MUTE_ON_ENTRY);
}
