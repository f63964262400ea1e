import {
  type ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  makeContinueAsNewFunc,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import { operationAttributes } from '../../contract/attributes.ts';
import { workflowIdOf } from '../../contract/call-id.ts';
import type { EndedAs } from '../../contract/ended-as.ts';
import { CANCELLED } from '../../contract/failure.ts';
import {
  CONTINUES_MEMO,
  ENDED_MEMO,
  PARTIAL,
  STARTER_ID_MEMO,
  WATCHER_MEMO,
  WISHED_AT_MEMO,
  type Action,
} from '../../contract/names.ts';
import { isEveryoneMuted, type ModerationResult, type ParticipantsMuteResult } from '../../contract/operation.ts';
import { checkRequest, type ModerationRequest, type ParticipantsMuteRequest } from '../../contract/request.ts';
import { targetKind } from '../../contract/target.ts';
import {
  toCallEnd,
  toOperationUpdate,
  toRosterUpdate,
  toSuccessor,
  toWatch,
  type Successor,
} from '../../contract/signals.ts';
import { wishedAtOf } from '../../contract/wish.ts';
import {
  callEndedSignal,
  operationQuery,
  operationUpdatedSignal,
  rosterUpdatedSignal,
  supersedeSignal,
  watchSignal,
} from '../messages.ts';
import { invalidRequest, type Failure } from '../lib/failures.ts';
import { Events } from '../events.ts';
import type { HandOver, Inheritance, Outcome } from './inheritance.ts';
import { onSignals } from '../lib/on-signals.ts';
import { ParticipantsMute } from './participants-mute.ts';
import { endOf, failed } from '../operation-events.ts';
import { carriedOf, closing, faultsOfStart } from '../lib/own-run.ts';
import { Saga } from './self-mute.ts';
import { reportRefusal } from './ui-details.ts';
import { ensureAttributes, recordOperation } from '../lib/visibility.ts';
import { Watchers } from './watchers.ts';

/**
 * What Temporal sees of an operation: the check of its input, its signals and query, its search attributes, and how the
 * run closes. The saga of the application's own mute is in `self-mute.ts`, the mute of others in `participants-mute.ts`.
 */
export async function moderate(
  action: Action,
  input: unknown,
  rest: readonly unknown[],
): Promise<ModerationResult | ParticipantsMuteResult> {
  const { workflowId, runId } = workflowInfo();
  const events = new Events();
  const checked = checkRequest(input, action);
  if (checked.ok) ensureAttributes(operationAttributes(action, checked.request));
  const issues = checked.ok ? faultsOfRun(checked.request, rest) : checked.issues;
  if (!checked.ok || issues.length > 0) {
    const failure = invalidRequest(issues, checked.ok ? checked.request.callId : undefined);
    reportRefusal(failure);
    await events.tell(failed(action, checked.ok ? checked.request : undefined, failure));
    recordFailure(action, failure);
    throw failureOf(failure);
  }

  const { request } = checked;
  const inheritance = carriedOf(rest) as Inheritance | undefined;
  const watchers = watchersOf(inheritance);
  const saga = isOfOthers(request)
    ? new ParticipantsMute(request, runId, inheritance)
    : new Saga(action, request, runId, inheritance);
  // Before the first await, so that a signal that came with the start finds its handler.
  listen(saga, watchers, workflowId);
  const { came, isSuperseded } = await CancellationScope.nonCancellable(async () => {
    const outcome = await saga.run();
    const isTakenOver = saga.interruptions.successor !== undefined;
    await tellEnd(action, saga, outcome, { request, watchers, events });
    return { came: outcome, isSuperseded: isTakenOver };
  });
  const handOver = saga.handOver(!isSuperseded);
  if (isSuperseded) recordOperation(action, 'Superseded', { by: handOver?.successor.action });
  else if (came.kind !== 'continued') record(action, came);
  if (handOver !== undefined) {
    if (!isSuperseded && came.kind !== 'continued') upsertMemo({ [ENDED_MEMO]: endOfRun(came) });
    return await continueAs(handOver);
  }
  if (came.kind === 'continued') return await goOn(action, request, came.inheritance, watchers);
  if (came.kind === 'failed') throw failureOf(came.failure);
  return came.result;
}

/** What the run has come to, with nothing left to do. */
type End = Exclude<Outcome, { kind: 'continued' }>;

function record(action: Action, came: End): void {
  if (came.kind === 'failed') {
    recordFailure(action, came.failure);
  } else if ('participants' in came.result) {
    const { participants } = came.result;
    const outcome = isEveryoneMuted(came.result) ? 'Confirmed' : PARTIAL;
    recordOperation(action, outcome, { participants: participants.length });
  } else {
    const { confirmedBy, operationId } = came.result;
    recordOperation(action, 'Confirmed', { confirmedBy, operationId });
  }
}

function endOfRun(came: End): EndedAs {
  return came.kind === 'failed' ? { failure: came.failure } : { result: came.result };
}

/**
 * Reports the end to the watchers and as an event. This waits for Temporal. Meanwhile another operation may take over, or
 * another caller may attach, and they receive the end, too. The outcome stays as it is, because somebody may have received it.
 */
async function tellEnd(
  action: Action,
  { interruptions }: Saga | ParticipantsMute,
  came: Outcome,
  { request, watchers, events }: { request: ModerationRequest; watchers: Watchers; events: Events },
): Promise<void> {
  const end = endOf(action, request, came, interruptions.successor);
  if (end === undefined) return; // It goes on.
  const told = events.tell(end);
  let heard: Successor | undefined;
  do {
    heard = interruptions.successor;
    watchers.add(heard?.watcher);
    await Promise.all([told, watchers.notify(workflowInfo().runId)]);
  } while (interruptions.successor !== heard || watchers.waiting.length > 0);
}

function faultsOfRun({ callId }: ModerationRequest, rest: readonly unknown[]): string[] {
  return faultsOfStart('operations of this call', workflowIdOf(callId), rest);
}

function isOfOthers(request: ModerationRequest): request is ParticipantsMuteRequest {
  return targetKind(request.target) !== 'self';
}

/** Who ordered the run, and who waited for the one that it superseded. */
function watchersOf(inheritance: Inheritance | undefined): Watchers {
  const watchers = new Watchers();
  const ordered = workflowInfo().memo?.[WATCHER_MEMO];
  for (const workflowId of [ordered, ...(inheritance?.watchers ?? [])]) {
    if (typeof workflowId === 'string') watchers.add(workflowId);
  }
  return watchers;
}

const OPERATION_UPDATED = 'A mute or unmute continued after Graph had answered (sent by the webhook)';
const SUPERSEDE = 'Another operation takes over: { action, request }';
const WATCH = 'Somebody attaches to this operation, or wants a signal when it ends: { workflowId?, wishedAt? }';

function listen(saga: Saga | ParticipantsMute, watchers: Watchers, workflowId: string): void {
  CancellationScope.current().cancelRequested.catch(() => saga.interruptions.cancel());
  setHandler(operationQuery, () => saga.status(), {
    description: 'State of the operation, and what it has seen',
  });
  const toOwnSuccessor = (payload: unknown): Successor | undefined => {
    const successor = toSuccessor(payload);
    return successor !== undefined && workflowIdOf(successor.request.callId) === workflowId ? successor : undefined;
  };
  onSignals((on) => {
    on(rosterUpdatedSignal, 'The roster of the call has changed (sent by the webhook)', toRosterUpdate, (update) =>
      saga.rosterUpdated(update),
    );
    on(callEndedSignal, 'The call has ended (sent by the webhook)', toCallEnd, (end) =>
      saga.interruptions.endCall(end),
    );
    on(operationUpdatedSignal, OPERATION_UPDATED, toOperationUpdate, (update) => saga.operationUpdated(update));
    on(supersedeSignal, SUPERSEDE, toOwnSuccessor, (successor) => saga.interruptions.supersede(successor));
    on(watchSignal, WATCH, toWatch, (watch) => {
      watchers.add(watch.workflowId);
      if (watch.wishedAt !== undefined) saga.interruptions.wish(watch.wishedAt);
    });
  });
}

function recordFailure(action: Action, { type, details }: Failure): void {
  // What was wrong with a request may quote it.
  const { issues: _, ...told } = details;
  recordOperation(action, type, told);
}

/**
 * The failure that closes the run. A run that closes as cancelled cannot carry details in Temporal's TypeScript SDK, so they are
 * in its memo.
 */
function failureOf({ type, message, details }: Failure): ApplicationFailure | CancelledFailure {
  if (type !== CANCELLED) return closing({ type, message, details });
  upsertMemo({ [CANCELLED]: { message, ...details } });
  return new CancelledFailure(message, [details]);
}

/** The same operation in another run. Who knows the run by its ID follows it by this memo. */
async function goOn(
  action: Action,
  request: ModerationRequest,
  inheritance: Inheritance,
  watchers: Watchers,
): Promise<never> {
  const { [WATCHER_MEMO]: _, ...kept } = workflowInfo().memo ?? {};
  const continueAsNew = makeContinueAsNewFunc<(...args: [ModerationRequest, Inheritance]) => Promise<never>>({
    workflowType: action,
    memo: { ...kept, [WISHED_AT_MEMO]: wishedAtOf(workflowInfo()), [CONTINUES_MEMO]: true },
  });
  return await continueAsNew(request, { ...inheritance, watchers: watchers.waiting });
}

async function continueAs({ successor, inheritance }: HandOver): Promise<never> {
  const { action, request, id, wishedAt, watcher } = successor;
  const continueAsNew = makeContinueAsNewFunc<(...args: [ModerationRequest, Inheritance]) => Promise<never>>({
    workflowType: action,
    typedSearchAttributes: operationAttributes(action, request),
    // Given also without an ID, because a memo that is not given is carried over.
    memo: { [STARTER_ID_MEMO]: id ?? '', [WISHED_AT_MEMO]: wishedAt ?? Date.now() },
  });
  return await continueAsNew(request, { ...inheritance, watchers: watcher === undefined ? [] : [watcher] });
}
