import { TypedSearchAttributes } from '@temporalio/common';
import type { coresdk } from '@temporalio/proto';
import { Activator } from '@temporalio/workflow/lib/internals.js';
import { activate, concludeActivation, tryUnblockConditions } from '@temporalio/workflow/lib/worker-interface.js';
import { setActivator } from '@temporalio/workflow/lib/global-attributes.js';
import type { WorkflowInfo } from '@temporalio/workflow';
import * as workflows from '../../../src/workflows/index.ts';
import { payloadConverter } from '../../../src/workflows/runtime/payload-converter.ts';
import { interceptors } from '../../../src/workflows/runtime/trace.ts';
import type { Clock } from '../clock.ts';

/**
 * One run of a workflow in a worker's memory: the SDK's own `Activator`, with the workflows as they are shipped, driven as
 * Temporal's Core drives it. Nothing of the SDK is copied here, so its semantics are exact; what is done by hand is what
 * `vm-shared.ts` of the worker and Core do around it:
 *
 * - **One activation a workflow task.** The jobs of one workflow task come in one activation: the start first, then
 *   signals, then all others, each kind in the order of the history (Core sorts them so; SDK flag
 *   `ProcessWorkflowActivationJobsAsSingleBatch`).
 * - **A cancelled activity is resolved at once.** An activity that is cancelled with TRY_CANCEL or ABANDON is
 *   resolved as cancelled at once, in another activation of the same workflow task. So is one that was not sent to
 *   the server yet, whatever its kind. With WAIT_CANCELLATION_COMPLETED its own end resolves it.
 * - **A timer cancelled at once never existed.** A timer that is started and cancelled in one task never reaches the
 *   server.
 * - **The activator is a global while its run is active.** The sandbox is the process itself, so the activator is a
 *   global only while its run is active. All that the workflow does happens then: whatever it waits for is resolved
 *   by a job.
 */

export type Job = { variant: string } & coresdk.workflow_activation.IWorkflowActivationJob;
export type Command = coresdk.workflow_commands.IWorkflowCommand;

/** What a workflow task tells of the run beside its jobs. */
export interface Facts {
  time: number;
  historyLength: number;
  historySize: number;
  isReplaying: boolean;
}

export interface Identity {
  workflowId: string;
  runId: string;
  workflowType: string;
  taskQueue: string;
  namespace: string;
  firstExecutionRunId: string;
  continuedFromExecutionRunId: string | undefined;
  startTime: number;
}

/** Temporal's server: `limit.historyCount.suggestContinueAsNew` and `limit.historySize.suggestContinueAsNew`. */
const SUGGEST_EVENTS = 4_096;
const SUGGEST_BYTES = 4 * 1024 * 1024;

const registry: Readonly<Record<string, unknown>> = workflows;

const TRY_CANCEL = 0;
const ABANDON = 2;

interface KnownActivity {
  activityId: string;
  activityType: string;
  cancellation: number;
  isSent: boolean;
}

/** What fails a workflow task. */
export class TaskFailure extends Error {}

export class Instance {
  readonly #activator: Activator;
  readonly #clock: Clock;
  /** Those that are not resolved. */
  readonly #activities = new Map<number, KnownActivity>();
  isCompleted = false;

