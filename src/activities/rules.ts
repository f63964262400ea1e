import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { grpcStatusOf } from '../client/any-error.ts';
import { toDate, toZone } from '../schedule/dates.ts';
import { msToTs } from '@temporalio/common/lib/time.js';
import { toSeconds } from '../contract/duration.ts';
import { CALL_ENDED } from '../contract/failure.ts';
import { bounded } from '../contract/check.ts';
import { inParallel } from '../lib/in-parallel.ts';
import { latestSelfOperation } from '../client/operations/latest-self-operation.ts';
import { dueLaterAt, isFirstOfTwo, lastChangeOf, lastEndOf, quietAt, readQuietHours } from '../schedule/quiet-hours.ts';
import { Runs } from '../client/operations/runs.ts';
import { argumentOf, readSchedule } from '../client/policies/schedules.ts';
import { liveWorkflowIdOf } from '../contract/call-id.ts';
import { actionFor, PENDING, SEARCH_ATTRIBUTE, WORKFLOW } from '../contract/names.ts';
import { muteOnEntryRuleOf } from '../contract/mute-on-entry-check.ts';
import { checkPolicy } from '../contract/policy-check.ts';
import { scheduleIdOf, type Policy } from '../contract/policy.ts';
import { canonicalTenantId } from '../contract/tenant.ts';
import { knownPolicies } from './known-policies.ts';
import type { EstablishedCall, LevelAt, PolicyCall, PolicyLevel, QuietCall, WantedOnEstablished } from './types.ts';

/**
 * The rules of policies, all of them in this one place. They are decided in activities, because they need the time in
 * a zone and the list of policies.
 *
 * Quiet hours are a level and no event: whether a call is muted is decided by what is true when somebody works on it,
 * so a late, repeated or missing run does no harm.
 */

/** Calls that are looked up at a time. */
const MAX_CONCURRENT_LOOKUPS = 20;

/**
 * The task of a run of a policy with quiet hours at a moment. A run of the schedule checks whether the policy is
 * still the same: hours that were changed since, or that no run will end any more, mute nothing.
 */
export async function policyLevel(policy: Policy, { at, scheduledAt, isClosing }: LevelAt): Promise<PolicyLevel> {
  refuseUnreadable(policy);
  const { when } = policy;
  if (scheduledAt !== undefined && isFirstOfTwo(when, new Date(scheduledAt))) return { stop: 'notDue' };
  const later = scheduledAt === undefined ? undefined : dueLaterAt(when, new Date(scheduledAt));
  if (later !== undefined && !(await firesAt(policy, later))) {
    if ((await stateOf(policy)) !== 'same') return { stop: 'changed' };
    if (later.getTime() > Date.parse(at)) return { waitUntil: later.toISOString() };
  }
  const { isQuiet, until } = quietAt(when, new Date(at));
  if (isClosing === true) {
    if ((await stateOf(policy)) === 'paused') return { stop: 'notDue' }; // It was neither changed nor resumed.
    const since = isQuiet ? new Date(at) : lastChangeOf(when, new Date(at));
    return since === undefined ? { stop: 'notDue' } : { action: 'unmute', since: since.toISOString() };
  }
  // What these hours have muted is unmuted after them, whatever the policy says by then: what its new terms keep
  // muted, or another policy's, is known to `quietCalls`.
  if (isQuiet && scheduledAt !== undefined && (await stateOf(policy)) === 'changed') return { stop: 'changed' };
  return { action: actionFor(isQuiet), ...(until !== undefined && { until: until.toISOString() }) };
}

/** Whether a policy was changed or deleted, or is the same, and may be paused. */
async function stateOf(policy: Policy): Promise<'same' | 'paused' | 'changed'> {
  const { client, info } = Context.current();
  const schedule = await readSchedule(client, scheduleIdOf(policy.id));
  if (schedule?.taskQueue !== info.taskQueue || schedule.workflowType !== WORKFLOW.applyPolicy) return 'changed';
  const checked = checkPolicy(await argumentOf(client, schedule));
  if (!checked.ok || JSON.stringify(checked.policy) !== JSON.stringify(policy)) return 'changed';
  return schedule.paused ? 'paused' : 'same';
}

/** Whether the policy's schedule fires at a moment, by the server's tables. */
async function firesAt({ id, when }: Policy, at: Date): Promise<boolean> {
  const { client } = Context.current();
  const jitterMs = (toSeconds(when.jitter) ?? 0) * 1_000;
  try {
    const { startTime } = await client.workflow.workflowService.listScheduleMatchingTimes({
      namespace: client.options.namespace,
      scheduleId: scheduleIdOf(id),
      startTime: msToTs(at.getTime() - 1_000),
      endTime: msToTs(at.getTime() + jitterMs + 1_000),
    });
    return (startTime ?? []).length > 0;
  } catch (error) {
    if (grpcStatusOf(error) === 'NOT_FOUND') return false;
    throw error;
  }
}

/** If a run was started without our client, the hours may be invalid; then nothing is done. */
function refuseUnreadable({ when: { quietHours, timeZone } }: Policy): void {
  const found: string[] = [];
  readQuietHours(quietHours, found);
  if (timeZone !== undefined && toZone(timeZone) === undefined) found.push('when.timeZone is not known');
  if (found.length === 0) return;
  const issues = bounded(found);
  const message = `Nothing was done, because the policy is not valid: ${issues.join('; ')}.`;
  throw ApplicationFailure.create({ type: 'InvalidRequest', message, details: [{ issues }], nonRetryable: true });
}

