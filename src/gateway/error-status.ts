import type { ModerationErrorType } from '../client/errors.ts';
import type { ParticipantOutcome } from '../contract/operation.ts';

/**
 * The HTTP status of each failure. Graph's SDKs repeat a request by themselves after 429, 503 and 504, so only what may be
 * repeated as it is has one of these: an operation that ran and failed has not, for its repetition would be another
 * operation. `GraphUnavailable` has, because Graph has accepted nothing. What our own token is refused for is 502 and never
 * 401, after which a caller would get itself another token.
 */
export const ERROR_STATUS: Readonly<Record<ModerationErrorType, number>> = {
  InvalidRequest: 400,
  NotAGroupCall: 400,
  PermissionDenied: 403,
  CallNotFound: 404,
  CallEnded: 404,
  CallNotEstablished: 409,
  OperationInProgress: 409,
  OtherDeployment: 409,
  Superseded: 409,
  Cancelled: 409,
  PolicyExists: 409,
  PolicyNotFound: 404,
  Unconfirmed: 502,
  OperationFailed: 502,
  RestoreFailed: 502,
  Unauthorized: 502,
  Terminated: 500,
  TimedOut: 500,
  GraphUnavailable: 503,
  NotEnded: 503,
  TemporalUnavailable: 503,
  NotSetUp: 500,
  UnsupportedClient: 500,
};

/** What the mute of a participant may come to in place of `confirmed`. */
export type ParticipantFailure =
  | 'ParticipantLeft'
  | 'ParticipantInLobby'
  | 'ParticipantRefused'
  | 'ParticipantUnmutedAgain'
  | 'Unconfirmed';

export const PARTICIPANT_FAILURE: Readonly<
  Record<Exclude<ParticipantOutcome, 'confirmed'>, { code: ParticipantFailure; status: number; message: string }>
> = {
  left: {
    code: 'ParticipantLeft',
    status: 404,
    message: 'The participant is not in the call. Read the roster again.',
  },
  inLobby: {
    code: 'ParticipantInLobby',
    status: 409,
    message: 'The participant waits in the lobby, so nothing was sent. Ask again once they are admitted.',
  },
  refused: {
    code: 'ParticipantRefused',
    status: 502,
    message: 'Graph refused to mute the participant. Its status and code are in innerError.',
  },
  unmutedAgain: {
    code: 'ParticipantUnmutedAgain',
    status: 409,
    message: 'The participant was muted, and has unmuted themselves since. Ask again to mute them again.',
  },
  notConfirmed: {
    code: 'Unconfirmed',
    status: 502,
    message: 'No roster has shown the participant muted in time. Read the roster, or ask again.',
  },
};

/** Seconds after which to ask again, if the failure does not say it itself. */
export const RETRY_AFTER_SECONDS: Readonly<Partial<Record<ModerationErrorType, number>>> = {
  GraphUnavailable: 30,
  NotEnded: 5,
  TemporalUnavailable: 2,
};
