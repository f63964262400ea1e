import { randomUUID } from 'node:crypto';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import { operationAttributes } from '../../contract/attributes.ts';
import { workflowIdOf } from '../../contract/call-id.ts';
import {
  CONTINUES_MEMO,
  isAction,
  SIGNAL,
  START_ID_MEMO,
  STARTER_ID_MEMO,
  WATCHER_MEMO,
  WISHED_AT_MEMO,
  type Action,
} from '../../contract/names.ts';
import { ATTACHABLE_PHASES } from '../../contract/operation.ts';
import { priorityOf, type Priority } from '../../contract/priority.ts';
import type { ModerationRequest, OnConflict } from '../../contract/request.ts';
import { operationDescription, operationSummary } from '../../contract/summary.ts';
import type { Successor, Watch } from '../../contract/signals.ts';
import { sameTarget } from '../../contract/target.ts';
import { ModerationError } from '../errors.ts';
import { waitForNextRunId } from './continued.ts';
import { orNotSetUp } from '../not-set-up.ts';
import { readWorkflowInput, type Admit } from './workflow-input.ts';
import type { Run } from './operation-handle.ts';
import { requireOwnDeployment } from '../own-deployment.ts';
import { raise, rankOf, type Rankable } from '../raise.ts';
import { RequestIdIndex } from './request-id-index.ts';
import type { Runs } from './runs.ts';
import { sameStart } from './start-id.ts';

/**
 * Starts operations. At most one runs on a call, because Temporal enforces it by the workflow ID. The starter decides
 * what happens to a second one:
 *
 * - **The same action attaches.** A request for the same action on the same target attaches to the running operation,
 *   as long as that is reading, requesting or confirming and is not being cancelled. The running operation keeps its
 *   other fields. It learns when it was wished for again, so that no older wish overrides it.
 * - **Otherwise `onConflict` decides.** `supersede` signals the running operation, which continues as the new one;
 *   `queue` waits here until it has ended, and tries again; `reject` throws.
 * - **A supersede is requested once.** The running operation takes the latest request. So of several opposite callers
 *   the last one wins, and the others receive `Superseded`. None requests it again, so they do not chase each other.
 * - **An operation that has just ended is no conflict.** If the running operation ends before it has processed its
 *   successor, the new one is started as if there had been no conflict.
 * - **A `requestId` is a run of its own**, so that the ID has a result of its own (`request-id-index.ts`). It attaches
 *   only to the operation with the same ID. The same action with another ID waits, as with `queue`.
 * - **Another target waits.** An operation on another target, such as others instead of the application, does not
 *   contradict the running one. It waits as with `queue`, and neither attaches nor supersedes.
 * - **The same `startId` is the same run**, running or ended, as long as nothing newer was requested of the call: the
 *   server knows it. Unlike a `requestId` it is in no search attribute, and it attaches.
 * - **Nothing is done to an operation that its caller may not know.** Who may know which one is the caller's to say
 *   (`Admit`), and is asked of the very run that would be attached to, superseded or waited for.
 * - **The most urgent caller counts.** The running operation gets the priority of whoever attaches to it, supersedes it
 *   or waits for it, if that is more urgent (`raise.ts`).
 */

/** Starts that meet a conflict which is gone when looked at: more in a row than this is no accident. */
const MAX_STARTS = 20;

export interface Running {
  handle: WorkflowHandle;
  runId: string;
  action: Action;
  isBeingCancelled: boolean;
  /** The opposite action is being asked of Graph. */
  isRestoring: boolean;
  rank: Rankable;
}

/** Of a start on behalf of a workflow. */
export interface Marks {
  /** Names the start over all its retries. */
  startId: string;
  /** When it was wished for, in ms since the epoch. */
  wishedAt: number;
  /** The workflow that hears of the end. */
  watcher?: string;
  /** That workflow's own, as it is for this start. */
  priority: Priority;
}

/** What one attempt at a start comes to. */
export type Step =
  | { kind: 'started'; run: Run }
  | { kind: 'superseding'; running: Running; successor: Successor }
  /** That one must end first. */
  | { kind: 'busy'; running: Running };

export interface StarterOptions {
  eagerStart?: boolean;
  admit?: Admit;
}

