import type { OperationOrder, PolicyCall } from '../activities/types.ts';
import type { Action } from '../contract/names.ts';
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
