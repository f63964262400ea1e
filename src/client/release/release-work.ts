import type { ModerationClient } from '../moderation-client.ts';
import { ModerationError } from '../errors.ts';
import type { Runs } from '../operations/runs.ts';
import type { MuteLocks } from '../standing/mute-locks.ts';
import type { MutesOnEntry } from '../standing/mutes-on-entry.ts';
import type { ReleasedCall, ReleaseOptions } from './release-types.ts';

/** What the parts of a release share: what they work with, their terms, and how long they wait. */

export interface ReleaseTools {
  runs: Runs;
  taskQueue: string;
  muteLocks: MuteLocks;
  mutesOnEntry: MutesOnEntry;
  moderation: Pick<ModerationClient, 'unmute' | 'getHandle'>;
}

export interface ReleaseTerms extends ReleaseOptions {
  /** Time limit per call. */
  seconds: number;
  /** Receives the run of each unmute that the release starts. */
  onStarted: (runId: string) => void;
}

/** Of a failure. */
export type Failed = Required<Pick<ReleasedCall, 'type' | 'message'>>;

/**
 * Parts of a call's time, from its beginning: until its mute lock has ended, and until an operation without progress
 * has.
 */
const MUTE_LOCK_PART = 0.5;
const STANDSTILL_PART = 0.75;

/** Temporal's answer to one question. */
export const ASK_WITHIN_MS = 10_000;

/** Of one call, in ms since the epoch. */
export interface Deadlines {
  muteLock: number;
  standstill: number;
  end: number;
}

export function deadlinesFor({ seconds }: ReleaseTerms): Deadlines {
  const began = Date.now();
  const ms = seconds * 1_000;
  return { muteLock: began + ms * MUTE_LOCK_PART, standstill: began + ms * STANDSTILL_PART, end: began + ms };
}

/** An answer of Temporal that does not take long. */
export async function answerOf<T>({ client }: Runs, ask: () => Promise<T>): Promise<T> {
  return await client.withDeadline(Date.now() + ASK_WITHIN_MS, ask);
}

/** `undefined` if `work` has not ended by then. */
export async function endBy<T>({ client }: Runs, deadline: number, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await client.withDeadline(deadline, work);
  } catch (error) {
    if (error instanceof ModerationError || Date.now() < deadline) throw error;
    return undefined;
  }
}

export function hasEnded({ type }: ModerationError): boolean {
  return type === 'CallEnded' || type === 'CallNotFound';
}

export function notEnded(callId: string, why: string): ModerationError {
  const message = `${why} See it in Temporal: a worker of its task queue, or of the build that it is pinned to, may be missing.`;
  return new ModerationError('NotEnded', message, { callId });
}
