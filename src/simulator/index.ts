/**
 * Microsoft Graph's calls for development and tests. `GraphSimulator.start()` is the way in; `faults.ts` shows what
 * can go wrong, `form.ts` how Graph's spelling varies, `log.ts` what can be watched.
 */
export { GraphSimulator } from './simulator.ts';
export { CALL_ROLES, type TokenRequest } from './access-tokens.ts';
export type { ApiTokenRequest } from './api-tokens.ts';
export type { CallEntity, CallState, CallTerms } from './call.ts';
export type { Redelivery } from './delivery.ts';
export type { CallTruth, ParticipantTruth } from './describe.ts';
export type { Faults, NotificationFault, NotificationKind, RequestFault, RequestName } from './faults.ts';
export type { Form, FormChange } from './form.ts';
export type { Counts, GateName } from './gate.ts';
export {
  CallLog,
  type ChangeEntry,
  type LogEntry,
  type NewEntry,
  type NotificationEntry,
  type RequestEntry,
  type Unnumbered,
} from './log.ts';
export type { NewCall } from './new-call.ts';
export type { TokenOverrides } from './notification-keys.ts';
export type {
  ModerationAction,
  Operation,
  OperationEntity,
  OperationState,
  ResultInfo,
  ResultInfoEntity,
} from './operation.ts';
export type {
  IdentityEntity,
  MediaStreamEntity,
  ParticipantChange,
  ParticipantEntity,
  ParticipantInfoEntity,
  Typed,
} from './participant.ts';
export type { Addresses, SimulatorOptions } from './options.ts';
export { Problem, type ErrorBody } from './problem.ts';
export type { Tls } from './server.ts';
export type { CallEnd, FakeNotification } from './fake-notification.ts';
