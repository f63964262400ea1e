import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { invalid, isOutcome, ModerationError } from '../client/errors.ts';
import { toOwnError } from '../client/any-error.ts';
import { ModerationClient } from '../client/moderation-client.ts';
import { Runs } from '../client/operations/runs.ts';
import { Starter } from '../client/operations/starter.ts';
import type { Admit } from '../client/operations/workflow-input.ts';
import type { KnownOperation } from '../client/operations/known-operation.ts';
import { liveWorkflowIdOf, sameId } from '../contract/call-id.ts';
import { DEFAULT_TASK_QUEUE, SEARCH_ATTRIBUTE, type Action } from '../contract/names.ts';
import type { ModerationResult, ParticipantsMuteResult } from '../contract/operation.ts';
import { checkRequest } from '../contract/request.ts';
import { canonicalTenantId } from '../contract/tenant.ts';
import type { Caller } from './callers.ts';
import { failureOf, participantFailureOf, type Failure } from './failure.ts';
import { operationIdOf, runIdOf } from './operation-id.ts';
import { LATE, within } from './within.ts';

/**
 * Operations for callers over HTTP:
 *
 *     asked ──▶ started ──outcome in time──▶ completed, or failed
 *                  └─────── no outcome in time ──▶ running; asked for again by its ID ──▶ running, completed or failed
 *
 * 1. The operation belongs to Temporal. That a caller goes away, or this process, changes nothing about it.
 * 2. A caller acts in the tenant of its token, as with Graph. To callers of other tenants a call or an operation does not
 *    exist, so that none can attach to an operation of another tenant, supersede it, or read it.
 * 3. Which operation goes on, attaches or takes over is decided by the client's starter, as for everybody else.
 */

/** How long an operation may take until it has begun: it may wait for another one on the call. In ms. */
const BEGUN_WITHIN_MS = 20_000;

export interface Asked {
  action: Action;
  callId: string;
  /** Whom to mute in place of the application. */
  participantId?: string | undefined;
  clientContext?: string | undefined;
  /** The same ID is the same operation. */
  requestId?: string | undefined;
  caller: Caller | undefined;
  waitMs: number;
}

export interface Answered {
  id: string;
  action: Action;
  clientContext: string | undefined;
  state: 'running' | 'completed' | Failure;
}

export interface GatewayOptions {
  client: Client;
  taskQueue?: string | undefined;
  /** The tenant of operations that name none. */
  homeTenant?: string | undefined;
}

export class Gateway {
  readonly #runs: Runs;
  readonly #taskQueue: string;
  readonly #moderation: ModerationClient;
  readonly #homeTenant: string | undefined;
  readonly #draining = new AbortController();

  constructor({ client, taskQueue = DEFAULT_TASK_QUEUE, homeTenant }: GatewayOptions) {
    this.#runs = new Runs(client);
    this.#taskQueue = taskQueue;
    this.#moderation = new ModerationClient({ client, taskQueue });
    this.#homeTenant = homeTenant;
  }

  /** Everybody who waits for an outcome is answered now, that the operation runs. */
  stopWaiting(): void {
    this.#draining.abort();
  }

