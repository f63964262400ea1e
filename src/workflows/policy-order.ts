import type { EntryOrder, OperationOrder, PolicyCall } from '../activities/types.ts';
import type { Action } from '../contract/names.ts';
import type { EntryRule } from '../contract/mute-on-entry.ts';
import type { Policy } from '../contract/policy.ts';

/** What a policy wants done on a call. The tenant is the call's own, unless the policy names another. */
export function policyOrder({ id, request, onConflict }: Policy, action: Action, call: PolicyCall): OperationOrder {
  const { callId, tenantId } = call;
  return {
    action,
    request: { reason: `Policy ${id}`, ...(tenantId !== undefined && { tenantId }), ...request, callId },
    ...(onConflict !== undefined && { onConflict }),
  };
}

/** The mute on entry that a policy wants on a call. */
export function entryOrder({ id, request = {} }: Policy, rule: EntryRule, call: PolicyCall): EntryOrder {
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
