import { setWorkflowOptions, workflowInfo } from '@temporalio/workflow';
import type { LiveCallInput, LiveCallStatus } from '../contract/live-call.ts';
import type { ModerationResult, ParticipantsMuteResult } from '../contract/operation.ts';
import type { Policy, PolicyReport } from '../contract/policy.ts';
import type { ModerationRequest } from '../contract/request.ts';
import { runPolicy } from './policy/apply-policy.ts';
import { keepMuted } from './standing/mute-lock.ts';
import { runLiveCall } from './live-call/live-call.ts';
import { moderate } from './operation/operation.ts';
import { muteOnEntry } from './standing/mute-on-entry.ts';
import { publishEvent } from './publish-event.ts';
import { nexusOrder } from './nexus-order.ts';

/**
 * Mutes the application in a group call and completes once the roster shows it. Otherwise it puts the call back as it
 * was, and fails with an `ApplicationFailure` whose `type` is a `FailureType` and whose first detail are the
 * `FailureDetails` of that type. With a `target` it mutes others instead. Only a run that is superseded sets `inherited`.
 *
 * @example
 * await client.workflow.execute<typeof mute>(WORKFLOW.mute, {
 *   workflowId: workflowIdOf(callId),
 *   taskQueue: 'call-moderation',
 *   args: [{ callId }],
 * });
 *
 * @see https://learn.microsoft.com/graph/api/call-mute
 */
export async function mute(
  request: ModerationRequest,
  ...inherited: unknown[]
): Promise<ModerationResult | ParticipantsMuteResult> {
  return await moderate('mute', request, inherited);
}

/**
 * Unmutes the application in a group call, as {@link mute} mutes it.
 *
 * @example
 * await client.workflow.execute<typeof unmute>(WORKFLOW.unmute, {
 *   workflowId: workflowIdOf(callId),
 *   taskQueue: 'call-moderation',
 *   args: [{ callId }],
 * });
 *
 * @see https://learn.microsoft.com/graph/api/call-unmute
 */
export async function unmute(
  request: ModerationRequest,
  ...inherited: unknown[]
): Promise<ModerationResult | ParticipantsMuteResult> {
  return await moderate('unmute', request, inherited);
}

/**
 * An active call, until it has ended. The webhook starts it with the call's first notification. Only a run that continues
 * as new sets `carried`.
 *
 * @example
 * await client.workflow.getHandle(liveWorkflowIdOf(callId)).query(liveCallQuery);
 */
export async function liveCall(input: LiveCallInput, ...carried: unknown[]): Promise<LiveCallStatus> {
  return await runLiveCall(input, carried);
}

/**
 * Applies a policy to every call of its target, and reports. The policy's schedule starts it.
 *
 * @example
 * await client.schedule.getHandle(scheduleIdOf('quiet-night')).trigger();
 */
export async function applyPolicy(policy: Policy, ...carried: unknown[]): Promise<PolicyReport> {
  return await runPolicy(policy, carried);
}

export { keepMuted, muteOnEntry, nexusOrder, publishEvent };
export * from './messages.ts';

/**
 * If workers are versioned, a workflow that runs for minutes stays on the build that it began on. One that may run as long
 * as a call does would keep an old build for ever, so it moves to the current build: a change of these needs `patched`. A
 * worker without versions must not set a behaviour, because the server would refuse its answers.
 */
function longLived(): { versioningBehavior?: 'AUTO_UPGRADE' } {
  const isVersioned = (workflowInfo().currentDeploymentVersion?.deploymentName ?? '') !== '';
  return isVersioned ? { versioningBehavior: 'AUTO_UPGRADE' } : {};
}

setWorkflowOptions(longLived, keepMuted);
setWorkflowOptions(longLived, liveCall);
setWorkflowOptions(longLived, muteOnEntry);
setWorkflowOptions(longLived, publishEvent);
