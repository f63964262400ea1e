import {
  CancellationScope,
  CancelledFailure,
  continueAsNew,
  setCurrentDetails,
  setHandler,
  type QueryDefinition,
  type SignalDefinition,
} from '@temporalio/workflow';
import { keyword } from '../../contract/attributes.ts';
import { isFailureType } from '../../contract/failure.ts';
import type { MuteLockResult } from '../../contract/mute-lock.ts';
import { endOutcome, takeWish, type OfCall, type StandingMuteDefinition } from '../../contract/standing-mute.ts';
import type { MuteOnEntryResult } from '../../contract/mute-on-entry.ts';
import { PENDING, SEARCH_ATTRIBUTE } from '../../contract/names.ts';
import type { StandingMuteEvent } from '../../contract/event.ts';
import { toCallEnd, toRosterUpdate, type RosterUpdate } from '../../contract/signals.ts';
import type { Wish } from '../../contract/wish.ts';
import { callEndedSignal, releaseSignal, rosterUpdatedSignal } from '../messages.ts';
import { invalidRequest, type Failure } from '../lib/failures.ts';
import { onSignals } from '../lib/on-signals.ts';
import { carriedOf, closing, faultsOfStart } from '../lib/own-run.ts';
import { StandingMuteEvents, reportRefusal, type StandingStatus } from '../standing-mute-events.ts';
import { ensureAttributes, recordOutcome } from '../lib/visibility.ts';

/**
 * The Temporal side of a standing mute: the check of its input, its signals and query, its search attributes, and how
 * it closes or continues as new.
 */
export interface StandingMuteKind<Request, Terms, State, Status, Result> extends StandingMuteDefinition<
  Request,
  Terms
> {
  messages: { query: QueryDefinition<Status>; extend: SignalDefinition<[Terms & Wish]> };
  descriptions: { query: string; release: string; extend: string };
  /** `state` is that of the run which continues as this one. `tell` updates the details in Temporal's UI. */
  begin: (
    request: Request,
    state: State | undefined,
    tell: (status: Status) => void,
  ) => StandingMuteOnCall<Terms, State, Status, Result>;
  /** What Temporal's UI shows of it. */
  detailsOf: (status: Status) => string;
  countEnd: (outcome: string) => void;
  /** Whether it keeps somebody muted by now. */
  hasBegun: (status: Status) => boolean;
  /** As its events name it; a request that is invalid has no status. */
  eventKindOf: (status?: Status) => StandingMuteEvent['kind'];
}

/** What a run leaves to the one that it continues as, beside its state, if its begin was not reported yet. */
interface Unreported {
  begins: true;
}

/** Its logic, which knows nothing of Temporal's handlers. Handlers only note the signal, at once. */
export interface StandingMuteOnCall<Terms, State, Status, Result> {
  readonly isCancelled: boolean;
  rosterUpdated(update: RosterUpdate): void;
  callEnded(): void;
  /** `wishedAt` is the time of the request in ms since the epoch, if the signal contains it. */
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
  Status extends StandingStatus,
  Result extends MuteLockResult | MuteOnEntryResult,
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
    const known = failureTypeOf({ type });
    record(known);
    throw closing({ type: known, message, details });
  };
  const checked = check(input);
  const issues = checked.ok
    ? faultsOfStart(`${name} of this call`, kind.workflowIdOf(checked.request.callId), rest)
    : checked.issues;
  if (!checked.ok || issues.length > 0) {
    const failure = invalidRequest(issues);
    await reportRefusal(kind.eventKindOf(), failure.type);
    return fail(failure);
  }
  const { request } = checked;
  const { callId, tenantId } = request;
  ensureAttributes([
    keyword(SEARCH_ATTRIBUTE.callId, callId),
    keyword(SEARCH_ATTRIBUTE.outcome, PENDING),
    ...(tenantId === undefined ? [] : [keyword(SEARCH_ATTRIBUTE.tenantId, tenantId)]),
  ]);
  const tell = (status: Status): void => setCurrentDetails(detailsOf(status));
  const carried = carriedOf(rest) as State | undefined;
  const it = begin(request, carried, tell);
  let extensions = 0;
  listen(kind, it, tell, () => {
    extensions += 1;
  });
  const events = new StandingMuteEvents({
    request,
    status: () => it.status(),
    kindOf: kind.eventKindOf,
    hasBegun: kind.hasBegun,
    isToBegin: carried === undefined || isUnreported(rest[1]),
  });
  const outcome = await CancellationScope.nonCancellable(async () => {
    void events.watch();
    for (;;) {
      const came = await it.run();
      const known = extensions;
      // What waits for Temporal lets signals in, and they may change what it has come to.
      if (came.kind === 'continued') {
        if (events.areHandedOver) return came;
        await events.handedOver();
        continue;
      }
      await (came.kind === 'failed' ? events.failed(failureTypeOf(came.failure)) : events.ended(came.result));
      if (extensions === known) return came;
    }
  });
  if (outcome.kind === 'continued') {
    const left: Unreported[] = events.isToBegin ? [{ begins: true }] : [];
    return await continueAsNew<(...args: [Request, State, ...Unreported[]]) => Promise<never>>(
      request,
      outcome.state,
      ...left,
    );
  }
  if (outcome.kind === 'failed') return fail(outcome.failure);
  const { endedBy } = outcome.result;
  record(endOutcome(endedBy));
  // Everything is cleaned up by then: the cancellation was a release.
  if (it.isCancelled) throw new CancelledFailure(`The ${name} of call ${callId} was cancelled (${endedBy}).`);
  return outcome.result;
}

function failureTypeOf({ type }: { type: string }): string {
  return isFailureType(type) ? type : 'OperationFailed';
}

function isUnreported(value: unknown): value is Unreported {
  return typeof value === 'object' && value !== null && 'begins' in value && value.begins === true;
}

function listen<Request, Terms, State, Status extends StandingStatus, Result>(
  { messages: { query, extend }, descriptions, checkTerms }: StandingMuteKind<Request, Terms, State, Status, Result>,
  it: StandingMuteOnCall<Terms, State, Status, Result>,
  tell: (status: Status) => void,
  extended: () => void,
): void {
  tell(it.status());
  CancellationScope.current().cancelRequested.catch(() => it.cancel());
  setHandler(query, () => it.status(), { description: descriptions.query });
  const toTerms = (payload: unknown) => {
    const { wishedAt, rest } = takeWish(payload);
    const checked = checkTerms(rest);
    return checked.ok ? { terms: checked.request, wishedAt } : undefined;
  };
  onSignals((on) => {
    on(rosterUpdatedSignal, 'The roster of the call has changed (sent by the webhook)', toRosterUpdate, (update) =>
      it.rosterUpdated(update),
    );
    on(callEndedSignal, 'The call has ended (sent by the webhook)', toCallEnd, () => it.callEnded());
    on(releaseSignal, descriptions.release, takeWish, ({ wishedAt }) => it.release(wishedAt));
    on(extend, descriptions.extend, toTerms, ({ terms, wishedAt }) => {
      it.extend(terms, wishedAt);
      extended();
      tell(it.status());
    });
  });
}
