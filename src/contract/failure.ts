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

/**
 * The one object in a failure's `details`. It contains what support will ask for, and nothing of Graph's bodies,
 * because they may name people.
 */
export interface FailureDetails {
  callId?: string;
  /** HTTP status of Graph's answer, if there was one. */
  status?: number;
  /** `error.code` of Graph's answer: a word, or the calling service's number as a string, such as "7503". */
  code?: string;
  /** Graph's `subcode` if a call ended or an operation failed. */
  subcode?: string;
  /** Graph's `request-id`, to name in a support request to Microsoft. */
  requestId?: string;
  /** The `client-request-id` that was sent to Graph. */
  clientRequestId?: string;
  /** Seconds that Graph asked to wait (`Retry-After`). */
  retryAfterSeconds?: number;
  /** Which attempt of the activity this was, from 1. */
  attempt?: number;
  /** Every issue of the request, for `InvalidRequest`. */
  issues?: readonly string[];
  /** State of the call, for `CallNotEstablished` and `CallEnded`. */
  state?: string;
  /** Whether the call was put back as it was read; absent if nothing could have changed. */
  restored?: boolean;
  /** For a mute of others: the outcome of each of them. */
  participants?: readonly ParticipantResult[];
  /** For `RestoreFailed`: what had failed before the restore did, a failure's type or `Cancelled`. */
  failure?: string;
}

export function isFailureType(value: unknown): value is FailureType {
  return FAILURE_TYPES.some((type) => type === value);
}
