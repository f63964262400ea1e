import type { MuteOnEntryOrder, OperationOrder, PolicyCall } from '../../activities/types.ts';
import type { Action } from '../../contract/names.ts';
import type { MuteOnEntryRule } from '../../contract/mute-on-entry.ts';
import type { Policy } from '../../contract/policy.ts';
import { policyPriority, type Priority } from '../../contract/priority.ts';

/**
 * The order of a policy for a call. The tenant is the call's own, unless the policy names another. With quiet hours
 * it is not started after `until`; and at their end it never rejects, because the call would stay muted: it waits.
 */
export function policyOrder(policy: Policy, action: Action, call: PolicyCall, until = Infinity): OperationOrder {
  const { id, request, when } = policy;
  const { callId, tenantId } = call;
  const isEnd = when.quietHours !== undefined && action === 'unmute';
  const onConflict = isEnd && policy.onConflict === 'reject' ? 'queue' : policy.onConflict;
  return {
    action,
    request: { reason: `Policy ${id}`, ...(tenantId !== undefined && { tenantId }), ...request, callId },
    ...(onConflict !== undefined && { onConflict }),
    ...(Number.isFinite(until) && { notAfter: new Date(until).toISOString() }),
  };
}

export function priorityOfPolicyOrder({ action, request: { tenantId } }: OperationOrder): Priority {
  return policyPriority(action, tenantId);
}

/** The mute on entry that a policy wants on a call. */
export function muteOnEntryOrder(
  { id, request = {} }: Policy,
  rule: MuteOnEntryRule,
  call: PolicyCall,
): MuteOnEntryOrder {
  const { tenantId = call.tenantId, requestedBy, reason = `Policy ${id}` } = request;
  return {
    policyId: id,
    request: {
      callId: call.callId,
      reason,
      ...(tenantId !== undefined && { tenantId }),
      ...(requestedBy !== undefined && { requestedBy }),
      ...rule,
    },
  };
}
