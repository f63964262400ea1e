/** What backend services import: the client, and the contract's types. */
export { ModerationClient, type ConflictOptions, type ModerationClientOptions } from './client/moderation-client.ts';
export { ModerationError, type ModerationErrorType } from './client/errors.ts';
export type { OperationHandle, Run } from './client/operation-handle.ts';
export type { ListFilter, OperationRecord } from './client/records.ts';
export type { OnConflict } from './client/starter.ts';
export { canonicalId, sameId, workflowIdOf } from './contract/call-id.ts';
export { CANCELLED, FAILURE_TYPES, type FailureDetails, type FailureType } from './contract/failure.ts';
export { DEFAULT_TASK_QUEUE, QUERY, SEARCH_ATTRIBUTE, SIGNAL, type Action } from './contract/names.ts';
export type { ModerationResult, MuteState, OperationStatus, Phase } from './contract/operation.ts';
export { checkRequest, type CheckedRequest, type ModerationRequest } from './contract/request.ts';
export type { CallEnd, OperationUpdate, RosterEntry, RosterUpdate, Successor } from './contract/signals.ts';
export type { PayloadKey } from './config.ts';
export { EncryptionCodec } from './temporal/payload-codec.ts';
