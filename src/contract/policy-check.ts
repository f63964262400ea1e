import { canonicalId, isCallId } from './call-id.ts';
import {
  check,
  flag,
  integer,
  isFields,
  isSmall,
  matching,
  object,
  oneOf,
  TENANT_ID,
  text,
  type Rule,
} from './check.ts';
import { DURATION_RULE, toSeconds } from './duration.ts';
import { LABEL } from './live-call.ts';
import { faultsBesideOnEntry, ON_ENTRY } from './mute-on-entry-check.ts';
import {
  DEFAULT_CONCURRENCY,
  DEFAULT_PER_SECOND,
  isPolicyId,
  MAX_CALLS,
  type Policy,
  type PolicyOverlap,
  type PolicyRequest,
  type PolicyRules,
  type PolicyTarget,
  type PolicyWhen,
} from './policy.ts';
import { targetIssue, ON_CONFLICT, REQUEST_RULES } from './request.ts';

/** The check of a policy without its times, which `src/schedule/spec.ts` reads when the schedule is created. */

const OVERLAPS = [
  'skip',
  'bufferOne',
  'bufferAll',
  'cancelOther',
  'terminateOther',
  'allowAll',
] as const satisfies readonly PolicyOverlap[];

const MIN_CATCHUP_SECONDS = 10;

const TARGET_RULE = 'must be { calls: [...] } or { live: {} }';

const live = object<{ tenantId?: string; label?: string }>({
  rules: { tenantId: TENANT_ID, label: LABEL },
  otherwise: TARGET_RULE,
  of: 'of a target',
});

const calls: Rule<readonly string[]> = (value, at, issues) => {
  if (!Array.isArray(value) || value.length === 0) {
    issues.add(at, 'is empty: name at least one call, or use target.live for all active calls');
    return undefined;
  }
  if (value.length > MAX_CALLS) {
    issues.add(at, `has ${value.length} calls, but at most ${MAX_CALLS} can be listed; select them by a label instead`);
    return undefined;
  }
  const wrong = value.findIndex((call) => !isCallId(call));
  if (wrong < 0) return [...new Set((value as string[]).map(canonicalId))];
  issues.add(`${at}[${wrong}]`, 'must be the ID of a call: 1 to 128 of A-Z a-z 0-9 _ -');
  return undefined;
};

/** Exactly one of the two. */
const target: Rule<PolicyTarget> = (value, at, issues) => {
  const [kind, ...others] = isFields(value) ? Object.keys(value) : [];
  if (!isFields(value) || (kind !== 'calls' && kind !== 'live') || others.length > 0) {
    issues.add(at, TARGET_RULE);
    return undefined;
  }
  const path = `${at}.${kind}`;
  if (kind === 'calls') {
    const listed = calls(value['calls'], path, issues);
    return listed && { calls: listed };
  }
  const filter = live(value['live'], path, issues);
  return filter && { live: filter };
};

/** Checks only that it can be stored and passed on; its content is read when the schedule is created. */
const when: Rule<PolicyWhen> = (value, at, issues) => {
  if (!isFields(value)) issues.add(at, 'must be an object with one of at, every, cron, once and quietHours');
  else if (!isSmall(value)) issues.add(at, 'is too large: split it into several policies');
  else return value;
  return undefined;
};

const rules = object<PolicyRules>({
  rules: {
    onEstablished: flag('must be true or false'),
    onEntry: ON_ENTRY,
    minParticipants: integer(2, 100, 'must be a whole number from 2 to 100: Graph lists at most 100 participants'),
  },
  otherwise: 'must be an object with one or more of onEstablished, onEntry and minParticipants',
  of: 'of rules',
});

const request: Rule<PolicyRequest> = object<PolicyRequest>({
  rules: {
    tenantId: REQUEST_RULES.tenantId,
    confirmWithinSeconds: REQUEST_RULES.confirmWithinSeconds,
    onUnconfirmed: REQUEST_RULES.onUnconfirmed,
    requestedBy: REQUEST_RULES.requestedBy,
    reason: REQUEST_RULES.reason,
    target: REQUEST_RULES.target,
  },
  otherwise: 'must be an object',
  of: "of a policy's requests",
});

const catchupWindow: Rule<number | string> = matching(
  (value): value is number | string => (toSeconds(value) ?? 0) >= MIN_CATCHUP_SECONDS,
  `${DURATION_RULE}, and at least ${MIN_CATCHUP_SECONDS} s`,
);

