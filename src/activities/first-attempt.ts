import { Context } from '@temporalio/activity';
import { ActivityCancelledError } from '@temporalio/client';
import { isEstablished } from '../contract/call-state.ts';
import type { Action } from '../contract/names.ts';
import { ATTEMPT_MS, type GraphClient } from '../graph/client.ts';
import { GraphError } from '../graph/errors.ts';
import { post } from './graph-posts.ts';
import { readCall } from './graph-reads.ts';
import type { KnownCalls } from './known-calls.ts';
import { toApplicationFailure } from './to-application-failure.ts';
import type { ActionTarget, CallReading, FirstAttempt } from './types.ts';

/**
 * The first attempt at an operation, in one activity instead of two: read the call, have Temporal keep the reading,
 * POST.
 *
 * What the call showed before must not be lost, because a restore goes back to it. So the reading is sent to Temporal
 * in a heartbeat, and the POST is sent only once Temporal has acknowledged it. From then on the reading reaches the
 * workflow whatever happens: in the result, in the failure, or in the last heartbeat of an attempt that timed out.
 *
 * Nothing is POSTed if
 * - the call is not an established group call, which the workflow then reports;
 * - the heartbeat was not acknowledged, because the attempt has timed out or Temporal does not answer;
 * - the answer to the heartbeat says that the operation was cancelled or superseded meanwhile;
 * - the read or the heartbeat has taken so long that too little time is left for the POST, which ends with the attempt.
 *
 * There is one such attempt. Whatever it has not done, the workflow does step by step
 * (`workflows/operation/self-mute.ts`).
 */
export async function readAndPost(
  graph: GraphClient,
  action: Action,
  target: ActionTarget,
  knownCalls: KnownCalls,
): Promise<FirstAttempt> {
  const endsAt = performance.now() + ATTEMPT_MS;
  const reading = await readCall(graph, target, knownCalls);
  const isReady = isEstablished(reading.state) && reading.isGroupCall;
  if (!isReady || !(await isKept(reading))) return { reading };
  const withinMs = Math.round(endsAt - performance.now());
  if (withinMs < POST_MS) return { reading };
  const requestedAt = Date.now();
  try {
    return { reading, requestedAt, acceptance: await post(graph, action, target, withinMs) };
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    const failure = toApplicationFailure(error);
    failure.details?.push({ reading, requestedAt } satisfies FirstAttempt);
    throw failure;
  }
}

/** What the POST must have left of the attempt's time. */
const POST_MS = 5_000;

/** `false` if the operation is not wanted any more. */
async function isKept(reading: CallReading): Promise<boolean> {
  const { client, info } = Context.current();
  try {
    await client.activity.heartbeat(info.taskToken, reading);
    return true;
  } catch (error) {
    if (error instanceof ActivityCancelledError) return false;
    const message = 'Temporal did not acknowledge what was read, so nothing was sent to Graph.';
    throw new GraphError('GraphUnavailable', message, { isRetryable: true, details: {} });
  }
}
