import {
  checkMuteLock,
  checkTerms,
  MUTE_LOCK,
  MUTE_LOCK_QUERY,
  muteLockIdOf,
  type MuteLockRequest,
  type MuteLockResult,
  type MuteLockStatus,
  type MuteLockTerms,
} from '../../contract/mute-lock.ts';
import type { StandingMuteHandle } from './standing-mute-handle.ts';
import type { StandingMuteDefinition, StandingMutes } from './standing-mutes.ts';

/** A mute lock or a timed mute of a call. */
export type MuteLockHandle = StandingMuteHandle<MuteLockTerms, MuteLockStatus, MuteLockResult>;

export type MuteLocks = StandingMutes<MuteLockRequest, MuteLockTerms, MuteLockStatus, MuteLockResult>;

export const MUTE_LOCKS: StandingMuteDefinition<MuteLockRequest, MuteLockTerms> = {
  workflowType: MUTE_LOCK,
  workflowIdOf: muteLockIdOf,
  query: MUTE_LOCK_QUERY,
  check: checkMuteLock,
  checkTerms,
  termsOf: ({ until, forSeconds, enforce, atMost }) => ({
    ...(until !== undefined && { until }),
    ...(forSeconds !== undefined && { forSeconds }),
    ...(enforce !== undefined && { enforce }),
    ...(atMost !== undefined && { atMost }),
  }),
  summaryOf: ({ callId, enforce = true }) => `${enforce ? 'Keep muted' : 'Mute for a time'}: call ${callId}`,
  takenOf: (callId) => `Call ${callId} is already kept muted. Release that mute lock, or update its terms.`,
};