  constructor(clock: Clock, identity: Identity, facts: Facts) {
    this.#clock = clock;
    const date = new Date(identity.startTime);
    const info = {
      ...identity,
      searchAttributes: {},
      typedSearchAttributes: new TypedSearchAttributes(),
      originalExecutionRunId: identity.runId,
      startTime: date,
      runStartTime: date,
      taskTimeoutMs: 10_000,
      attempt: 1,
      historyLength: facts.historyLength,
      historySize: 0,
      continueAsNewSuggested: false,
      targetWorkerDeploymentVersionChanged: false,
      unsafe: { now: () => clock.now, isReplaying: facts.isReplaying, isReplayingHistoryEvents: false },
    } as unknown as WorkflowInfo;
    this.#activator = new Activator({
      info,
      now: facts.time,
      randomnessSeed: [...Buffer.from(identity.runId)],
      showStackTraceSources: false,
      stackTracesEnabled: false,
      sourceMap: undefined as never,
      registeredActivityNames: new Set(),
      getTimeOfDay: () => 0n,
    });
    this.#activator.payloadConverter = payloadConverter;
    this.#activator.addKnownFlags([1, 2]);
    const { inbound = [], outbound = [] } = interceptors();
    this.#activator.interceptors.inbound.push(...inbound);
    this.#activator.interceptors.outbound.push(...outbound);
    const workflow = registry[identity.workflowType];
    if (typeof workflow !== 'function') throw new TaskFailure(`no workflow of type ${identity.workflowType}`);
    this.#activator.workflow = workflow as () => Promise<unknown>;
    const { workflowDefinitionOptions } = workflow as { workflowDefinitionOptions?: () => object };
    if (typeof workflowDefinitionOptions === 'function') {
      this.#activator.workflowDefinitionOptionsGetter = workflowDefinitionOptions;
    }
  }

  /** One workflow task. @throws {TaskFailure} */
  run(jobs: readonly Job[], facts: Facts): Command[] {
    const { time, historyLength, historySize, isReplaying } = facts;
    const activator = this.#activator;
    activator.now = time;
    activator.mutateWorkflowInfo((info) => ({
      ...info,
      historyLength,
      historySize,
      continueAsNewSuggested: historyLength > SUGGEST_EVENTS || historySize > SUGGEST_BYTES,
      unsafe: { ...info.unsafe, isReplaying, isReplayingHistoryEvents: isReplaying },
    }));
    const commands: Command[] = [];
    let next = sorted(jobs).filter((job) => this.#isNews(job));
    while (next.length > 0 && !this.isCompleted) {
      const batch = this.#activate(next, time);
      next = this.#settle(batch, commands); // **A cancelled activity is resolved at once**
      activator.getAndResetSinkCalls();
    }
    for (const { scheduleActivity } of commands) {
      const activity = scheduleActivity && this.#activities.get(scheduleActivity.seq ?? 0);
      if (activity) activity.isSent = true;
    }
    return commands;
  }

  /** Answers a query, as a workflow task of its own that leaves nothing. */
  query(name: string, args: unknown, time: number): coresdk.workflow_commands.IQueryResult {
    this.#activator.now = time;
    const queryWorkflow = { queryId: 'q', queryType: name, arguments: args as never, headers: {} };
    const [command] = this.#activate([{ variant: 'queryWorkflow', queryWorkflow }], time);
    this.#activator.getAndResetSinkCalls();
    return command?.respondToQuery ?? {};
  }

  /** **The activator is a global while its run is active**. */
  #activate(jobs: Job[], time: number): Command[] {
    setActivator(this.#activator);
    try {
      const init = jobs.find((job) => job.initializeWorkflow)?.initializeWorkflow;
      if (init) this.#activator.initializeWorkflow(init);
      activate({ jobs: [...jobs], timestamp: { nanos: time % 1_000 } });
      for (;;) {
        this.#clock.drain();
        if (tryUnblockConditions() === 0) break;
      }
      this.#clock.drain();
      const commands = concludeActivation().successful?.commands ?? [];
      this.isCompleted = this.#activator.completed;
      return commands;
    } catch (error) {
      throw new TaskFailure(error instanceof Error ? (error.stack ?? error.message) : String(error));
    } finally {
      setActivator(undefined);
    }
  }

  /** What is resolved already is no news: its end comes too late. */
  #isNews(job: Job): boolean {
    const seq = job.resolveActivity?.seq;
    if (seq === undefined || seq === null) return true;
    return this.#activities.delete(seq);
  }

  /** Adds what the server is to hear of; gives the jobs that follow at once. */
  #settle(batch: readonly Command[], commands: Command[]): Job[] {
    const jobs: Job[] = [];
    for (const command of batch) {
      const { scheduleActivity, requestCancelActivity, cancelTimer } = command;
      if (scheduleActivity) {
        this.#activities.set(scheduleActivity.seq ?? 0, {
          activityId: scheduleActivity.activityId ?? '',
          activityType: scheduleActivity.activityType ?? '',
          cancellation: scheduleActivity.cancellationType ?? TRY_CANCEL,
          isSent: false,
        });
        commands.push(command);
      } else if (requestCancelActivity) {
        jobs.push(...this.#cancelActivity(command, requestCancelActivity.seq ?? 0, commands));
      } else if (cancelTimer) {
        const started = commands.findIndex(({ startTimer }) => startTimer?.seq === cancelTimer.seq);
        if (started >= 0) commands.splice(started, 1); // **A timer cancelled at once never existed**
        else commands.push(command);
      } else commands.push(command);
    }
    return jobs;
  }

  #cancelActivity(command: Command, seq: number, commands: Command[]): Job[] {
    const activity = this.#activities.get(seq);
    if (activity === undefined) return [];
    const scheduled = commands.findIndex(({ scheduleActivity }) => scheduleActivity?.seq === seq);
    const isSent = activity.isSent || scheduled < 0;
    if (!isSent) commands.splice(scheduled, 1);
    else if (activity.cancellation !== ABANDON) commands.push(command);
    if (isSent && activity.cancellation !== TRY_CANCEL && activity.cancellation !== ABANDON) return [];
    this.#activities.delete(seq);
    return [
      { variant: 'resolveActivity', resolveActivity: { seq, result: { cancelled: { failure: cancelled(activity) } } } },
    ];
  }
}

export function cancelled({ activityId, activityType }: { activityId: string; activityType: string }) {
  return {
    message: 'Activity cancelled',
    activityFailureInfo: { activityId, activityType: { name: activityType } },
    cause: { message: 'Cancelled', canceledFailureInfo: {} },
  };
}

/** **One activation a workflow task**. */
function sorted(jobs: readonly Job[]): Job[] {
  const rank = ({ variant }: Job): number =>
    variant === 'initializeWorkflow' ? 0 : variant === 'signalWorkflow' ? 1 : 2;
  return jobs.toSorted((a, b) => rank(a) - rank(b));
}

/** What two replays of one history must agree on. */
export function signatureOf(commands: readonly Command[]): string {
  return commands
    .map((command) => {
      const { startTimer, scheduleActivity } = command;
      if (scheduleActivity) return `activity ${scheduleActivity.seq} ${scheduleActivity.activityType}`;
      if (startTimer) return `timer ${startTimer.seq}`;
      return Object.keys(command).find((key) => key !== 'userMetadata' && key !== 'eventGroupMarkers') ?? '';
    })
    .join(', ');
}
