import type { OperationOutcome } from '../../activities/types.ts';
import { EFFECTIVE } from '../../contract/failure.ts';
import type { Failure } from '../lib/failures.ts';

/** What the outcome of an operation means to the mute lock that has ordered it. */

export type MuteLockFailure = { type: string; message: string; details: Failure['details'] };

/** May succeed when it is tried again. */
const TRANSIENT: ReadonlySet<string> = new Set([
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
function mayBeMuted({ type, details: { restored } }: MuteLockFailure): boolean {
  return restored === false || type === 'NotEnded' || (EFFECTIVE.has(type) && restored !== true);
}

export function failureOf(outcome: OperationOutcome): MuteLockFailure {
  const { outcome: type } = outcome;
  return 'message' in outcome
    ? { type, message: outcome.message, details: outcome.details }
    : { type, message: '', details: {} };
}

/**
 * What follows from a mute of the mute lock: it is confirmed; the mute lock looks again, because there is a newer wish
 * or the mute may succeed later; it ends at once, because the call is unmuted; or it ends with an unmute.
 */
export type AfterMute = 'confirmed' | 'look again' | 'end' | 'end with an unmute';

/** After the first mute; `mayHaveMuted` says whether a mute before that may have muted the call. */
export function afterFirstMute(outcome: OperationOutcome, mayHaveMuted: boolean): AfterMute {
  if (outcome.outcome === 'Confirmed') return 'confirmed';
  if (outcome.outcome === 'Superseded' || (mayHaveMuted && TRANSIENT.has(outcome.outcome))) return 'look again';
  return mayHaveMuted || mayBeMuted(failureOf(outcome)) ? 'end with an unmute' : 'end';
}

/** After a mute against somebody's unmute, so the call was unmuted before. */
export function afterMuteAgain(outcome: OperationOutcome): AfterMute {
  if (outcome.outcome === 'Confirmed') return 'confirmed';
  if (outcome.outcome === 'Superseded' || TRANSIENT.has(outcome.outcome)) return 'look again';
  return mayBeMuted(failureOf(outcome)) ? 'end with an unmute' : 'end';
}
