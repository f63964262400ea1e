import { Context } from '@temporalio/activity';
import {
  WorkflowContinuedAsNewError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
} from '@temporalio/client';
import { invalid, isOutcome, ModerationError } from '../client/errors.ts';
import { toModerationError } from '../client/operations/failed-operation.ts';
import { requireOwnDeployment } from '../client/own-deployment.ts';
import { Runs } from '../client/operations/runs.ts';
import { Starter, type Marks } from '../client/operations/starter.ts';
import { workflowIdOf } from '../contract/call-id.ts';
import { endedAs } from '../contract/ended-as.ts';
import { CANCELLED, EFFECTIVE } from '../contract/failure.ts';
import { CONTINUES_MEMO, PENDING, SEARCH_ATTRIBUTE, START_ID_MEMO, STARTER_ID_MEMO } from '../contract/names.ts';
import type { ModerationResult, ParticipantsMuteResult } from '../contract/operation.ts';
import { checkRequest, type ModerationRequest } from '../contract/request.ts';
import { targetKind } from '../contract/target.ts';
import { wishedAtOf } from '../contract/wish.ts';
import type { GivenOrder, OperationOutcome, OperationReading, OperationStart, OperationTarget } from './types.ts';

/**
 * How a workflow runs an operation: by two short activities, neither of which waits for a workflow. The
 * waiting is done in `workflows/orders`.
 *
 * **An order starts one run at most.** Every attempt at an order carries the same `startId`, which stands in the memo
 * of the run that it started or that superseded another. An attempt that finds it in the newest run returns that run.
 *
 * **A newer wish is never overridden.** Every run knows when it was wished for (`wishedAt`, or its start). If the
 * newest run of the call was wished for later than the order, and wants the opposite, the order is out of date: its
 * outcome is `Superseded`. In doubt nobody is left muted: a mute yields to a newer unmute that runs or may have taken
 * effect, and an unmute only to a newer mute that was confirmed. It waits for one that runs, and for one that has
 * superseded it, because a mute that fails leaves the call as it was. A retry of a mute, by Temporal or by the
 * workflow, cannot know whether an attempt before it has muted, so for it any newer run counts.
 *
 * **An outcome is a result**, also a failed one. These activities fail, and are retried, only if Temporal does not
 * answer.
 */

export async function startOperation(order: GivenOrder): Promise<OperationStart> {
  const { action, request: input, onConflict = 'supersede', startId, wishedAt, notAfter } = order;
  const { client, info } = Context.current();
  const checked = checkRequest(input, action);
  if (!checked.ok) return ended(invalid(checked.issues));
  const { request } = checked;
  const watcher = info.workflowExecution?.workflowId;
  // The workflow has given it to this activity, for the operation (`workflows/operations.ts`).
  const { priority = {} } = info;
  const marks: Marks = { startId, wishedAt, priority, ...(watcher !== undefined && { watcher }) };
  const runs = new Runs(client);
  const starter = new Starter(runs, info.taskQueue, { eagerStart: true });
  try {
    const newest = await describeLatest(order);
    if (newest !== undefined && isOfOrder(newest, startId))
      return { kind: 'running', runId: newest.runId, attached: false };
    const isRetry = order.isRetry || info.attempt > 1;
    const yields = newest === undefined ? 'no' : yieldsTo(newest, { ...order, isRetry }, request);
    if (yields === 'yes') return { kind: 'ended', outcome: outdated(order) };
    if (notAfter !== undefined && Date.now() >= Date.parse(notAfter)) return ended(tooLate(order));
    if (yields === 'wait' && newest !== undefined && onConflict !== 'reject') {
      requireOwnDeployment(newest, info.taskQueue, request.callId);
      await starter.watch({ handle: runs.of(newest.workflowId, newest.runId) }, watcher);
      return { kind: 'busy', runId: newest.runId };
    }
    const step = await starter.step(action, request, onConflict, marks);
    if (step.kind === 'started') return { kind: 'running', runId: step.run.runId, attached: step.run.attached };
    if (step.kind === 'superseding') return { kind: 'superseding', runId: step.running.runId };
    await starter.watch(step.running, watcher);
    return { kind: 'busy', runId: step.running.runId };
  } catch (error) {
    if (isOutcome(error)) return ended(error);
    throw error;
  }
}

function tooLate({ action, request: { callId } }: GivenOrder): ModerationError {
  const message = `Call ${callId} was not ${action}d, because its time limit is over.`;
  return new ModerationError(CANCELLED, message, { callId });
}

async function describeLatest({ request: { callId } }: GivenOrder): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await Context.current().client.workflow.getHandle(workflowIdOf(callId)).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

function isOfOrder({ memo }: WorkflowExecutionDescription, startId: string): boolean {
  return memo?.[STARTER_ID_MEMO] === startId || memo?.[START_ID_MEMO] === startId;
}

