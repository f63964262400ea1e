import { OperatorError } from '../lib/operator-error.ts';
import { bounded, check, type Rule } from '../contract/check.ts';
import type { CANCELLED, FailureDetails, FailureType } from '../contract/failure.ts';

/**
 * Why an operation has no result, or could not be started. Stable, and made to `switch` on:
 *
 * - the contract's failure types, as the operation failed with them
 * - `Cancelled`: somebody cancelled it
 * - `Terminated`, `TimedOut`: somebody ended it in Temporal, or gave it a timeout of Temporal's; nothing was put back
 * - `PolicyExists`, `PolicyNotFound`: of policies, by their IDs
 * - `OperationInProgress`: it was not started, because another one runs on the call (`onConflict: 'reject'`),
 *   or the call is kept muted already
 * - `OtherDeployment`: it was refused, because the workflow on the call belongs to another task queue
 * - `NotEnded`: it did not end within its time limit, and continues on its own
 * - `TemporalUnavailable`: Temporal did not answer, or refused
 */
export type ModerationErrorType =
  | FailureType
  | typeof CANCELLED
  | 'Terminated'
  | 'TimedOut'
  | 'OperationInProgress'
  | 'OtherDeployment'
  | 'NotEnded'
  | 'TemporalUnavailable'
  | 'PolicyExists'
  | 'PolicyNotFound';

export class ModerationError extends OperatorError {
  override readonly name = 'ModerationError';
  readonly type: ModerationErrorType;
  readonly details: FailureDetails;

  constructor(type: ModerationErrorType, message: string, details: FailureDetails = {}, cause?: unknown) {
    super(message, { cause });
    this.type = type;
    this.details = details;
  }
}

/** The namespace is not set up for operations, so none was started. */
export class NotSetUpError extends OperatorError {
  override readonly name = 'NotSetUpError';

  constructor(namespace: string, cause: unknown) {
    super(
      `Nothing was started: namespace ${namespace} lacks search attributes that operations need. ` +
        'Run `call-moderation setup` once, with the TEMPORAL_* variables of this deployment.',
      { cause },
    );
  }
}

/** Thrown before anything is sent, with the issues, their fields and their remedies. */
export function invalid(issues: readonly string[], cause?: unknown): ModerationError {
  return invalidAs('request', issues, cause);
}

export function invalidPolicy(issues: readonly string[], cause?: unknown): ModerationError {
  return invalidAs('policy', issues, cause);
}

/** The input in canonical form, or its issues as an error. */
export function valid<T>(rule: Rule<T>, input: unknown): T {
  const checked = check(rule, input);
  if (checked.ok) return checked.value;
  throw invalid(checked.issues);
}

function invalidAs(what: string, given: readonly string[], cause: unknown): ModerationError {
  const issues = bounded(given);
  return new ModerationError('InvalidRequest', `The ${what} is not valid: ${issues.join('; ')}.`, { issues }, cause);
}
