import { liveWorkflowIdOf } from './call-id.ts';
import { CALL_ID, check, isListOf, matching, object, TENANT_ID, type Rule } from './check.ts';
import { standingPriority } from './priority.ts';
import { canonicalTenantId, isTenantId } from './tenant.ts';

/**
 * An active call, as policies address it: one workflow per call, which receives the webhook's notifications of the
 * call itself. Anyone may send these inputs, so each is checked on arrival.
 */

/**
 * As Graph calls them; `establishing` is everything before `established`.
 * https://learn.microsoft.com/graph/api/resources/call
 */
export type CallState = 'establishing' | 'established' | 'terminated';

export const CALL_STATES: readonly CallState[] = ['establishing', 'established', 'terminated'];

export const MAX_LABELS = 16;

/** Input of a live call's workflow. */
export interface LiveCallInput {
  callId: string;
  /** The tenant of the call, if its notification or the token of the notification contains one. */
  tenantId?: string;
}

/** Options with which the first notification of a call starts its workflow, together with a signal. */
export function liveCallStart(input: LiveCallInput, taskQueue: string) {
  return {
    workflowId: liveWorkflowIdOf(input.callId),
    taskQueue,
    args: [input],
    priority: standingPriority(input.tenantId),
    staticSummary: `Call ${input.callId} is alive`,
  };
}

/** Payload of `callEstablished`. */
export interface CallEstablished {
  tenantId?: string;
}

/** Payload of `label`: labels to add and to remove. Each is 1 to 64 of `A-Z a-z 0-9 _ . : -`. */
export interface Labelling {
  add: string[];
  remove: string[];
}

/** Answer of the live call's query `liveCall`, and its result. Times are ISO 8601 in UTC. */
export interface LiveCallStatus {
  callId: string;
  state: CallState;
  tenantId?: string;
  labels: string[];
  /** Time of the first notification of the call. */
  since: string;
  /** Reads of the call so far that Graph has answered. */
  reads: number;
  /** The policy that muted it when it was established, and the outcome. */
  onEstablished?: { policyId?: string; outcome?: string };
  /** The policy that started a mute on entry there, and the outcome: `Started`, `Extended`, or the failure. */
  onEntry?: { policyId: string; outcome: string };
  endedAt?: string;
  /** How its end became known: a notification, a read that found it gone, or nothing seen of it for a day. */
  endedBy?: 'notification' | 'read' | 'silence';
}

export function isLabel(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_.:-]{1,64}$/.test(value);
}

export const LABEL_RULE = 'must be 1 to 64 of A-Z a-z 0-9 _ . : -';

export const LABEL: Rule<string> = matching(isLabel, LABEL_RULE);

export const LABELS: Rule<string[]> = matching(
  isLabels,
  `must be at most ${MAX_LABELS} labels, and each ${LABEL_RULE}`,
);

const LIVE_CALL_RULE = object<LiveCallInput>({
  rules: { callId: CALL_ID, tenantId: TENANT_ID },
  required: ['callId'],
  otherwise: 'the input must be one object with the field callId',
  of: 'of a live call',
});

/** The input in canonical form, or its issues. */
export function checkLiveCall(value: unknown): LiveCallInput | string {
  const checked = check(LIVE_CALL_RULE, value);
  return checked.ok ? checked.value : checked.issues.join('; ');
}

/** No payload at all fits too. */
export function toCallEstablished(value: unknown): CallEstablished | undefined {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object') return undefined;
  const { tenantId: tenant } = value as Record<string, unknown>;
  if (tenant === undefined) return {};
  return isTenantId(tenant) ? { tenantId: canonicalTenantId(tenant) } : undefined;
}

export function toLabelling(value: unknown): Labelling | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { add = [], remove = [] } = value as Record<string, unknown>;
  return isLabels(add) && isLabels(remove) ? { add, remove } : undefined;
}

function isLabels(value: unknown): value is string[] {
  return isListOf(value, MAX_LABELS, isLabel);
}