/**
 * The policy that mutes the application in a call when it is established, and the one that mutes newcomers after
 * that, if there are such: the first of each kind, by ID, that is not paused and whose target contains the call; with
 * quiet hours, only during those. It also returns the quiet hours that the call was established in, even if they are
 * over, because the run at their end may have listed the calls before this one was among them.
 */
export async function policyOnEstablished(call: EstablishedCall, since: string): Promise<WantedOnEstablished> {
  const now = new Date();
  const concerned = (await known().soon()).filter((policy) => concerns(policy, call));
  const inForce = concerned.filter((policy) => isInForce(policy, now));
  const join = inForce.find((policy) => isOnEstablished(policy, now));
  const entry = inForce.find(({ rules }) => muteOnEntryRuleOf(rules) !== undefined);
  const until = join?.when.quietHours && quietAt(join.when, now).until?.toISOString();
  const quiet = concerned
    .flatMap((policy) => {
      const end = lastEndOf(policy.when, new Date(since), now);
      return end === undefined ? [] : [{ policy, until: end.toISOString() }];
    })
    .toSorted((a, b) => Date.parse(a.until) - Date.parse(b.until))
    .at(-1);
  return {
    ...(join !== undefined && { join }),
    ...(entry !== undefined && { entry }),
    ...(until && { until }),
    ...(quiet !== undefined && { quiet }),
  };
}

export async function quietUntil(call: EstablishedCall, at: string): Promise<string | undefined> {
  const ends = (await quietNow(new Date(at)))
    .filter(({ policy }) => concerns(policy, call))
    .flatMap(({ until }) => until?.toISOString() ?? []);
  return ends.toSorted().at(-1);
}

export async function quietCalls(calls: readonly PolicyCall[], at: string, pausedToo?: string): Promise<string[]> {
  const quiet = await quietNow(new Date(at), pausedToo);
  if (quiet.length === 0) return [];
  const { client } = Context.current();
  const kept: string[] = [];
  const look = async ({ callId }: PolicyCall): Promise<string | undefined> => {
    const live = quiet.some(({ policy }) => 'live' in policy.target) ? await liveCall(client, callId) : undefined;
    const isKept = ({ policy }: { policy: Policy }): boolean =>
      'calls' in policy.target ? policy.target.calls.includes(callId) : live !== undefined && concerns(policy, live);
    return quiet.some(isKept) ? callId : undefined;
  };
  for await (const found of inParallel(calls, MAX_CONCURRENT_LOOKUPS, async (call) => await outcomeOf(look(call)))) {
    if ('error' in found) throw found.error;
    if (found.value !== undefined) kept.push(found.value);
  }
  return kept;
}

/** The work for `inParallel` must not throw. */
async function outcomeOf<T>(work: Promise<T>): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await work };
  } catch (error) {
    return { error };
  }
}

/** Policies whose hours an instant lies in, and when they end. */
async function quietNow(at: Date, pausedToo?: string): Promise<{ policy: Policy; until: Date | undefined }[]> {
  return (await known().now(pausedToo)).flatMap((policy) => {
    const { isQuiet, until } = quietAt(policy.when, at);
    return isQuiet ? [{ policy, until }] : [];
  });
}

/** What is known of a call that is established, from its own run. */
async function liveCall(client: Client, callId: string): Promise<EstablishedCall | undefined> {
  try {
    const { status, typedSearchAttributes } = await client.workflow.getHandle(liveWorkflowIdOf(callId)).describe();
    const word = (name: string): string | undefined => typedSearchAttributes.get({ name, type: 'KEYWORD' });
    if (status.name !== 'RUNNING' || word(SEARCH_ATTRIBUTE.callState) !== 'established') return undefined;
    const labels = typedSearchAttributes.get({ name: SEARCH_ATTRIBUTE.labels, type: 'KEYWORD_LIST' }) ?? [];
    const tenantId = word(SEARCH_ATTRIBUTE.tenantId);
    return { callId, labels, ...(tenantId !== undefined && { tenantId }) };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/**
 * The newest operation on the application's own mute decides. A request since the hours ended counts; an earlier one
 * ends with the hours, and a failed unmute has ended nothing.
 */
export async function isLeftMuted({ callId, until, runId }: QuietCall): Promise<'yes' | 'no' | 'wait'> {
  const { record: newest, isCertain } = await latestSelfOperation(new Runs(Context.current().client), callId);
  if (!isCertain) return 'wait'; // A list has not caught up yet.
  if (newest === undefined || CALL_ENDED.has(newest.outcome)) return 'no';
  if (newest.action === 'mute') return newest.runId === runId || newest.wishedAt < Date.parse(until) ? 'yes' : 'no';
  if (newest.outcome === PENDING) return 'wait';
  return newest.outcome === 'Confirmed' ? 'no' : 'yes';
}

function known() {
  const { client, info } = Context.current();
  return knownPolicies(client, info.taskQueue);
}

/** Its first date has come, and its last has not passed. */
function isInForce({ when: { start, end } }: Policy, now: Date): boolean {
  const [from, to] = [toDate(start), toDate(end)];
  return (from === undefined || now >= from) && (to === undefined || now < to);
}

function isOnEstablished({ when, rules }: Policy, now: Date): boolean {
  return when.quietHours === undefined ? rules?.onEstablished === true : quietAt(when, now).isQuiet;
}

function concerns({ target }: Policy, { callId, tenantId, labels }: EstablishedCall): boolean {
  if ('calls' in target) return target.calls.includes(callId);
  const { tenantId: tenant, label } = target.live;
  const isOfTenant =
    tenant === undefined || (tenantId !== undefined && canonicalTenantId(tenant) === canonicalTenantId(tenantId));
  return isOfTenant && (label === undefined || labels.includes(label));
}