export class Starter {
  readonly #runs: Runs;
  readonly #requested: RequestIdIndex;
  readonly #taskQueue: string;
  readonly #eagerStart: boolean;
  readonly #admit: Admit;

  constructor(runs: Runs, taskQueue: string, { eagerStart = false, admit = () => undefined }: StarterOptions = {}) {
    this.#runs = runs;
    this.#requested = new RequestIdIndex(runs, admit);
    this.#taskQueue = taskQueue;
    this.#eagerStart = eagerStart;
    this.#admit = admit;
  }

  /** Starts, attaches or supersedes. Returns a way to the run, because a superseding operation gets it only later. */
  async start(action: Action, request: ModerationRequest, onConflict: OnConflict): Promise<() => Promise<Run>> {
    for (;;) {
      const step = await this.step(action, request, onConflict);
      if (step.kind === 'started') return () => Promise.resolve(step.run);
      if (step.kind === 'superseding') return () => this.#successorRun(step.running, step.successor);
      await waitForNextRunId(step.running.handle);
    }
  }

  /** One attempt at a start. Waits for no operation. */
  async step(action: Action, request: ModerationRequest, onConflict: OnConflict, marks?: Marks): Promise<Step> {
    for (let starts = 1; starts <= MAX_STARTS; starts += 1) {
      const known = await this.#known(action, request);
      if (known !== undefined) return { kind: 'started', run: known }; // **A `requestId` is a run of its own.**
      const started = await this.#startNew(action, request, marks);
      if (started !== undefined) return { kind: 'started', run: started };
      const running = await this.#running(request.callId);
      if (running === undefined) continue; // **An operation that has just ended is no conflict.**
      const asked = await this.#askedOf(running);
      const priority = marks?.priority ?? priorityOf(action, request.tenantId);
      const isSameTarget = sameTarget(asked?.target, request.target);
      const isAttachable = isSameTarget && running.action === action && (await this.#isAttachable(running));
      if (isAttachable && request.requestId === undefined) {
        const { watcher, wishedAt = Date.now() } = marks ?? {};
        await this.#tell(running, { ...(watcher !== undefined && { workflowId: watcher }), wishedAt });
        await this.#raise(running, priority); // **The most urgent caller counts.**
        const { handle, runId } = running;
        return { kind: 'started', run: { handle, runId, attached: true } }; // **The same action attaches.**
      }
      if (onConflict === 'reject') throw inProgress(request.callId, running.action);
      await this.#raise(running, priority);
      // `isAttachable` if the request has a `requestId` of its own. **Another target waits.**
      if (onConflict === 'queue' || isAttachable || !isSameTarget) return { kind: 'busy', running };
      const { startId, wishedAt = Date.now(), watcher } = marks ?? {};
      const successor: Successor = {
        action,
        request,
        id: startId ?? request.requestId ?? randomUUID(),
        wishedAt,
        ...(watcher !== undefined && { watcher }),
      };
      if (await this.#supersede(running, successor)) return { kind: 'superseding', running, successor };
      // **An operation that has just ended is no conflict.**
    }
    throw inProgress(request.callId, action);
  }

  /** Has the operation signal its end to a workflow. One that has ended meanwhile is found by that workflow's own read. */
  async watch({ handle }: Pick<Running, 'handle'>, workflowId: string | undefined): Promise<void> {
    if (workflowId !== undefined) await this.#tell({ handle }, { workflowId });
  }

  async #raise({ rank }: Running, priority: Priority): Promise<void> {
    await raise(this.#runs.client, rank, priority);
  }

  async #tell({ handle }: Pick<Running, 'handle'>, watch: Watch): Promise<void> {
    try {
      await handle.signal(SIGNAL.watch, watch);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }

  /** The operation that the request's ID already has. */
  async #known(action: Action, request: ModerationRequest): Promise<Run | undefined> {
    const { requestId } = request;
    return requestId === undefined ? undefined : await this.#requested.find(action, { ...request, requestId });
  }

  /** The new run, or nothing where one is running. */
  async #startNew(action: Action, request: ModerationRequest, marks?: Marks): Promise<Run | undefined> {
    const workflowId = workflowIdOf(request.callId);
    try {
      const { firstExecutionRunId: runId } = await this.#runs.client.workflow.start(action, {
        workflowId,
        workflowIdConflictPolicy: 'FAIL',
        taskQueue: this.#taskQueue,
        requestEagerStart: this.#eagerStart,
        args: [request],
        priority: marks?.priority ?? priorityOf(action, request.tenantId),
        typedSearchAttributes: operationAttributes(action, request),
        staticSummary: operationSummary(action, request),
        staticDetails: operationDescription(action, request),
        ...(marks !== undefined && { memo: memoOf(marks) }),
        ...sameStart(marks?.startId ?? request.requestId),
      });
      // The server does not say whether the run was there already.
      if (request.requestId !== undefined) await this.#requested.requireSame(action, request, runId);
      return { handle: this.#runs.of(workflowId, runId), runId, attached: false };
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
      throw orNotSetUp(error, this.#runs.client);
    }
  }

