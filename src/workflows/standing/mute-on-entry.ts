import {
  MUTE_ON_ENTRY,
  type MuteOnEntryRequest,
  type MuteOnEntryResult,
  type MuteOnEntryStatus,
  type MuteOnEntryTerms,
} from '../../contract/mute-on-entry.ts';
import { code, lastsUntil } from '../../contract/summary.ts';
import { extendMuteOnEntrySignal, muteOnEntryQuery } from '../messages.ts';
import { MuteOnEntryLoop, type MuteOnEntryState } from './mute-on-entry-loop.ts';
import { countMuteOnEntry } from '../lib/metrics.ts';
import { runStandingMute, type StandingMuteKind } from './standing-mute.ts';

/**
 * A mute on entry, until it ends. Its failures are those of an operation. Only a run that continues as new sets `state`.
 * `mute-on-entry-loop.ts` has its logic.
 *
 * @example
 * await client.workflow.start<typeof muteOnEntry>(WORKFLOW.muteOnEntry, {
 *   workflowId: muteOnEntryIdOf(callId),
 *   taskQueue: 'call-moderation',
 *   args: [{ callId, except: [chairId] }],
 * });
 */
export async function muteOnEntry(input: MuteOnEntryRequest, ...state: unknown[]): Promise<MuteOnEntryResult> {
  return await runStandingMute(KIND, input, state);
}

const KIND: StandingMuteKind<
  MuteOnEntryRequest,
  MuteOnEntryTerms,
  MuteOnEntryState,
  MuteOnEntryStatus,
  MuteOnEntryResult
> = {
  ...MUTE_ON_ENTRY,
  messages: { query: muteOnEntryQuery, extend: extendMuteOnEntrySignal },
  descriptions: {
    query: 'Where it stands, who was there and what became of those who came, as numbers',
    release: 'Mute nobody more, and end; who is muted stays so',
    extend: 'New terms from now on: { until?, forSeconds?, except? }',
  },
  begin: (request, state, tell) => new MuteOnEntryLoop(request, state, tell),
  detailsOf,
  countEnd: countMuteOnEntry,
  hasBegun: ({ since }) => since !== undefined,
  eventKindOf: () => 'muteOnEntry',
};

function detailsOf(status: MuteOnEntryStatus): string {
  const { until, except, request } = status;
  const end = lastsUntil(until);
  const but = except.length === 0 ? '' : `, but for ${except.length} who are excepted`;
  const why = request.reason === undefined ? [] : [`Reason: ${code(request.reason)}`];
  return [`Mutes once whoever joins the call, ${end}${but}.`, ...storyOf(status), ...why].join('\n\n');
}

function storyOf({ since, wereThere, isRosterComplete, muted, newcomers }: MuteOnEntryStatus): string[] {
  if (since === undefined) return [];
  return isRosterComplete
    ? [`${wereThere} were there. Of ${newcomers} who came since, ${muted} were muted.`]
    : [
        '**Waiting for a complete roster**: until Graph returns one, nobody is muted, because it is unknown who was there.',
      ];
}
