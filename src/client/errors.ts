import { OperatorError } from '../lib/operator-error.ts';
import { bounded, check, type Rule } from '../contract/check.ts';
import type { CallDetails, FailureDetailsByType, FieldsOf, GraphDetails } from '../contract/failure.ts';

/**
 * The `details` of a `ModerationError`, by its `type`. The types of `FailureDetailsByType` are those that an operation
 * fails with; the others are added by the client.
 */
export interface ModerationErrorDetails extends FailureDetailsByType {
  /** Somebody cancelled the operation. */
  Cancelled: GraphDetails;
  /** Somebody terminated the workflow in Temporal. Nothing was put back. */
  Terminated: CallDetails;
  /** The workflow ran into a timeout that its starter had set in Temporal. Nothing was put back. */
  TimedOut: CallDetails;
  /**
   * Nothing was started, because another operation or standing mute runs on the call, and `onConflict` is `'reject'`.
   */
  OperationInProgress: CallDetails;
  /** Nothing was done, because the call's workflow, or the policy, belongs to another task queue. */
  OtherDeployment: Partial<CallDetails & PolicyDetails>;
  /** It did not end within its time limit, and continues on its own. */
  NotEnded: CallDetails;
  /** Temporal did not answer, or refused. */
  TemporalUnavailable: Partial<CallDetails>;
  /** There is a policy with this ID already. */
  PolicyExists: PolicyDetails;
  /** There is no policy with this ID. */
  PolicyNotFound: PolicyDetails;
  /** Nothing was started, because the namespace lacks search attributes. Run `call-moderation setup` once. */
  NotSetUp: { namespace: string };
  /** The given Temporal client is of a version that this package cannot work with. */
  UnsupportedClient: { found: string; supported: string };
}

/** Of a failure that is about a policy. */
export interface PolicyDetails {
  policyId: string;
}

/**
 * Why an operation has no result, or why a request was refused. Stable, and made to `switch` on: that narrows the
 * `details` of the error. `ModerationErrorDetails` explains each type.
 */
export type ModerationErrorType = keyof ModerationErrorDetails;

/** The details of an error whose type is not looked at: every field is optional. */
export type AnyErrorDetails = FieldsOf<ModerationErrorDetails[ModerationErrorType]>;

/** A `ModerationError` of one type. */
export interface ModerationErrorOf<Type extends ModerationErrorType> extends Error {
  readonly name: 'ModerationError';
  readonly type: Type;
  /** What `type` says about it: see `ModerationErrorDetails`. It contains no token and no text of Graph's bodies. */
  readonly details: ModerationErrorDetails[Type];
}

/**
 * Every error that this package throws by itself. `message` says what happened, to which call, and what to do. Errors of
 * Temporal's client, such as a lost connection, are thrown as they are.
 *
 * @example
 * try {
 *   await (await moderation.mute({ callId })).result();
 * } catch (error) {
 *   if (!(error instanceof ModerationError)) throw error;
 *   switch (error.type) {
 *     case 'InvalidRequest':
 *       return console.error(error.details.issues);
 *     case 'CallNotEstablished':
 *       return console.error(error.details.state);
 *     case 'Unconfirmed':
 *       return console.error(error.details.restored, error.details.requestId);
 *     default:
 *       return console.error(error.type, error.message);
 *   }
 * }
 */
export type ModerationError = { [Type in ModerationErrorType]: ModerationErrorOf<Type> }[ModerationErrorType];

/** Its constructor. The union above is what `instanceof` narrows to, which a class by itself could not be. */
export interface ModerationErrorConstructor {
  readonly name: string;
  readonly prototype: ModerationError;
  /** As of every class; declared because TypeScript narrows to a union by this predicate alone. */
  [Symbol.hasInstance](value: unknown): value is ModerationError;
  /** `cause` is the error of Temporal's client, if there was one. */
  new <Type extends ModerationErrorType>(
    type: Type,
    message: string,
    details: ModerationErrorDetails[Type],
    cause?: unknown,
  ): Extract<ModerationError, { type: Type }>;
}

/** The class of every error that this package throws by itself. */
export const ModerationError = class<Type extends ModerationErrorType> extends OperatorError {
  override readonly name = 'ModerationError';
  readonly type: Type;
  readonly details: ModerationErrorDetails[Type];

  constructor(type: Type, message: string, details: ModerationErrorDetails[Type], cause?: unknown) {
    super(message, { cause });
    this.type = type;
    this.details = details;
  }
} as unknown as ModerationErrorConstructor;

/**
 * Whether an error decides what became of a request. A namespace that is not set up does not: as soon as its operator has
 * set it up, the same request succeeds.
 */
export function isOutcome(error: unknown): error is Exclude<ModerationError, { type: 'NotSetUp' }> {
  return error instanceof ModerationError && error.type !== 'NotSetUp';
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
