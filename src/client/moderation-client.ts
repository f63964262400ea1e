import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { canonicalId, workflowIdOf } from '../contract/call-id.ts';
import { CALL_ID } from '../contract/check.ts';
import type { HoldRequest } from '../contract/hold.ts';
import type { MuteOnEntryRequest } from '../contract/mute-on-entry.ts';
import { DEFAULT_TASK_QUEUE, type Action } from '../contract/names.ts';
import type { OperationStatus, OthersResult } from '../contract/operation.ts';
import { checkRequest, type ModerationRequest, type OthersRequest } from '../contract/request.ts';
import { listedRuns } from './listed-runs.ts';
import { Calls } from './calls.ts';
import { invalid, valid } from './errors.ts';
import { failureOf, type FailedOperation } from './failure.ts';
import { HOLDS, type HoldHandle, type Holds, type OnHeld } from './holds.ts';
import { LastingRuns } from './lasting-runs.ts';
import { MUTES_ON_ENTRY, type MuteOnEntryHandle, type MutesOnEntry, type OnRunning } from './mutes-on-entry.ts';
import { OperationHandle, type StartedOperation } from './operation-handle.ts';
import { newestOwn } from './newest.ts';
import { Policies } from './policies.ts';
import { toQuery, toRecord, type ListFilter, type OperationRecord } from './records.ts';
import { Releaser, type ReleaseOptions, type ReleaseScope } from './release.ts';
import type { ReleaseRun } from './release-run.ts';
import { Runs } from './runs.ts';
import { Starter, type OnConflict } from './starter.ts';
import { requireSupported } from './supported-client.ts';

export interface ModerationClientOptions {
  client: Client;
  /** @default 'call-moderation' */
  taskQueue?: string;
  /**
   * The client's connection is the `NativeConnection` of a worker in this process that polls the task queue: an operation's
   * first workflow task is then handed to it with the answer to the start, which saves a dispatch. With any other
   * connection a start throws.
   *
   * @default false
   */
  eagerStart?: boolean;
}

export interface ConflictOptions {
  /**
   * What to do while another operation runs on the call that cannot be joined. `queue` waits in this process and promises
   * neither order nor durability.
   *
   * @default 'supersede'
   */
  onConflict?: OnConflict;
}

export interface HoldOptions {
  /**
   * What to do where the call is held already: give that hold the new terms, or throw `OperationInProgress`.
   *
   * @default 'extend'
   */
  onHeld?: OnHeld;
}

export interface MuteOnEntryOptions {
  /**
   * What to do where one runs on the call already: give it the new terms, or throw `OperationInProgress`.
   *
   * @default 'extend'
   */
  onRunning?: OnRunning;
}

export type PauseRequest = Omit<HoldRequest, 'enforce' | 'atMost'>;

/** What backend services import: starts operations, and finds those that were started. */
export class ModerationClient {
  /** The calls that are alive. */
  readonly calls: Calls;
  /** Actions on many calls by the clock. */
  readonly policies: Policies;
  readonly #runs: Runs;
  readonly #taskQueue: string;
  readonly #starter: Starter;
  readonly #holds: Holds;
  readonly #mutesOnEntry: MutesOnEntry;