function count(most: number, usual: number): Rule<number> {
  return integer(1, most, `must be a whole number from 1 to ${most}; leave it out for ${usual}`);
}

const POLICY = object<Policy>({
  rules: {
    id: matching(isPolicyId, 'must be 1 to 64 of A-Z a-z 0-9 _ -'),
    action: oneOf(['mute', 'unmute'], "must be 'mute' or 'unmute'"),
    target,
    when,
    overlap: oneOf(OVERLAPS, `must be one of ${OVERLAPS.join(', ')}`),
    catchupWindow,
    rules,
    request,
    onConflict: oneOf(ON_CONFLICT, `must be one of ${ON_CONFLICT.join(', ')}`),
    concurrency: count(50, DEFAULT_CONCURRENCY),
    perSecond: count(50, DEFAULT_PER_SECOND),
  },
  required: ['id', 'action', 'target', 'when'],
  otherwise: 'a policy must be an object with id, action, target and when',
  of: 'of a policy',
});

const NOTE = object<{ note?: string }>({
  rules: { note: text(512, { lines: true }) },
  otherwise: 'a note must be text',
  of: 'of a note',
});

/** The issues of a policy's note, which is stored beside it. */
export function noteIssues(note: unknown): readonly string[] {
  const checked = check(NOTE, { note });
  return checked.ok ? [] : checked.issues;
}

export type CheckedPolicy = { ok: true; policy: Policy } | { ok: false; issues: readonly string[] };

/**
 * Checks a policy without its times: every issue has its field and its remedy. A valid policy is returned with its
 * calls, tenants and targets in canonical form, each once, and without fields that are `undefined`.
 */
export function checkPolicy(input: unknown): CheckedPolicy {
  const checked = check(POLICY, input);
  if (!checked.ok) return checked;
  const { value: policy } = checked;
  const issues = faultsOfCombination(policy);
  return issues.length > 0 ? { ok: false, issues } : { ok: true, policy };
}

/** Fields that are valid on their own may be invalid together. */
function faultsOfCombination(policy: Policy): string[] {
  const besideOnEntry = faultsBesideOnEntry(policy);
  if (besideOnEntry.length > 0) return besideOnEntry;
  const fault = faultOfCombination(policy);
  return fault === undefined ? [] : [fault];
}

/** An end that may be skipped, or missed, would leave calls muted. */
function faultOfQuietHours(policy: Policy): string | undefined {
  const { overlap, catchupWindow: catchup } = policy;
  if (policy.when.quietHours === undefined) return undefined;
  if (overlap !== undefined) {
    return 'overlap does not go with when.quietHours, whose runs are never skipped and never wait for each other; leave it out';
  }
  return catchup === undefined
    ? undefined
    : 'catchupWindow does not go with when.quietHours, whose end takes effect after any outage; leave it out';
}

function faultOfCombination(policy: Policy): string | undefined {
  const {
    action,
    rules: decides,
    when: { quietHours },
  } = policy;
  const fault = faultOfOthers(policy) ?? faultOfQuietHours(policy);
  if (fault !== undefined || (decides?.onEstablished !== true && quietHours === undefined)) return fault;
  if (action !== 'mute') return "rules.onEstablished and when.quietHours go with the action 'mute'";
  return decides?.minParticipants === undefined
    ? undefined
    : 'rules.minParticipants does not go with rules.onEstablished and when.quietHours, because nobody is in a call yet when it is established; make two policies';
}

/** Others can be muted and never unmuted, and IDs of participants are those of one call. */
function faultOfOthers({ action, target: which, rules: decides, when: times, request: asked = {} }: Policy) {
  const { target: whom } = asked;
  if (whom === undefined || whom === 'self') return undefined;
  const fault = targetIssue(asked, action);
  if (fault !== undefined) return `request.${fault}`;
  if (times.quietHours !== undefined) {
    return "when.quietHours goes with request.target 'self' only: they end with an unmute, and Graph can never unmute other participants; use at, every or cron";
  }
  if (decides?.onEstablished === true) {
    return "rules.onEstablished goes with request.target 'self' only: nobody can tell yet who is in a call that is just established; rules.onEntry is for those who come";
  }
  const isOneCall = 'calls' in which && which.calls.length === 1;
  return whom === 'others' || 'others' in whom || isOneCall
    ? undefined
    : "request.target names participants, whose IDs are those of one call: name that call alone in target.calls, or mute 'others'";
}
