import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { canonicalId, workflowIdOf } from '../contract/call-id.ts';
import { CALL_ID } from '../contract/check.ts';
import { MUTE_LOCK, type MuteLockRequest } from '../contract/mute-lock.ts';
import { MUTE_ON_ENTRY, type MuteOnEntryRequest } from '../contract/mute-on-entry.ts';
import { DEFAULT_TASK_QUEUE, type Action } from '../contract/names.ts';
import type { ModerationResult, OperationStatus, ParticipantsMuteResult } from '../contract/operation.ts';
import {
  checkRequest,
  type ModerationRequest,
  type ParticipantsMuteRequest,
  type OnConflict,
} from '../contract/request.ts';
import { listedRuns } from './listed-runs.ts';
import { Calls } from './calls/calls.ts';
import { invalid, valid } from './errors.ts';
import { readFailure, type FailedOperation } from './operations/failed-operation.ts';
import type { MuteLockHandle, MuteLocks } from './standing/mute-locks.ts';
import { StandingMutes, type OnStandingConflict } from './standing/standing-mutes.ts';
import type { MuteOnEntryHandle, MutesOnEntry } from './standing/mutes-on-entry.ts';
import { readOperation, type KnownOperation } from './operations/known-operation.ts';
import { OperationHandle, type StartedOperation } from './operations/operation-handle.ts';
import { latestSelfOperation } from './operations/latest-self-operation.ts';
import { LeftBehindFinder } from './policies/left-behind.ts';
import { Policies } from './policies/policies.ts';
import {
  operationListFilter,
  operationFromWorkflow,
  type ListFilter,
  type OperationRecord,
} from './operations/records.ts';
import { Releaser } from './release/release.ts';
import type { ReleaseOptions, ReleaseScope } from './release/release-types.ts';
import type { ReleaseRun } from './release/release-run.ts';
import { Runs } from './operations/runs.ts';
import { Starter } from './operations/starter.ts';
import { requireSupported } from './supported-client.ts';

/** Options of a `ModerationClient`. */
export interface ModerationClientOptions {
  /** A client of `@temporalio/client`, version 1.13.2 or newer, for the namespace of the workers. */
  client: Client;
  /**
   * The task queue of the workers. Whatever belongs to another one is neither listed nor changed.
   *
   * @default 'call-moderation'
   */
  taskQueue?: string;
  /**
   * The client's connection is the `NativeConnection` of a worker in this process that polls the task queue: an
   * operation's first workflow task is then handed to it with the answer to the start, which saves a dispatch. With
   * any other connection a start throws.
   *
   * @default false
   */
  eagerStart?: boolean;
}

/** Options of an operation. */
export interface ConflictOptions {
  /**
   * What to do if another operation runs on the call, and the request cannot attach to it: `supersede` it, wait for it
   * in this process (`queue`, which promises neither order nor durability), or throw `OperationInProgress` (`reject`).
   *
   * @default 'supersede'
   */
  onConflict?: OnConflict;
}

/** Options of `keepMuted`, `muteFor` and `muteOnEntry`. */
export interface StandingMuteOptions {
  /**
   * What to do if one is already running on the call: give it the new terms, or throw `OperationInProgress`.
   *
   * @default 'extend'
   */
  onConflict?: OnStandingConflict;
}

/** A request to mute the application for a time. It needs `forSeconds` or `until`. */
export type MuteForRequest = Omit<MuteLockRequest, 'enforce' | 'atMost'>;

/** A request to mute or unmute the application itself. */
export type SelfRequest = Omit<ModerationRequest, 'target'>;

/** An operation as it stands. */
export interface FoundOperation {
  /** As Temporal has it, so it is known without a worker. */
  record: OperationRecord;
  /** How far it is. A worker answers, so it is absent if none is there. */
  status?: OperationStatus;
  /** Why it has no result; absent while it runs, and if it was confirmed. */
  failure?: FailedOperation;
}

