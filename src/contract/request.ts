import { canonicalId, isCallId } from './call-id.ts';
import type { Action } from './names.ts';
import { toTarget, type OthersTarget, type Target } from './target.ts';

/** What is asked of a `mute` or `unmute` operation: the only argument of both workflow types. */
export interface ModerationRequest {
  /** The call: 1 to 128 of `A-Z a-z 0-9 _ -`, as Graph gave it when the call was created or answered. */
  callId: string;
  /** Sent to Graph with the request and echoed by it, at most 256 characters. The run ID where absent. */
  clientContext?: string;
  /** The tenant to take the token from, for applications in many tenants: its ID or one of its domains. */
  tenantId?: string;
  /** Seconds from Graph's acceptance to the roster's confirmation, 1 to 300. */
  confirmWithinSeconds?: number;
  /** What to do to the call when the roster does not confirm. */
  onUnconfirmed?: 'restore' | 'leave';
  /** Who asked, for the audit trail: an opaque ID of a service or an object, at most 128 characters. Not a name. */
  requestedBy?: string;
  /** Why, for the audit trail, at most 256 characters. */
  reason?: string;
  /**
   * Makes asking again safe: the same ID on the same call is the same operation, running or ended, for as long as
   * Temporal keeps it. 1 to 128 characters, of the starter's choice. Together with other fields than at first it is refused.
   */
  requestId?: string;
  /** Whom to mute, where it is not the application itself; for `mute` only, as Graph unmutes nobody else. */
  target?: Target;
}

/** A request to mute others than the application. */
export type OthersRequest = ModerationRequest & { target: OthersTarget };

export const DEFAULT_CONFIRM_WITHIN_SECONDS = 30;

type Rule = (value: unknown) => string | undefined;

const text =
  (most: number): Rule =>
  (value) =>
    typeof value === 'string' && value.length <= most
      ? undefined
      : `must be a string of at most ${most} characters; shorten it or leave it out`;

/** A tenant's ID, or one of its domains. */
export function isTenantId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-zA-Z.-]{1,253}$/.test(value);
}

const RULES: Record<keyof ModerationRequest, Rule> = {
  callId: (value) =>
    isCallId(value) ? undefined : 'must be 1 to 128 of A-Z a-z 0-9 _ -; pass the id of the call as Graph gave it',
  clientContext: text(256),
  tenantId: (value) =>
    isTenantId(value)
      ? undefined
      : 'must be the ID or a domain of a tenant; correct it or leave it out for the home tenant',
  confirmWithinSeconds: (value) =>
    typeof value === 'number' && value >= 1 && value <= 300
      ? undefined
      : `must be a number of seconds from 1 to 300; leave it out for ${DEFAULT_CONFIRM_WITHIN_SECONDS}`,
  onUnconfirmed: (value) =>
    value === 'restore' || value === 'leave' ? undefined : "must be 'restore' or 'leave'; leave it out for 'restore'",
  requestedBy: text(128),
  reason: text(256),
  requestId: (value) =>
    typeof value === 'string' && value.length >= 1 && value.length <= 128
      ? undefined
      : 'must be a string of 1 to 128 characters; shorten it or leave it out',
  target: (value) => {
    const checked = toTarget(value);
    return typeof checked === 'string' ? checked : undefined;
  },
};

/** Faults that are told; a failure that told more of an input without end would itself be too large for Temporal. */
const MOST_FAULTS = 16;

export type CheckedRequest = { ok: true; request: ModerationRequest } | { ok: false; faults: readonly string[] };

/**
 * Checks a request from anywhere: every fault is named with its field and its remedy, and none is guessed away. A
 * request that holds comes back with its call ID and its target in canonical form and without fields that are `undefined`.
 */
export function checkRequest(input: unknown, action: Action = 'mute'): CheckedRequest {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return { ok: false, faults: ['the input must be one object with at least the field callId'] };
  }
  const given = Object.entries(input).filter(([, value]) => value !== undefined);
  // An input without end has fields without end: no more of them are looked at than are told.
  const faults: string[] = [];
  for (const [field, value] of given) {
    if (faults.length > MOST_FAULTS) break;
    const fault = faultOf(field, value);
    if (fault !== undefined) faults.push(fault);
  }
  if (!given.some(([field]) => field === 'callId')) faults.unshift('callId is required');
  if (faults.length > MOST_FAULTS) faults.splice(MOST_FAULTS, Infinity, 'and more');
  if (faults.length > 0) return { ok: false, faults };
  const { target: asked, ...request } = Object.fromEntries(given) as unknown as ModerationRequest;
  const checked = toTarget(asked);
  const { target } = typeof checked === 'string' ? {} : checked;
  if (target !== undefined && action === 'unmute') return { ok: false, faults: [UNMUTES_NOBODY] };
  if (target !== undefined && request.onUnconfirmed === 'restore') return { ok: false, faults: [RESTORES_NOBODY] };
  const canonical = { ...request, callId: canonicalId(request.callId), ...(target !== undefined && { target }) };
  return { ok: true, request: canonical };
}

const UNMUTES_NOBODY =
  "target must be 'self' for unmute: Graph can mute other participants and can never unmute them, which only they themselves can do";

const RESTORES_NOBODY =
  "onUnconfirmed cannot be 'restore' for a target other than 'self': Graph can never unmute other participants; leave it out";

/** Whether two requests that were checked ask for the same, field by field. */
export function sameRequest(a: ModerationRequest, b: ModerationRequest): boolean {
  return inOrder(a) === inOrder(b);
}

function inOrder(request: ModerationRequest): string {
  return JSON.stringify(Object.entries(request).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function faultOf(field: string, value: unknown): string | undefined {
  if (!Object.hasOwn(RULES, field)) {
    const known = Object.keys(RULES).join(', ');
    return `${JSON.stringify(field.slice(0, 64))} is not a field of a request; the fields are ${known}`;
  }
  const fault = RULES[field as keyof ModerationRequest](value);
  return fault === undefined ? undefined : `${field} ${fault}`;
}
