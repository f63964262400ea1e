import { PENDING } from './names.ts';
import type { ParticipantResult } from './operation.ts';

/** The `type` of every `ApplicationFailure` that an operation can close with. */
export const FAILURE_TYPES = [
  'InvalidRequest',
  'NotAGroupCall',
  'CallNotEstablished',
  'CallNotFound',
  'CallEnded',
  'PermissionDenied',
  'Unauthorized',
  'OperationFailed',
  'GraphUnavailable',
  'Unconfirmed',
  'Superseded',
  'RestoreFailed',
] as const;

/** `type` of the `ApplicationFailure` that an operation closes with. `docs/api.md` says what to do about each. */
export type FailureType = (typeof FAILURE_TYPES)[number];

/** The outcome of a cancelled operation, which closes as cancelled and not as failed. */
export const CANCELLED = 'Cancelled';

/** Outcomes that mean that the call has ended: there is nothing left to mute or unmute. */
export const CALL_ENDED: ReadonlySet<string> = new Set(['CallEnded', 'CallNotFound']);

/**
 * Outcomes of an operation, as Temporal shows them, after which the call may be as the operation wanted it. Only
 * `restored` in its details shows whether an unconfirmed one was undone.
 */
export const EFFECTIVE: ReadonlySet<string> = new Set([
  PENDING,
  'Confirmed',
  'Unconfirmed',
  'RestoreFailed',
  'Terminated',
  'TimedOut',
]);

/** Of a failure that is about a call. */
export interface CallDetails {
  callId: string;
}

/**
 * Graph's last answer, if there was one: what a support request to Microsoft needs. It contains nothing of Graph's bodies
 * but the code, because they may name people.
 */
export interface GraphAnswer {
  /** HTTP status. */
  status?: number;
  /** `error.code`, or `resultInfo.code`: a word, or the calling service's number as a string, such as `'7503'`. */
  code?: string;
  /** `resultInfo.subcode`, if a call ended or an operation failed. */
  subcode?: string;
  /** Graph's `request-id`, to name in a support request. */
  requestId?: string;
  /** The `client-request-id` that was sent to Graph. */
  clientRequestId?: string;
  /** Seconds that Graph asked to wait (`Retry-After`). */
  retryAfterSeconds?: number;
  /** Which attempt of the activity this was, from 1. */
  attempt?: number;
}

/** Of an operation: what it has left behind. */
export interface OperationDetails extends CallDetails {
  /** Whether the call was put back as it was read; absent if nothing could have changed. */
  restored?: boolean;
  /** For a mute of others that has sent anything: the outcome of each of them. */
  participants?: readonly ParticipantResult[];
}

/** Of an operation that has reached Graph. */
export interface GraphDetails extends OperationDetails, GraphAnswer {}

/**
 * The one object in the `details` of a failure, by the failure's type. On the wire it is the same object, as the first
 * entry of the `ApplicationFailure`'s details.
 */
export interface FailureDetailsByType {
  /** `issues`: every error of the request, each with its field and its remedy. `callId` if that was valid. */
  InvalidRequest: Partial<OperationDetails> & { issues: readonly string[] };
  NotAGroupCall: OperationDetails;
  /** `state` as Graph reported it, such as `'establishing'`; empty if it reported none. */
  CallNotEstablished: OperationDetails & { state: string };
  CallNotFound: GraphDetails;
  CallEnded: GraphDetails;
  PermissionDenied: GraphDetails;
  Unauthorized: GraphDetails;
  OperationFailed: GraphDetails;
  GraphUnavailable: GraphDetails;
  Unconfirmed: GraphDetails;
  Superseded: OperationDetails;
  /** `failure`: what had failed before the restore did. */
  RestoreFailed: GraphDetails & { restored: false; failure: FailureType | typeof CANCELLED };
}

/** The details of a failure of type `T`. Without `T` it is their union, which a `switch` on the failure's type narrows. */
export type FailureDetails<T extends FailureType = FailureType> = FailureDetailsByType[T];

/**
 * Every field that some member of a union has, each optional: for code that collects details, or passes them on, whatever
 * the type of the failure.
 */
export type FieldsOf<Union> = {
  [Field in Union extends unknown ? keyof Union : never]?: Union extends unknown
    ? Field extends keyof Union
      ? Exclude<Union[Field], undefined>
      : never
    : never;
};

/** Details of a failure whose type may still change, such as that of an operation which is being restored. */
export type AnyFailureDetails = FieldsOf<FailureDetails>;

export function isFailureType(value: unknown): value is FailureType {
  return FAILURE_TYPES.some((type) => type === value);
}