/**
 * The client for backend services: starts operations and standing mutes, and finds them again. Every method that sends
 * something has done so durably when its promise resolves: Temporal continues without this process. If Temporal does not
 * answer, methods throw the error of `@temporalio/client`.
 *
 * @example
 * const connection = await Connection.connect({ address: 'localhost:7233' });
 * const moderation = new ModerationClient({ client: new Client({ connection }) });
 */
export class ModerationClient {
  /** The active calls: lists, finds and labels them. */
  readonly calls: Calls;
  /** Actions on many calls by schedule: creates, changes and lists them. */
  readonly policies: Policies;
  readonly #runs: Runs;
  readonly #taskQueue: string;
  readonly #starter: Starter;
  readonly #muteLocks: MuteLocks;
  readonly #mutesOnEntry: MutesOnEntry;

  /** @throws {ModerationError} `UnsupportedClient` if the client is of a version that this package cannot work with */
  constructor({ client, taskQueue = DEFAULT_TASK_QUEUE, eagerStart = false }: ModerationClientOptions) {
    requireSupported(client);
    this.#runs = new Runs(client);
    this.#taskQueue = taskQueue;
    this.calls = new Calls(client, taskQueue);
    this.#starter = new Starter(this.#runs, taskQueue, { eagerStart });
    this.#muteLocks = new StandingMutes(this.#runs, taskQueue, MUTE_LOCK);
    this.#mutesOnEntry = new StandingMutes(this.#runs, taskQueue, MUTE_ON_ENTRY);
    const latest = async (callId: string) => (await latestSelfOperation(this.#runs, callId)).record;
    const leftBehind = new LeftBehindFinder(this.calls, latest, this.#mutesOnEntry);
    this.policies = new Policies(client, taskQueue, leftBehind);
  }

  /**
   * Mutes the application in a group call. The handle's `result()` resolves once a roster shows `isMuted: true`. If none
   * does, the call is put back as it was, and `result()` throws. A mute that runs on the call already is attached to; an
   * unmute is superseded.
   *
   * @example
   * const operation = await moderation.mute({ callId, requestedBy: 'line-desk', reason: 'caller on hold' });
   * const { isMuted, confirmedBy } = await operation.result();
   *
   * @throws {ModerationError} `InvalidRequest`; `OperationInProgress` with `onConflict: 'reject'`; `OtherDeployment`; `NotSetUp`
   * @see https://learn.microsoft.com/graph/api/call-mute
   */
  async mute(request: SelfRequest, options: ConflictOptions = {}): Promise<OperationHandle> {
    return await this.#moderate('mute', refusingTarget(request), options);
  }

  /**
   * Unmutes the application in a group call; otherwise as `mute`. It also ends a mute lock on the call.
   *
   * @example
   * const operation = await moderation.unmute({ callId, requestId: 'order-4711' });
   * const { confirmedAt } = await operation.result();
   *
   * @throws {ModerationError} as `mute`
   * @see https://learn.microsoft.com/graph/api/call-unmute
   */
  async unmute(request: SelfRequest, options: ConflictOptions = {}): Promise<OperationHandle> {
    return await this.#moderate('unmute', request, options);
  }

  /**
   * Mutes other participants of a group call. Nobody but themselves can unmute them again, so nothing is ever undone. An
   * operation that runs on the call is waited for, unless it has the same target.
   *
   * @example
   * const operation = await moderation.muteParticipants({ callId, target: { others: { except: [chairId] } } });
   * for (const { participantId, outcome } of (await operation.result()).participants) console.log(participantId, outcome);
   *
   * @throws {ModerationError} as `mute`
   * @see https://learn.microsoft.com/graph/api/participant-mute
   */
  async muteParticipants(
    request: ParticipantsMuteRequest,
    options: ConflictOptions = {},
  ): Promise<OperationHandle<ParticipantsMuteResult>> {
    if (isSelf(request)) throw invalid([NAMES_NOBODY]);
    return await this.#moderate<ParticipantsMuteResult>('mute', request, options);
  }

  /**
   * Keeps the application muted until a time, or until it is released: mutes it, mutes it again whenever it is
   * unmuted by anybody but an operation of ours, and unmutes it at the end. It continues without this process.
   *
   * @example
   * const lock = await moderation.keepMuted({ callId, forSeconds: 1_800, reason: 'recording consent' });
   * await lock.release();
   *
   * @throws {ModerationError} `InvalidRequest`; `OperationInProgress` with `onConflict: 'reject'`; `OtherDeployment`; `NotSetUp`
   */
  async keepMuted(
    request: MuteLockRequest,
    { onConflict = 'extend' }: StandingMuteOptions = {},
  ): Promise<MuteLockHandle> {
    return await this.#muteLocks.start(request, onConflict);
  }

  /**
   * Mutes the application for a time, and unmutes it then; otherwise as `keepMuted`, but it does not mute again.
   *
   * @example
   * await moderation.muteFor({ callId, forSeconds: 300 });
   *
   * @throws {ModerationError} as `keepMuted`
   */
  async muteFor(request: MuteForRequest, { onConflict = 'extend' }: StandingMuteOptions = {}): Promise<MuteLockHandle> {
    return await this.#muteLocks.start({ ...request, enforce: false }, onConflict);
  }

  /**
   * The mute lock or timed mute that runs on a call; `undefined` if none does.
   *
   * @example
   * const lock = await moderation.getMuteLock(callId);
   * await lock?.release();
   *
   * @throws {ModerationError} `InvalidRequest` if it is no call ID; `OtherDeployment` if it belongs to another task queue
   */
  async getMuteLock(callId: string): Promise<MuteLockHandle | undefined> {
    return await this.#muteLocks.running(valid(CALL_ID, callId));
  }

  /**
   * Mutes each newcomer once, who joins the call from now on, until a time or until it is released. Participants who are
   * in the call already are left alone. It continues without this process.
   *
   * @example
   * await moderation.muteOnEntry({ callId, until: '2026-11-24T17:30:00Z', except: [lecturerId] });
   *
   * @throws {ModerationError} as `keepMuted`
   * @see https://learn.microsoft.com/graph/api/participant-mute
   */
  async muteOnEntry(
    request: MuteOnEntryRequest,
    { onConflict = 'extend' }: StandingMuteOptions = {},
  ): Promise<MuteOnEntryHandle> {
    return await this.#mutesOnEntry.start(request, onConflict);
  }

  /**
   * The mute on entry that runs on a call; `undefined` if none does.
   *
   * @example
   * const status = await (await moderation.getMuteOnEntry(callId))?.status();
   * console.log(status?.muted, 'of', status?.newcomers);
   *
   * @throws {ModerationError} `InvalidRequest` if it is no call ID; `OtherDeployment` if it belongs to another task queue
   */
  async getMuteOnEntry(callId: string): Promise<MuteOnEntryHandle | undefined> {
    return await this.#mutesOnEntry.running(valid(CALL_ID, callId));
  }

  /**
   * Ends mutes on entry and mute locks, and unmutes the application if an operation of ours has left it muted: in one
   * call, in those of a tenant, or in all calls of this client's task queue. It begins at once, whether or not the
   * results are taken; iterate over them as they come, or await `all()`. What goes wrong with a call is in its result.
   *
   * @example
   * for await (const { callId, outcome } of moderation.release({ everywhere: true })) console.log(callId, outcome);
   *
   * @throws {ModerationError} `InvalidRequest` if the scope or an option is invalid
   */
  release(scope: ReleaseScope, options: ReleaseOptions = {}): ReleaseRun {
    const releaser = new Releaser({
      runs: this.#runs,
      taskQueue: this.#taskQueue,
      muteLocks: this.#muteLocks,
      mutesOnEntry: this.#mutesOnEntry,
      moderation: this,
    });
    return releaser.release(scope, options);
  }

  /**
   * The handle of an operation that was started before, here or elsewhere. It asks nothing of Temporal, so it exists also
   * for an operation that does not.
   *
   * @example
   * const { runId } = await (await moderation.mute({ callId })).run();
   * // in another process
   * await moderation.getHandle({ callId, action: 'mute', runId }).result();
   */
  getHandle({ callId, action, runId, attached = false }: StartedOperation): OperationHandle {
    const workflowId = workflowIdOf(callId);
    const run = { handle: this.#runs.of(workflowId, runId), runId, attached };
    return new OperationHandle({ callId: canonicalId(callId), workflowId, action, run: () => Promise.resolve(run) });
  }

  /**
   * One operation by the run that carries it out, running or ended, with its request, its result or its failure. Unlike a
   * handle's `result()` it waits for nothing.
   *
   * @example
   * const operation = await moderation.getOperation({ callId, runId });
   * console.log(operation?.record.outcome, operation?.failure?.message);
   *
   * @returns `undefined` if Temporal does not know it (any more)
   * @throws {ModerationError} `InvalidRequest` if it is no call ID; `OtherDeployment`
   */
  async getOperation({ callId, runId }: { callId: string; runId: string }): Promise<KnownOperation | undefined> {
    return await readOperation(this.#runs, this.#taskQueue, valid(CALL_ID, callId), runId);
  }

  /**
   * The latest operation on a call, running or ended. Temporal keeps ended ones for the namespace's retention time.
   *
   * @example
   * const found = await moderation.getLatestOperation(callId);
   * if (found === undefined) console.log('no operation on this call');
   * else console.log(found.record.action, found.record.outcome, found.status?.phase);
   *
   * @returns `undefined` if Temporal knows none
   * @throws {ModerationError} `InvalidRequest` if it is no call ID
   */
  async getLatestOperation(callId: string): Promise<FoundOperation | undefined> {
    const record = await this.#record(valid(CALL_ID, callId));
    if (record === undefined) return undefined;
    const run = this.#runs.of(record.workflowId, record.runId);
    const [status, failure] = await Promise.all([this.#runs.statusOf(run), readFailure(record, run)]);
    return { record, ...(status !== undefined && { status }), ...(failure !== undefined && { failure }) };
  }

  async #record(callId: string): Promise<OperationRecord | undefined> {
    try {
      return operationFromWorkflow(await this.#runs.client.workflow.getHandle(workflowIdOf(callId)).describe());
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  /**
   * The operations of this client's task queue, the latest first, as many as the caller takes. Temporal's lists may be a
   * second or so behind.
   *
   * @example
   * for await (const { callId, startedAt } of moderation.list({ outcome: 'Unconfirmed' })) console.log(callId, startedAt);
   *
   * @throws {ModerationError} `InvalidRequest` if the filter is invalid
   */
  async *list(filter: ListFilter = {}): AsyncIterable<OperationRecord> {
    for await (const info of listedRuns(this.#runs.client, operationListFilter(filter, this.#taskQueue))) {
      const record = operationFromWorkflow(info);
      if (record !== undefined) yield record;
    }
  }

  async #moderate<R extends ModerationResult | ParticipantsMuteResult = ModerationResult>(
    action: Action,
    input: ModerationRequest,
    { onConflict = 'supersede' }: ConflictOptions,
  ): Promise<OperationHandle<R>> {
    const checked = checkRequest(input, action);
    if (!checked.ok) throw invalid(checked.issues);
    const { request } = checked;
    const { callId } = request;
    const run = await this.#starter.start(action, request, onConflict);
    return new OperationHandle<R>({ callId, workflowId: workflowIdOf(callId), action, run });
  }
}

const NAMES_NOBODY =
  "target must name participants: 'others', { others: { except } } or { participantIds }; use mute() for the application itself";

function isSelf(request: Partial<ModerationRequest> | undefined): boolean {
  return request?.target === undefined || request.target === 'self';
}

/** The type leaves `target` out; a caller in JavaScript gets an error that names the right method. */
function refusingTarget(request: ModerationRequest): ModerationRequest {
  if (isSelf(request)) return request;
  throw invalid(['target is not a field of mute(): use muteParticipants(), which mutes others than the application']);
}
