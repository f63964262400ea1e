import type { ScheduleSpec } from '@temporalio/client';
import { keyword } from '../../contract/attributes.ts';
import { DURATION_RULE } from '../../contract/duration.ts';
import { isByRules, muteOnEntryRuleOf } from '../../contract/mute-on-entry-check.ts';
import { SEARCH_ATTRIBUTE, WORKFLOW } from '../../contract/names.ts';
import { checkPolicy } from '../../contract/policy-check.ts';
import { catchupSecondsOf, overlapOf, scheduleIdOf, type Policy, type PolicyOverlap } from '../../contract/policy.ts';
import { policyPriority } from '../../contract/priority.ts';
import { isNever, readWhen } from '../../schedule/spec.ts';
import { invalidPolicy as invalid, ModerationError } from '../errors.ts';
import type { PolicySummary } from './policy-types.ts';

/** A policy as a Temporal Schedule, in both directions. */

export const OVERLAP = {
  skip: 'SKIP',
  bufferOne: 'BUFFER_ONE',
  bufferAll: 'BUFFER_ALL',
  cancelOther: 'CANCEL_OTHER',
  terminateOther: 'TERMINATE_OTHER',
  allowAll: 'ALLOW_ALL',
} as const satisfies Record<PolicyOverlap, string>;

const MIN_CATCHUP_SECONDS = 10;

/** The policy as it is stored, and its schedule, or all issues at once. */
export function scheduleFor(input: Policy, taskQueue: string) {
  const checked = checkPolicy(input);
  const when = readWhen(input?.when, isByRules(input?.rules));
  const catchup = catchupOf(input);
  if (checked.ok && when.ok && typeof catchup === 'number') {
    const policy = { ...checked.policy, when: { ...checked.policy.when, ...when.dates } };
    return { policy, options: optionsFor(policy, taskQueue, when.spec, catchup) };
  }
  throw invalid([
    ...(checked.ok ? [] : checked.issues),
    ...(when.ok ? [] : when.issues),
    ...(typeof catchup === 'string' ? [catchup] : []),
  ]);
}

function optionsFor(policy: Policy, taskQueue: string, spec: ScheduleSpec, catchupSeconds: number) {
  const { id, action, rules } = policy;
  return {
    spec,
    action: {
      type: 'startWorkflow' as const,
      workflowType: WORKFLOW.applyPolicy,
      workflowId: scheduleIdOf(id),
      taskQueue,
      args: [policy],
      priority: policyPriority(undefined, tenantOf(policy)),
      typedSearchAttributes: [keyword(SEARCH_ATTRIBUTE.action, action)],
      staticSummary: `Policy ${id}: ${muteOnEntryRuleOf(rules) === undefined ? action : 'mute on entry'}`,
    },
    policies: { overlap: OVERLAP[overlapOf(policy)], catchupWindow: catchupSeconds * 1_000 },
  };
}

/** In seconds, or its issue. */
function catchupOf(policy: Policy): number | string {
  const seconds = policy?.when ? catchupSecondsOf(policy) : MIN_CATCHUP_SECONDS;
  const isLong = seconds !== undefined && seconds >= MIN_CATCHUP_SECONDS;
  return isLong ? seconds : `catchupWindow ${DURATION_RULE}, and at least ${MIN_CATCHUP_SECONDS} s`;
}

/** The policy that a schedule contains. */
export function policyOf(id: string, workflowType: string, given: unknown): Policy {
  if (workflowType !== WORKFLOW.applyPolicy) {
    const fault = `it starts the workflow ${workflowType} instead of ${WORKFLOW.applyPolicy}`;
    const message = `Schedule ${scheduleIdOf(id)} contains no policy (${fault}). Delete it and create it again.`;
    throw new ModerationError('InvalidRequest', message, { issues: [fault] });
  }
  const checked = checkPolicy(given);
  if (checked.ok) return checked.policy;
  const message = `Schedule ${scheduleIdOf(id)} contains no valid policy (${checked.issues.join('; ')}). Delete it and create it again.`;
  throw new ModerationError('InvalidRequest', message, { issues: checked.issues });
}

export function summaryOf(id: string, state: { paused: boolean; note?: string }, next: readonly Date[]): PolicySummary {
  const { paused, note = '' } = state;
  return {
    id,
    paused,
    note,
    nextTimes: paused ? [] : next.filter((time) => !isNever(time)).map((time) => time.toISOString()),
  };
}

/** Whose calls it is about, if those are of one tenant. */
export function tenantOf({ target, request }: Policy): string | undefined {
  return request?.tenantId ?? ('live' in target ? target.live.tenantId : undefined);
}

export function faultsOfOverlap(overlap: PolicyOverlap | undefined): string[] {
  const isKnown = overlap === undefined || Object.hasOwn(OVERLAP, overlap);
  return isKnown ? [] : [`overlap must be one of ${Object.keys(OVERLAP).join(', ')}`];
}

/** The server reads cron expressions itself; the SDK's error contains its message. */
export function refusedByServer(error: unknown): unknown {
  if (!(error instanceof TypeError)) return error;
  return invalid(
    [`when is refused by Temporal (${error.message.trim()}); correct when.cron, or its other fields`],
    error,
  );
}
