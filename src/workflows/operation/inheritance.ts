import type { FailureDetails } from '../../contract/failure.ts';
import type { ModerationResult, MuteState, ParticipantsMuteResult } from '../../contract/operation.ts';
import type { OperationUpdate, Successor } from '../../contract/signals.ts';
import type { KnownCall } from '../call/graph-call.ts';
import type { Failure } from '../lib/failures.ts';
import type { ParticipantMutesState } from './participant-mutes.ts';
import type { RosterState } from '../call/roster.ts';

/** What an operation comes to, and what one run of it leaves to the next. All of it is plain data; times are in ms. */

/** How far the mute or unmute of the application has come, from the first request for it on. */
export interface Progress {
  /** From when on Graph may have been asked, so that its notifications of failed operations may be about this one. */
  begunAt?: number;
  requestedAt?: number;
  attempts: number;
  acceptedAt?: number;
  /** Graph's ID of the operation, and its answer. */
  operationId: string;
  answer: FailureDetails;
  /** A read has shown the wanted state before Graph was asked. */
  isAlreadyAsWanted: boolean;
  /** Until when it waits for the confirmation, and how often it has read by now. */
  deadline?: number;
  round: number;
}

/** An operation that waits for its confirmation. */
export interface ConfirmingState {
  clientContext: string;
  progress: Progress;
  roster: RosterState;
  isRefused: boolean;
  isInherited: boolean;
  failedOperations: readonly OperationUpdate[];
  uiDetails: readonly string[];
}

/** How far a mute of others has come. */
export interface ParticipantsMuteProgress {
  requestedAt?: number;
  acceptedAt?: number;
  wait?: Wait;
}

/** How far the wait for the confirmation is. */
export interface Wait {
  /** Until then, participants whom a later roster shows are muted as well. */
  gatherBy: number;
  deadline: number;
  /** How often the roster was read. */
  round: number;
}

/** A mute of others that waits for its confirmation. */
export interface ConfirmingParticipantsState {
  clientContext: string;
  progress: ParticipantsMuteProgress;
  members: ParticipantMutesState;
  uiDetails: readonly string[];
}

/** What a run leaves to the one that supersedes it, or that continues it. */
export interface Inheritance extends KnownCall {
  /** Who hears when the run ends that inherits this. */
  watchers?: readonly string[];
  /** What the first run of the chain read, if it read anything (S1). */
  before?: MuteState;
  /** The place in the order of rosters that is known to be past (R2 of `roster.ts`). */
  newest?: number;
  /** Set if the run continues the same operation, because the history of the run before it became long. */
  confirming?: ConfirmingState;
  /** The same, of a mute of others. */
  confirmingOthers?: ConfirmingParticipantsState;
}

export type Outcome =
  | { kind: 'confirmed'; result: ModerationResult | ParticipantsMuteResult }
  | { kind: 'failed'; failure: Failure }
  /** The history is long, and the operation goes on in another run. */
  | { kind: 'continued'; inheritance: Inheritance };

/** The operation goes on as another run, which knows what this one knew. */
export interface HandOver {
  successor: Successor;
  inheritance: Inheritance;
}
