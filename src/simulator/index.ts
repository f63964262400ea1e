/**
 * Microsoft Graph's calls for development and tests. `GraphSimulator.start()` is the way in; `faults.ts` shows what
 * can go wrong, `form.ts` how Graph's spelling varies, `log.ts` what can be watched.
 */
export { GraphSimulator } from './simulator.ts';
export { CALL_ROLES, type TokenRequest } from './access-tokens.ts';
export type { CallEntity, CallState } from './call.ts';
export type { Redelivery } from './delivery.ts';
export type { CallTruth, ParticipantTruth } from './describe.ts';
export type { Faults, NotificationFault, RequestFault, RequestName } from './faults.ts';
export type { Form, FormChange } from './form.ts';
export { CallLog, type ChangeEntry, type LogEntry, type NotificationEntry, type RequestEntry } from './log.ts';
export type { NewCall } from './new-call.ts';
export type { TokenOverrides } from './notification-keys.ts';
export type { OperationEntity } from './operation.ts';
export type { ParticipantChange, ParticipantEntity } from './participant.ts';
export type { Addresses, SimulatorOptions } from './options.ts';
export { Problem, type ErrorBody } from './problem.ts';
export type { Tls } from './server.ts';
export type { CallEnd, FakeNotification } from './fake-notification.ts';
