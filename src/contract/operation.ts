import type { Action } from './names.ts';
import type { ModerationRequest } from './request.ts';
import type { ParticipantsTarget } from './target.ts';

/** The phase of an operation; `src/workflows/operation/self-mute.ts` describes the transitions. */
export type Phase = 'reading' | 'requesting' | 'confirming' | 'restoring' | 'confirmed' | 'failed';

/** The phases in which the same action attaches to a running operation instead of replacing it. */
export const JOINABLE_PHASES: readonly Phase[] = ['reading', 'requesting', 'confirming'];

/**
 * Mute state of one participant in a roster. `isMuted` is also true if the client muted itself; `call: mute` sets
 * `serverMuted` of its audio stream, but not every roster contains it.
 * https://learn.microsoft.com/graph/api/resources/participant and /mediastream
 */
export interface MuteState {
  isMuted: boolean;
  serverMuted?: boolean;
}

/**
 * The same as a read of the roster shows it, with the number of the roster in which it last changed, if Graph returns
 * it.
 */
export interface SeenState extends MuteState {
  sequence?: number;
}

/** Answer of the query `operation`. Times are ISO 8601 in UTC. */
export interface OperationStatus {
  phase: Phase;
  action: Action;
  request: ModerationRequest;
  /** The application's own participant (`call.myParticipantId`), once it is known. */
  participantId?: string;
  /** The state that a restore goes back to: read before anything was sent. */
  before?: MuteState;
  /** The newest state in a roster or a read. */
  lastSeen?: MuteState;
  /** Attempts to POST the action. */
  attempts: number;
  requestedAt?: string;
  acceptedAt?: string;
  confirmedAt?: string;
  /** The action that has taken over, or takes over as soon as no request is under way. */
  supersededBy?: Action;
  /** Of a mute of others: how it stands with each of them, once they are known. */
  participants?: readonly ParticipantResult[];
}

/** Result of a confirmed operation. Times are ISO 8601 in UTC. */
export interface ModerationResult {
  callId: string;
  participantId: string;
  action: Action;
  isMuted: boolean;
  confirmedBy: 'notification' | 'roster-read';
  clientContext: string;
  /** Graph's ID of the mute or unmute operation. */
  operationId: string;
  requestedAt: string;
  acceptedAt: string;
  confirmedAt: string;
}

/**
 * What became of the mute of one participant:
 *
 * - `confirmed`: Graph took it, and the roster shows `isMuted`
 * - `unmutedAgain`: confirmed, and unmuted by the person while the operation still ran
 * - `left`: not, or no longer, in the call
 * - `inLobby`: waits to be admitted; nothing was sent
 * - `refused`: Graph refused it, with the `status` and `code` beside it
 * - `notConfirmed`: not shown by the roster in time, whether or not Graph took it
 */
export type ParticipantOutcome = 'confirmed' | 'unmutedAgain' | 'left' | 'inLobby' | 'refused' | 'notConfirmed';

export interface ParticipantResult {
  participantId: string;
  outcome: ParticipantOutcome;
  confirmedBy?: ModerationResult['confirmedBy'];
  /** Graph's ID of the mute. */
  operationId?: string;
  /** HTTP status and `error.code` of Graph's refusal. */
  status?: number;
  code?: string;
}

/** Result of a mute of others. Nothing of it is ever undone, for Graph unmutes nobody but the application. */
export interface ParticipantsMuteResult {
  callId: string;
  action: 'mute';
  target: ParticipantsTarget;
  participants: readonly ParticipantResult[];
  /** False if Graph gave no complete roster in time, or one that ended at its 100 entries: there may be others. */
  isRosterComplete: boolean;
  clientContext: string;
  requestedAt: string;
  /** Of the last one that Graph took; absent where nothing was sent. */
  acceptedAt?: string;
  /** When the last one was settled. */
  confirmedAt: string;
}

/** Everyone who was to be muted is. People in the lobby are not in the call, but for those who were asked for by ID. */
export function isEveryoneMuted({ target, participants, isRosterComplete }: ParticipantsMuteResult): boolean {
  const isByName = target !== 'others' && 'participantIds' in target;
  const fine: readonly ParticipantOutcome[] = isByName ? ['confirmed', 'left'] : ['confirmed', 'left', 'inLobby'];
  return (isByName || isRosterComplete) && participants.every(({ outcome }) => fine.includes(outcome));
}
