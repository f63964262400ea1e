import {
  MUTE_LOCK,
  type MuteLockRequest,
  type MuteLockResult,
  type MuteLockStatus,
  type MuteLockTerms,
} from '../../contract/mute-lock.ts';
import { code, lastsUntil } from '../../contract/summary.ts';
import { extendMuteLockSignal, keepMutedQuery } from '../messages.ts';
import { MuteLockLoop } from './mute-lock-loop.ts';
import type { MuteLockState } from './mute-lock-state.ts';
import { countMuteLock } from '../lib/metrics.ts';
import { runStandingMute, type StandingMuteKind } from './standing-mute.ts';

/**
 * A mute lock or a timed mute, until it ends. Its failures are those of an operation. Only a run that continues as new
 * sets `state`. `mute-lock-loop.ts` has its logic.
 *
 * @example
 * await client.workflow.start<typeof keepMuted>(WORKFLOW.keepMuted, {
 *   workflowId: muteLockIdOf(callId),
 *   taskQueue: 'call-moderation',
 *   args: [{ callId, forSeconds: 600 }],
 * });
 */
export async function keepMuted(input: MuteLockRequest, ...state: unknown[]): Promise<MuteLockResult> {
  return await runStandingMute(KIND, input, state);
}

const KIND: StandingMuteKind<MuteLockRequest, MuteLockTerms, MuteLockState, MuteLockStatus, MuteLockResult> = {
  ...MUTE_LOCK,
  messages: { query: keepMutedQuery, extend: extendMuteLockSignal },
  descriptions: {
    query: 'State of the mute lock, and what it has seen',
    release: 'Unmute now, and end',
    extend: 'New terms from now on: { until?, forSeconds?, enforce?, atMost? }',
  },
  begin: (request, state) => new MuteLockLoop(request, state),
  detailsOf,
  countEnd: countMuteLock,
  hasBegun: ({ phase, lastSeen }) => phase !== 'muting' && lastSeen?.isMuted === true,
  eventKindOf: (status) => (status?.enforce === false ? 'muteFor' : 'keepMuted'),
};

function detailsOf({ until, enforce, request }: MuteLockStatus): string {
  const end = lastsUntil(until);
  const how = enforce ? 'Muted again whenever it is unmuted' : 'Muted once';
  const why = request.reason === undefined ? [] : [`Reason: ${code(request.reason)}`];
  return [`${how}, ${end}.`, ...why].join('\n\n');
}
