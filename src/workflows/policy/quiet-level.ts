import { ActivityFailure, ApplicationFailure, condition, sleep, workflowInfo } from '@temporalio/workflow';
import type { Action } from '../../contract/names.ts';
import { CHANGE_WITHIN_MS, type Policy, type PolicyStop } from '../../contract/policy.ts';
import { rules } from '../activity-proxies.ts';
import { iso } from '../lib/iso.ts';

/**
 * Whether the quiet hours of a policy mute at a moment. They are a level: the clock decides at the moment when the
 * run works, not the event that started it. The rules are those of `apply-policy.ts`.
 */

/** A change that is not made by then never is. */
const CHANGE_MADE_MS = CHANGE_WITHIN_MS + 30_000;

/** The task of a run. Times are in ms since the epoch. */
export interface Level {
  action: Action;
  /** When that level ends; absent if that is not known. */
  until?: number;
  /** When that was wished for, if it is not when the run was due. */
  dueAt?: number;
}

/** **The clock decides.** Waits for the hours if the schedule has started the run early. */
export async function levelNow(policy: Policy): Promise<Level | { stop: PolicyStop }> {
  const { scheduledAt, isBySchedule } = schedule();
  // The schedule's clock may be a little ahead.
  const at = iso(Math.max(Date.now(), scheduledAt.getTime()));
  const told = await asked(async () =>
    rules.policyLevel(policy, { at, ...(isBySchedule && { scheduledAt: scheduledAt.toISOString() }) }),
  );
  if ('stop' in told) return told;
  if (!('waitUntil' in told)) {
    return { action: told.action, ...(told.until !== undefined && { until: Date.parse(told.until) }) };
  }
  const dueAt = Date.parse(told.waitUntil);
  await sleep(Math.max(0, dueAt - Date.now()), { summary: 'Until the quiet hours begin or end' });
  const level = await levelNow(policy);
  return 'stop' in level ? level : { dueAt, ...level };
}

/** **A run that closes terms starts first.** The task after the terms were changed, or the policy was resumed. */
export async function levelAfterChange(
  policy: Policy,
  dueAt: number,
  isChangeMade: () => boolean,
): Promise<Level | { stop: PolicyStop }> {
  await condition(isChangeMade, CHANGE_MADE_MS, { summary: 'Until the change is made' });
  const told = await asked(async () => rules.policyLevel(policy, { at: iso(dueAt), isClosing: true }));
  if ('stop' in told) return told;
  return { action: 'unmute', ...('since' in told && { dueAt: Date.parse(told.since) }) };
}

/** An error of the rules is the failure of the run. */
export async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause : error;
  }
}

/**
 * **An order is as old as its run.** The time of a schedule is cut to the second, also that of a trigger. A run that
 * makes up for a time of the past was asked for when it started; but quiet hours began or ended when they did.
 */
export function dueAtOf({ when }: Policy): number {
  const started = workflowInfo().startTime.getTime();
  return when.quietHours === undefined ? started : Math.min(started, schedule().scheduledAt.getTime() + 999);
}

/** When the schedule meant this run to start, and whether one did start it. */
function schedule(): { scheduledAt: Date; isBySchedule: boolean } {
  const { typedSearchAttributes, startTime } = workflowInfo();
  const scheduledAt = typedSearchAttributes.get({ name: 'TemporalScheduledStartTime', type: 'DATETIME' });
  return { scheduledAt: scheduledAt ?? startTime, isBySchedule: scheduledAt !== undefined };
}
