import { canonicalId, workflowIdOf } from './call-id.ts';
import {
  checkFields,
  isWithin,
  LASTING,
  OF_CALL,
  type CheckedFields,
  type Lasting,
  type OfCall,
  type Rules,
} from './lasting.ts';
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

const TERMS: Rules<HoldTerms> = {
  ...LASTING,
  enforce: (value) => (typeof value === 'boolean' ? undefined : 'must be true or false; leave it out for true'),
  atMost: (value) => {
    const { mutes, withinSeconds, ...rest } = (typeof value === 'object' && value !== null ? value : {}) as Partial<
      Record<string, unknown>
    >;
    const isGood =
      isWithin(mutes, MOST_MUTES) &&
      isWithin(withinSeconds, 86_400) &&
      Object.keys(rest).length === 0 &&
      mutes % 1 === 0;
    return isGood ? undefined : 'must be { mutes: 1 to 100, withinSeconds: 1 to 86400 }; leave it out for 10 in 600';
  },
};

const RULES: Rules<HoldRequest> = { ...OF_CALL, ...TERMS };

/** Checks the input of a hold, as `checkRequest` does that of an operation. */
export function checkHold(input: unknown): CheckedFields<HoldRequest> {
  const checked = checkFields<HoldRequest>(input, RULES);
  if (!checked.ok) return checked;
  const { callId, enforce, until, forSeconds } = checked.request;
  if (callId === undefined) return { ok: false, faults: ['callId is required'] };
  if (enforce === false && until === undefined && forSeconds === undefined) {
    const fault = 'a pause (enforce: false) needs forSeconds or until; what is to last until a release is a hold';
    return { ok: false, faults: [fault] };
  }
  return { ok: true, request: { ...checked.request, callId: canonicalId(callId) } };
}

/** Checks the payload of `extend`: the terms that take the place of those before. */
export function checkTerms(input: unknown): CheckedFields<HoldTerms> {
  return checkFields<HoldTerms>(input, TERMS);
}
