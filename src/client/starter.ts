import { randomUUID } from 'node:crypto';
import {
  isGrpcServiceError,
  ServiceError,
  WorkflowContinuedAsNewError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
} from '@temporalio/client';
import { attributesOf } from '../contract/attributes.ts';
import { workflowIdOf } from '../contract/call-id.ts';
import { isAction, SIGNAL, SUCCESSOR_MEMO, type Action } from '../contract/names.ts';
import { JOINABLE_PHASES } from '../contract/operation.ts';
import type { ModerationRequest } from '../contract/request.ts';
import { detailsOf, summaryOf } from '../contract/summary.ts';
import type { Successor } from '../contract/signals.ts';
import { ModerationError, NotSetUpError } from './errors.ts';
import type { Run } from './operation-handle.ts';
import type { Runs } from './runs.ts';

/**
 * Starts operations. At most one runs on a call, which Temporal enforces by the workflow ID; what happens to a second one
 * is decided here:
 *
 * C1. The same action joins the running one, as long as that is reading, requesting or confirming and is not being
 *     cancelled. Its other fields stay as the running one has them.
 * C2. Otherwise `onConflict` decides. `supersede` signals the running operation, which continues as the new one;
 *     `queue` waits here until it has ended and tries again; `reject` throws.
 * C3. A supersede is asked for once. The running operation takes the latest that was asked of it, so of several opposite
 *     callers the last one wins and the others hear `Superseded`; none asks again, and there is no chase.
 * C4. Where the running operation ends before it has heard of its successor, there is no conflict any more, and the
 *     operation is started as if there had been none.
 */

export type OnConflict = 'supersede' | 'queue' | 'reject';

/** Starts that meet a conflict which is gone when looked at: more in a row than this is no accident. */
const MOST_STARTS = 20;

/** gRPC's `INVALID_ARGUMENT`. */
const INVALID_ARGUMENT = 3;

interface Running {
  handle: WorkflowHandle;
  runId: string;
  action: Action;
  isBeingCancelled: boolean;
  /** The opposite action is being asked of Graph. */
  isRestoring: boolean;
}

export class Starter {
  readonly #runs: Runs;
  readonly #taskQueue: string;

  constructor(runs: Runs, taskQueue: string) {
    this.#runs = runs;
    this.#taskQueue = taskQueue;
  }

  /** Starts, joins or supersedes; gives a way to the run, which a superseding operation gets only later. */
  async start(action: Action, request: ModerationRequest, onConflict: OnConflict): Promise<() => Promise<Run>> {
    for (let starts = 1; starts <= MOST_STARTS;) {
      const started = await this.#startNew(action, request);
      if (started !== undefined) return () => Promise.resolve(started);
      const running = await this.#running(request.callId);
      if (running === undefined) {
        starts += 1; // C4
      } else if (running.action === action && (await this.#isJoinable(running))) {
        return () => Promise.resolve({ handle: running.handle, runId: running.runId, joined: true }); // C1
      } else if (onConflict === 'reject') {
        throw inProgress(request.callId, running.action);
      } else if (onConflict === 'queue') {
        await ended(running.handle);
      } else {
        const successor: Successor = { action, request, id: randomUUID() };
        if (await this.#supersede(running, successor)) {
          return () => this.#successorRun(running, successor); // C3
        }
        starts += 1; // C4
      }
    }
    throw inProgress(request.callId, action);
  }

  /** The new run, or nothing where one is running. */
  async #startNew(action: Action, request: ModerationRequest): Promise<Run | undefined> {
    const workflowId = workflowIdOf(request.callId);
    try {
      const { firstExecutionRunId: runId } = await this.#runs.client.workflow.start(action, {
        workflowId,
        workflowIdConflictPolicy: 'FAIL',
        taskQueue: this.#taskQueue,
        args: [request],
        typedSearchAttributes: attributesOf(action, request),
        staticSummary: summaryOf(action, request),
        staticDetails: detailsOf(action, request),
      });
      return { handle: this.#runs.of(workflowId, runId), runId, joined: false };
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
      if (isUnknownAttribute(error)) throw new NotSetUpError(this.#runs.client.options.namespace, error);
      throw error;
    }
  }

  /** The operation that runs on the call, if one still does. */
  async #running(callId: string): Promise<Running | undefined> {
    const workflowId = workflowIdOf(callId);
    try {
      const { closeTime, type, runId, raw } = await this.#runs.client.workflow.getHandle(workflowId).describe();
      if (closeTime !== undefined) return undefined;
      if (!isAction(type)) {
        const message = `A workflow of type ${type} runs as ${workflowId}, which is for mute and unmute. End it.`;
        throw new ModerationError('OperationInProgress', message, { callId });
      }
      const isBeingCancelled = raw.workflowExtendedInfo?.cancelRequested === true;
      const undoes = type === 'mute' ? 'postUnmute' : 'postMute';
      const isRestoring = raw.pendingActivities?.some(({ activityType }) => activityType?.name === undoes) === true;
      return { handle: this.#runs.of(workflowId, runId), runId, action: type, isBeingCancelled, isRestoring };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  /** Where no worker tells the phase, what is asked of Graph just now does. */
  async #isJoinable({ handle, isBeingCancelled, isRestoring }: Running): Promise<boolean> {
    if (isBeingCancelled) return false;
    const status = await this.#runs.statusOf(handle);
    if (status === undefined) return !isRestoring;
    return status.supersededBy === undefined && JOINABLE_PHASES.includes(status.phase);
  }

  /** Whether the running operation has taken the signal; if it has, it hands over, whatever it comes to. */
  async #supersede({ handle }: Running, successor: Successor): Promise<boolean> {
    try {
      await handle.signal(SIGNAL.supersede, successor);
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  /** The run that the superseded one has continued as. */
  async #successorRun({ handle }: Running, { action, request, id }: Successor): Promise<Run> {
    const runId = await continuation(handle);
    // It was ended from outside before it could hand over.
    if (runId === undefined) return await (await this.start(action, request, 'supersede'))();
    const next = this.#runs.of(handle.workflowId, runId);
    const { type, memo } = await next.describe();
    const isOurs = memo?.[SUCCESSOR_MEMO] === id;
    if (!isOurs && type !== action) {
      const message = `Another operation on call ${request.callId} was asked for later and has taken over.`;
      throw new ModerationError('Superseded', message, { callId: request.callId });
    }
    return { handle: next, runId, joined: !isOurs };
  }
}

/** The server knows no search attribute of a name that was given. It has no code of its own for that, only words. */
function isUnknownAttribute(error: unknown): boolean {
  const cause = error instanceof ServiceError ? error.cause : undefined;
  if (!isGrpcServiceError(cause)) return false;
  const code: number = cause.code;
  return code === INVALID_ARGUMENT && /search attribute/i.test(cause.details);
}

/** The run ID that a run has continued as, or nothing where it has ended for good. */
async function continuation(handle: WorkflowHandle): Promise<string | undefined> {
  try {
    await handle.result();
  } catch (error) {
    if (error instanceof WorkflowContinuedAsNewError) return error.newExecutionRunId;
    if (!(error instanceof WorkflowFailedError)) throw error;
  }
  return undefined;
}

async function ended(handle: WorkflowHandle): Promise<void> {
  await continuation(handle);
}

function inProgress(callId: string, action: Action): ModerationError {
  const message = `Call ${callId} is being ${action}d by another operation, so this one was not started. Wait for it, or let this one supersede it.`;
  return new ModerationError('OperationInProgress', message, { callId });
}
