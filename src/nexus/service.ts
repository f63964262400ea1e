import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { getClient, operationInfo, startWorkflow, type WorkflowStartOptions } from '@temporalio/nexus';
import type { Workflow } from '@temporalio/common';
import {
  HandlerError,
  HandlerStartOperationResult,
  serviceHandler,
  type CancelOperationContext,
  type OperationHandler,
  type ServiceHandler,
  type StartOperationContext,
} from 'nexus-rpc';
import { grpcStatusOf, toOwnError } from '../client/any-error.ts';
import { isOutcome } from '../client/errors.ts';
import { StandingMutes } from '../client/standing/standing-mutes.ts';
import { ModerationClient } from '../client/moderation-client.ts';
import { Runs } from '../client/operations/runs.ts';
import { keyword } from '../contract/attributes.ts';
import { canonicalId, isCallId } from '../contract/call-id.ts';
import { isFields } from '../contract/check.ts';
import { MUTE_LOCK } from '../contract/mute-lock.ts';
import { MUTE_ON_ENTRY } from '../contract/mute-on-entry.ts';
import { SEARCH_ATTRIBUTE, WORKFLOW } from '../contract/names.ts';
import { readNexusOrder, type NexusOrder, type OrderedOperation } from '../contract/nexus-order.ts';
import { priorityOf, type Priority } from '../contract/priority.ts';
import type { OfCall, StandingMuteDefinition, StandingMuteTerms } from '../contract/standing-mute.ts';
import { moderation, type CallStatus } from './contract.ts';
import { handle } from './encrypted-input.ts';
import { standingMuteOf, releaseOf, statusOf } from './inputs.ts';
import { firstRunOf, namedBy, tokenOf, type Named } from './operation-token.ts';

/**
 * What the worker does for Nexus callers. Every operation is started by code that the client and the policies use as well:
 *
 * - `mute`, `unmute`, `muteParticipants`: the workflow `nexusOrder` orders the operation, waits for it and closes as it did.
 * - `muteFor`, `keepMuted`, `muteOnEntry`: the caller is attached to the workflow that keeps the call muted, new or running, and
 *   receives its result. Cancelling the Nexus operation cancels that workflow, which is a release.
 * - `release`, `status`: answered at once by the client. What a release does not reach in time goes on by itself.
 *
 * - **A repeated request starts nothing twice.** It has the same `requestId`, which names the order's workflow, and which the
 *   server knows as the ID of the start.
 * - **A refusal fails by a workflow too** (`refusal`). So the caller finds it where it finds every other failure: as the cause
 *   of its `NexusOperationFailure`. A handler could only return it one level deeper.
 * - **A cancellation ends no newer workflow.** It reaches the workflow that the operation was answered with, and none that
 *   has the same workflow ID since (`operation-token.ts`).
 * - **No answer of Temporal is no outcome.** The server repeats the request. Such errors are described in our own words,
 *   because they become part of the caller's history.
 */
export function moderationService(): ServiceHandler {
  return serviceHandler(moderation, {
    mute: ordered('mute'),
    unmute: ordered('unmute'),
    muteParticipants: ordered('muteParticipants'),
    muteFor: standingMute(MUTE_LOCK, 'muteFor', { enforce: false }, ['enforce', 'atMost']),
    keepMuted: standingMute(MUTE_LOCK, 'keepMuted', { enforce: true }, ['enforce']),
    muteOnEntry: standingMute(MUTE_ON_ENTRY, 'muteOnEntry', {}, []),
    release: prompt(async (client, input, ctx) => {
      const { callId, ...options } = releaseOf(input);
      const [released] = await client.release({ callId }, { ...options, withinSeconds: secondsLeft(ctx) }).all();
      if (released === undefined) throw new HandlerError('INTERNAL', `The release of call ${callId} has no result.`);
      return released;
    }),
    status: prompt(async (client, input) => await callStatus(client, statusOf(input).callId)),
  });
}

/** Temporal gives a Nexus request 10 s by default, and what has not ended then goes on by itself. */
const ANSWER_SECONDS = 8;

function secondsLeft({ requestDeadline }: StartOperationContext): number {
  const left = requestDeadline === undefined ? ANSWER_SECONDS : (requestDeadline.getTime() - Date.now()) / 1_000 - 1;
  return Math.min(Math.max(left, 1), ANSWER_SECONDS);
}

async function callStatus(client: ModerationClient, callId: string): Promise<CallStatus> {
  const [latest, lock, onEntry] = await Promise.all([
    client.getLatestOperation(callId),
    client.getMuteLock(callId),
    client.getMuteOnEntry(callId),
  ]);
  const [muteLock, muteOnEntry] = await Promise.all([lock?.status(), onEntry?.status()]);
  return {
    callId,
    ...(latest !== undefined && { operation: latest.record }),
    ...(latest?.status !== undefined && { progress: latest.status }),
    ...(latest?.failure !== undefined && { failure: latest.failure }),
    ...(muteLock !== undefined && { muteLock }),
    ...(muteOnEntry !== undefined && { muteOnEntry }),
  };
}

function ordered<I, O>(operation: OrderedOperation): OperationHandler<I, O> {
  return answering<I, O>(async (ctx, input) => await startOrder(ctx, { operation, input }));
}

