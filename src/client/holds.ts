import {
  checkHold,
  checkTerms,
  HOLD,
  HOLD_QUERY,
  holdIdOf,
  type HoldRequest,
  type HoldResult,
  type HoldStatus,
  type HoldTerms,
} from '../contract/hold.ts';
import type { LastingHandle } from './lasting-handle.ts';
import type { LastingKind, LastingRuns } from './lasting-runs.ts';

/** What to do where the call is held already: give the running hold these terms, or throw. */
export type OnHeld = 'extend' | 'reject';

/** A hold or a pause of a call. */
export type HoldHandle = LastingHandle<HoldTerms, HoldStatus, HoldResult>;

export type Holds = LastingRuns<HoldRequest, HoldTerms, HoldStatus, HoldResult>;

export const HOLDS: LastingKind<HoldRequest, HoldTerms> = {
  workflowType: HOLD,
  workflowIdOf: holdIdOf,
  query: HOLD_QUERY,
  check: checkHold,
  checkTerms,
  termsOf: ({ until, forSeconds, enforce, atMost }) => ({
    ...(until !== undefined && { until }),
    ...(forSeconds !== undefined && { forSeconds }),
    ...(enforce !== undefined && { enforce }),
    ...(atMost !== undefined && { atMost }),
  }),
  summaryOf: ({ callId, enforce = true }) => `${enforce ? 'Hold' : 'Pause'} call ${callId}`,
  takenOf: (callId) => `Call ${callId} is held already. Release that hold, or give it other terms.`,
};
