/** What backend services import: the client, and the contract's types. */
export {
  ModerationClient,
  type ConflictOptions,
  type FoundOperation,
  type ModerationClientOptions,
  type MuteForRequest,
  type SelfRequest,
  type StandingMuteOptions,
} from './client/moderation-client.ts';
export type { OnStandingConflict } from './client/standing/standing-mutes.ts';
export type { StandingMuteHandle } from './client/standing/standing-mute-handle.ts';
export type { MuteLockHandle } from './client/standing/mute-locks.ts';
export type { MuteOnEntryHandle } from './client/standing/mutes-on-entry.ts';
export type { ReleaseRun } from './client/release/release-run.ts';
export type { ReleasedCall, ReleaseOptions, ReleaseOutcome, ReleaseScope } from './client/release/release-types.ts';
export { checkMuteLock, muteLockIdOf } from './contract/mute-lock.ts';
export type {
  MuteLockEnd,
  MuteLockPhase,
  MuteLockRequest,
  MuteLockResult,
  MuteLockStatus,
  MuteLockTerms,
} from './contract/mute-lock.ts';
export { checkMuteOnEntry, muteOnEntryIdOf } from './contract/mute-on-entry.ts';
export type {
  MuteOnEntryRule,
  MuteOnEntryEnd,
  MuteOnEntryPhase,
  MuteOnEntryRequest,
  MuteOnEntryResult,
  MuteOnEntryStatus,
  MuteOnEntryTerms,
  Newcomers,
} from './contract/mute-on-entry.ts';
export { ModerationError } from './client/errors.ts';
export type {
  AnyErrorDetails,
  ModerationErrorConstructor,
  ModerationErrorDetails,
  ModerationErrorOf,
  ModerationErrorType,
  PolicyDetails,
} from './client/errors.ts';
export type { FailedOperation, FailedOperationOf } from './client/operations/failed-operation.ts';
export type { KnownOperation } from './client/operations/known-operation.ts';
export type { OperationHandle, Run, StartedOperation } from './client/operations/operation-handle.ts';
export type { CallFilter, CallRecord, Calls, LabelChange } from './client/calls/calls.ts';
export type { ListFilter, OperationRecord } from './client/operations/records.ts';
export type {
  BackfillRange,
  LeftBehind,
  PolicyChange,
  PolicyDescription,
  PolicyRunRecord,
  PolicyState,
  PolicySummary,
} from './client/policies/policy-types.ts';
export type { Policies } from './client/policies/policies.ts';
export type { OnConflict } from './contract/request.ts';
export { canonicalId, liveWorkflowIdOf, sameId, workflowIdOf } from './contract/call-id.ts';
export type {
  ModerationEvent,
  OfRun,
  OperationEvent,
  OperationEventType,
  StandingMuteEvent,
  StandingMuteEventType,
} from './contract/event.ts';
export { CANCELLED, FAILURE_TYPES } from './contract/failure.ts';
export type {
  AnyFailureDetails,
  CallDetails,
  FailureDetails,
  FailureDetailsByType,
  FailureType,
  FieldsOf,
  GraphAnswer,
  GraphDetails,
  OperationDetails,
} from './contract/failure.ts';
export {
  DEFAULT_TASK_QUEUE,
  LIVE_CALL_SIGNAL,
  OPERATION_ENDED,
  POLICY_CHANGED,
  QUERY,
  SEARCH_ATTRIBUTE,
  SIGNAL,
  STANDING_MUTE_SIGNAL,
  WORKFLOW,
  type Action,
} from './contract/names.ts';
export type { CallEstablished, CallState, Labelling, LiveCallInput, LiveCallStatus } from './contract/live-call.ts';
export type {
  ModerationResult,
  MuteState,
  OperationStatus,
  ParticipantsMuteResult,
  ParticipantOutcome,
  ParticipantResult,
  Phase,
  SeenState,
} from './contract/operation.ts';
export { isEveryoneMuted } from './contract/operation.ts';
export { scheduleIdOf } from './contract/policy.ts';
export type {
  MutedOthers,
  Policy,
  PolicyOverlap,
  PolicyReport,
  PolicyRequest,
  PolicyRules,
  PolicyStop,
  PolicyTarget,
  PolicyWhen,
  QuietHours,
} from './contract/policy.ts';
export type { ParticipantsTarget, Target } from './contract/target.ts';
export {
  checkRequest,
  type CheckedRequest,
  type ModerationRequest,
  type ParticipantsMuteRequest,
} from './contract/request.ts';
export type {
  CallEnd,
  OperationEnded,
  OperationUpdate,
  RosterParticipant,
  RosterUpdate,
  Successor,
  Watch,
} from './contract/signals.ts';
export type { CheckedFields, OfCall, StandingMuteTerms } from './contract/standing-mute.ts';
export type { Wish } from './contract/wish.ts';
export type { PayloadKey, PayloadKeys } from './contract/payload-keys.ts';
export { UnreadablePayload } from './contract/unreadable.ts';
export { EncryptionCodec, type OnUnreadable } from './temporal/payload-codec.ts';
export type { Payload, PayloadCodec } from './temporal/payload-message.ts';
