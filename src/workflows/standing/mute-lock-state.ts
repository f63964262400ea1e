import type { MuteLockEnd, MuteLockPhase, MuteLockRequest, MuteLockTerms } from '../../contract/mute-lock.ts';
import type { PendingOperation } from '../orders/ordered-operations.ts';
import type { LifetimeState } from './lifetime.ts';
import type { LooksState } from './looks.ts';
import type { MuteLockFailure } from './mute-lock-outcome.ts';
import type { UnmutingState } from './unmuting.ts';

/** The purpose of an operation of the mute lock. */
export type Purpose = 'first' | 'again' | 'unmute';

/** The state that is carried when the mute lock continues as new. Times are in ms since the epoch. */
export interface MuteLockState {
  life: LifetimeState;
  looks: LooksState;
  unmuting: UnmutingState;
  terms: MuteLockTerms;
  /** When it was last wished for: its start, or when it was last extended (**The newest wish counts**). */
  wishedAt: number;
  participantId?: string;
  /** The operation that it waits for. */
  pending?: PendingOperation & { purpose: Purpose };
  /** It may have muted the call, so that it must unmute at the end (**It ends with an unmute**). */
  mayHaveMuted: boolean;
  /** It has muted over an unmute that was wished for later, and unmutes again (**The newest wish counts**). */
  isOverruled: boolean;
  mutesAgain: number;
  /** When it last muted again. */
  recent: readonly number[];
  rosters: number;
  /** Why it fails once the call is unmuted. */
  failure?: MuteLockFailure;
}

/** State that `Lifetime`, `Looks` and `Unmuting` do not keep. */
export type OwnState = Omit<MuteLockState, 'life' | 'looks' | 'unmuting'>;

export function stateAtStart(request: MuteLockRequest, startedAt: number): OwnState {
  return {
    terms: request,
    wishedAt: startedAt,
    mayHaveMuted: false,
    isOverruled: false,
    mutesAgain: 0,
    recent: [],
    rosters: 0,
  };
}

const PHASE_OF: Readonly<Record<Purpose, MuteLockPhase>> = {
  first: 'muting',
  again: 'keepingMuted',
  unmute: 'unmuting',
};

export function phaseOf({ pending, mayHaveMuted }: OwnState, isOver: boolean): MuteLockPhase {
  if (pending !== undefined) return PHASE_OF[pending.purpose];
  if (isOver) return 'unmuting';
  return mayHaveMuted ? 'keepingMuted' : 'muting';
}

/**
 * When the end of the mute lock was wished for. Never before its own mutes, which the unmute is there to undo (**The
 * newest wish counts**).
 */
export function endWishedAt({ wishedAt }: OwnState, { releasedAt, until = Date.now() }: LifetimeState): number {
  return Math.max(releasedAt ?? until, wishedAt);
}

/** How a mute lock ends that is over. */
export function endOf(
  { failure, isOverruled }: OwnState,
  { releasedAt }: LifetimeState,
): MuteLockEnd | MuteLockFailure {
  if (failure !== undefined) return failure;
  if (isOverruled) return 'unmuted';
  return releasedAt === undefined ? 'expired' : 'released';
}
