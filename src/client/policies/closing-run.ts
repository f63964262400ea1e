import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { keyword } from '../../contract/attributes.ts';
import { POLICY_CHANGED, SEARCH_ATTRIBUTE, WORKFLOW } from '../../contract/names.ts';
import { CHANGE_WITHIN_MS, scheduleIdOf, type Closing, type Policy } from '../../contract/policy.ts';
import { policyPriority } from '../../contract/priority.ts';
import { tenantOf } from './policy-schedule.ts';

/**
 * Makes a change after which the quiet hours of a policy may have left calls muted. The run that unmutes those is
 * started before, so that it comes also if this client dies (`apply-policy.ts`: **A run that closes terms starts
 * first**).
 */
export async function changeClosing(
  client: Client,
  taskQueue: string,
  policy: Policy,
  change: () => Promise<void>,
): Promise<void> {
  if (policy.when.quietHours === undefined) return await change();
  const { id } = policy;
  const closing: Closing = { closing: true };
  const run = await client.workflow.start(WORKFLOW.applyPolicy, {
    workflowId: `${scheduleIdOf(id)}-closing-${randomUUID()}`,
    taskQueue,
    args: [policy, closing],
    priority: policyPriority(undefined, tenantOf(policy)),
    typedSearchAttributes: [keyword(SEARCH_ATTRIBUTE.action, 'unmute')],
    staticSummary: `Policy ${id}: unmute what its quiet hours no longer keep muted`,
  });
  await client.withDeadline(Date.now() + CHANGE_WITHIN_MS, change);
  // Without this signal, the run continues a little later.
  await run.signal(POLICY_CHANGED).catch(() => undefined);
}
