/** What backend services import: the client, and the contract's types. */
export {
  ModerationClient,
  type ConflictOptions,
  type HoldOptions,
  type ModerationClientOptions,
  type PauseRequest,
} from './client/moderation-client.ts';
export type { HoldHandle } from './client/hold-handle.ts';
export type { ReleasedCall, ReleaseOptions, ReleaseOutcome, ReleaseScope } from './client/release.ts';
export type { OnHeld } from './client/holds.ts';
export { checkHold, holdIdOf } from './contract/hold.ts';
export type { HoldEnd, HoldPhase, HoldRequest, HoldResult, HoldStatus, HoldTerms } from './contract/hold.ts';
export { ModerationError, type ModerationErrorType } from './client/errors.ts';
export type { OperationHandle, Run, StartedOperation } from './client/operation-handle.ts';
export type { ListFilter, OperationRecord } from './client/records.ts';
export type { OnConflict } from './client/starter.ts';
export { canonicalId, sameId, workflowIdOf } from './contract/call-id.ts';
export { CANCELLED, FAILURE_TYPES, type FailureDetails, type FailureType } from './contract/failure.ts';
export { DEFAULT_TASK_QUEUE, QUERY, SEARCH_ATTRIBUTE, SIGNAL, type Action } from './contract/names.ts';
export type {
  ModerationResult,
  MuteState,
  OperationStatus,
  OthersResult,
  ParticipantOutcome,
  ParticipantResult,
  Phase,
} from './contract/operation.ts';
export { isEveryoneMuted } from './contract/operation.ts';
export type { OthersTarget, Target } from './contract/target.ts';
export { checkRequest, type CheckedRequest, type ModerationRequest, type OthersRequest } from './contract/request.ts';
export type { CallEnd, OperationUpdate, RosterEntry, RosterUpdate, Successor } from './contract/signals.ts';
