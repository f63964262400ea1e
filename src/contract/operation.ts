import type { Action } from './names.ts';
import type { ModerationRequest } from './request.ts';

/** Where an operation stands; the saga (`src/workflows/saga.ts`) tells how it moves from one to the next. */
export type Phase = 'reading' | 'requesting' | 'confirming' | 'restoring' | 'confirmed' | 'failed';

/** The phases in which the same action joins a running operation instead of replacing it. */
export const JOINABLE_PHASES: readonly Phase[] = ['reading', 'requesting', 'confirming'];

/**
 * Mute state of one participant as a roster tells it. `isMuted` is true for a client mute too; `serverMuted` of its
 * audio stream is what `call: mute` sets, but not every roster carries it.
 * https://learn.microsoft.com/graph/api/resources/participant and /mediastream
 */
export interface MuteState {
  isMuted: boolean;
  serverMuted?: boolean;
}

/** Answer of the query `operation`. Times are ISO 8601 in UTC. */
export interface OperationStatus {
  phase: Phase;
  action: Action;
  request: ModerationRequest;
  /** The application's own participant (`call.myParticipantId`), once it is known. */
  participantId?: string;
  /** What a restore goes back to: read before anything was sent. */
  before?: MuteState;
  /** The newest state that a roster or a read has shown. */
  lastSeen?: MuteState;
  /** Attempts to POST the action. */
  attempts: number;
  requestedAt?: string;
  acceptedAt?: string;
  confirmedAt?: string;
  /** The action that has taken over, or takes over as soon as no request is under way. */
  supersededBy?: Action;
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
