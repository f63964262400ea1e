import { CALL_ID, check, isFields, matching, number, TENANT_ID, text, type Rule, type Rules } from './check.ts';
import type { QUERY, WORKFLOW } from './names.ts';

/**
 * Standing mutes (mute locks and mutes on entry): their end, their requester, the check of both, and the definition
 * that client and workflow share.
 */

/** When a standing mute ends. */
export interface StandingMuteTerms {
  /**
   * ISO 8601 with a time zone, such as `2026-11-24T17:30:00Z`. Not together with `forSeconds`; if both are absent, it
   * ends with its release.
   */
  until?: string;
  /** Seconds from its start, or from the `extend` that sets it: 1 to 2,592,000 (30 days). */
  forSeconds?: number;
}

/** The call of a standing mute, and who asks for it. All of it is passed on to its operations. */
export interface OfCall {
  /** The call: 1 to 128 of `A-Z a-z 0-9 _ -`, as Graph returned it when the call was created or answered. */
  callId: string;
  /** The tenant to take the token from, for applications in many tenants: its ID or one of its domains. */
  tenantId?: string;
  /** Who asked, for the audit trail: an opaque ID, at most 128 characters. Not a name. */
  requestedBy?: string;
  /** Why, for the audit trail, at most 256 characters. */
  reason?: string;
}

/** The fields that it shares with its operations: the call, and who asks. */
export function ofCall({ callId, tenantId, requestedBy, reason }: OfCall): OfCall {
  return {
    callId,
    ...(tenantId !== undefined && { tenantId }),
    ...(requestedBy !== undefined && { requestedBy }),
    ...(reason !== undefined && { reason }),
  };
}

/**
 * Time of the request behind such a signal, in ms since the epoch: both signals may contain it in the field
 * `wishedAt`, because a signal may wait for a worker. The sender makes sure that it is not older than the requests
 * that it knows of the call.
 */
export function takeWish(payload: unknown): { wishedAt?: number; rest: unknown } {
  if (!isFields(payload)) return { rest: payload };
  const { wishedAt, ...rest } = payload;
  if (wishedAt === undefined || wishedAt === null) return { rest };
  return Number.isFinite(wishedAt) ? { wishedAt: Number(wishedAt), rest } : { rest: payload };
}

/** The `ModerationOutcome` for this end, such as `GaveUp`. */
export function endOutcome(end: string): string {
  return end.replace(/^./, (letter) => letter.toUpperCase());
}

const MAX_SECONDS = 30 * 24 * 3600;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$/;

/** A day that the month does not have, such as 30 February, would be read as one of the next month. */
function isTime(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > 64 || !ISO.test(value) || Number.isNaN(Date.parse(value)))
    return false;
  const [year, month, day] = value.slice(0, 10).split('-').map(Number);
  return day !== undefined && day <= new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate();
}

export const STANDING_MUTE_RULES: Rules<StandingMuteTerms> = {
  until: matching(isTime, "must be a time as in '2026-11-24T17:30:00Z', with its zone"),
  forSeconds: number(1, MAX_SECONDS, `must be a number of seconds from 1 to ${MAX_SECONDS}`),
};

export const OF_CALL: Rules<OfCall> = {
  callId: CALL_ID,
  tenantId: TENANT_ID,
  requestedBy: text(128),
  reason: text(256, { lines: true }),
};

/** The input in canonical form, or its issues, each with its field and its remedy. */
export type CheckedFields<T> = { ok: true; request: T } | { ok: false; issues: readonly string[] };

/** Checks an input that may have one end at most. */
export function checkStandingMute<T extends StandingMuteTerms>(input: unknown, rule: Rule<T>): CheckedFields<T> {
  const checked = check(rule, input);
  if (!checked.ok) return checked;
  const { value: request } = checked;
  if (request.until === undefined || request.forSeconds === undefined) return { ok: true, request };
  const fault = 'until and forSeconds exclude each other: give one of them, or neither';
  return { ok: false, issues: [fault] };
}

/** One kind of standing mute, as its workflow and its client need it. */
export interface StandingMuteDefinition<Request, Terms> {
  /** In a sentence. */
  name: 'mute lock' | 'mute on entry';
  workflowType: keyof typeof WORKFLOW;
  query: keyof typeof QUERY;
  /** At most one runs on a call, because the workflow ID contains the call ID and nothing else. */
  workflowIdOf: (callId: string) => string;
  /** Checks the input of the workflow. */
  check: (input: unknown) => CheckedFields<Request>;
  /** Checks the payload of `extend`: the terms that replace the earlier ones. */
  checkTerms: (input: unknown) => CheckedFields<Terms>;
  /** The fields of a request that a running one accepts as new terms. */
  terms: readonly (keyof Request & keyof Terms)[];
  /** The line in Temporal's lists. */
  summaryOf: (request: Request) => string;
}
