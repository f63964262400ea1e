import { Context } from '@temporalio/activity';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { invalid, ModerationError } from '../client/errors.ts';
import { ModerationClient } from '../client/moderation-client.ts';
import { OperationHandle, type StartedOperation } from '../client/operation-handle.ts';
import { Runs } from '../client/runs.ts';
import { Starter } from '../client/starter.ts';
import { workflowIdOf } from '../contract/call-id.ts';
import { checkRequest } from '../contract/request.ts';
import type { OperationOrder, OperationOutcome } from './types.ts';
import { keepBeating, startIdOf } from './waiting.ts';

/**
 * One operation on one call, for workflows that want several: started through our own client, with its rules for
 * conflicts, and under the call's own workflow ID. Temporal forgets nothing of it, whatever becomes of the one who asked.
 *
 * O1. How the operation ends is a result, also where it fails. What fails the activity, and is tried again, is Temporal
 *     not answering.
 * O2. The run is told with the heartbeats. An attempt that finds one goes on waiting for it and starts nothing: whatever
 *     was asked of the call since then is newer. One that finds none, for its worker died before it could tell, starts
 *     with the same `startId` and is given the same run.
 * O3. A cancellation leaves the operation to itself, or, where the order says so, cancels it and waits for what comes of
 *     that. An operation that was joined belongs to whoever started it and is always left.
 * O4. A worker that stops leaves the operation to the next attempt, in another worker.
 */

export async function runOperation(order: OperationOrder): Promise<OperationOutcome> {
  const context = Context.current();
  const { heartbeatDetails, taskQueue } = context.info;
  const moderation = new ModerationClient({ client: context.client, taskQueue, eagerStart: true });
  let started = toStarted(heartbeatDetails);
  const stopBeating = keepBeating(context, () => started);
  const work = async (): Promise<OperationOutcome> => {
    const starting = started === undefined ? start(context, order) : Promise.resolve(moderation.get(started)); // O2
    const handle = await unlessCancelled(context, starting);
    // Not beaten before it is known: the first beat is sent at once, and those that come soon after it are held back.
    const located = async (): Promise<void> => {
      const { runId, joined } = await handle.run();
      started = { callId: handle.callId, action: handle.action, runId, joined };
      context.heartbeat(started);
    };
    located().catch(() => undefined); // Told by the result, too.
    return await outcomeOf(context, handle, order);
  };
  try {
    // The activity's own client aborts its requests with the activity; what is cancelled here needs them still (O3).
    return await context.client.withAbortSignal(new AbortController().signal, work);
  } catch (error) {
    if (error instanceof ModerationError)
      return { outcome: error.type, message: error.message, details: error.details }; // O1
    if (!(error instanceof WorkflowFailedError)) throw error;
    // Its run failed with what is no outcome of an operation: more attempts would hear the same.
    throw ApplicationFailure.create({ message: error.message, nonRetryable: true, cause: error });
  } finally {
    stopBeating();
  }
}

async function start(
  context: Context,
  { action, request: input, onConflict = 'supersede', notAfter }: OperationOrder,
): Promise<OperationHandle> {
  if (notAfter !== undefined && Date.now() >= Date.parse(notAfter)) {
    const message = `Call ${input.callId} was not ${action}d, because the time for that is over.`;
    throw new ModerationError('Cancelled', message, { callId: input.callId });
  }
  const checked = checkRequest(input, action);
  if (!checked.ok) throw invalid(checked.faults);
  const { request } = checked;
  const { callId } = request;
  const startId = request.requestId ?? startIdOf(context);
  const { client, info } = context;
  const run = await new Starter(new Runs(client), info.taskQueue, true).start(action, request, onConflict, startId); // O2
  return new OperationHandle({ callId, workflowId: workflowIdOf(callId), action, run });
}

async function outcomeOf(
  context: Context,
  handle: OperationHandle,
  { onCancel = 'leave' }: OperationOrder,
): Promise<OperationOutcome> {
  const result = handle.result();
  try {
    const confirmed = await unlessCancelled(context, result);
    const { runId, joined } = await handle.run();
    return { outcome: 'Confirmed', runId, joined, result: confirmed };
  } catch (error) {
    const isAsked = context.cancellationDetails?.cancelRequested === true;
    if (!isAsked || onCancel === 'leave' || error instanceof ModerationError) throw error; // O3
    await handle.cancel();
    const confirmed = await result;
    const { runId, joined } = await handle.run();
    return { outcome: 'Confirmed', runId, joined, result: confirmed };
  }
}

/** What `work` comes to, unless the activity is cancelled or its worker stops before that. */
async function unlessCancelled<T>(context: Context, work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  const cancelled = context.cancelled.catch((error: unknown) => {
    if (context.cancellationDetails?.cancelRequested === true) throw error;
    throw ApplicationFailure.retryable('The worker that waited for the operation stops; the operation goes on.'); // O4
  });
  return await Promise.race([work, cancelled]);
}

function toStarted(details: unknown): StartedOperation | undefined {
  return typeof details === 'object' && details !== null && 'runId' in details
    ? (details as StartedOperation)
    : undefined;
}
