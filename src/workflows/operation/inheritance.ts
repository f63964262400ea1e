import type { GraphAnswer } from '../../contract/failure.ts';
import type { ModerationResult, MuteState, ParticipantsMuteResult } from '../../contract/operation.ts';
import type { OperationUpdate, Successor } from '../../contract/signals.ts';
import type { KnownCall } from '../call/graph-call.ts';
import type { Failure } from '../lib/failures.ts';
import type { ParticipantMutesState } from './participant-mutes.ts';
import type { RosterState } from '../call/roster.ts';

/** The state that one run of an operation passes on to the next. All of it is plain data; times are in ms. */

/** The progress of a mute or unmute of the application, from its first request on. */
export interface Progress {
  /** When Graph may first have received the request; later notifications of failed operations may be about this one. */
  begunAt?: number;
  requestedAt?: number;
  attempts: number;
  acceptedAt?: number;
  /** Graph's ID of the operation, and its answer. */
  operationId: string;
  answer: GraphAnswer;
  /** A read has shown the wanted state before Graph was asked. */
  isAlreadyAsWanted: boolean;
  /** The deadline of the confirmation, and the number of reads so far. */
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

/** The progress of a mute of others. */
export interface ParticipantsMuteProgress {
  requestedAt?: number;
  acceptedAt?: number;
  wait?: Wait;
}

/** The progress of the wait for the confirmation. */
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

/** The state that a run passes on to its successor, or to the run that continues it. */
export interface Inheritance extends KnownCall {
  /** The workflows that get a signal when the run ends that inherits this. */
  watchers?: readonly string[];
  /** The state that the first run of the chain has read, if it has read one: a restore goes back to it. */
  before?: MuteState;
  /** The highest known sequence number (`roster.ts`: **Only a newer roster confirms**). */
  newest?: number;
  /** Set if the run continues the same operation, because the history of the run before it became long. */
  confirming?: ConfirmingState;
  /** The same, of a mute of others. */
  confirmingOthers?: ConfirmingParticipantsState;
}

export type Outcome =
  | { kind: 'confirmed'; result: ModerationResult | ParticipantsMuteResult }
  | { kind: 'failed'; failure: Failure }
  /** The history is long, and the operation continues in another run. */
  | { kind: 'continued'; inheritance: Inheritance };

/** The operation continues as another run, with the state of this one. */
export interface HandOver {
  successor: Successor;
  inheritance: Inheritance;
}
