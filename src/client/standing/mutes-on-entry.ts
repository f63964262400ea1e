import type {
  MuteOnEntryRequest,
  MuteOnEntryResult,
  MuteOnEntryStatus,
  MuteOnEntryTerms,
} from '../../contract/mute-on-entry.ts';
import type { StandingMuteHandle } from './standing-mute-handle.ts';
import type { StandingMutes } from './standing-mutes.ts';

/** A mute on entry of a call. */
export type MuteOnEntryHandle = StandingMuteHandle<MuteOnEntryTerms, MuteOnEntryStatus, MuteOnEntryResult>;

/** The mutes on entry of calls. */
export type MutesOnEntry = StandingMutes<MuteOnEntryRequest, MuteOnEntryTerms, MuteOnEntryStatus, MuteOnEntryResult>;