  /** @throws {UnsupportedClientError} if the client is one of a version that this package cannot work with */
  constructor({ client, taskQueue = DEFAULT_TASK_QUEUE, eagerStart = false }: ModerationClientOptions) {
    requireSupported(client);
    this.#runs = new Runs(client);
    this.#taskQueue = taskQueue;
    this.calls = new Calls(client, taskQueue);
    this.#starter = new Starter(this.#runs, taskQueue, eagerStart);
    this.#holds = new LastingRuns(this.#runs, taskQueue, HOLDS);
    this.#mutesOnEntry = new LastingRuns(this.#runs, taskQueue, MUTES_ON_ENTRY);
    const latest = async (callId: string) => (await newestOwn(this.#runs, callId)).record;
    this.policies = new Policies(client, taskQueue, this.calls, latest, this.#mutesOnEntry);
  }

  /**
   * Mutes the application in a group call, or with a `target` other participants of it, whom nobody but themselves can
   * unmute again.
   *
   * @throws {ModerationError} `InvalidRequest`, or `OperationInProgress` with `onConflict: 'reject'`
   * @throws {NotSetUpError} where the namespace lacks the search attributes of operations
   */
  async mute(request: OthersRequest, options?: ConflictOptions): Promise<OperationHandle<OthersResult>>;
  async mute(request: ModerationRequest, options?: ConflictOptions): Promise<OperationHandle>;
  async mute(
    request: ModerationRequest,
    options: ConflictOptions = {},
  ): Promise<OperationHandle | OperationHandle<OthersResult>> {
    return await this.#moderate('mute', request, options);
  }

  /** Unmutes the application in a group call; otherwise as `mute`. */
  async unmute(request: ModerationRequest, options: ConflictOptions = {}): Promise<OperationHandle> {
    return await this.#moderate('unmute', request, options);
  }

  /**
   * Keeps the application muted until a time, or until it is released: mutes it, mutes it again whenever it is unmuted by
   * anybody but an operation of ours, and unmutes it at the end. It lasts without this process.
   *
   * @throws {ModerationError} `InvalidRequest`, or `OperationInProgress` with `onHeld: 'reject'`
   */
  async hold(request: HoldRequest, { onHeld = 'extend' }: HoldOptions = {}): Promise<HoldHandle> {
    return await this.#holds.start(request, onHeld);
  }

  /** Mutes the application for a time, and unmutes it then; otherwise as `hold`, but it does not mute again. */
  async pause(request: PauseRequest, { onHeld = 'extend' }: HoldOptions = {}): Promise<HoldHandle> {
    return await this.#holds.start({ ...request, enforce: false }, onHeld);
  }

  /**
   * The hold or pause that runs on a call, if one does.
   *
   * @throws {ModerationError} `OtherDeployment` if it belongs to another task queue
   */
  async held(callId: string): Promise<HoldHandle | undefined> {
    return await this.#holds.running(valid(CALL_ID, callId));
  }

  /**
   * Mutes once whoever joins a call from now on, until a time or until it is released, and leaves those alone who are in
   * it. It lasts without this process.
   *
   * @throws {ModerationError} `InvalidRequest`, or `OperationInProgress` with `onRunning: 'reject'`
   */
  async muteOnEntry(
    request: MuteOnEntryRequest,
    { onRunning = 'extend' }: MuteOnEntryOptions = {},
  ): Promise<MuteOnEntryHandle> {
    return await this.#mutesOnEntry.start(request, onRunning);
  }

  /**
   * The mute on entry that runs on a call, if one does.
   *
   * @throws {ModerationError} `OtherDeployment` if it belongs to another task queue
   */
  async mutingOnEntry(callId: string): Promise<MuteOnEntryHandle | undefined> {
    return await this.#mutesOnEntry.running(valid(CALL_ID, callId));
  }

  /**
   * Ends mutes on entry and holds, and unmutes the application if an operation of ours has left it muted: in one call, in
   * those of a tenant, or in all calls of this client's task queue. It begins at once, whether or not the results are
   * taken; iterate over them as they come, or await `all()`.
   *
   * @throws {ModerationError} `InvalidRequest`; what goes wrong with a call is in its result
   */
  release(scope: ReleaseScope, options: ReleaseOptions = {}): ReleaseRun {
    return new Releaser(this.#runs, this.#taskQueue, this.#holds, this.#mutesOnEntry, this).release(scope, options);
  }

  /** The handle of an operation that was started before, here or elsewhere; asks nothing of Temporal. */
  get({ callId, action, runId, joined = false }: StartedOperation): OperationHandle {
    const workflowId = workflowIdOf(callId);
    const run = { handle: this.#runs.of(workflowId, runId), runId, joined };
    return new OperationHandle({ callId: canonicalId(callId), workflowId, action, run: () => Promise.resolve(run) });
  }

  /**
   * The latest operation on a call, running or ended, or nothing where none is known (Temporal keeps ended ones for the
   * namespace's retention time). `status` is answered by a worker, so it is missing where none is there; `failure` says why
   * an ended one has no result.
   *
   * @throws {ModerationError} `InvalidRequest` if it is no ID of a call
   */
  async latest(
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
      return toRecord(await this.#runs.client.workflow.getHandle(workflowIdOf(callId)).describe());
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
    for await (const info of listedRuns(this.#runs.client, toQuery(filter, this.#taskQueue))) {
      const record = toRecord(info);
      if (record !== undefined) yield record;
    }
  }

  async #moderate(
    action: Action,
    input: ModerationRequest,
    { onConflict = 'supersede' }: ConflictOptions,
  ): Promise<OperationHandle> {
    const checked = checkRequest(input, action);
    if (!checked.ok) throw invalid(checked.faults);
    const { request } = checked;
    const { callId } = request;
    const run = await this.#starter.start(action, request, onConflict);
    return new OperationHandle({ callId, workflowId: workflowIdOf(callId), action, run });
  }
}
