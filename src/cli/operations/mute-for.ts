import { invalid } from '../../client/errors.ts';
import type { ModerationRequest, OnConflict } from '../../contract/request.ts';
import { lastsUntil } from '../../contract/summary.ts';
import type { Context } from '../context.ts';
import { reporting } from '../exit.ts';
import { muteLockCommand } from '../standing/keep-muted.ts';
import { standingMuteRequest, type StandingMuteFlags } from '../standing/standing-mute.ts';
import type { WhomFlags } from './whom.ts';

/**
 * `mute CALL --for 5m`: mutes the application, and unmutes it after that time. It has begun once the application is
 * muted.
 */

export interface MuteForFlags extends WhomFlags, Omit<ModerationRequest, 'callId' | 'target'> {
  for?: number;
  until?: string;
  wait?: boolean;
  onConflict: OnConflict;
  json: boolean;
}

/** Flags of a single operation that a timed mute does not have. */
const SINGLE_ONLY = {
  participant: '--participant',
  others: '--others',
  except: '--except',
  clientContext: '--client-context',
  confirmWithinSeconds: '--confirm-within-seconds',
  onUnconfirmed: '--on-unconfirmed',
  requestId: '--request-id',
} as const satisfies Partial<Record<keyof MuteForFlags, string>>;

export function isTimed(flags: Pick<MuteForFlags, 'for' | 'until' | 'wait'>): boolean {
  return flags.for !== undefined || flags.until !== undefined || flags.wait === true;
}

export async function muteFor(context: Context, flags: MuteForFlags, callId: string): Promise<void> {
  const { onConflict, wait = false } = flags;
  const terms: StandingMuteFlags = { ...flags, wait };
  await muteLockCommand(context, terms, {
    request: () => {
      refuseOthers(flags);
      return { callId, enforce: false, ...standingMuteRequest(terms) };
    },
    onConflict: onConflict === 'reject' ? 'reject' : 'extend',
    begun: ({ until }) => `muted: ${callId} ${lastsUntil(until)}`,
  });
}

function refuseOthers(flags: MuteForFlags): void {
  const given = Object.entries(SINGLE_ONLY).find(([field]) => Boolean(flags[field as keyof typeof SINGLE_ONLY]));
  if (given !== undefined)
    throw invalid([`${given[1]} does not go with a timed mute: leave it out, or leave out --for, --until and --wait`]);
  if (flags.onConflict === 'queue')
    throw invalid([
      "--on-conflict queue does not go with a timed mute: it takes effect at once, or is refused with 'reject'",
    ]);
}

/** Graph can be asked to unmute once, and not to mute again later. */
export async function refuseTimedUnmute(context: Context, json: boolean): Promise<void> {
  await reporting(context, json, () => {
    throw invalid(['--for, --until and --wait are for mute: an unmute lasts until the next mute; leave them out']);
  });
}
