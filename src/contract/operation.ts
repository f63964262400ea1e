import type { Action } from './names.ts';
import type { ModerationRequest } from './request.ts';
import type { ParticipantsTarget } from './target.ts';

/**
 * The phase of an operation: reads the call; asks Graph; waits for the roster; puts the call back after a failure; has
 * ended in one of two ways.
 */
export type Phase = 'reading' | 'requesting' | 'confirming' | 'restoring' | 'confirmed' | 'failed';

/** The phases in which the same action attaches to a running operation instead of replacing it. */
export const ATTACHABLE_PHASES: readonly Phase[] = ['reading', 'requesting', 'confirming'];

/**
 * Mute state of one participant in a roster. `isMuted` is also true if the client muted itself; `call: mute` sets
 * `serverMuted` of its audio stream, but not every roster contains it.
 * https://learn.microsoft.com/graph/api/resources/participant and /mediastream
 */
export interface MuteState {
  /** Graph's `participant.isMuted`. */
  isMuted: boolean;
  /** Graph's `mediaStream.serverMuted` of the audio stream, if the roster contains it. */
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
  /** When Graph was first asked. */
  requestedAt?: string;
  /** When Graph accepted the request. */
  acceptedAt?: string;
  /** When a roster has shown it. */
  confirmedAt?: string;
  /** The action that has taken over, or takes over as soon as no request is under way. */
  supersededBy?: Action;
  /** Of a mute of others: how it stands with each of them, once they are known. */
  participants?: readonly ParticipantResult[];
}

/** Result of a confirmed operation. Times are ISO 8601 in UTC. */
export interface ModerationResult {
  callId: string;
  /** The application's own participant (`call.myParticipantId`). */
  participantId: string;
  action: Action;
  /** As the roster shows it: `true` after a mute. */
  isMuted: boolean;
  /** Whether a roster notification showed it, or a read of the roster because none had come. */
  confirmedBy: 'notification' | 'roster-read';
  /** As it was sent to Graph. */
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
 * - `confirmed`: Graph accepted it, and the roster shows `isMuted`
 * - `unmutedAgain`: confirmed, and unmuted by the person while the operation still ran
 * - `left`: not, or no longer, in the call
 * - `inLobby`: waits to be admitted; nothing was sent
 * - `refused`: Graph refused it, with the `status` and `code` beside it
 * - `notConfirmed`: not shown by the roster in time, whether or not Graph accepted it
 *
 * https://learn.microsoft.com/graph/api/participant-mute
 */
export type ParticipantOutcome = 'confirmed' | 'unmutedAgain' | 'left' | 'inLobby' | 'refused' | 'notConfirmed';

/** The outcome of the mute of one participant. */
export interface ParticipantResult {
  participantId: string;
  outcome: ParticipantOutcome;
  /** How it was confirmed, if it was. */
  confirmedBy?: ModerationResult['confirmedBy'];
  /** Graph's ID of the mute. */
  operationId?: string;
  /** HTTP status and `error.code` of Graph's refusal. */
  status?: number;
  code?: string;
}

/**
 * Result of a mute of others. Nothing of it is ever undone, because Graph unmutes nobody but the application. Times are
 * ISO 8601 in UTC.
 */
export interface ParticipantsMuteResult {
  callId: string;
  action: 'mute';
  target: ParticipantsTarget;
  /** One for each participant in the target. */
  participants: readonly ParticipantResult[];
  /** False if Graph gave no complete roster in time, or one that ended at its 100 entries: there may be others. */
  isRosterComplete: boolean;
  clientContext: string;
  requestedAt: string;
  /** Of the last one that Graph accepted; absent if nothing was sent. */
  acceptedAt?: string;
  /** When the last one was settled. */
  confirmedAt: string;
}

/**
 * Whether everyone who was to be muted is muted, or has left. People in the lobby do not count, unless the request named
 * them by ID.
 *
 * @example
 * const result = await (await moderation.muteParticipants({ callId, target: 'others' })).result();
 * if (!isEveryoneMuted(result)) console.warn(result.participants.filter(({ outcome }) => outcome !== 'confirmed'));
 */
export function isEveryoneMuted({ target, participants, isRosterComplete }: ParticipantsMuteResult): boolean {
  const isByName = target !== 'others' && 'participantIds' in target;
  const fine: readonly ParticipantOutcome[] = isByName ? ['confirmed', 'left'] : ['confirmed', 'left', 'inLobby'];
  return (isByName || isRosterComplete) && participants.every(({ outcome }) => fine.includes(outcome));
}
