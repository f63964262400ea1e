import type { LatestOperation } from '../../activities/types.ts';
import { EFFECTIVE } from '../../contract/failure.ts';
import { PENDING } from '../../contract/names.ts';

/** The result of a look of a mute lock. */
export interface Look {
  /** What a read of the roster shows; `undefined` if Graph did not answer. */
  isMuted: boolean | undefined;
  /** The newest operation on the application's own mute. */
  newest: LatestOperation | undefined;
  /** A mute that met the mute lock's last wish was confirmed, or a look has shown it. */
  isMet: boolean;
  /** A mute lock mutes again whenever somebody unmutes; a timed mute does not. */
  isEnforced: boolean;
  /** When the mute lock was last wished for, in ms since the epoch. */
  wishedAt: number;
}

/**
 * What follows from a look. `overruled` means that a mute of the mute lock's own has gone over an unmute that is
 * newer.
 */
export type Verdict = 'ask again' | 'overruled' | 'unmuted' | 'mute' | 'mute again' | 'settled';

/** The newest wish counts: only an unmute that was wished for after the mute lock ends it. */
export function verdictOf({ isMuted, newest, isMet, isEnforced, wishedAt }: Look): Verdict {
  const isNewer = newest?.action === 'unmute' && newest.wishedAt > wishedAt;
  const isPending = newest?.outcome === PENDING;
  if (isPending && (isNewer || newest.action === 'mute')) return 'ask again';
  if (isNewer && EFFECTIVE.has(newest.outcome)) {
    if (!newest.isLast) return 'overruled';
    if (isMuted === false) return 'unmuted';
  }
  // A pending unmute that is older than the mute lock undoes what the mute lock has done.
  if (!isMet && (isMuted === false || isPending)) return 'mute';
  if (!isMet && isMuted === undefined) return 'ask again';
  return isMuted === false && isEnforced ? 'mute again' : 'settled';
}
