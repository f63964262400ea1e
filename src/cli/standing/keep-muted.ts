import { invalid } from '../../client/errors.ts';
import type { OnStandingConflict } from '../../client/standing/standing-mutes.ts';
import {
  checkMuteLock,
  type MuteLockRequest,
  type MuteLockResult,
  type MuteLockStatus,
} from '../../contract/mute-lock.ts';
import { lastsUntil } from '../../contract/summary.ts';
import type { Context } from '../context.ts';
import { standingMuteRequest, standingMuteCommand, type StandingMuteFlags } from './standing-mute.ts';

/** `keep-muted CALL`, which has begun once the application is muted. */

export interface KeepMutedFlags extends StandingMuteFlags {
  mutes?: number;
  within?: number;
  onConflict: OnStandingConflict;
}

export async function keepMuted(this: Context, flags: KeepMutedFlags, callId: string): Promise<void> {
  await muteLockCommand(this, flags, {
    request: () => requestOf(flags, callId),
    onConflict: flags.onConflict,
    begun: ({ until }) => `kept muted: ${callId} ${lastsUntil(until)}`,
  });
}

export interface MuteLockCommand {
  /** Checked before any connection is made. */
  request: () => MuteLockRequest;
  onConflict: OnStandingConflict;
  begun: (status: MuteLockStatus) => string;
}

/** Also `mute CALL --for`, which starts the same without muting again. */
export async function muteLockCommand(
  context: Context,
  flags: StandingMuteFlags,
  { request, onConflict, begun }: MuteLockCommand,
): Promise<void> {
  await standingMuteCommand<MuteLockRequest, MuteLockStatus, MuteLockResult>(context, flags, {
    check: () => checkMuteLock(request()),
    start: (moderation, checked) => moderation.keepMuted(checked, { onConflict }),
    attached: 'The call was already kept muted. These terms apply from now on.',
    first: 'muting',
    begun,
    ended: ({ callId, endedBy, mutesAgain }) => `${callId}: ${endedBy}, muted again ${mutesAgain} times`,
  });
}

function requestOf(flags: KeepMutedFlags, callId: string): MuteLockRequest {
  const { mutes, within } = flags;
  if ((mutes === undefined) !== (within === undefined)) {
    throw invalid(['--mutes and --within go together: give both, or neither']);
  }
  return {
    callId,
    ...standingMuteRequest(flags),
    ...(mutes !== undefined && within !== undefined && { atMost: { mutes, withinSeconds: within } }),
  };
}
