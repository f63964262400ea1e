import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  continueAsNew,
  defineQuery,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { keyword } from '../contract/attributes.ts';
import { outcomeOf } from '../contract/lasting.ts';
import {
  checkEntryTerms,
  checkMuteOnEntry,
  MUTE_ON_ENTRY_QUERY,
  MUTE_ON_ENTRY_SIGNAL,
  muteOnEntryIdOf,
  type MuteOnEntryRequest,
  type MuteOnEntryResult,
  type MuteOnEntryStatus,
  type MuteOnEntryTerms,
} from '../contract/mute-on-entry.ts';
import { PENDING, SEARCH_ATTRIBUTE, SIGNAL } from '../contract/names.ts';
import { toCallEnd, toRosterUpdate } from '../contract/signals.ts';
import { code } from '../contract/summary.ts';
import { Entry, type EntryState } from './entry.ts';
import { invalidRequest, type Failure } from './failures.ts';
import { countMuteOnEntry } from './metrics.ts';
import { onSignals } from './on-signals.ts';
import { ensureAttributes, recordOutcome } from './visibility.ts';

/**
 * What Temporal sees of a mute on entry: the check of its input, its signals and query, its search attributes, and how it
 * closes or continues as new. How it mutes is told in `entry.ts`. `state` is set by a run that continues as new, and by
 * nothing else.
 */
export async function muteOnEntry(input: MuteOnEntryRequest, ...state: unknown[]): Promise<MuteOnEntryResult> {
  const checked = checkMuteOnEntry(input);
  const faults = checked.ok ? faultsOfStart(checked.request, state) : checked.faults;
  if (!checked.ok || faults.length > 0) throw failure(invalidRequest(faults));
  const { request } = checked;
  ensureAttributes([
    keyword(SEARCH_ATTRIBUTE.callId, request.callId),
    keyword(SEARCH_ATTRIBUTE.outcome, PENDING),
    ...(request.tenantId === undefined ? [] : [keyword(SEARCH_ATTRIBUTE.tenantId, request.tenantId)]),
  ]);
  const entry = new Entry(request, state[0] as EntryState | undefined, (status) =>
    setCurrentDetails(detailsOf(status)),
  );
  listen(entry);
  const outcome = await CancellationScope.nonCancellable(() => entry.run());
  if (outcome.kind === 'continued') return await continueAsNew<typeof muteOnEntry>(request, outcome.state);
  if (outcome.kind === 'failed') throw failure(outcome.failure);
  const { endedBy } = outcome.result;
  record(outcomeOf(endedBy));
  if (entry.isCancelled) {
    throw new CancelledFailure(`The mute on entry of call ${request.callId} was cancelled (${endedBy}).`);
  }
  return outcome.result;
}

/** What stays of it, for lists and metrics. */
function record(outcome: string): void {
  countMuteOnEntry(outcome);
  recordOutcome(outcome);
}

function faultsOfStart({ callId }: MuteOnEntryRequest, state: readonly unknown[]): string[] {
  const { workflowId, continuedFromExecutionRunId } = workflowInfo();
  const expected = muteOnEntryIdOf(callId);
  const faults: string[] = [];
  if (workflowId !== expected) {
    faults.push(`the workflow ID is ${workflowId}, but the mute on entry of this call must run as ${expected}`);
  }
  if (state.length > 0 && continuedFromExecutionRunId === undefined) {
    faults.push('the input must be one object; leave out the other arguments');
  }
  return faults;
}

const descriptions = {
  [SIGNAL.rosterUpdated]: 'The roster of the call has changed (sent by the webhook)',
  [SIGNAL.callEnded]: 'The call has ended (sent by the webhook)',
  [MUTE_ON_ENTRY_SIGNAL.release]: 'Mute nobody more, and end; who is muted stays so',
  [MUTE_ON_ENTRY_SIGNAL.extend]: 'Other terms from now on: { until?, forSeconds?, except? }',
};

function listen(entry: Entry): void {
  CancellationScope.current().cancelRequested.catch(() => entry.cancel());
  setHandler(defineQuery<MuteOnEntryStatus>(MUTE_ON_ENTRY_QUERY), () => entry.status(), {
    description: 'Where it stands, who was there and what became of those who came, as numbers',
  });
  const on = onSignals(descriptions);
  on(SIGNAL.rosterUpdated, toRosterUpdate, (update) => entry.rosterUpdated(update));
  on(SIGNAL.callEnded, toCallEnd, () => entry.callEnded());
  on(
    MUTE_ON_ENTRY_SIGNAL.release,
    () => true,
    () => entry.release(),
  );
  on(MUTE_ON_ENTRY_SIGNAL.extend, toTerms, (terms) => entry.extend(terms));
}

function toTerms(payload: unknown): MuteOnEntryTerms | undefined {
  const checked = checkEntryTerms(payload);
  return checked.ok ? checked.request : undefined;
}

function detailsOf(status: MuteOnEntryStatus): string {
  const { until, except, request } = status;
  const end = until === undefined ? 'until it is released' : `until ${until}`;
  const but = except.length === 0 ? '' : `, but for ${except.length} who are excepted`;
  const why = request.reason === undefined ? [] : [`Reason: ${code(request.reason)}`];
  return [`Mutes once whoever comes into the call, ${end}${but}.`, ...storyOf(status), ...why].join('\n\n');
}

function storyOf({ since, wereThere, isRosterComplete, muted, newcomers }: MuteOnEntryStatus): string[] {
  if (since === undefined) return [];
  return isRosterComplete
    ? [`${wereThere} were there. Of ${newcomers} who came since, ${muted} were muted.`]
    : ['**Nobody is muted** until a roster lists everyone: it ends at 100, so nobody knows who was there.'];
}

/** The failure that closes the run, after the outcome was recorded. */
function failure({ type, message, details }: Pick<Failure, 'type' | 'message' | 'details'>): ApplicationFailure {
  record(type);
  return ApplicationFailure.create({ type, message, details: [details], nonRetryable: true });
}
