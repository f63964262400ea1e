import { canonicalId, isCallId, workflowIdOf } from './call-id.ts';
import type { MuteState } from './operation.ts';

/** The workflow type of holds and pauses. */
export const HOLD = 'hold';

/** Signals of a running hold, beside `rosterUpdated` and `callEnded`. */
export const HOLD_SIGNAL = { release: 'release', extend: 'extend' } as const;

/** The query of a hold, which it answers with a `HoldStatus`. */
export const HOLD_QUERY = 'hold';

/** One hold a call, as there is one operation a call. */
export function holdIdOf(callId: string): string {
  return `${workflowIdOf(callId)}/hold`;
}

/** How long a hold lasts, and how it goes about it. */
export interface HoldTerms {
  /** When it ends, ISO 8601 with a time zone. Not together with `forSeconds`; until it is released where both are absent. */
  until?: string;
  /** Seconds from the start of the hold, 1 to 2,592,000 (30 days). */
  forSeconds?: number;
  /** Mute again whenever the roster shows the application unmuted (a hold), or do not (a pause). Default true. */
  enforce?: boolean;
  /** How often it mutes again before it gives up: `mutes` (1 to 100) within `withinSeconds` (1 to 86,400). Default 10 in 600. */
  atMost?: { mutes: number; withinSeconds: number };
}

/** Input of the workflow `hold`. */
export interface HoldRequest extends HoldTerms {
  callId: string;
  tenantId?: string;
  /** For the audit trail, as in an operation's request, and given to the operations of the hold. */
  requestedBy?: string;
  reason?: string;
}

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

/** `ModerationOutcome` of a hold that has ended so, such as `GaveUp`. */
export function outcomeOf(end: HoldEnd): string {
  return end.replace(/^./, (letter) => letter.toUpperCase());
}

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

const MOST_SECONDS = 30 * 24 * 3600;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

type Rule = (value: unknown) => string | undefined;

const text =
  (most: number): Rule =>
  (value) =>
    typeof value === 'string' && value.length <= most ? undefined : `must be a string of at most ${most} characters`;

function isWithin(value: unknown, most: number): value is number {
  return typeof value === 'number' && value >= 1 && value <= most;
}

const TERMS: Record<keyof HoldTerms, Rule> = {
  until: (value) =>
    typeof value === 'string' && ISO.test(value) && !Number.isNaN(Date.parse(value))
      ? undefined
      : "must be a time as in '2026-11-24T17:30:00Z', with its zone",
  forSeconds: (value) =>
    isWithin(value, MOST_SECONDS) ? undefined : `must be a number of seconds from 1 to ${MOST_SECONDS}`,
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

const RULES: Record<keyof HoldRequest, Rule> = {
  callId: (value) =>
    isCallId(value) ? undefined : 'must be 1 to 128 of A-Z a-z 0-9 _ -; pass the id of the call as Graph gave it',
  tenantId: (value) =>
    typeof value === 'string' && /^[0-9a-zA-Z.-]{1,253}$/.test(value)
      ? undefined
      : 'must be the ID or a domain of a tenant; leave it out for the home tenant',
  requestedBy: text(128),
  reason: text(256),
  ...TERMS,
};

export type CheckedHold<T> = { ok: true; request: T } | { ok: false; faults: readonly string[] };

/** Checks the input of a hold, as `checkRequest` does that of an operation. */
export function checkHold(input: unknown): CheckedHold<HoldRequest> {
  const checked = check<HoldRequest>(input, RULES);
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
export function checkTerms(input: unknown): CheckedHold<HoldTerms> {
  return check<HoldTerms>(input, TERMS);
}

function check<T extends HoldTerms>(input: unknown, rules: Record<keyof T, Rule>): CheckedHold<T> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return { ok: false, faults: ['the input must be one object'] };
  }
  const given = Object.entries(input).filter(([, value]) => value !== undefined);
  const faults = given.flatMap(([field, value]) => {
    if (!Object.hasOwn(rules, field)) {
      return [
        `${JSON.stringify(field.slice(0, 64))} is not a field here; the fields are ${Object.keys(rules).join(', ')}`,
      ];
    }
    const fault = rules[field as keyof T](value);
    return fault === undefined ? [] : [`${field} ${fault}`];
  });
  const request = Object.fromEntries(given) as unknown as T;
  if (request.until !== undefined && request.forSeconds !== undefined) {
    faults.push('until and forSeconds are two ways to say when it ends: give one of them, or neither');
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, request };
}
