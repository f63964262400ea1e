import type { ModerationErrorType } from '../errors.ts';

/**
 * Which calls of this client's task queue: one; those of a tenant (its active calls, and calls whose operations named
 * it); or all.
 */
export type ReleaseScope = { callId: string } | { tenantId: string } | { everywhere: true };

/** Options of a release. */
export interface ReleaseOptions {
  /**
   * Report what would be done, and do nothing. It does not check whether a call has ended.
   *
   * @default false
   */
  dryRun?: boolean;
  /**
   * Time limit per call in seconds, 1 to 3,600. Whatever has not ended by then continues on its own, and the result is
   * a failure of the type `NotEnded`.
   *
   * @default 120
   */
  withinSeconds?: number;
  /** Who asked, for the audit trail of the unmutes: an opaque ID, at most 128 characters. */
  requestedBy?: string;
  /** Why, for the audit trail, at most 256 characters. */
  reason?: string;
}

/**
 * What became of a call:
 *
 * - `released`: its mute lock has unmuted it, `unmuted`: an operation has
 * - `wouldRelease`, `wouldUnmute`: the same, with `dryRun`
 * - `callEnded`: there was nothing to unmute any more
 * - `notMuted`: no operation of ours has left it muted
 * - `failed`: see `type` and `message`
 * - `incomplete`: the last result, of no call: a list could not be read, so calls may be missing. Release again.
 */
export type ReleaseOutcome =
  | 'released'
  | 'unmuted'
  | 'wouldRelease'
  | 'wouldUnmute'
  | 'callEnded'
  | 'notMuted'
  | 'failed'
  | 'incomplete';

/** The result of a release for one call. */
export interface ReleasedCall {
  /** `*` with the outcome `incomplete`. */
  callId: string;
  outcome: ReleaseOutcome;
  /**
   * Its mute lock did not end in time. `goesOn`: it was asked to end, and ends as soon as a worker runs it.
   * `terminated`: it accepted no signal. `notKnown`: Temporal did not report whether there is one.
   */
  muteLock?: 'goesOn' | 'terminated' | 'notKnown';
  /**
   * Its mute on entry was ended, or would be; or could not be ended, and `type` and `message` give the reason unless
   * the call itself has failed. Participants who were muted stay muted; they can unmute themselves.
   */
  muteOnEntry?: 'ended' | 'wouldEnd' | 'failed';
  /** Of a failure: its type, as in a `ModerationError`. */
  type?: ModerationErrorType;
  /** Of a failure: what happened, to which call, and what to do. */
  message?: string;
}
