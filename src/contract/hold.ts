import { workflowIdOf } from './call-id.ts';
import { flag, isFields, isWithin, object, type Rule, type Rules } from './check.ts';
import { checkLasting, LASTING, OF_CALL, type CheckedFields, type Lasting, type OfCall } from './lasting.ts';
import type { MuteState } from './operation.ts';

/** The workflow type of holds and pauses. */
export const HOLD = 'hold';

/** The query of a hold, which it answers with a `HoldStatus`. */
export const HOLD_QUERY = 'hold';

/** One hold a call, as there is one operation a call. */
export function holdIdOf(callId: string): string {
  return `${workflowIdOf(callId)}/hold`;
}

/** How long a hold lasts, and how it goes about it. */
export interface HoldTerms extends Lasting {
  /** Mute again whenever the roster shows the application unmuted (a hold), or do not (a pause). Default true. */
  enforce?: boolean;
  /** How often it mutes again before it gives up: `mutes` (1 to 100) within `withinSeconds` (1 to 86,400). Default 10 in 600. */
  atMost?: { mutes: number; withinSeconds: number };
}

/** Input of the workflow `hold`. */
export type HoldRequest = OfCall & HoldTerms;

export const DEFAULT_AT_MOST = { mutes: 10, withinSeconds: 600 } as const;

/** More than this no hold mutes again, however slowly: it is for moderation, not for a war. */
export const MOST_MUTES = 100;

export type HoldPhase = 'muting' | 'holding' | 'unmuting' | 'ended';

/**
 * Why a hold has ended:
 *
 * - `expired`, `released`: as it was to; the application was unmuted
 * - `unmuted`: somebody unmuted the application with an operation of ours, so that nothing was left to hold
 * - `gaveUp`: it was unmuted by others more often than `atMost` allows, and is left so
 * - `callEnded`
 */
export const HOLD_ENDS = ['expired', 'released', 'unmuted', 'gaveUp', 'callEnded'] as const;

export type HoldEnd = (typeof HOLD_ENDS)[number];

/** Answer of the query `hold`. Times are ISO 8601 in UTC. */
export interface HoldStatus {
  phase: HoldPhase;
  request: HoldRequest;
  startedAt: string;
  /** Absent where it lasts until it is released. */
  until?: string;
  enforce: boolean;
  /** How often it has muted again. */
  mutesAgain: number;
  /** Rosters that it was told of. */
  rosters: number;
  participantId?: string;
  lastSeen?: MuteState;
}

export interface HoldResult {
  callId: string;
  endedBy: HoldEnd;
  mutesAgain: number;
  startedAt: string;
  endedAt: string;
}

const AT_MOST_RULE = 'must be { mutes: 1 to 100, withinSeconds: 1 to 86400 }; leave it out for 10 in 600';

const atMost: Rule<Required<HoldTerms>['atMost']> = (value, at, faults) => {
  const { mutes, withinSeconds } = isFields(value) && Object.keys(value).length === 2 ? value : {};
  if (isWithin(mutes, 1, MOST_MUTES) && Number.isInteger(mutes) && isWithin(withinSeconds, 1, 86_400)) {
    return { mutes, withinSeconds };
  }
  faults.add(at, AT_MOST_RULE);
  return undefined;
};

const TERMS: Rules<HoldTerms> = {
  ...LASTING,
  enforce: flag('must be true or false; leave it out for true'),
  atMost,
};

const otherwise = 'the input must be one object';

const HOLD_RULE = object<HoldRequest>({
  rules: { ...OF_CALL, ...TERMS },
  required: ['callId'],
  otherwise,
  of: 'here',
});

const TERMS_RULE = object<HoldTerms>({ rules: TERMS, otherwise, of: 'here' });

/** Checks the input of a hold, as `checkRequest` does that of an operation. */
export function checkHold(input: unknown): CheckedFields<HoldRequest> {
  const checked = checkLasting(input, HOLD_RULE);
  if (!checked.ok) return checked;
  const { enforce, until, forSeconds } = checked.request;
  if (enforce === false && until === undefined && forSeconds === undefined) {
    const fault = 'a pause (enforce: false) needs forSeconds or until; what is to last until a release is a hold';
    return { ok: false, faults: [fault] };
  }
  return checked;
}

/** Checks the payload of `extend`: the terms that take the place of those before. */
export function checkTerms(input: unknown): CheckedFields<HoldTerms> {
  return checkLasting(input, TERMS_RULE);
}