  /** The operation that runs on the call, if one still does. */
  async #running(callId: string): Promise<Running | undefined> {
    const workflowId = workflowIdOf(callId);
    try {
      const described = await this.#runs.client.workflow.getHandle(workflowId).describe();
      const { closeTime, type, runId, raw, taskQueue } = described;
      if (closeTime !== undefined) return undefined;
      requireOwnDeployment({ workflowId, taskQueue }, this.#taskQueue, callId);
      if (!isAction(type)) {
        const message = `A workflow of type ${type} runs as ${workflowId}, which is for mute and unmute. End it.`;
        throw new ModerationError('OperationInProgress', message, { callId });
      }
      const isBeingCancelled = raw.workflowExtendedInfo?.cancelRequested === true;
      const undoes = type === 'mute' ? 'postUnmute' : 'postMute';
      const isRestoring = raw.pendingActivities?.some(({ activityType }) => activityType?.name === undoes) === true;
      const handle = this.#runs.of(workflowId, runId);
      return { handle, runId, action: type, isBeingCancelled, isRestoring, rank: rankOf(described) };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  /**
   * What a run was asked for; nothing of one whose input is no request, because that will fail.
   * **Nothing is done to an operation that its caller may not know.**
   */
  async #askedOf({ handle: { workflowId }, runId }: Pick<Running, 'handle' | 'runId'>) {
    const asked = await readWorkflowInput(this.#runs.client, { workflowId, runId });
    this.#admit(asked?.request);
    return asked?.request;
  }

  /** If no worker tells the phase, the run's history and what is asked of Graph just now do. */
  async #isAttachable({ handle, runId, isBeingCancelled, isRestoring }: Running): Promise<boolean> {
    if (isBeingCancelled) return false;
    const status = await this.#runs.statusOf(handle);
    if (status === undefined) return !isRestoring && !(await this.#runs.isSuperseded(handle, runId));
    return status.supersededBy === undefined && ATTACHABLE_PHASES.includes(status.phase);
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
  async #successorRun({ handle }: Pick<Running, 'handle'>, successor: Successor): Promise<Run> {
    const { action, request, id } = successor;
    const runId = await waitForNextRunId(handle);
    // It was ended from outside before it could hand over.
    if (runId === undefined) return await (await this.start(action, request, 'supersede'))();
    const next = this.#runs.of(handle.workflowId, runId);
    const { type, memo } = await next.describe();
    if (memo?.[CONTINUES_MEMO] === true) return await this.#successorRun({ handle: next }, successor);
    const isOurs = memo?.[STARTER_ID_MEMO] === id;
    if (!isOurs && type !== action) {
      const message = `Another operation on call ${request.callId} was asked for later and has taken over.`;
      throw new ModerationError('Superseded', message, { callId: request.callId });
    }
    if (!isOurs) await this.#askedOf({ handle: next, runId });
    if (isOurs && request.requestId !== undefined) await this.#requested.requireSame(action, request, runId);
    return { handle: next, runId, attached: !isOurs };
  }
}

function memoOf({ startId, wishedAt, watcher }: Marks): Record<string, unknown> {
  return {
    [START_ID_MEMO]: startId,
    [WISHED_AT_MEMO]: wishedAt,
    ...(watcher !== undefined && { [WATCHER_MEMO]: watcher }),
  };
}

function inProgress(callId: string, action: Action): ModerationError {
  const message = `Call ${callId} is being ${action}d by another operation, so this one was not started. Wait for it, or let this one supersede it.`;
  return new ModerationError('OperationInProgress', message, { callId });
}
