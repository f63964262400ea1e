import { canonicalId, isCallId } from './call-id.ts';
import type { Rule } from './check.ts';

/**
 * Whom an operation mutes. Graph unmutes nobody but the application, so everything but `self` is for `mute` only.
 *
 * - `self`: the application (the default)
 * - `{ participantIds }`: these participants of the call, by the `id` that a roster shows
 * - `others`, or `{ others: { except } }`: everyone in the roster but the application, and but those excepted
 */
export type Target = 'self' | ParticipantsTarget;

/** Participants by the `id` that a roster shows, at most 100; or everyone but the application, with or without exceptions. */
export type ParticipantsTarget =
  | { participantIds: readonly string[] }
  | 'others'
  | { others: { except: readonly string[] } };

/** Graph's rosters end here too, so that one operation never is about more. */
export const MAX_PARTICIPANTS = 100;

/** `ModerationTarget` of an operation that is about others; one about the application itself has none. */
export function targetKind(target: Target | undefined): 'self' | 'others' | 'participants' {
  if (target === undefined || target === 'self') return 'self';
  return target !== 'others' && 'participantIds' in target ? 'participants' : 'others';
}

export function sameTarget(a: Target | undefined, b: Target | undefined): boolean {
  return JSON.stringify(toTarget(a)) === JSON.stringify(toTarget(b));
}

/**
 * The target in canonical form, so that equal targets are equal: IDs canonical, sorted and each once, no empty
 * `except`, and `undefined` for `self`. If it is invalid, the issue as text.
 */
export function toTarget(value: unknown): { target?: ParticipantsTarget } | string {
  if (value === undefined || value === 'self') return {};
  if (value === 'others') return { target: 'others' };
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return FAULT;
  if ('participantIds' in value) {
    const participantIds = toParticipantIds(value.participantIds);
    return participantIds === undefined || participantIds.length === 0 ? FAULT : { target: { participantIds } };
  }
  if (!('others' in value) || typeof value.others !== 'object' || value.others === null) return FAULT;
  const { others } = value;
  if (!('except' in others) || Object.keys(others).length !== 1) return FAULT;
  const except = toParticipantIds(others.except);
  if (except === undefined) return FAULT;
  return { target: except.length === 0 ? 'others' : { others: { except } } };
}

/** Reads a target as a field of a request; one of the application itself is left out. */
export const TARGET: Rule<Target> = (value, at, issues) => {
  const checked = toTarget(value);
  if (typeof checked !== 'string') return checked.target;
  issues.add(at, checked);
  return undefined;
};

const FAULT = `must be 'self', 'others', { others: { except: […] } } or { participantIds: […] }, with 1 to ${MAX_PARTICIPANTS} IDs as in a roster; leave it out for 'self'`;

/** Canonical, sorted, each once; `undefined` if it is no list of at most MAX_PARTICIPANTS IDs. */
export function toParticipantIds(value: unknown): string[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_PARTICIPANTS || !value.every(isCallId)) return undefined;
  return [...new Set(value.map(canonicalId))].toSorted();
}
