import { ActivityFailure } from '@temporalio/workflow';
import type { LatestOperation } from '../../activities/types.ts';
import { lookups } from '../activity-proxies.ts';
import { OperationFailed } from '../call/attempt.ts';
import type { GraphCall } from '../call/graph-call.ts';
import type { Roster } from '../call/roster.ts';

/** What a mute lock reads of Graph and of Temporal before it decides. */

/**
 * Whether the application is muted; `undefined` if Graph does not answer, `callEnded` if the call has ended. If the read
 * does not list the application, the last roster counts.
 */
export async function readIsMuted(
  call: GraphCall,
  roster: Roster,
  participantId: string | undefined,
  isLetGo: () => boolean,
): Promise<boolean | undefined | 'callEnded'> {
  try {
    const reading = await call.readSelf(participantId, isLetGo);
    if (reading === undefined || reading === 'unheard') return undefined;
    roster.read(reading);
    return roster.lastSeen?.isMuted;
  } catch (stop) {
    if (stop instanceof OperationFailed) return 'callEnded';
    throw stop;
  }
}

/** The newest operation on the application's own mute; `unknown` if Temporal does not answer. */
export async function readNewestOperation(
  callId: string,
  since: number | undefined,
): Promise<LatestOperation | undefined | 'unknown'> {
  const options = { summary: 'Read the newest operation of the call' };
  try {
    const args: [string, number?] = since === undefined ? [callId] : [callId, since];
    return await lookups.readLatestOperation.executeWithOptions(options, args);
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    return 'unknown';
  }
}
