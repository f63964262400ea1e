import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
  type WorkflowStartOptions,
} from '@temporalio/client';
import { keyword } from '../../contract/attributes.ts';
import { canonicalId, workflowIdOf as operationIdOf } from '../../contract/call-id.ts';
import { quote } from '../../contract/list-filter.ts';
import type { OfCall, StandingMuteDefinition, StandingMuteTerms } from '../../contract/standing-mute.ts';
import { PENDING, POLICY_MEMO, SEARCH_ATTRIBUTE } from '../../contract/names.ts';
import { standingPriority } from '../../contract/priority.ts';
import { wishedAtOf } from '../../contract/wish.ts';
import { invalid, ModerationError } from '../errors.ts';
import { StandingMuteHandle } from './standing-mute-handle.ts';
import { listedRuns } from '../listed-runs.ts';
import { orNotSetUp } from '../not-set-up.ts';
import { requireOwnDeployment } from '../own-deployment.ts';
import { andTenant } from '../operations/records.ts';
import type { Runs } from '../operations/runs.ts';
import { sameStart } from '../operations/start-id.ts';

/** What to do if one is already running on the call: give it the new terms, or throw `OperationInProgress`. */
export type OnStandingConflict = 'extend' | 'reject';

/** Of a start on behalf of a policy. */
export interface StartMarks {
  /** The ID of a start that may be repeated: the same run, running or ended (as in `starter.ts`). */
  startId: string;
  /** Stands in the run's memo, also when it continues as new. */
  policyId: string;
}

/** Starts a workflow. Whoever waits for its end in another way than by the handle starts it in a way of their own. */
export type StartWorkflow = (workflowType: string, options: WorkflowStartOptions) => Promise<WorkflowHandle>;

/** A release or an extension does not wait for longer to learn what it is newer than. */
const SEE_WITHIN_MS = 1_000;

/** Maximum number in a row that end just when they are extended. */
const MAX_STARTS = 10;

/**
 * Starts standing mutes of one kind, and finds running ones. At most one runs on a call, which Temporal enforces by
 * the workflow ID. One of another deployment is never extended or handed out (`own-deployment.ts`).
 */
export class StandingMutes<Request extends OfCall & StandingMuteTerms, Terms extends object, Status, Result> {
  readonly #runs: Runs;
  readonly #taskQueue: string;
  readonly #kind: StandingMuteDefinition<Request, Terms>;
  readonly #startAs: StartWorkflow | undefined;

  /** `startAs` is for a start that also attaches its caller to the run, so it is called for one that runs already, too. */
  constructor(runs: Runs, taskQueue: string, kind: StandingMuteDefinition<Request, Terms>, startAs?: StartWorkflow) {
    this.#runs = runs;
    this.#taskQueue = taskQueue;
    this.#kind = kind;
    this.#startAs = startAs;
  }

