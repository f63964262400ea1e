import type { Action } from './names.ts';
import { canonicalTenantId } from './tenant.ts';

/**
 * Who goes first if tasks wait for workers. Temporal's task queues have priorities from 1 to 5, of which 1 goes first and 3 is
 * the default, and within a priority they take turns between fairness keys. Whoever starts a workflow sets both, and its
 * activities and the runs that it continues as inherit them.
 *
 *     1   what ends a mute: an unmute on request, the end of a timed mute, what a failed mute puts back
 *     2   a mute on request
 *     3   what lasts on a call: mute locks, timed mutes, mutes on entry, the record of an active call
 *     4   runs of policies, and their unmutes
 *     5   mutes of policies
 *
 * A mute that comes late disturbs; an unmute that comes late leaves somebody without a voice. So at each level an unmute goes
 * before a mute, and what people wait for before what the clock has started, of which there is much at a time.
 *
 * The fairness key is the tenant, so that one tenant's many operations do not delay the few of another. Who names no tenant has
 * none, and those share one turn.
 */
export interface Priority {
  priorityKey?: number;
  fairnessKey?: string;
  fairnessWeight?: number;
}

const ENDS_A_MUTE = 1;
const ON_REQUEST = 2;
const STANDING = 3;
const UNMUTE_OF_POLICY = 4;
const MUTE_OF_POLICY = 5;

/** What Temporal takes for one that has none. */
const DEFAULT = 3;

/** The server refuses a longer one. A tenant's domain may be longer, but two that begin alike are hardly ever both here. */
const MAX_CHARACTERS = 64;

/** Of an activity that ends a mute or puts something back, whatever its workflow has. */
export const FIRST: Readonly<Priority> = { priorityKey: ENDS_A_MUTE };

/** Of a single operation. */
export function priorityOf(action: Action, tenantId?: string): Priority {
  return toPriority(action === 'unmute' ? ENDS_A_MUTE : ON_REQUEST, tenantId);
}

export function standingPriority(tenantId?: string): Priority {
  return toPriority(STANDING, tenantId);
}

/** Of what a policy starts; of its runs themselves, if there is no action. */
export function policyPriority(action?: Action, tenantId?: string): Priority {
  return toPriority(action === 'mute' ? MUTE_OF_POLICY : UNMUTE_OF_POLICY, tenantId);
}

/** Whether the first goes before the second. */
export function goesBefore(one: Priority, other: Priority): boolean {
  return keyOf(one) < keyOf(other);
}

function keyOf({ priorityKey }: Priority): number {
  return priorityKey === undefined || priorityKey === 0 ? DEFAULT : priorityKey;
}

function toPriority(priorityKey: number, tenantId: string | undefined): Priority {
  return {
    priorityKey,
    ...(tenantId !== undefined && { fairnessKey: canonicalTenantId(tenantId).slice(0, MAX_CHARACTERS) }),
  };
}
