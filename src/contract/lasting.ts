import { isCallId } from './call-id.ts';

/** What lasts on a call, a hold or a mute on entry: until when, for whom, and the check of both. */

export interface Lasting {
  /** When it ends, ISO 8601 with a time zone. Not together with `forSeconds`; until it is released where both are absent. */
  until?: string;
  /** Seconds from its start, 1 to 2,592,000 (30 days). */
  forSeconds?: number;
}

export interface OfCall {
  callId: string;
  tenantId?: string;
  /** For the audit trail, as in an operation's request, and given to the operations that come of it. */
  requestedBy?: string;
  reason?: string;
}

/** Signals of one that runs, beside `rosterUpdated` and `callEnded`. */
export const LASTING_SIGNAL = { release: 'release', extend: 'extend' } as const;

/** `ModerationOutcome` of what has ended so, such as `GaveUp`. */
export function outcomeOf(end: string): string {
  return end.replace(/^./, (letter) => letter.toUpperCase());
}

const MOST_SECONDS = 30 * 24 * 3600;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

export type Rules<T> = Record<keyof T, (value: unknown) => string | undefined>;

const text = (most: number) => (value: unknown) =>
  typeof value === 'string' && value.length <= most ? undefined : `must be a string of at most ${most} characters`;

export function isWithin(value: unknown, most: number): value is number {
  return typeof value === 'number' && value >= 1 && value <= most;
}

export const LASTING: Rules<Lasting> = {
  until: (value) =>
    typeof value === 'string' && ISO.test(value) && !Number.isNaN(Date.parse(value))
      ? undefined
      : "must be a time as in '2026-11-24T17:30:00Z', with its zone",
  forSeconds: (value) =>
    isWithin(value, MOST_SECONDS) ? undefined : `must be a number of seconds from 1 to ${MOST_SECONDS}`,
};

export const OF_CALL: Rules<OfCall> = {
  callId: (value) =>
    isCallId(value) ? undefined : 'must be 1 to 128 of A-Z a-z 0-9 _ -; pass the id of the call as Graph gave it',
  tenantId: (value) =>
    typeof value === 'string' && /^[0-9a-zA-Z.-]{1,253}$/.test(value)
      ? undefined
      : 'must be the ID or a domain of a tenant; leave it out for the home tenant',
  requestedBy: text(128),
  reason: text(256),
};

export type CheckedFields<T> = { ok: true; request: T } | { ok: false; faults: readonly string[] };

/** One object with these fields and no others, and with one end at most. */
export function checkFields<T extends Lasting>(input: unknown, rules: Rules<T>): CheckedFields<T> {
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
