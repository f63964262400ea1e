import {
  CancellationScope,
  CancelledFailure,
  continueAsNew,
  defineQuery,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { keyword } from '../../contract/attributes.ts';
import { isFailureType } from '../../contract/failure.ts';
import {
  STANDING_MUTE_SIGNAL,
  outcomeOf,
  takeWish,
  type CheckedFields,
  type OfCall,
} from '../../contract/standing-mute.ts';
import { PENDING, SEARCH_ATTRIBUTE, SIGNAL } from '../../contract/names.ts';
import { toCallEnd, toRosterUpdate, type RosterUpdate } from '../../contract/signals.ts';
import { invalidRequest, type Failure } from '../lib/failures.ts';
import { onSignals } from '../lib/on-signals.ts';
import { carriedOf, closing, faultsOfStart } from '../lib/own-run.ts';
import { ensureAttributes, recordOutcome } from '../lib/visibility.ts';

/**
 * What Temporal sees of something that lasts on a call, a mute lock or a mute on entry: the check of its input, its signals and
 * query, its search attributes, and how it closes or continues as new.
 */
export interface StandingMuteKind<Request, Terms, State, Status, Result> {
  /** In a sentence, such as "hold". */
  name: string;
  workflowIdOf: (callId: string) => string;
  check: (input: unknown) => CheckedFields<Request>;
  checkTerms: (input: unknown) => CheckedFields<Terms>;
  query: string;
  descriptions: { query: string; release: string; extend: string };
  /** `state` is that of the run which continues as this one. `tell` is for what people are to be shown meanwhile. */
  begin: (
    request: Request,
    state: State | undefined,
    tell: (status: Status) => void,
  ) => StandingMuteOnCall<Terms, State, Status, Result>;
  /** What Temporal's UI shows of it. */
  detailsOf: (status: Status) => string;
  countEnd: (outcome: string) => void;
}

/** How it goes on, which knows nothing of Temporal's handlers. Handlers only take note, at once. */
export interface StandingMuteOnCall<Terms, State, Status, Result> {
  readonly isCancelled: boolean;
  rosterUpdated(update: RosterUpdate): void;
  callEnded(): void;
  /** `wishedAt` is when it was asked for, in ms since the epoch, if the signal says so. */
  release(wishedAt?: number): void;
  /** New terms, from now on. */
  extend(terms: Terms, wishedAt?: number): void;
  cancel(): void;
  status(): Status;
  /** Runs in a scope that cannot be cancelled; a cancellation releases. */
  run(): Promise<StandingMuteOutcome<State, Result>>;
}

export type StandingMuteOutcome<State, Result> =
  | { kind: 'ended'; result: Result }
  | { kind: 'failed'; failure: Pick<Failure, 'message' | 'details'> & { type: string } }
  | { kind: 'continued'; state: State };

/** `rest` is set by a run that continues as new, and by nothing else. */
export async function runStandingMute<
  Request extends OfCall,
  Terms,
  State extends object,
  Status,
  Result extends { endedBy: string },
>(
  kind: StandingMuteKind<Request, Terms, State, Status, Result>,
  input: unknown,
  rest: readonly unknown[],
): Promise<Result> {
  const { name, check, begin, detailsOf, countEnd } = kind;
  const record = (outcome: string): void => {
    countEnd(outcome);
    recordOutcome(outcome);
  };
  const fail = ({ type, message, details }: Pick<Failure, 'message' | 'details'> & { type: string }): never => {
    const known = isFailureType(type) ? type : 'OperationFailed';
    record(known);
    throw closing({ type: known, message, details });
  };
  const checked = check(input);
  const issues = checked.ok
    ? faultsOfStart(`${name} of this call`, kind.workflowIdOf(checked.request.callId), rest)
    : checked.issues;
  if (!checked.ok || issues.length > 0) return fail(invalidRequest(issues));
  const { request } = checked;
  const { callId, tenantId } = request;
  ensureAttributes([
    keyword(SEARCH_ATTRIBUTE.callId, callId),
    keyword(SEARCH_ATTRIBUTE.outcome, PENDING),
    ...(tenantId === undefined ? [] : [keyword(SEARCH_ATTRIBUTE.tenantId, tenantId)]),
  ]);
  const tell = (status: Status): void => setCurrentDetails(detailsOf(status));
  const it = begin(request, carriedOf(rest) as State | undefined, tell);
  listen(kind, it, tell);
  const outcome = await CancellationScope.nonCancellable(() => it.run());
  if (outcome.kind === 'continued') {
    return await continueAsNew<(...args: [Request, State]) => Promise<never>>(request, outcome.state);
  }
  if (outcome.kind === 'failed') return fail(outcome.failure);
  const { endedBy } = outcome.result;
  record(outcomeOf(endedBy));
  // What it leaves is in order by then: the cancellation was a release.
  if (it.isCancelled) throw new CancelledFailure(`The ${name} of call ${callId} was cancelled (${endedBy}).`);
  return outcome.result;
}

function listen<Request, Terms, State, Status, Result>(
  { query, descriptions, checkTerms }: StandingMuteKind<Request, Terms, State, Status, Result>,
  it: StandingMuteOnCall<Terms, State, Status, Result>,
  tell: (status: Status) => void,
): void {
  tell(it.status());
  CancellationScope.current().cancelRequested.catch(() => it.cancel());
  setHandler(defineQuery<Status>(query), () => it.status(), { description: descriptions.query });
  const toTerms = (payload: unknown) => {
    const { wishedAt, rest } = takeWish(payload);
    const checked = checkTerms(rest);
    return checked.ok ? { terms: checked.request, wishedAt } : undefined;
  };
  const described = {
    [SIGNAL.rosterUpdated]: 'The roster of the call has changed (sent by the webhook)',
    [SIGNAL.callEnded]: 'The call has ended (sent by the webhook)',
    [STANDING_MUTE_SIGNAL.release]: descriptions.release,
    [STANDING_MUTE_SIGNAL.extend]: descriptions.extend,
  };
  onSignals(described, (on) => {
    on(SIGNAL.rosterUpdated, toRosterUpdate, (update) => it.rosterUpdated(update));
    on(SIGNAL.callEnded, toCallEnd, () => it.callEnded());
    on(
      STANDING_MUTE_SIGNAL.release,
      (payload) => takeWish(payload),
      ({ wishedAt }) => it.release(wishedAt),
    );
    on(STANDING_MUTE_SIGNAL.extend, toTerms, ({ terms, wishedAt }) => {
      it.extend(terms, wishedAt);
      tell(it.status());
    });
  });
}
