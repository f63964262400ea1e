import type { NewestOperation } from '../activities/types.ts';
import { EFFECTIVE } from '../contract/failure.ts';
import { PENDING } from '../contract/names.ts';

/** What a hold has seen when it looked. */
export interface Look {
  /** What a read of the roster shows; `undefined` if Graph did not answer. */
  isMuted: boolean | undefined;
  /** The newest operation on the application's own mute. */
  newest: NewestOperation | undefined;
  /** A mute that met the hold's last wish was confirmed, or a look has shown it. */
  isMet: boolean;
  /** The hold mutes again whenever somebody unmutes; a pause does not. */
  isEnforced: boolean;
  /** When the hold was last wished for, in ms since the epoch. */
  wishedAt: number;
}

/** What follows from a look. `overruled` means that a mute of the hold's own has gone over an unmute that is newer. */
export type Verdict = 'ask again' | 'overruled' | 'unmuted' | 'mute' | 'mute again' | 'settled';

/** The last wish counts: only an unmute that was wished for after the hold ends it. */
export function verdictOf({ isMuted, newest, isMet, isEnforced, wishedAt }: Look): Verdict {
  const isNewer = newest?.action === 'unmute' && newest.wishedAt > wishedAt;
  const isPending = newest?.outcome === PENDING;
  if (isPending && (isNewer || newest.action === 'mute')) return 'ask again';
  if (isNewer && EFFECTIVE.has(newest.outcome)) {
    if (!newest.isLast) return 'overruled';
    if (isMuted === false) return 'unmuted';
  }
  // A pending unmute that is older than the hold undoes what the hold has done.
  if (!isMet && (isMuted === false || isPending)) return 'mute';
  if (!isMet && isMuted === undefined) return 'ask again';
  return isMuted === false && isEnforced ? 'mute again' : 'settled';
}