  /** If one is already running on the call, it gets these terms, or, with `reject`, the start throws. */
  async start(
    input: Request,
    onConflict: OnStandingConflict,
    marks?: StartMarks,
  ): Promise<StandingMuteHandle<Terms, Status, Result>> {
    const checked = this.#kind.check(input);
    if (!checked.ok) throw invalid(checked.issues);
    const { request } = checked;
    if (request.until !== undefined && Date.parse(request.until) <= Date.now()) {
      throw invalid([`until ${request.until} has passed; name a time to come`]);
    }
    for (let starts = 1; starts <= MAX_STARTS; starts += 1) {
      const started = await this.#startNew(request, marks);
      if (started !== undefined) return started;
      const running = await this.running(request.callId);
      if (onConflict === 'reject') break;
      if (running !== undefined && (await isTaken(running.extend(this.#termsOf(request))))) {
        // One that has ended since then is started anew with the same terms.
        return this.#startAs === undefined
          ? running
          : ((await this.#startNew(request, marks, 'USE_EXISTING')) ?? running);
      }
    }
    const { callId } = request;
    const message = `A ${this.#kind.name} is already active on call ${callId}. Release it, or update its terms.`;
    throw new ModerationError('OperationInProgress', message, { callId });
  }

  /**
   * The one that runs on a call, if one does.
   *
   * @throws {ModerationError} `OtherDeployment` if it belongs to another task queue
   */
  async running(callId: string): Promise<StandingMuteHandle<Terms, Status, Result> | undefined> {
    try {
      const described = await this.#runs.client.workflow.getHandle(this.#kind.workflowIdOf(callId)).describe();
      if (described.closeTime !== undefined) return undefined;
      requireOwnDeployment(described, this.#taskQueue, callId);
      return this.#last(canonicalId(callId));
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  /** The last one of a call, running or ended. Asks nothing of Temporal. */
  last(callId: string): StandingMuteHandle<Terms, Status, Result> {
    return this.#last(canonicalId(callId));
  }

  /** The list filter for those that run, of one tenant or of all. */
  queryOf(tenantId?: string): string {
    const { workflowType } = this.#kind;
    return `WorkflowType = '${workflowType}' AND ExecutionStatus = 'Running' AND TaskQueue = ${quote(this.#taskQueue)}${andTenant(tenantId)}`;
  }

  /** The calls where one runs that a policy has started, as Temporal's lists show them. */
  async *callsOfPolicy(policyId: string): AsyncIterable<string> {
    for await (const { callId, memo } of this.#listed()) if (memo?.[POLICY_MEMO] === policyId) yield callId;
  }

  #termsOf(request: Request): Terms {
    const given = this.#kind.terms.filter((field) => request[field] !== undefined);
    return Object.fromEntries(given.map((field) => [field, request[field]])) as Terms;
  }

  async *#listed(): AsyncIterable<{ callId: string; memo: Record<string, unknown> | undefined }> {
    const { workflowIdOf } = this.#kind;
    const query = this.queryOf();
    for await (const { typedSearchAttributes, workflowId, memo } of listedRuns(this.#runs.client, query)) {
      const callId = typedSearchAttributes.get({ name: SEARCH_ATTRIBUTE.callId, type: 'KEYWORD' });
      if (callId !== undefined && workflowIdOf(callId) === workflowId) yield { callId, memo };
    }
  }

  async #startNew(
    request: Request,
    marks: StartMarks | undefined,
    workflowIdConflictPolicy: 'FAIL' | 'USE_EXISTING' = 'FAIL',
  ): Promise<StandingMuteHandle<Terms, Status, Result> | undefined> {
    const { workflowType, workflowIdOf, summaryOf } = this.#kind;
    const { callId, tenantId } = request;
    const { client } = this.#runs;
    const start = this.#startAs ?? (async (type, options) => await client.workflow.start(type, options));
    try {
      const handle = await start(workflowType, {
        workflowId: workflowIdOf(callId),
        workflowIdConflictPolicy,
        taskQueue: this.#taskQueue,
        args: [request],
        priority: standingPriority(tenantId),
        typedSearchAttributes: [
          keyword(SEARCH_ATTRIBUTE.callId, callId),
          keyword(SEARCH_ATTRIBUTE.outcome, PENDING),
          ...(tenantId === undefined ? [] : [keyword(SEARCH_ATTRIBUTE.tenantId, tenantId)]),
        ],
        staticSummary: summaryOf(request),
        ...(marks !== undefined && { memo: { [POLICY_MEMO]: marks.policyId }, ...sameStart(marks.startId) }),
      });
      return this.#handle(callId, handle, false);
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
      throw orNotSetUp(error, client);
    }
  }

  #last(callId: string): StandingMuteHandle<Terms, Status, Result> {
    return this.#handle(callId, this.#runs.client.workflow.getHandle(this.#kind.workflowIdOf(callId)), true);
  }

  #handle(callId: string, handle: WorkflowHandle, attached: boolean): StandingMuteHandle<Terms, Status, Result> {
    return new StandingMuteHandle({ callId, handle, wish: async () => await this.#wish(callId) }, attached, this.#kind);
  }

  /**
   * The time of a wish now: at least the clock's time, and newer than the newest operation on the call, because the
   * clock may be slow.
   */
  async #wish(callId: string): Promise<number> {
    const { client } = this.#runs;
    const described = client.withDeadline(
      Date.now() + SEE_WITHIN_MS,
      async () => await client.workflow.getHandle(operationIdOf(callId)).describe(),
    );
    const seen = await described.then(wishedAtOf, () => 0);
    return Math.max(Date.now(), seen);
  }
}

/** Whether the receiver of a signal was still running. */
export async function isTaken(signalled: Promise<void>): Promise<boolean> {
  try {
    await signalled;
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
