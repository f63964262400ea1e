import {
  checkMuteOnEntryTerms,
  checkMuteOnEntry,
  MUTE_ON_ENTRY,
  MUTE_ON_ENTRY_QUERY,
  muteOnEntryIdOf,
  type MuteOnEntryRequest,
  type MuteOnEntryResult,
  type MuteOnEntryStatus,
  type MuteOnEntryTerms,
} from '../../contract/mute-on-entry.ts';
import type { StandingMuteHandle } from './standing-mute-handle.ts';
import type { StandingMuteDefinition, StandingMutes } from './standing-mutes.ts';

/** The mutes on entry of calls. */
export type MuteOnEntryHandle = StandingMuteHandle<MuteOnEntryTerms, MuteOnEntryStatus, MuteOnEntryResult>;

export type MutesOnEntry = StandingMutes<MuteOnEntryRequest, MuteOnEntryTerms, MuteOnEntryStatus, MuteOnEntryResult>;

export const MUTES_ON_ENTRY: StandingMuteDefinition<MuteOnEntryRequest, MuteOnEntryTerms> = {
  workflowType: MUTE_ON_ENTRY,
  workflowIdOf: muteOnEntryIdOf,
  query: MUTE_ON_ENTRY_QUERY,
  check: checkMuteOnEntry,
  checkTerms: checkMuteOnEntryTerms,
  termsOf: ({ until, forSeconds, except }) => ({
    ...(until !== undefined && { until }),
    ...(forSeconds !== undefined && { forSeconds }),
    ...(except !== undefined && { except }),
  }),
  summaryOf: ({ callId }) => `Mute on entry of call ${callId}`,
  takenOf: (callId) => `Mute on entry is already active on call ${callId}. Release it, or update its terms.`,
};
