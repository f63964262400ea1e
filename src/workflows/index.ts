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
 * Mutes the application in a group call and completes once the roster shows it; otherwise puts the call back as it
 * was and fails with one of the contract's types. With a `target` it mutes others instead (`participants-mute.ts`).
 * `inherited` is set by a run that was superseded, and by nothing else.
 *
 * https://learn.microsoft.com/graph/api/call-mute
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
 * https://learn.microsoft.com/graph/api/call-unmute
 */
export async function unmute(
  request: ModerationRequest,
  ...inherited: unknown[]
): Promise<ModerationResult | ParticipantsMuteResult> {
  return await moderate('unmute', request, inherited);
}

/** An active call, until it has ended. `carried` is set by a run that continues as new. */
export async function liveCall(input: LiveCallInput, ...carried: unknown[]): Promise<LiveCallStatus> {
  return await runLiveCall(input, carried);
}

/** Applies a policy to every call of its target, and reports. Started by the policy's schedule. */
export async function applyPolicy(policy: Policy, ...carried: unknown[]): Promise<PolicyReport> {
  return await runPolicy(policy, carried);
}

export { keepMuted, muteOnEntry, nexusOrder, publishEvent };
export * from './messages.ts';

/**
 * Where workers are versioned, what lives for minutes stays on the build that it began on. What may live as long as a
 * call does would keep an old build for ever, so it goes over to the current one: a change of these needs `patched`.
 * A worker without versions must not say so, or the server takes nothing from it.
 */
function longLived(): { versioningBehavior?: 'AUTO_UPGRADE' } {
  const isVersioned = (workflowInfo().currentDeploymentVersion?.deploymentName ?? '') !== '';
  return isVersioned ? { versioningBehavior: 'AUTO_UPGRADE' } : {};
}

setWorkflowOptions(longLived, keepMuted);
setWorkflowOptions(longLived, liveCall);
setWorkflowOptions(longLived, muteOnEntry);
setWorkflowOptions(longLived, publishEvent);
