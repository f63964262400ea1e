import type { OnStandingConflict } from '../client/standing/standing-mutes.ts';
import {
  checkMuteOnEntry,
  type MuteOnEntryRequest,
  type MuteOnEntryResult,
  type MuteOnEntryStatus,
} from '../contract/mute-on-entry.ts';
import { lastsUntil } from '../contract/summary.ts';
import type { Context } from './context.ts';
import { standingMuteRequest, standingMuteCommand, type StandingMuteFlags } from './standing-mute.ts';

/** `mute-on-entry CALL`, which has begun once it knows who is there. */

export interface MuteOnEntryFlags extends StandingMuteFlags {
  except?: readonly string[];
  onConflict: OnStandingConflict;
}

const UNTOLD =
  'Waiting for a complete roster, so who was there is not known: nobody is muted until a roster lists everyone.';

export async function muteOnEntry(this: Context, flags: MuteOnEntryFlags, callId: string): Promise<void> {
  const { except, onConflict } = flags;
  await standingMuteCommand<MuteOnEntryRequest, MuteOnEntryStatus, MuteOnEntryResult>(this, flags, {
    check: () => checkMuteOnEntry({ callId, ...standingMuteRequest(flags), ...(except !== undefined && { except }) }),
    start: (moderation, request) => moderation.muteOnEntry(request, { onConflict }),
    attached: 'It was running already, and has these terms from now on.',
    first: 'reading',
    warning: ({ isRosterComplete }) => (isRosterComplete ? undefined : UNTOLD),
    begun: ({ until, wereThere }) => {
      const end = lastsUntil(until);
      return `muting who comes into ${callId} ${end}; ${wereThere} were there`;
    },
    ended: ({ endedBy, muted, newcomers }) => `${callId}: ${endedBy}, ${muted} of ${newcomers} who came muted`,
  });
}
