import type { OperationOutcome } from '../../activities/types.ts';
import { EFFECTIVE } from '../../contract/failure.ts';
import type { Failure } from '../lib/failures.ts';

/** What the outcome of an operation means to the mute lock that has ordered it. */

export type MuteLockFailure = { type: string; message: string; details: Failure['details'] };

/** May succeed when it is tried again. */
export const TRANSIENT: ReadonlySet<string> = new Set([
  'GraphUnavailable',
  'Unconfirmed',
  'RestoreFailed',
  'Cancelled',
  'Terminated',
  'TimedOut',
  'NotEnded',
  'OtherDeployment',
  'TemporalUnavailable',
]);

/** Whether an unconfirmed mute may have muted the call and was not undone. */
export function mayBeMuted({ type, details: { restored } }: MuteLockFailure): boolean {
  return restored === false || type === 'NotEnded' || (EFFECTIVE.has(type) && restored !== true);
}

export function failureOf(outcome: OperationOutcome): MuteLockFailure {
  const { outcome: type } = outcome;
  return 'message' in outcome
    ? { type, message: outcome.message, details: outcome.details }
    : { type, message: '', details: {} };
}