  /** Starts, attaches to or takes over an operation, and waits for its outcome. What is no operation is a `Failure`. */
  async moderate(asked: Asked): Promise<Answered | Failure> {
    const { action, callId, participantId, clientContext, waitMs } = asked;
    const deadline = Date.now() + waitMs;
    const begun = await ownErrors(`Asking to ${action} call ${callId}`, callId, () => this.#begin(asked));
    if (begun instanceof ModerationError) return failureOf(begun);
    if (begun === LATE) return failureOf(notBegun(callId));
    const { handle, runId } = begun;
    const outcome = await ownErrors(
      `Waiting for the operation on call ${callId}`,
      callId,
      async () => await within(Math.max(deadline - Date.now(), 0), this.#draining.signal, handle.result()),
    );
    const shown = { id: operationIdOf(callId, runId), action, clientContext };
    // That Temporal does not answer while we wait is no outcome: the operation runs.
    const isUnknown =
      outcome === LATE || (outcome instanceof ModerationError && outcome.type === 'TemporalUnavailable');
    if (isUnknown) return { ...shown, state: 'running' };
    if (outcome instanceof ModerationError) return failureOf(outcome);
    return { ...shown, state: stateOf(outcome, participantId) };
  }

  /** An operation by its ID, or nothing if there is none for this caller. */
  async find(callId: string, operationId: string, caller: Caller | undefined): Promise<Answered | Failure | undefined> {
    const runId = runIdOf(callId, operationId);
    if (runId === undefined) return undefined;
    const known = await ownErrors(`Reading the operation on call ${callId}`, callId, () =>
      this.#moderation.getOperation({ callId, runId }),
    );
    if (known instanceof ModerationError) return failureOf(known);
    if (known === undefined || !this.#isOf(caller, known.record.tenantId)) return undefined;
    const { record, request } = known;
    return {
      id: operationId,
      action: record.action,
      clientContext: request?.clientContext,
      state: knownStateOf(known),
    };
  }

  async #begin(asked: Asked) {
    const { action, callId, participantId, clientContext, requestId, caller } = asked;
    await this.#requireOwnCall(callId, caller);
    const checked = checkRequest(
      {
        callId,
        ...(clientContext !== undefined && { clientContext }),
        ...(requestId !== undefined && { requestId }),
        ...(caller !== undefined && { tenantId: caller.tenantId, requestedBy: caller.applicationId }),
        ...(participantId !== undefined && { target: { participantIds: [participantId] } }),
      },
      action,
    );
    if (!checked.ok) throw invalid(checked.issues);
    const { request } = checked;
    // **A caller acts in the tenant of its token.**
    const admit: Admit = (running) => {
      if (caller === undefined || (running !== undefined && this.#isOf(caller, running.tenantId))) return;
      throw notFound(callId);
    };
    const starter = new Starter(this.#runs, this.#taskQueue, { admit });
    const start = async () => {
      const { runId } = await (await starter.start(action, request, 'supersede'))();
      return { handle: this.#moderation.getHandle({ callId, action, runId }), runId };
    };
    return await within(BEGUN_WITHIN_MS, new AbortController().signal, start());
  }

  /** The live call knows its tenant, if a notification named it. */
  async #requireOwnCall(callId: string, caller: Caller | undefined): Promise<void> {
    if (caller === undefined) return;
    try {
      const { typedSearchAttributes } = await this.#runs.client.workflow.getHandle(liveWorkflowIdOf(callId)).describe();
      const tenantId = typedSearchAttributes.get({ name: SEARCH_ATTRIBUTE.tenantId, type: 'KEYWORD' });
      if (tenantId !== undefined && !this.#isOf(caller, tenantId)) throw notFound(callId);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }

  #isOf(caller: Caller | undefined, tenantId = this.#homeTenant): boolean {
    if (caller === undefined) return true;
    return tenantId !== undefined && canonicalTenantId(tenantId) === canonicalTenantId(caller.tenantId);
  }
}

function knownStateOf({ record, request, result, failure }: KnownOperation): Answered['state'] {
  if (failure !== undefined) return failureOf(failure);
  if (record.closedAt === undefined || result === undefined) return 'running';
  const target = request?.target;
  const isOne = typeof target === 'object' && 'participantIds' in target && target.participantIds.length === 1;
  return stateOf(result, isOne ? target.participantIds[0] : undefined);
}

function stateOf(
  result: ModerationResult | ParticipantsMuteResult,
  participantId: string | undefined,
): 'completed' | Failure {
  if (participantId === undefined || !('participants' in result)) return 'completed';
  const own = result.participants.find((one) => sameId(one.participantId, participantId));
  return (own && participantFailureOf(own)) ?? 'completed';
}

async function ownErrors<T>(doing: string, callId: string, work: () => Promise<T>): Promise<T | ModerationError> {
  try {
    return await work();
  } catch (error) {
    // A deployment that is not set up is the operator's to hear of, in the log.
    const own = toOwnError(error, doing, callId);
    if (!isOutcome(own)) throw own;
    return own;
  }
}

function notBegun(callId: string): ModerationError {
  const message = `The operation on call ${callId} has not begun yet: another one runs on the call, or Temporal does not answer. Ask again.`;
  return new ModerationError('NotEnded', message, { callId });
}

function notFound(callId: string): ModerationError {
  const message = `Call ${callId} was not found in the tenant of this token. Check the ID of the call, and which tenant it is in.`;
  return new ModerationError('CallNotFound', message, { callId });
}
