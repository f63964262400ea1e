import { CALL_ID, check, matching, number, object, oneOf, TENANT_ID, text, type Rules } from './check.ts';
import type { Action } from './names.ts';
import { TARGET, type ParticipantsTarget, type Target } from './target.ts';

/** The request of a `mute` or `unmute` operation: the only argument of both workflow types. */
export interface ModerationRequest {
  /** The call: 1 to 128 of `A-Z a-z 0-9 _ -`, as Graph returned it when the call was created or answered. */
  callId: string;
  /**
   * Sent to Graph with the request and echoed by it, at most 256 characters.
   *
   * @default the run ID
   */
  clientContext?: string;
  /**
   * The tenant to take the token from, for applications in many tenants: its ID or one of its domains.
   *
   * @default the application's own tenant
   */
  tenantId?: string;
  /**
   * Seconds from Graph's acceptance to the roster's confirmation, 1 to 300.
   *
   * @default 30
   */
  confirmWithinSeconds?: number;
  /**
   * What to do with the call if the roster does not confirm: put it back as it was read before, or leave it. Only `leave`
   * for other participants, because Graph cannot unmute them.
   *
   * @default 'restore'
   */
  onUnconfirmed?: 'restore' | 'leave';
  /** Who asked, for the audit trail: an opaque ID of a service or an object, at most 128 characters. Not a name. */
  requestedBy?: string;
  /** Why, for the audit trail, at most 256 characters. */
  reason?: string;
  /**
   * Makes a retry safe: the same ID on the same call is the same operation, running or ended, for as long as Temporal
   * keeps it. 1 to 128 of `A-Z a-z 0-9 . _ : / + = @ ~ -` and, inside, blanks: it becomes a search attribute and is
   * looked up by a list filter. A request with the same ID and other fields is refused.
   */
  requestId?: string;
  /**
   * Whom to mute. Another target than `'self'` only with `mute`, because Graph unmutes nobody else.
   *
   * @default 'self'
   */
  target?: Target;
}

/** A request to mute other participants. */
export type ParticipantsMuteRequest = ModerationRequest & { target: ParticipantsTarget };

/** What to do while another operation runs on the call to which a request cannot attach. */
export const ON_CONFLICT = ['supersede', 'queue', 'reject'] as const;

/** `supersede` ends the running operation and continues for both; `queue` waits for its end; `reject` fails. */
export type OnConflict = (typeof ON_CONFLICT)[number];

export const DEFAULT_CONFIRM_WITHIN_SECONDS = 30;

const REQUEST_ID_FORM = /^(?! )[A-Za-z0-9._:/+=@~ -]{1,128}(?<! )$/;

function isRequestId(value: unknown): value is string {
  return typeof value === 'string' && REQUEST_ID_FORM.test(value);
}

export const REQUEST_ID = matching(
  isRequestId,
  'must be a string of 1 to 128 of A-Z a-z 0-9 . _ : / + = @ ~ - and, inside, blanks; choose another or leave it out',
);

export const REQUEST_RULES: Rules<ModerationRequest> = {
  callId: CALL_ID,
  clientContext: text(256),
  tenantId: TENANT_ID,
  confirmWithinSeconds: number(
    1,
    300,
    `must be a number of seconds from 1 to 300; leave it out for ${DEFAULT_CONFIRM_WITHIN_SECONDS}`,
  ),
  onUnconfirmed: oneOf(['restore', 'leave'], "must be 'restore' or 'leave'; leave it out for 'restore'"),
  requestedBy: text(128),
  reason: text(256, { lines: true }),
  requestId: REQUEST_ID,
  target: TARGET,
};

const REQUEST = object<ModerationRequest>({
  rules: REQUEST_RULES,
  required: ['callId'],
  otherwise: 'the input must be one object with at least the field callId',
  of: 'of a request',
});

/** The request in canonical form, or its issues, each with its field and its remedy. */
export type CheckedRequest = { ok: true; request: ModerationRequest } | { ok: false; issues: readonly string[] };

/**
 * Checks a request: every issue has its field and its remedy, and nothing is guessed. A valid request is returned
 * with its call, tenant and target in canonical form and without fields that are `undefined`.
 *
 * @example
 * const checked = checkRequest(body, 'mute');
 * if (!checked.ok) throw new Error(checked.issues.join('; '));
 * await moderation.mute(checked.request);
 */
export function checkRequest(input: unknown, action: Action = 'mute'): CheckedRequest {
  const checked = check(REQUEST, input);
  if (!checked.ok) return checked;
  const { value: request } = checked;
  const fault = targetIssue(request, action);
  return fault === undefined ? { ok: true, request } : { ok: false, issues: [fault] };
}

/** Fields that are valid on their own may be invalid together. */
export function targetIssue(request: Omit<ModerationRequest, 'callId'>, action: Action): string | undefined {
  if (request.target === undefined) return undefined;
  if (action === 'unmute') return UNMUTES_NOBODY;
  return request.onUnconfirmed === 'restore' ? RESTORES_NOBODY : undefined;
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
