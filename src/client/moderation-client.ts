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
import { failureOf, type FailedOperation } from './operations/failed-operation.ts';
import type { MuteLockHandle, MuteLocks } from './standing/mute-locks.ts';
import { StandingMutes, type OnStandingConflict } from './standing/standing-mutes.ts';
import type { MuteOnEntryHandle, MutesOnEntry } from './standing/mutes-on-entry.ts';
import { readOperation, type KnownOperation } from './operations/known-operation.ts';
import { OperationHandle, type StartedOperation } from './operations/operation-handle.ts';
import { latestSelfOperation } from './operations/latest-self-operation.ts';
import { Policies } from './policies/policies.ts';
import {
  operationListFilter,
  operationFromWorkflow,
  type ListFilter,
  type OperationRecord,
} from './operations/records.ts';
import { Releaser, type ReleaseOptions, type ReleaseScope } from './release/release.ts';
import type { ReleaseRun } from './release/release-run.ts';
import { Runs } from './operations/runs.ts';
import { Starter } from './operations/starter.ts';
import { requireSupported } from './supported-client.ts';

export interface ModerationClientOptions {
  client: Client;
  /** @default 'call-moderation' */
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

export interface ConflictOptions {
  /**
   * What to do if another operation runs on the call to which the request cannot attach. `queue` waits in this
   * process and promises neither order nor durability.
   *
   * @default 'supersede'
   */
  onConflict?: OnConflict;
}

export interface StandingMuteOptions {
  /**
   * What to do if one is already running on the call: give it the new terms, or throw `OperationInProgress`.
   *
   * @default 'extend'
   */
  onConflict?: OnStandingConflict;
}

export type MuteForRequest = Omit<MuteLockRequest, 'enforce' | 'atMost'>;

/** A request to mute or unmute the application itself. */
export type SelfRequest = Omit<ModerationRequest, 'target'>;

/** The client for backend services: starts operations, and finds them again. */
export class ModerationClient {
  /** The active calls. */
  readonly calls: Calls;
  /** Actions on many calls by schedule. */
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
    this.#starter = new Starter(this.#runs, taskQueue, eagerStart);
    this.#muteLocks = new StandingMutes(this.#runs, taskQueue, MUTE_LOCK);
    this.#mutesOnEntry = new StandingMutes(this.#runs, taskQueue, MUTE_ON_ENTRY);
    const latest = async (callId: string) => (await latestSelfOperation(this.#runs, callId)).record;
    this.policies = new Policies(client, taskQueue, this.calls, latest, this.#mutesOnEntry);
  }

  /**
   * Mutes the application in a group call. The handle's `result()` resolves once a roster confirms `isMuted`.
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
   * Unmutes the application in a group call; otherwise as `mute`.
   *
   * @see https://learn.microsoft.com/graph/api/call-unmute
   */
  async unmute(request: SelfRequest, options: ConflictOptions = {}): Promise<OperationHandle> {
    return await this.#moderate('unmute', request, options);
  }

  /**
   * Mutes other participants of a group call. Nobody but themselves can unmute them again, so nothing is ever undone.
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
   * @throws {ModerationError} `InvalidRequest`, or `OperationInProgress` with `onConflict: 'reject'`
   */
  async keepMuted(
    request: MuteLockRequest,
    { onConflict = 'extend' }: StandingMuteOptions = {},
  ): Promise<MuteLockHandle> {
    return await this.#muteLocks.start(request, onConflict);
  }

  /** Mutes the application for a time, and unmutes it then; otherwise as `keepMuted`, but it does not mute again. */
  async muteFor(request: MuteForRequest, { onConflict = 'extend' }: StandingMuteOptions = {}): Promise<MuteLockHandle> {
    return await this.#muteLocks.start({ ...request, enforce: false }, onConflict);
  }

  /**
   * The mute lock or timed mute that runs on a call, if one does.
   *
   * @throws {ModerationError} `OtherDeployment` if it belongs to another task queue
   */
  async getMuteLock(callId: string): Promise<MuteLockHandle | undefined> {
    return await this.#muteLocks.running(valid(CALL_ID, callId));
  }

  /**
   * Mutes once whoever joins a call from now on, until a time or until it is released, and leaves those alone who are
   * in it. It continues without this process.
   *
   * @example
   * await moderation.muteOnEntry({ callId, until: '2026-11-24T17:30:00Z', except: [lecturerId] });
   *
   * @throws {ModerationError} `InvalidRequest`, or `OperationInProgress` with `onConflict: 'reject'`
   */
  async muteOnEntry(
    request: MuteOnEntryRequest,
    { onConflict = 'extend' }: StandingMuteOptions = {},
  ): Promise<MuteOnEntryHandle> {
    return await this.#mutesOnEntry.start(request, onConflict);
  }

  /**
   * The mute on entry that runs on a call, if one does.
   *
   * @throws {ModerationError} `OtherDeployment` if it belongs to another task queue
   */
  async getMuteOnEntry(callId: string): Promise<MuteOnEntryHandle | undefined> {
    return await this.#mutesOnEntry.running(valid(CALL_ID, callId));
  }

  /**
   * Ends mutes on entry and mute locks, and unmutes the application if an operation of ours has left it muted: in one
   * call, in those of a tenant, or in all calls of this client's task queue. It begins at once, whether or not the
   * results are taken; iterate over them as they come, or await `all()`.
   *
   * @example
   * for await (const { callId, outcome } of moderation.release({ everywhere: true })) console.log(callId, outcome);
   *
   * @throws {ModerationError} `InvalidRequest`; what goes wrong with a call is in its result
   */
  release(scope: ReleaseScope, options: ReleaseOptions = {}): ReleaseRun {
    return new Releaser(this.#runs, this.#taskQueue, this.#muteLocks, this.#mutesOnEntry, this).release(scope, options);
  }

  /** The handle of an operation that was started before, here or elsewhere; asks nothing of Temporal. */
  getHandle({ callId, action, runId, attached = false }: StartedOperation): OperationHandle {
    const workflowId = workflowIdOf(callId);
    const run = { handle: this.#runs.of(workflowId, runId), runId, attached };
    return new OperationHandle({ callId: canonicalId(callId), workflowId, action, run: () => Promise.resolve(run) });
  }

  /**
   * One operation by the run that carries it out, running or ended, with what became of it. Unlike a handle's `result()`
   * it waits for nothing.
   *
   * @returns nothing if Temporal does not know it (any more)
   * @throws {ModerationError} `InvalidRequest` if it is no ID of a call; `OtherDeployment`
   */
  async getOperation({ callId, runId }: { callId: string; runId: string }): Promise<KnownOperation | undefined> {
    return await readOperation(this.#runs, this.#taskQueue, valid(CALL_ID, callId), runId);
  }

  /**
   * The latest operation on a call, running or ended, or nothing where none is known (Temporal keeps ended ones for the
   * namespace's retention time). `status` is answered by a worker, so it is missing where none is there; `failure` says why
   * an ended one has no result.
   *
   * @throws {ModerationError} `InvalidRequest` if it is not a valid call ID
   */
  async getLatestOperation(
    callId: string,
  ): Promise<{ record: OperationRecord; status?: OperationStatus; failure?: FailedOperation } | undefined> {
    const record = await this.#record(valid(CALL_ID, callId));
    if (record === undefined) return undefined;
    const run = this.#runs.of(record.workflowId, record.runId);
    const [status, failure] = await Promise.all([this.#runs.statusOf(run), failureOf(record, run)]);
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
   * The operations of this client's task queue, the latest first, as many as the caller takes.
   *
   * @throws {ModerationError} `InvalidRequest` if the filter is not valid
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