function standingMute<I, O, Request extends OfCall & StandingMuteTerms, Terms extends object>(
  kind: StandingMuteDefinition<Request, Terms>,
  operation: string,
  fixed: Partial<Request>,
  refused: readonly string[],
): OperationHandler<I, O> {
  return answering<I, O>(async (ctx, input) => {
    const { request, onConflict } = standingMuteOf(input, operation, refused);
    const client = getClient();
    let named: Named | undefined;
    const runs = new StandingMutes<Request, Terms, unknown, O>(
      new Runs(client),
      operationInfo().taskQueue,
      kind,
      async (type, options): Promise<WorkflowHandle> => {
        const run = await startRun(ctx, type, options);
        // One that ran already may have continued since its start.
        const isNew = options.workflowIdConflictPolicy !== 'USE_EXISTING';
        named = { workflowId: run.workflowId, firstRunId: isNew ? run.runId : await firstRunOf(client, run) };
        return client.workflow.getHandle(run.workflowId, run.runId);
      },
    );
    // The kind checks it, whatever it is.
    await runs.start((isFields(request) ? { ...request, ...fixed } : request) as Request, onConflict);
    if (named === undefined) throw new HandlerError('INTERNAL', 'No workflow was started.');
    return named;
  });
}

/** An operation that is answered at once. */
function prompt<I, O>(
  work: (client: ModerationClient, input: unknown, ctx: StartOperationContext) => Promise<O>,
): OperationHandler<I, O> {
  return answering<I, O>(async (ctx, input) => {
    const client = new ModerationClient({ client: getClient(), taskQueue: operationInfo().taskQueue });
    return HandlerStartOperationResult.sync(await work(client, input, ctx));
  });
}

async function startOrder(ctx: StartOperationContext, order: NexusOrder): Promise<Named> {
  const callId = 'input' in order && isFields(order.input) ? order.input['callId'] : undefined;
  const about = isCallId(callId) ? canonicalId(callId) : undefined;
  const what = 'operation' in order ? order.operation : 'refusal';
  const { workflowId, runId } = await startRun(ctx, WORKFLOW.nexusOrder, {
    workflowId: `call-moderation/nexus/${ctx.requestId}`, // **A repeated request starts nothing twice.**
    args: [order],
    priority: priorityOfOrder(order),
    staticSummary: about === undefined ? `Nexus: ${what}` : `Nexus: ${what} call ${about}`,
    ...(about !== undefined && { typedSearchAttributes: [keyword(SEARCH_ATTRIBUTE.callId, about)] }),
  });
  return { workflowId, firstRunId: runId };
}

/** That of the operation, as if the client had started it: the order gives it to the operation, or raises the one that runs. */
function priorityOfOrder(order: NexusOrder): Priority {
  const read = readNexusOrder(order);
  return 'order' in read ? priorityOf(read.order.action, read.order.request.tenantId) : priorityOf('mute');
}

/** With the caller attached to it. */
async function startRun(
  ctx: StartOperationContext,
  type: string,
  options: WorkflowStartOptions<Workflow>,
): Promise<{ workflowId: string; runId: string }> {
  const { workflowId, runId } = await startWorkflow(ctx, type, options);
  if (runId === undefined) throw new HandlerError('INTERNAL', 'Temporal has not named the run that was started.');
  return { workflowId, runId };
}

type Started<O> = Named | HandlerStartOperationResult<O>;

function answering<I, O>(work: (ctx: StartOperationContext, input: I) => Promise<Started<O>>): OperationHandler<I, O> {
  const start = async (ctx: StartOperationContext, input: I): Promise<HandlerStartOperationResult<O>> => {
    try {
      const started = await work(ctx, input);
      return 'workflowId' in started ? HandlerStartOperationResult.async(tokenOf(started)) : started;
    } catch (error) {
      if (!isOutcome(error)) throw toHandlerError(error, ctx);
      const { type, message, details } = error;
      try {
        // **A refusal fails by a workflow too.**
        const refusal = await startOrder(ctx, { refusal: { type, message, details } });
        return HandlerStartOperationResult.async(tokenOf(refusal));
      } catch (other) {
        throw toHandlerError(other, ctx);
      }
    }
  };
  return {
    start: async (ctx, input) => await handle(async () => await start(ctx, input)),
    cancel: async (ctx, token) => await handle(async () => await cancel(ctx, token)),
  };
}

/** **A cancellation ends no newer workflow.** */
async function cancel(ctx: CancelOperationContext, token: string): Promise<void> {
  const { workflowId, firstRunId } = namedBy(token);
  try {
    await getClient().workflow.getHandle(workflowId, undefined, { firstExecutionRunId: firstRunId }).cancel();
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof WorkflowNotFoundError)) throw toHandlerError(error, ctx);
  }
}

/** What the server refuses because of the request, and would refuse again. */
const FINAL: ReadonlySet<string | undefined> = new Set(['INVALID_ARGUMENT', 'FAILED_PRECONDITION']);

/** **No answer of Temporal is no outcome.** */
function toHandlerError(error: unknown, { operation, abortSignal }: CancelOperationContext): unknown {
  if (error instanceof HandlerError || abortSignal.aborted) return error;
  const { message } = toOwnError(error, `The Nexus operation ${operation}`);
  const retryableOverride = !FINAL.has(grpcStatusOf(error));
  return new HandlerError('INTERNAL', message, { retryableOverride });
}
