import type { MuteLockRequest, MuteLockResult, MuteLockStatus, MuteLockTerms } from '../../contract/mute-lock.ts';
import type { StandingMuteHandle } from './standing-mute-handle.ts';
import type { StandingMutes } from './standing-mutes.ts';

/** A mute lock or a timed mute of a call. */
export type MuteLockHandle = StandingMuteHandle<MuteLockTerms, MuteLockStatus, MuteLockResult>;

/** The mute locks and timed mutes of calls. */
export type MuteLocks = StandingMutes<MuteLockRequest, MuteLockTerms, MuteLockStatus, MuteLockResult>;
