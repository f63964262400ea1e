import { toOwnError } from '../any-error.ts';
import type { ReleasedCall } from './release-types.ts';
import { releaseMuteLock, unendedFailure } from './release-mute-lock.ts';
import { releaseMuteOnEntry } from './release-mute-on-entry.ts';
import {
  deadlinesFor,
  hasEnded,
  type Deadlines,
  type Failed,
  type ReleaseTerms,
  type ReleaseTools,
} from './release-work.ts';
import { unmuteLeftMuted } from './unmute-left-muted.ts';

/** Releases one call, and always returns its result (**Each call succeeds or fails on its own**). */
export async function releaseCall(tools: ReleaseTools, callId: string, terms: ReleaseTerms): Promise<ReleasedCall> {
  const deadlines = deadlinesFor(terms);
  const [muteOnEntry, application] = await Promise.all([
    releaseMuteOnEntry(tools, callId, terms, deadlines),
    releaseApplication(tools, callId, terms, deadlines),
  ]);
  return { callId, ...muteOnEntry, ...application };
}

async function releaseApplication(
  tools: ReleaseTools,
  callId: string,
  terms: ReleaseTerms,
  deadlines: Deadlines,
): Promise<Pick<ReleasedCall, 'outcome' | 'muteLock'> & Partial<Failed>> {
  let muteLock: ReleasedCall['muteLock'];
  try {
    const released = await releaseMuteLock(tools, callId, terms, deadlines);
    if (released !== undefined && 'outcome' in released) return released;
    muteLock = released?.unended;
    const left = await unmuteLeftMuted(tools, callId, terms, deadlines);
    const outcome = left === 'notMuted' && released?.isCancelled === true ? 'released' : left;
    return { outcome, ...(muteLock !== undefined && { muteLock, ...unendedFailure(callId, muteLock) }) };
  } catch (error) {
    const own = toOwnError(error, `Releasing call ${callId}`, callId);
    const also = muteLock === undefined ? {} : { muteLock };
    if (hasEnded(own)) return { outcome: 'callEnded', ...also };
    return { outcome: 'failed', ...also, type: own.type, message: own.message };
  }
}
