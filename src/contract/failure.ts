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

export type FailureType = (typeof FAILURE_TYPES)[number];

/** The outcome of a cancelled operation, which closes as cancelled and not as failed. */
export const CANCELLED = 'Cancelled';

/** Outcomes that mean that the call has ended: there is nothing left to mute or unmute. */
export const CALL_ENDED: ReadonlySet<string> = new Set(['CallEnded', 'CallNotFound']);

/**
 * Outcomes of an operation, as Temporal shows them, after which the call may be as the operation wanted it. Whether one that
 * was not confirmed was undone stands in `restored` of its details alone.
 */
export const EFFECTIVE: ReadonlySet<string> = new Set([
  PENDING,
  'Confirmed',
  'Unconfirmed',
  'RestoreFailed',
  'Terminated',
  'TimedOut',
]);

/**
 * The one object in a failure's `details`. It holds what support will ask for, and nothing of Graph's bodies: they may
 * name people.
 */
export interface FailureDetails {
  callId?: string;
  /** HTTP status of Graph's answer, where there was one. */
  status?: number;
  /** `error.code` of Graph's answer: a word, or the calling service's number as a string, such as "7503". */
  code?: string;
  /** Graph's `subcode` where a call ended or an operation failed. */
  subcode?: string;
  /** Graph's `request-id`, to name in a support request to Microsoft. */
  requestId?: string;
  /** The `client-request-id` that was sent to Graph. */
  clientRequestId?: string;
  /** Seconds that Graph asked to wait (`Retry-After`). */
  retryAfterSeconds?: number;
  /** Which attempt of the activity this was, from 1. */
  attempt?: number;
  /** Every fault of the request, for `InvalidRequest`. */
  issues?: readonly string[];
  /** State of the call, for `CallNotEstablished` and `CallEnded`. */
  state?: string;
  /** Whether the call was put back as it was read, where that was in question. */
  restored?: boolean;
  /** Of a mute of others: how it stood with each of them. */
  participants?: readonly ParticipantResult[];
  /** For `RestoreFailed`: what had failed before the restore did, a failure's type or `Cancelled`. */
  failure?: string;
}

export function isFailureType(value: unknown): value is FailureType {
  return FAILURE_TYPES.some((type) => type === value);
}
