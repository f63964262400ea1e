import type { CANCELLED, FailureDetails, FailureType } from '../contract/failure.ts';

/**
 * Why an operation has no result, or could not be started. Stable, and made to `switch` on:
 *
 * - the contract's failure types, as the operation failed with them
 * - `Cancelled`: somebody cancelled it
 * - `Terminated`, `TimedOut`: somebody ended it in Temporal, or gave it a timeout of Temporal's; nothing was put back
 * - `PolicyExists`, `PolicyNotFound`: of policies, by their IDs
 * - `OtherDeployment`: it belongs to another deployment in the namespace, which works on another task queue
 * - `OperationInProgress`: it was not started, for another one runs on the call (`onConflict: 'reject'`),
 *   or the call is held already
 */
export type ModerationErrorType =
  | FailureType
  | typeof CANCELLED
  | 'Terminated'
  | 'TimedOut'
  | 'OperationInProgress'
  | 'PolicyExists'
  | 'PolicyNotFound'
  | 'OtherDeployment';

export class ModerationError extends Error {
  override readonly name = 'ModerationError';
  readonly type: ModerationErrorType;
  readonly details: FailureDetails;

  constructor(type: ModerationErrorType, message: string, details: FailureDetails = {}, cause?: unknown) {
    super(message, { cause });
    this.type = type;
    this.details = details;
  }
}

/** The namespace is not made ready for operations, so none was started. */
export class NotSetUpError extends Error {
  override readonly name = 'NotSetUpError';

  constructor(namespace: string, cause: unknown) {
    super(
      `Nothing was started: namespace ${namespace} lacks search attributes that operations need. ` +
        'Run `call-moderation setup` once, with the TEMPORAL_* variables of this deployment.',
      { cause },
    );
  }
}

/** Thrown before anything is sent: every fault with its field and its remedy. */
export function invalid(faults: readonly string[]): ModerationError {
  return new ModerationError('InvalidRequest', `The request is not valid: ${faults.join('; ')}.`, { faults });
}
