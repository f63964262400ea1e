import type { OnStandingConflict } from '../../client/standing/standing-mutes.ts';
import {
  checkMuteOnEntry,
  type MuteOnEntryRequest,
  type MuteOnEntryResult,
  type MuteOnEntryStatus,
} from '../../contract/mute-on-entry.ts';
import { lastsUntil } from '../../contract/summary.ts';
import type { Context } from '../context.ts';
import { standingMuteRequest, standingMuteCommand, type StandingMuteFlags } from './standing-mute.ts';

/** `mute-on-entry CALL`, which has begun once it knows who is there. */

export interface MuteOnEntryFlags extends StandingMuteFlags {
  except?: readonly string[];
  onConflict: OnStandingConflict;
}

const UNTOLD = 'Waiting for a complete roster: until one lists everyone in the call, nobody is muted.';

export async function muteOnEntry(this: Context, flags: MuteOnEntryFlags, callId: string): Promise<void> {
  const { except, onConflict } = flags;
  await standingMuteCommand<MuteOnEntryRequest, MuteOnEntryStatus, MuteOnEntryResult>(this, flags, {
    check: () => checkMuteOnEntry({ callId, ...standingMuteRequest(flags), ...(except !== undefined && { except }) }),
    start: (moderation, request) => moderation.muteOnEntry(request, { onConflict }),
    attached: 'Mute on entry was already active on this call. These terms apply from now on.',
    first: 'reading',
    warning: ({ isRosterComplete }) => (isRosterComplete ? undefined : UNTOLD),
    begun: ({ until, wereThere }) => {
      const end = lastsUntil(until);
      return `muting whoever joins ${callId}, ${end}; ${wereThere} were already in the call`;
    },
    ended: ({ endedBy, muted, newcomers }) => `${callId}: ${endedBy}, ${muted} of ${newcomers} newcomers muted`,
  });
}
