import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { bounded } from '../../contract/check.ts';
import { isFailureType, type AnyFailureDetails, type FailureType } from '../../contract/failure.ts';
import { wantedIsMuted, type Action } from '../../contract/names.ts';
import type { MuteState, ParticipantResult } from '../../contract/operation.ts';
import type { CallEnd } from '../../contract/signals.ts';

/** Why an operation does not succeed. Messages say what happened, to which call, and what to do. */
export interface Failure {
  type: FailureType | 'Cancelled';
  message: string;
  details: AnyFailureDetails;
  /** No worker has answered, so nothing is known of Graph. */
  isUnheard?: boolean;
}

/** The failure with the call ID, and with what to do, in its message. */
export function about(callId: string, failure: Failure): Failure {
  const { type, message, details } = failure;
  const said = message.includes(callId) ? message : `Call ${callId}: ${message}`;
  const remedy = type === 'GraphUnavailable' ? ' The time limit is over: try again later.' : '';
  return { ...failure, message: `${said}${remedy}`, details: { callId, ...details } };
}

/** The failure with one more sentence, and with whether the call was put back. */
export function withRestored(failure: Failure, restored: boolean, sentence: string): Failure {
  return { ...failure, message: `${failure.message} ${sentence}`, details: { ...failure.details, restored } };
}

export function invalidRequest(given: readonly string[], callId?: string): Failure {
  const issues = bounded(given);
  return {
    type: 'InvalidRequest',
    message: `Nothing was sent to Graph, because the request is not valid: ${issues.join('; ')}.`,
    details: { issues, ...(callId !== undefined && { callId }) },
  };
}

export function callEnded(callId: string, { code, subcode }: CallEnd = {}): Failure {
  const why = code === undefined ? '' : ` (code ${code}${subcode === undefined ? '' : `, subcode ${subcode}`})`;
  return {
    type: 'CallEnded',
    message: `Call ${callId} has ended${why}: there is nothing left to mute, unmute or put back.`,
    details: {
      callId,
      ...(code !== undefined && { code: String(code) }),
      ...(subcode !== undefined && { subcode: String(subcode) }),
    },
  };
}

/** Seen by the starter of a superseded operation; the run itself continues as the successor. */
export function superseded(callId: string): Failure {
  return {
    type: 'Superseded',
    message: `Another operation on call ${callId} has superseded this one. Its result is the one that counts.`,
    details: { callId },
  };
}

export function notEstablished(callId: string, state: string): Failure {
  return {
    type: 'CallNotEstablished',
    message: `Call ${callId} is ${state || 'in an unknown state'}, and only an established call can be muted or unmuted. Try again once it is established.`,
    details: { callId, state },
  };
}

export function notAGroupCall(callId: string): Failure {
  return {
    type: 'NotAGroupCall',
    message: `Call ${callId} is not a group call, and Graph mutes and unmutes applications in group calls only. Stop the media in the application instead.`,
    details: { callId },
  };
}

export function operationFailed(callId: string, action: Action, { code, subcode }: CallEnd): Failure {
  return {
    type: 'OperationFailed',
    message: `Graph accepted the ${action} of call ${callId} and then reported that it failed (code ${code ?? 'none'}, subcode ${subcode ?? 'none'}). Try again.`,
    details: {
      callId,
      ...(code !== undefined && { code: String(code) }),
      ...(subcode !== undefined && { subcode: String(subcode) }),
    },
  };
}

export function unconfirmed(callId: string, action: Action, seconds: number, seen: MuteState | undefined): Failure {
  const shown = seen === undefined ? 'did not list the application' : `last showed isMuted ${seen.isMuted}`;
  return {
    type: 'Unconfirmed',
    message: `Graph accepted the ${action} of call ${callId}, but within ${seconds} s the roster did not show isMuted ${wantedIsMuted(action)}; it ${shown}. Try again, or allow more time with confirmWithinSeconds.`,
    details: { callId },
  };
}

/** A mute of others that muted nobody of those in the call. */
export function noneMuted(callId: string, count: number, seconds: number): Failure {
  return {
    type: 'Unconfirmed',
    message: `Within ${seconds} s the roster of call ${callId} did not show any of the ${count} participants as muted. Try again, or allow more time with confirmWithinSeconds.`,
    details: { callId },
  };
}

/** A mute of others that found nobody, in a roster that proves nothing about who is not in it. */
export function rosterIncomplete(callId: string, seconds: number): Failure {
  return {
    type: 'Unconfirmed',
    message: `Within ${seconds} s Graph returned no complete roster of call ${callId}, so it is unknown who is in the call, and nobody was muted. Try again, or allow more time with confirmWithinSeconds.`,
    details: { callId },
  };
}

/** For a mute of others: with the outcome of each of them, because Graph cannot undo their mutes. */
export function withoutUndoing(failure: Failure, participants: readonly ParticipantResult[]): Failure {
  const isAnyMuted = participants.some(({ outcome }) => outcome === 'confirmed');
  const sentence = isAnyMuted ? ' Participants who were muted stay muted, because Graph cannot unmute others.' : '';
  return { ...failure, message: `${failure.message}${sentence}`, details: { ...failure.details, participants } };
}

/** `failure` was to be undone, and undoing it failed because of `cause`, or because no read showed it. */
export function restoreFailed(callId: string, action: Action, failure: Failure, cause?: Failure): Failure {
  const why = cause?.message ?? 'the roster did not show the earlier state again.';
  return {
    type: 'RestoreFailed',
    message: `The ${action} of call ${callId} had to be undone (${failure.type}), but that failed: ${why} Check the call, then mute or unmute it as needed.`,
    details: { ...failure.details, ...cause?.details, callId, restored: false, failure: failure.type },
  };
}

/**
 * The failure of an operation for the failure of an activity. Activities fail with the contract's types and with
 * messages for people; any other failure (mostly a timeout) means that Graph, or the worker, did not answer.
 */
export function fromActivity(error: unknown): Failure {
  if (!(error instanceof ActivityFailure)) throw error;
  const { cause } = error;
  if (cause instanceof ApplicationFailure && isFailureType(cause.type)) {
    return { type: cause.type, message: cause.message, details: detailsOf(cause) };
  }
  const last = cause instanceof TimeoutFailure ? cause.cause : undefined;
  const why = last instanceof ApplicationFailure ? last.message : (cause?.message ?? error.message);
  return {
    type: 'GraphUnavailable',
    message: `Graph, or the worker, did not answer ${error.activityType} in time: ${why}.`,
    details: last instanceof ApplicationFailure ? detailsOf(last) : {},
    isUnheard: !(last instanceof ApplicationFailure),
  };
}

function detailsOf(failure: ApplicationFailure): AnyFailureDetails {
  const details: unknown = failure.details?.[0];
  return typeof details === 'object' && details !== null ? details : {};
}

/**
 * Temporal has given up waiting, for an attempt or for all of them: the last one may still be under way, in a worker
 * that is slow or has lost its connection.
 */
export function mayBeUnderWay(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof TimeoutFailure &&
    (error.cause.timeoutType === 'SCHEDULE_TO_CLOSE' || error.cause.timeoutType === 'START_TO_CLOSE')
  );
}

/** Graph refused the first attempt, so nothing has taken effect. */
export function isRefusedAtOnce({ type, details }: Failure): boolean {
  return type !== 'GraphUnavailable' && details.attempt === 1;
}
