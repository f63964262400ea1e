import type { AnyErrorDetails, ModerationErrorType } from '../client/errors.ts';
import type { ParticipantResult } from '../contract/operation.ts';
import { ERROR_STATUS, PARTICIPANT_FAILURE, RETRY_AFTER_SECONDS } from './error-status.ts';
import type { ErrorBody, InnerError } from './schemas.ts';

/** Why a request has no operation that is completed or running, before it is written in Graph's shape. */
export interface Failure {
  status: number;
  code: string;
  message: string;
  inner: Omit<InnerError, 'date' | 'request-id' | 'client-request-id'>;
  headers: Readonly<Record<string, string>>;
}

/** Why there is no result, whatever its type. */
export interface FailedAsAny {
  type: ModerationErrorType;
  message: string;
  details: AnyErrorDetails;
}

/** Of an operation on the application, or of one that could not be started. */
export function failureOf({ type, message, details }: FailedAsAny): Failure {
  const { restored, issues, status, code, requestId, retryAfterSeconds } = details;
  const seconds = retryAfterSeconds ?? RETRY_AFTER_SECONDS[type];
  return {
    status: ERROR_STATUS[type],
    code: type,
    message,
    inner: {
      ...(restored !== undefined && { restored }),
      ...(issues !== undefined && { issues: [...issues] }),
      ...graphOf(status, code),
      ...(requestId !== undefined && { graphRequestId: requestId }),
    },
    // Whoever is told when to ask again does so, which is of use only if the request itself was not at fault.
    headers: seconds === undefined || ERROR_STATUS[type] !== 503 ? {} : { 'retry-after': String(Math.ceil(seconds)) },
  };
}

/** Of the mute of one participant that is not confirmed. */
export function participantFailureOf({ outcome, status, code }: ParticipantResult): Failure | undefined {
  if (outcome === 'confirmed') return undefined;
  const { code: word, status: answer, message } = PARTICIPANT_FAILURE[outcome];
  return { status: answer, code: word, message, inner: graphOf(status, code), headers: {} };
}

function graphOf(status: number | undefined, code: string | undefined): Failure['inner'] {
  return { ...(status !== undefined && { graphStatus: status }), ...(code !== undefined && { graphCode: code }) };
}

export interface RequestIds {
  requestId: string;
  clientRequestId: string;
}

export function errorOf({ code, message, inner }: Omit<Failure, 'headers' | 'status'>, ids: RequestIds): ErrorBody {
  return {
    error: {
      code,
      message,
      innerError: {
        // Graph writes the time without milliseconds and without a zone.
        date: new Date().toISOString().slice(0, 19),
        'request-id': ids.requestId,
        'client-request-id': ids.clientRequestId,
        ...inner,
      },
    },
  };
}
