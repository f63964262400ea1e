import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  defineQuery,
  makeContinueAsNewFunc,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import { attributesOf } from '../contract/attributes.ts';
import { workflowIdOf } from '../contract/call-id.ts';
import { CANCELLED } from '../contract/failure.ts';
import { PARTIAL, QUERY, SIGNAL, SUCCESSOR_MEMO, type Action } from '../contract/names.ts';
import {
  isEveryoneMuted,
  type ModerationResult,
  type OperationStatus,
  type OthersResult,
} from '../contract/operation.ts';
import { checkRequest, type ModerationRequest, type OthersRequest } from '../contract/request.ts';
import { kindOf } from '../contract/target.ts';
import { toCallEnd, toOperationUpdate, toRosterUpdate, toSuccessor, type Successor } from '../contract/signals.ts';
import { invalidRequest, type Failure } from './failures.ts';
import { onSignals } from './on-signals.ts';
import { Others } from './others.ts';
import { Saga, type Inheritance } from './saga.ts';
import { tellRefusal } from './story.ts';
import { ensureAttributes, recordOperation } from './visibility.ts';

/**
 * What Temporal sees of an operation: the check of its input, its signals and query, its search attributes, and how the
 * run closes. The saga of the application's own mute is in `saga.ts`, the mute of others in `others.ts`.
 */
export async function moderate(
  action: Action,
  input: unknown,
  rest: readonly unknown[],
): Promise<ModerationResult | OthersResult> {
  const { workflowId, runId } = workflowInfo();
  const checked = checkRequest(input, action);
  if (checked.ok) ensureAttributes(attributesOf(action, checked.request));
  const faults = checked.ok ? faultsOfStart(checked.request, rest) : checked.faults;
  if (!checked.ok || faults.length > 0) {
    const failure = invalidRequest(faults, checked.ok ? checked.request.callId : undefined);
    tellRefusal(failure);
    throw fail(action, failure);
  }

  const { request } = checked;
  const saga = isOfOthers(request)
    ? new Others(request, runId, inheritanceOf(rest))
    : new Saga(action, request, runId, inheritanceOf(rest));
  // Before the first await, so that a signal that came with the start finds its handler.
  listen(saga, workflowId);
  const outcome = await CancellationScope.nonCancellable(() => saga.run());
  if (outcome.kind === 'failed') throw fail(action, outcome.failure);
  if (outcome.kind === 'superseded') {
    recordOperation(action, 'Superseded', { by: outcome.successor.action });
    return await continueAs(outcome.successor, outcome.inheritance);
  }
  const { result } = outcome;
  if (!('participants' in result)) {
    const { confirmedBy, operationId } = result;
    recordOperation(action, 'Confirmed', { confirmedBy, operationId });
  } else {
    const { participants } = result;
    recordOperation(action, isEveryoneMuted(result) ? 'Confirmed' : PARTIAL, { participants: participants.length });
  }
  return result;
}

function isOfOthers(request: ModerationRequest): request is OthersRequest {
  return kindOf(request.target) !== 'self';
}

/** What a raw starter may have got wrong beside the request. */
function faultsOfStart(request: ModerationRequest, rest: readonly unknown[]): string[] {
  const { workflowId, continuedFromExecutionRunId } = workflowInfo();
  const expected = workflowIdOf(request.callId);
  const faults: string[] = [];
  if (workflowId !== expected) {
    faults.push(`the workflow ID is ${workflowId}, but every operation on this call must run as ${expected}`);
  }
  if (rest.length > 0 && continuedFromExecutionRunId === undefined) {
    faults.push('the input must be one object; leave out the other arguments');
  }
  return faults;
}

function inheritanceOf([first]: readonly unknown[]): Inheritance | undefined {
  return typeof first === 'object' && first !== null ? (first as Inheritance) : undefined;
}

const descriptions = {
  [SIGNAL.rosterUpdated]: 'The roster of the call has changed (sent by the webhook)',
  [SIGNAL.callEnded]: 'The call has ended (sent by the webhook)',
  [SIGNAL.operationUpdated]: 'A mute or unmute went on after Graph had answered (sent by the webhook)',
  [SIGNAL.supersede]: 'Another operation takes over: { action, request }',
};

function listen(saga: Saga | Others, workflowId: string): void {
  CancellationScope.current().cancelRequested.catch(() => saga.interruptions.cancel());
  setHandler(defineQuery<OperationStatus>(QUERY.operation), () => saga.status(), {
    description: 'Where the operation stands, and what it has seen',
  });
  const on = onSignals(descriptions);
  on(SIGNAL.rosterUpdated, toRosterUpdate, (update) => saga.rosterUpdated(update));
  on(SIGNAL.callEnded, toCallEnd, (end) => saga.interruptions.endCall(end));
  on(SIGNAL.operationUpdated, toOperationUpdate, (update) => saga.operationUpdated(update));
  const toOwnSuccessor = (payload: unknown): Successor | undefined => {
    const successor = toSuccessor(payload);
    return successor !== undefined && workflowIdOf(successor.request.callId) === workflowId ? successor : undefined;
  };
  on(SIGNAL.supersede, toOwnSuccessor, (successor) => saga.interruptions.supersede(successor));
}

/**
 * The failure that closes the run, after the outcome was recorded. A run that closes as cancelled cannot carry details in
 * Temporal's TypeScript SDK, so they stand in its memo.
 */
function fail(action: Action, { type, message, details }: Failure): ApplicationFailure | CancelledFailure {
  // What was wrong with a request may quote it.
  const { faults: _, ...told } = details;
  recordOperation(action, type, told);
  if (type !== CANCELLED) return ApplicationFailure.create({ type, message, details: [details], nonRetryable: true });
  upsertMemo({ [CANCELLED]: { message, ...details } });
  return new CancelledFailure(message, [details]);
}

async function continueAs({ action, request, id }: Successor, inheritance: Inheritance): Promise<never> {
  const continueAsNew = makeContinueAsNewFunc<(...args: [ModerationRequest, Inheritance]) => Promise<never>>({
    workflowType: action,
    typedSearchAttributes: attributesOf(action, request),
    // Said also where there is none: a memo that is not given is carried over.
    memo: { [SUCCESSOR_MEMO]: id ?? '' },
  });
  return await continueAsNew(request, inheritance);
}
