import { canonicalId, isCallId } from './call-id.ts';
import { toSeconds } from './duration.ts';
import { isLabel, LABEL_RULE } from './live-call.ts';
import type { EntryRule } from './mute-on-entry.ts';
import { isAction, type Action } from './names.ts';
import { canonicalRules, faultsBesideOnEntry, faultsOfOnEntry } from './on-entry.ts';
import { checkRequest, isTenantId, type ModerationRequest } from './request.ts';
import { toTarget } from './target.ts';

/**
 * A policy: an action on many calls, by the clock. It is kept as a Temporal Schedule, whose only argument it is, so that
 * nothing else has to remember it; each time the schedule fires, the workflow `applyPolicy` gets it.
 *
 * What a run needs of it is checked here. When it runs (`when`) is of interest to whoever makes the schedule only, and
 * checked there.
 */
export interface Policy {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`. */
  id: string;
  action: Action;
  target: PolicyTarget;
  when: PolicyWhen;
  /**
   * What to do if it is due and the run before has not ended. By default `skip` if it mutes, and `bufferOne` if it unmutes.
   * Not with `when.quietHours`: no run of them is ever skipped, and none waits for another.
   */
  overlap?: PolicyOverlap;
  /**
   * How late it may still run after an outage of Temporal or of all workers: seconds, or such as `15m`, at least 10 seconds.
   * What was missed for longer is not made up for. By default a minute if it mutes, and an hour if it unmutes. Not with
   * `when.quietHours`: a late run of them does what is right when it runs.
   */
  catchupWindow?: number | string;
  /** What decides beside the clock. */
  rules?: PolicyRules;
  /** Of each operation, as `mute` and `unmute` take them. */
  request?: PolicyRequest;
  /** What to do on a call where another operation runs that cannot be joined; `supersede` where absent. */
  onConflict?: 'supersede' | 'queue' | 'reject';
  /** Operations at a time, 1 to 50; 10 where absent. */
  concurrency?: number;
  /** Operations started in a second, 1 to 50; 10 where absent. */
  perSecond?: number;
}

/** Calls by their IDs, or all that are alive: of a tenant, or with a label, where those are named. */
export type PolicyTarget = { calls: readonly string[] } | { live: { tenantId?: string; label?: string } };

export type PolicyRequest = Pick<
  ModerationRequest,
  'tenantId' | 'confirmWithinSeconds' | 'onUnconfirmed' | 'requestedBy' | 'reason' | 'target'
>;

export type PolicyOverlap = 'skip' | 'bufferOne' | 'bufferAll' | 'cancelOther' | 'terminateOther' | 'allowAll';

export interface PolicyRules {
  /** Mute the application also in a call of the target as it is established. With `mute`; then `when` may be empty. */
  onJoin?: boolean;
  /**
   * Start a mute on entry in a call of the target, in place of an operation: as the call is established, and whenever the
   * policy runs, which gives one that runs there already these terms. It lasts for `forSeconds`, or until it is released,
   * and leaves alone who is in `except`. With `mute`; then `when` may be empty. Not with `onJoin`, `moreThan` and
   * `quietHours`, nor with what is of operations: `onConflict`, and `request` but for its `tenantId`, `requestedBy` and
   * `reason`.
   */
  onEntry?: boolean | EntryRule;
  /**
   * Only in calls with more people than this in the roster, 1 to 99, and with nothing to do where the application is
   * muted already, where the policy mutes the application. It is looked at when the policy runs, so `when.every` says how
   * late it may be. Not with `onJoin`, `onEntry` and `quietHours`.
   */
  moreThan?: number;
}

/** Exactly one of `at`, `every`, `cron`, `once` and `quietHours`. Durations are seconds, or such as `90s`, `15m`, `1h30m`, `1d`. */
export interface PolicyWhen {
  /** Times of day, such as `18:00` or `07:30:15`. */
  at?: string | readonly string[];
  /** With `at`: the days, such as `mon`, `friday`, `weekdays`, `weekends`; every day where absent. */
  days?: readonly string[];
  every?: number | string;
  /** With 5 to 7 fields, as Temporal reads them. */
  cron?: string | readonly string[];
  /** A date. */
  once?: string;
  /**
   * With `mute`: the calls of the target are muted in these hours, also those that are established meanwhile, and unmuted
   * after them. A run looks at the clock, so it does what is right when it works, however late that is.
   */
  quietHours?: QuietHours;
  /** The zone of all of these, such as `Europe/Berlin`; UTC where absent. */
  timeZone?: string;
  /** Not before, and not after: dates. */
  start?: string;
  end?: string;
  /** Runs up to so much later, by chance, so that not everything happens at once. */
  jitter?: number | string;
}

/** Times of day; where `to` comes before `from`, it is that of the next day. */
export interface QuietHours {
  from: string;
  to: string;
  /** On which they begin; every day where absent. */
  days?: readonly string[];
}

export const DEFAULT_CONCURRENCY = 10;
export const DEFAULT_PER_SECOND = 10;

/** How long ago a begin or an end of quiet hours may be and still start a run: an end must survive any outage. */
const QUIET_CATCHUP_SECONDS = 7 * 86_400;
const MUTE_CATCHUP_SECONDS = 60;

/** An unmute is how people end things: it is made up for longer, and not dropped because another one is still going. */
const UNMUTE_CATCHUP_SECONDS = 3_600;

/** What a policy does if a run is due while another one goes on. */
export function overlapOf({ action, overlap, when }: Policy): PolicyOverlap {
  if (when.quietHours !== undefined) return 'allowAll';
  return overlap ?? (action === 'unmute' ? 'bufferOne' : 'skip');
}

/** How late a run of a policy may be; `undefined` if its `catchupWindow` is no duration. */
export function catchupSecondsOf({ action, catchupWindow, when }: Policy): number | undefined {
  if (when.quietHours !== undefined) return QUIET_CATCHUP_SECONDS;
  if (catchupWindow !== undefined) return toSeconds(catchupWindow);
  return action === 'unmute' ? UNMUTE_CATCHUP_SECONDS : MUTE_CATCHUP_SECONDS;
}

/** Calls that a policy can list; with more, address them by a label. */
export const MOST_CALLS = 1_000;

/** What came of a run, whatever the number of calls: counts, and the first of those that it is about. */
export interface PolicyReport {
  policyId: string;
  action: Action;
  /** ISO 8601, UTC. */
  startedAt: string;
  endedAt?: string;
  /** Calls that were addressed. */
  calls: number;
  /**
   * How many came to what: `Confirmed`, `Partial`, or why not, as an operation's outcome; `NotCrowded`, `AlreadyDone` by rule,
   * and `StillQuiet` if another policy's quiet hours keep the call muted.
   * Where the policy mutes on entry: `Started`, `Extended` where one ran already, `NotBegun` where it has not read yet who
   * is there, or why it could not.
   */
  outcomes: Record<string, number>;
  /** The first 2,000 calls that were confirmed. */
  confirmed: string[];
  /** The first 100 calls that were not, and why. */
  failures: { callId: string; type: string; message: string }[];
  /** Where the policy mutes others: how many participants were muted, of how many, in all and in the first 1,000 calls. */
  others?: MutedOthers & { inCalls: (MutedOthers & { callId: string })[] };
  /** No worker was there when it was due, for longer than `catchupWindow`: nothing was done. */
  missed?: true;
  /** Why the run ended before it had addressed every call. */
  stopped?: PolicyStop;
}

/**
 * - `hours`: quiet hours began or ended meanwhile, so another run does what is right now
 * - `changed`: the policy was changed or deleted meanwhile
 * - `notDue`: the clock shows this time once more, and quiet hours begin or end the second time
 * - `deadline`: the run took longer than a run may
 */
export type PolicyStop = 'hours' | 'changed' | 'notDue' | 'deadline';

/** Of those who were to be muted: everyone meant but who has left, and who waits in the lobby. */
export interface MutedOthers {
  muted: number;
  of: number;
}

/** An argument of a run, beside the policy: unmute what the quiet hours have muted, because these terms are over. */
export interface Closing {
  closing: true;
}

export const APPLY_POLICY = 'applyPolicy';

const POLICY_PREFIX = 'call-moderation/policy/';

/** The ID of the policy's schedule. Its runs have the same ID, with the time appended. */
export function scheduleIdOf(policyId: string): string {
  return POLICY_PREFIX + policyId;
}

export function policyIdOf(scheduleId: string): string | undefined {
  const id = scheduleId.startsWith(POLICY_PREFIX) ? scheduleId.slice(POLICY_PREFIX.length) : '';
  return isPolicyId(id) ? id : undefined;
}

export function isPolicyId(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value);
}

type Fields = Record<string, unknown>;

const REQUEST_FIELDS = ['tenantId', 'confirmWithinSeconds', 'onUnconfirmed', 'requestedBy', 'reason', 'target'];

const OVERLAPS: readonly unknown[] = [
  'skip',
  'bufferOne',
  'bufferAll',
  'cancelOther',
  'terminateOther',
  'allowAll',
] satisfies PolicyOverlap[];

type Rule = (value: unknown) => readonly string[];

const oneOf =
  (field: string, ...words: readonly unknown[]): Rule =>
  (value) =>
    value === undefined || words.includes(value) ? [] : [`${field} must be one of ${words.join(', ')}`];

const count =
  (field: string, most: number, usual: number): Rule =>
  (value) =>
    value === undefined || (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most)
      ? []
      : [`${field} must be a whole number from 1 to ${most}; leave it out for ${usual}`];

const RULES: Record<keyof Policy, Rule> = {
  id: (value) => (isPolicyId(value) ? [] : ['id must be 1 to 64 of A-Z a-z 0-9 _ -']),
  action: (value) => (isAction(value) ? [] : ["action must be 'mute' or 'unmute'"]),
  target: faultsOfTarget,
  when: (value) => (isFields(value) ? [] : ['when must be an object with one of at, every, cron, once and quietHours']),
  overlap: oneOf('overlap', ...OVERLAPS),
  // Read with the durations of `when`.
  catchupWindow: () => [],
  rules: faultsOfRules,
  request: faultsOfRequest,
  onConflict: oneOf('onConflict', 'supersede', 'queue', 'reject'),
  concurrency: count('concurrency', 50, DEFAULT_CONCURRENCY),
  perSecond: count('perSecond', 50, DEFAULT_PER_SECOND),
};

const REQUIRED = ['id', 'action', 'target', 'when'] as const satisfies (keyof Policy)[];

export type CheckedPolicy = { ok: true; policy: Policy } | { ok: false; faults: readonly string[] };

/**
 * Checks a policy from anywhere but for its times: every fault is named with its field and its remedy. One that holds
 * comes back with its call IDs in canonical form, each once, and without fields that are `undefined`.
 */
export function checkPolicy(input: unknown): CheckedPolicy {
  if (!isFields(input)) return { ok: false, faults: ['a policy must be an object with id, action, target and when'] };
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  const known = Object.keys(RULES);
  const faults = [
    ...REQUIRED.filter((field) => given[field] === undefined).map((field) => `${field} is required`),
    ...Object.entries(given).flatMap(([field, value]) =>
      Object.hasOwn(RULES, field)
        ? RULES[field as keyof Policy](value)
        : [`${JSON.stringify(field.slice(0, 64))} is not a field of a policy; the fields are ${known.join(', ')}`],
    ),
  ];
  if (faults.length > 0) return { ok: false, faults };
  const policy = given as unknown as Policy;
  const together = faultsOfCombination(policy);
  if (together.length > 0) return { ok: false, faults: together };
  const { request, rules } = policy;
  return {
    ok: true,
    policy: {
      ...policy,
      target: canonicalTarget(policy.target),
      ...(rules !== undefined && { rules: canonicalRules(rules) }),
      ...(request !== undefined && { request: canonicalRequest(request) }),
    },
  };
}

/** What holds field by field may not hold together. */
function faultsOfCombination(policy: Policy): string[] {
  const onEntry = faultsBesideOnEntry(policy);
  if (onEntry.length > 0) return onEntry;
  const fault = faultOfCombination(policy);
  return fault === undefined ? [] : [fault];
}

function faultOfCombination(policy: Policy): string | undefined {
  const { action, rules, when } = policy;
  const fault = faultOfOthers(policy) ?? faultOfQuietHours(policy);
  if (fault !== undefined || (rules?.onJoin !== true && when.quietHours === undefined)) return fault;
  if (action !== 'mute') return "rules.onJoin and when.quietHours go with the action 'mute'";
  return rules?.moreThan === undefined
    ? undefined
    : 'rules.moreThan does not go with rules.onJoin and when.quietHours, for a call that is just established has nobody to count; make two policies';
}

/** An end that may be skipped, or missed, would leave calls muted. */
function faultOfQuietHours({ when, overlap, catchupWindow }: Policy): string | undefined {
  if (when.quietHours === undefined) return undefined;
  if (overlap !== undefined) {
    return 'overlap does not go with when.quietHours, whose runs are never skipped and never wait for each other; leave it out';
  }
  return catchupWindow === undefined
    ? undefined
    : 'catchupWindow does not go with when.quietHours, whose end is made up for after any outage; leave it out';
}

/** Others can be muted and never unmuted, and IDs of participants are those of one call. */
function faultOfOthers({ action, target, rules, when, request = {} }: Policy): string | undefined {
  const { target: whom } = canonicalRequest(request);
  if (whom === undefined || whom === 'self') return undefined;
  const checked = checkRequest({ ...request, callId: 'x' }, action);
  if (!checked.ok) return `request.${checked.faults.join('; ')}`;
  if (when.quietHours !== undefined) {
    return "when.quietHours goes with request.target 'self' only: they end with an unmute, and Graph can never unmute other participants; use at, every or cron";
  }
  if (rules?.onJoin === true) {
    return "rules.onJoin goes with request.target 'self' only: nobody can tell yet who is in a call that is just established; rules.onEntry is for those who come";
  }
  const isOneCall = 'calls' in target && new Set(target.calls.map(canonicalId)).size === 1;
  return whom === 'others' || 'others' in whom || isOneCall
    ? undefined
    : "request.target names participants, whose IDs are those of one call: name that call alone in target.calls, or mute 'others'";
}

/** With the target in one form, and without one where it is the application. */
function canonicalRequest({ target, ...request }: PolicyRequest): PolicyRequest {
  const checked = toTarget(target);
  return { ...request, ...(typeof checked !== 'string' && checked) };
}

function canonicalTarget(target: PolicyTarget): PolicyTarget {
  return 'calls' in target ? { calls: [...new Set(target.calls.map(canonicalId))] } : target;
}

function faultsOfTarget(value: unknown): string[] {
  const rule = 'target must be { calls: [...] } or { live: {} }';
  if (!isFields(value) || Object.keys(value).length !== 1) return [rule];
  if (Object.hasOwn(value, 'calls')) return faultsOfCalls(value['calls']);
  const live = value['live'];
  if (!isFields(live)) return [rule];
  return Object.entries(live).flatMap(([field, given]) => {
    if (given === undefined) return [];
    if (field === 'tenantId') {
      return isTenantId(given) ? [] : ['target.live.tenantId must be the ID or a domain of a tenant'];
    }
    if (field === 'label') return isLabel(given) ? [] : [`target.live.label ${LABEL_RULE}`];
    return [`target.live has the fields tenantId and label, and not ${JSON.stringify(field.slice(0, 64))}`];
  });
}

function faultsOfCalls(calls: unknown): string[] {
  if (!Array.isArray(calls) || calls.length === 0) {
    return ['target.calls is empty: name at least one call, or use target.live for all that are alive'];
  }
  if (calls.length > MOST_CALLS) {
    return [`target.calls has ${calls.length} calls, and at most ${MOST_CALLS} can be listed; address them by a label`];
  }
  const wrong = calls.findIndex((call) => !isCallId(call));
  return wrong < 0 ? [] : [`target.calls[${wrong}] must be the ID of a call: 1 to 128 of A-Z a-z 0-9 _ -`];
}

function faultsOfRules(value: unknown): string[] {
  if (!isFields(value)) return ['rules must be an object with one or more of onJoin, onEntry and moreThan'];
  return Object.entries(value).flatMap(([field, given]) => {
    if (given === undefined) return [];
    if (field === 'onJoin') return typeof given === 'boolean' ? [] : ['rules.onJoin must be true or false'];
    if (field === 'onEntry') return faultsOfOnEntry(given);
    if (field !== 'moreThan') {
      return [`rules has the fields onJoin, onEntry and moreThan, and not ${field.slice(0, 64)}`];
    }
    const holds = Number.isInteger(given) && Number(given) >= 1 && Number(given) <= 99;
    return holds ? [] : ['rules.moreThan must be a whole number from 1 to 99: Graph tells of 100 participants at most'];
  });
}

function faultsOfRequest(value: unknown): string[] {
  if (!isFields(value)) return ['request must be an object'];
  const others = Object.keys(value).filter((field) => !REQUEST_FIELDS.includes(field));
  if (others.length > 0) {
    return [
      `request.${others[0]?.slice(0, 64)} is not a field of a policy's requests; those are ${REQUEST_FIELDS.join(', ')}`,
    ];
  }
  const checked = checkRequest({ ...value, callId: 'x' });
  return checked.ok ? [] : checked.faults.map((fault) => `request.${fault}`);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
