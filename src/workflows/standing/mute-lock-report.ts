import type {
  MuteLockEnd,
  MuteLockPhase,
  MuteLockRequest,
  MuteLockResult,
  MuteLockStatus,
} from '../../contract/mute-lock.ts';
import type { Roster } from '../call/roster.ts';
import { iso } from '../lib/iso.ts';
import type { LifetimeState } from './lifetime.ts';
import type { OwnState } from './mute-lock-state.ts';

/** What a mute lock answers to a query, and returns at its end. */

export interface Reported {
  request: MuteLockRequest;
  life: Readonly<LifetimeState>;
  state: OwnState;
}

export function statusOf({ request, life, state }: Reported, phase: MuteLockPhase, roster: Roster): MuteLockStatus {
  const { startedAt, until } = life;
  const { terms, mutesAgain, rosters } = state;
  const { participantId, lastSeen } = roster;
  return {
    phase,
    request,
    startedAt: iso(startedAt),
    ...(until !== undefined && { until: iso(until) }),
    enforce: terms.enforce ?? true,
    mutesAgain,
    rosters,
    ...(participantId !== undefined && { participantId }),
    ...(lastSeen !== undefined && { lastSeen }),
  };
}

export function resultOf({ request, life, state }: Reported, endedBy: MuteLockEnd): MuteLockResult {
  return {
    callId: request.callId,
    endedBy,
    mutesAgain: state.mutesAgain,
    startedAt: iso(life.startedAt),
    endedAt: iso(Date.now()),
  };
}