/** Whether the order is out of date because of what was asked for after it, or is so once that is confirmed. */
function yieldsTo(
  newest: WorkflowExecutionDescription,
  { action, wishedAt, isRetry }: GivenOrder,
  { target }: ModerationRequest,
): 'yes' | 'no' | 'wait' {
  if (wishedAtOf(newest) <= wishedAt) return 'no';
  if (action === 'mute' && isRetry) return 'yes';
  const word = (name: string): string | undefined => newest.typedSearchAttributes.get({ name, type: 'KEYWORD' });
  const isOfSelf = targetKind(target) === 'self' && word(SEARCH_ATTRIBUTE.target) === undefined;
  if (!isOfSelf || newest.type === action) return 'no';
  const outcome = word(SEARCH_ATTRIBUTE.outcome) ?? PENDING;
  if (action === 'mute') return EFFECTIVE.has(outcome) ? 'yes' : 'no';
  if (newest.status.name === 'RUNNING') return 'wait';
  return outcome === 'Confirmed' ? 'yes' : 'no';
}

function outdated({
  action,
  request: { callId },
}: Pick<GivenOrder, 'action'> & { request: { callId: string } }): OperationOutcome {
  const message = `Another operation on call ${callId} was requested after this ${action}, so its result counts.`;
  return { outcome: 'Superseded', message, details: { callId } };
}

/** A run that has announced its end closes a moment later, and is waited for so long. */
const CLOSES_WITHIN_MS = 3_000;

/** Temporal returns the result of a closed run at once, unless Temporal is slow. */
const TOLD_WITHIN_MS = 8_000;

export async function readOperation(target: OperationTarget): Promise<OperationReading> {
  const { client } = Context.current();
  const { callId, runId, as, isEnding } = target;
  const run = new Runs(client).of(workflowIdOf(callId), runId);
  let deadline = Date.now() + TOLD_WITHIN_MS;
  let isOpen = true;
  try {
    const { status } = await run.describe();
    isOpen = status.name === 'RUNNING';
    if (isOpen && !isEnding) return { kind: 'running' };
    if (as === 'busy' && !isOpen) return { kind: 'free' };
    if (isOpen) deadline = Math.min(deadline, Date.now() + CLOSES_WITHIN_MS);
    const result = await client.withDeadline(deadline, () => run.result());
    if (as !== 'running') return { kind: 'free' };
    return confirmed(target, result as ModerationResult | ParticipantsMuteResult);
  } catch (error) {
    if (error instanceof WorkflowContinuedAsNewError) {
      // Another operation may have taken over only after its end.
      const end = as === 'running' ? endedAs((await run.describe()).memo) : undefined;
      if (end === undefined) return await readNext(target, error.newExecutionRunId);
      return 'result' in end ? confirmed(target, end.result) : ended(await toModerationError(error, callId, run));
    }
    if (error instanceof WorkflowNotFoundError) return forgotten(target);
    if (error instanceof WorkflowFailedError) {
      return as === 'running' ? ended(await failureOf(error, callId, run)) : { kind: 'free' };
    }
    if (isOpen && isEnding && Date.now() >= deadline) return { kind: 'running' }; // It has not closed yet.
    throw error;
  }
}

function confirmed(
  { runId, attached }: OperationTarget,
  result: ModerationResult | ParticipantsMuteResult,
): OperationReading {
  return { kind: 'ended', outcome: { outcome: 'Confirmed', runId, attached, result } };
}

async function failureOf(error: WorkflowFailedError, callId: string, run: WorkflowHandle): Promise<ModerationError> {
  try {
    return await toModerationError(error, callId, run);
  } catch (other) {
    if (!(other instanceof WorkflowFailedError)) throw other;
    const message = `The workflow on call ${callId} failed with an unexpected error. See it in Temporal.`;
    return new ModerationError('OperationFailed', message, { callId });
  }
}

/** The run has continued as another one: as the same operation, as what superseded it, or as something else. */
async function readNext(target: OperationTarget, runId: string): Promise<OperationReading> {
  const { callId, action, startId, as, attached } = target;
  if (as === 'busy') return { kind: 'free' };
  const { client, info } = Context.current();
  const runs = new Runs(client);
  const next = runs.of(workflowIdOf(callId), runId);
  const { memo, type } = await next.describe();
  const movedTo = async (how: OperationTarget['as'], isJoined: boolean): Promise<OperationReading> => {
    // It may not know who wants to hear of its end: somebody else has asked for it, or our word came too late for the
    // run before.
    await new Starter(runs, info.taskQueue).watch({ handle: next }, info.workflowExecution?.workflowId);
    return { kind: 'moved', runId, as: how, attached: isJoined };
  };
  if (memo?.[CONTINUES_MEMO] === true) return await movedTo(as, attached);
  if (as === 'superseding' && memo?.[STARTER_ID_MEMO] === startId)
    return { kind: 'moved', runId, as: 'running', attached: false };
  // Somebody else's successor was later, and wants the same.
  if (as === 'superseding' && type === action) return await movedTo('running', true);
  if (action === 'unmute') return await movedTo('busy', false);
  return { kind: 'ended', outcome: outdated({ action, request: { callId } }) };
}

/** Temporal no longer keeps the run, so nobody knows how it ended. */
function forgotten({ callId, as }: OperationTarget): OperationReading {
  if (as !== 'running') return { kind: 'free' };
  const message = `Temporal no longer keeps the operation on call ${callId}, so its outcome is unknown. Check the call.`;
  return ended(new ModerationError('NotEnded', message, { callId }));
}

function ended({ type, message, details }: ModerationError): { kind: 'ended'; outcome: OperationOutcome } {
  // `type` of an error is never that of a success.
  return { kind: 'ended', outcome: { outcome: type, message, details } };
}
