import {
  checkEntryTerms,
  checkMuteOnEntry,
  MUTE_ON_ENTRY,
  MUTE_ON_ENTRY_QUERY,
  muteOnEntryIdOf,
  type MuteOnEntryRequest,
  type MuteOnEntryResult,
  type MuteOnEntryStatus,
  type MuteOnEntryTerms,
} from '../contract/mute-on-entry.ts';
import type { LastingHandle } from './lasting-handle.ts';
import type { LastingKind, LastingRuns } from './lasting-runs.ts';

/** What to do where one runs on the call already: give it these terms, or throw. */
export type OnRunning = 'extend' | 'reject';

/** The mute of whoever comes into a call. */
export type MuteOnEntryHandle = LastingHandle<MuteOnEntryTerms, MuteOnEntryStatus, MuteOnEntryResult>;

export type MutesOnEntry = LastingRuns<MuteOnEntryRequest, MuteOnEntryTerms, MuteOnEntryStatus, MuteOnEntryResult>;

export const MUTES_ON_ENTRY: LastingKind<MuteOnEntryRequest, MuteOnEntryTerms> = {
  workflowType: MUTE_ON_ENTRY,
  workflowIdOf: muteOnEntryIdOf,
  query: MUTE_ON_ENTRY_QUERY,
  check: checkMuteOnEntry,
  checkTerms: checkEntryTerms,
  termsOf: ({ until, forSeconds, except }) => ({
    ...(until !== undefined && { until }),
    ...(forSeconds !== undefined && { forSeconds }),
    ...(except !== undefined && { except }),
  }),
  summaryOf: ({ callId }) => `Mute on entry of call ${callId}`,
  takenOf: (callId) =>
    `Who comes into call ${callId} is muted already. Release that mute on entry, or give it other terms.`,
};
