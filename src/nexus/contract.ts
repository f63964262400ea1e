import { operation, service } from 'nexus-rpc';
import type { FailedOperation } from '../client/operations/failed-operation.ts';
import type { OnStandingConflict } from '../client/standing/standing-mutes.ts';
import type { OperationRecord } from '../client/operations/records.ts';
import type { ReleasedCall } from '../client/release/release-types.ts';
import type { MuteLockRequest, MuteLockResult, MuteLockStatus } from '../contract/mute-lock.ts';
import type { MuteOnEntryRequest, MuteOnEntryResult, MuteOnEntryStatus } from '../contract/mute-on-entry.ts';
import type { ModerationResult, OperationStatus, ParticipantsMuteResult } from '../contract/operation.ts';
import type { ModerationRequest, OnConflict, ParticipantsMuteRequest } from '../contract/request.ts';

/**
 * The Nexus service of call-moderation. A caller's workflow imports this file and nothing else of the package. Payloads are JSON, so
 * callers in other languages need the names alone: `docs/nexus.md`.
 *
 * Every failure of an operation is an `ApplicationFailure` with one of our types, as the cause of the `NexusOperationFailure`.
 */

/** Of an operation. */
export interface ConflictChoice {
  /**
   * What to do while another operation runs on the call to which this one cannot attach. `queue` waits durably.
   *
   * @default 'supersede'
   */
  onConflict?: OnConflict;
}

/** Of a standing mute. */
export interface RunningChoice {
  /**
   * What to do if one runs on the call already: give it these terms and wait for its end, or fail as `OperationInProgress`.
   *
   * @default 'extend'
   */
  onConflict?: OnStandingConflict;
}

/** A mute or an unmute of the application. */
export type OperationInput = Omit<ModerationRequest, 'target'> & ConflictChoice;

/** A mute of other participants. It needs a `target`. */
export type MuteParticipantsInput = ParticipantsMuteRequest & ConflictChoice;

/** It needs `forSeconds` or `until`. */
export type MuteForInput = Omit<MuteLockRequest, 'enforce' | 'atMost'> & RunningChoice;

/** A mute lock. Without `forSeconds` and `until` it lasts until its release. */
export type KeepMutedInput = Omit<MuteLockRequest, 'enforce'> & RunningChoice;

/** A mute on entry. Without `forSeconds` and `until` it lasts until its release. */
export type MuteOnEntryInput = MuteOnEntryRequest & RunningChoice;

/** One call. A tenant or everything is for operators, with `call-moderation release`. */
export interface ReleaseInput {
  callId: string;
  /** For the audit trail of the unmute. */
  requestedBy?: string;
  reason?: string;
  /** Return what would be done, and do nothing. */
  dryRun?: boolean;
}

/** Which call to report. */
export interface StatusInput {
  callId: string;
}

/** What is, or was last, going on on a call. */
export interface CallStatus {
  callId: string;
  /** The newest operation, while Temporal keeps it. */
  operation?: OperationRecord;
  /** How far that operation is. */
  progress?: OperationStatus;
  /** Why it has no result, if it has ended without one. */
  failure?: FailedOperation;
  /** What `muteFor` or `keepMuted` has started, while it runs. */
  muteLock?: MuteLockStatus;
  muteOnEntry?: MuteOnEntryStatus;
}

export type { FailedOperation, OperationRecord, ReleasedCall };
export type {
  MuteLockResult,
  MuteLockStatus,
  ModerationResult,
  MuteOnEntryResult,
  MuteOnEntryStatus,
  OnStandingConflict,
};
export type { OnConflict, OperationStatus, ParticipantsMuteResult };

/**
 * The service, for Temporal's Nexus client in a workflow.
 *
 * @example
 * const client = createNexusServiceClient({ endpoint: 'call-moderation', service: moderation });
 * const { isMuted } = await client.executeOperation('mute', { callId });
 */
export const moderation = service('moderation', {
  /** Mutes the application in a group call. Cancelling undoes it, unless this caller was attached to an operation of another. */
  mute: operation<OperationInput, ModerationResult>(),
  /** Unmutes the application; otherwise as `mute`. */
  unmute: operation<OperationInput, ModerationResult>(),
  /** Mutes other participants, whom nobody can unmute but they themselves. */
  muteParticipants: operation<MuteParticipantsInput, ParticipantsMuteResult>(),
  /** Mutes the application for a time and unmutes it then. Completes at the end; cancelling ends it now. */
  muteFor: operation<MuteForInput, MuteLockResult>(),
  /** Keeps the application muted until a time or a release. Completes at the end; cancelling ends it now. */
  keepMuted: operation<KeepMutedInput, MuteLockResult>(),
  /** Mutes once whoever joins from now on. Completes at the end; cancelling ends it now. */
  muteOnEntry: operation<MuteOnEntryInput, MuteOnEntryResult>(),
  /** Ends what `muteFor`, `keepMuted` and `muteOnEntry` have started, and unmutes if we left the call muted. */
  release: operation<ReleaseInput, ReleasedCall>(),
  /** Returns how a call stands. */
  status: operation<StatusInput, CallStatus>(),
});
