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
import { isFailureType } from '../contract/failure.ts';
import {
  checkHold,
  checkTerms,
  HOLD_QUERY,
  HOLD_SIGNAL,
  holdIdOf,
  type HoldRequest,
  type HoldResult,
  type HoldStatus,
  type HoldTerms,
} from '../contract/hold.ts';
import { outcomeOf } from '../contract/lasting.ts';
import { PENDING, SEARCH_ATTRIBUTE, SIGNAL } from '../contract/names.ts';
import { toCallEnd, toRosterUpdate } from '../contract/signals.ts';
import { code } from '../contract/summary.ts';
import { invalidRequest } from './failures.ts';
import { Holding, type HoldState } from './holding.ts';
import { countHold } from './metrics.ts';
import { onSignals } from './on-signals.ts';
import { ensureAttributes, recordOutcome } from './visibility.ts';

/**
 * What Temporal sees of a hold: the check of its input, its signals and query, its search attributes, and how it closes
 * or continues as new. How it holds is told in `holding.ts`. `state` is set by a run that continues as new, and by
 * nothing else.
 */
export async function hold(input: HoldRequest, ...state: unknown[]): Promise<HoldResult> {
  const checked = checkHold(input);
  const faults = checked.ok ? faultsOfStart(checked.request, state) : checked.faults;
  if (!checked.ok || faults.length > 0) throw failure('InvalidRequest', invalidRequest(faults));
  const { request } = checked;
  ensureAttributes([
    keyword(SEARCH_ATTRIBUTE.callId, request.callId),
    keyword(SEARCH_ATTRIBUTE.outcome, PENDING),
    ...(request.tenantId === undefined ? [] : [keyword(SEARCH_ATTRIBUTE.tenantId, request.tenantId)]),
  ]);
  const holding = new Holding(request, state[0] as HoldState | undefined);
  listen(holding);
  const outcome = await CancellationScope.nonCancellable(() => holding.run());
  if (outcome.kind === 'continued') return await continueAsNew<typeof hold>(request, outcome.state);
  if (outcome.kind === 'failed') throw failure(outcome.failure.type, outcome.failure);
  const { endedBy } = outcome.result;
  record(outcomeOf(endedBy));
  // Unmuted by then: the cancellation was a release.
  if (holding.isCancelled) throw new CancelledFailure(`The hold of call ${request.callId} was cancelled (${endedBy}).`);
  return outcome.result;
}

/** What stays of a hold that ends, for lists and metrics. */
function record(outcome: string): void {
  countHold(outcome);
  recordOutcome(outcome);
}

function faultsOfStart({ callId }: HoldRequest, state: readonly unknown[]): string[] {
  const { workflowId, continuedFromExecutionRunId } = workflowInfo();
  const expected = holdIdOf(callId);
  const faults: string[] = [];
  if (workflowId !== expected) {
    faults.push(`the workflow ID is ${workflowId}, but the hold of this call must run as ${expected}`);
  }
  if (state.length > 0 && continuedFromExecutionRunId === undefined) {
    faults.push('the input must be one object; leave out the other arguments');
  }
  return faults;
}

const descriptions = {
  [SIGNAL.rosterUpdated]: 'The roster of the call has changed (sent by the webhook)',
  [SIGNAL.callEnded]: 'The call has ended (sent by the webhook)',
  [HOLD_SIGNAL.release]: 'Unmute now, and end',
  [HOLD_SIGNAL.extend]: 'Other terms from now on: { until?, forSeconds?, enforce?, atMost? }',
};

function listen(holding: Holding): void {
  const tell = (): void => setCurrentDetails(detailsOf(holding.status()));
  tell();
  CancellationScope.current().cancelRequested.catch(() => holding.cancel());
  setHandler(defineQuery<HoldStatus>(HOLD_QUERY), () => holding.status(), {
    description: 'Where the hold stands, and what it has seen',
  });
  const on = onSignals(descriptions);
  on(SIGNAL.rosterUpdated, toRosterUpdate, (update) => holding.rosterUpdated(update));
  on(SIGNAL.callEnded, toCallEnd, () => holding.callEnded());
  on(
    HOLD_SIGNAL.release,
    () => true,
    () => holding.release(),
  );
  on(HOLD_SIGNAL.extend, toTerms, (terms) => {
    holding.extend(terms);
    tell();
  });
}

function toTerms(payload: unknown): HoldTerms | undefined {
  const checked = checkTerms(payload);
  return checked.ok ? checked.request : undefined;
}

function detailsOf({ until, enforce, request }: HoldStatus): string {
  const end = until === undefined ? 'until it is released' : `until ${until}`;
  const how = enforce ? 'Muted again whenever it is unmuted' : 'Muted once';
  const why = request.reason === undefined ? [] : [`Reason: ${code(request.reason)}`];
  return [`${how}, ${end}.`, ...why].join('\n\n');
}

/** The failure that closes the run, after the outcome was recorded. */
function failure(type: string, { message, details }: { message: string; details: object }): ApplicationFailure {
  const known = isFailureType(type) ? type : 'OperationFailed';
  record(known);
  return ApplicationFailure.create({ type: known, message, details: [details], nonRetryable: true });
}
