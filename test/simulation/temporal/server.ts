import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { STANDING_MUTE_SIGNAL } from '../../../src/contract/names.ts';
import { scopes, type Clock, type Timer } from '../clock.ts';
import type { Random } from '../random.ts';
import { Activity, msOf } from './activity.ts';
import { grpcError, GRPC } from './grpc.ts';
import { Instance, signatureOf, TaskFailure, type Command, type Facts, type Job } from './instance.ts';
import { Run, sizeOf, STATUS, toTimestamp, type Failure, type Fields, type Payload, type Start } from './run.ts';
import { Schedules } from './schedules.ts';
import { Visibility } from './visibility.ts';
import { TaskQueue, type Worker } from './worker.ts';

/**
 * A Temporal server, as much of it as the service relies on. The rules, with where they come from:
 *
 * - **One open run of a workflow ID.** One open run a workflow ID. A start that names a `requestId` which the newest
 *   run of the ID was started with is given that run, open or closed (history service, `StartWorkflowExecution`).
 * - **One workflow task at a time.** A run has one workflow task at a time. What happens meanwhile is kept, and comes
 *   with the next one. A task that closes the run while something is kept is refused (`UnhandledCommand`): it is done
 *   again, from the history, with all that has come. So no run closes over a signal that it has not seen.
 * - **A lost task is replayed.** A workflow task that a worker does not answer in 10 s goes to another one, which
 *   replays the history. A run whose worker died is replayed likewise, and must ask for the same again.
 * - **A failed task changes nothing.** A task that fails is tried again, and changes nothing: the run stands still.
 * - **Timers fire late.** A timer fires late by what the seed says, now and then by a second. Nothing fires while the
 *   server is down, all of it afterwards.
 * - **A run has limits.** A run ends by the server's hand with 51,200 events or 50 MB, and takes 10,000 signals at
 *   most, of 2 MB at most (`limit.historyCount.error`, `limit.historySize.error`,
 *   `history.maximumSignalsPerExecution`, `limit.blobSize.error`).
 * - **Lists lag.** Whoever asks for a run by its ID is told the truth; lists lag (`visibility.ts`).
 */
const MAX_EVENTS = 51_200;
const MAX_BYTES = 50 * 1024 * 1024;
const MAX_SIGNALS = 10_000;
const MAX_BLOB = 2 * 1024 * 1024;
const TASK_MS = 10_000;

/** What a worker has beside the workflows. */
export interface Equipment {
  activities: Readonly<Record<string, unknown>>;
  client: Client;
}

export class Server {
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace = 'default';
  readonly visibility: Visibility;
  readonly schedules: Schedules;
  readonly runs: Run[] = [];
  /** What should never happen, whatever the scenario: tasks that fail, and histories that do not replay. */
  readonly findings: string[] = [];
  /** Until when it is down; 0 while it is up. */
  downUntil = 0;
  /** Until then a client's request takes up to so long, each way. */
  slowUntil = 0;
  slowMs = 0;
  readonly #current = new Map<string, Run>();
  readonly #queues = new Map<string, TaskQueue>();
  readonly #equipment = new Map<Worker, Equipment>();
  #starts = 0;

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.random = random;
    this.visibility = new Visibility(this);
    this.schedules = new Schedules(this);
  }

  /** **Timers fire late**. */
  after(ms: number, work: () => void): Timer {
    let timer: Timer;
    const attempt = (): void => {
      const { now } = this.clock;
      if (now < this.downUntil) timer = this.clock.after(this.downUntil - now + this.random.int(0, 500), attempt);
      else work();
    };
    timer = this.clock.after(ms, attempt);
    return { cancel: () => timer.cancel() };
  }

  /** How long a client's request travels, one way. */
  travel(): number {
    return this.clock.now < this.slowUntil ? this.random.int(1, this.slowMs) : this.random.latency(3);
  }

  /** Now, or as soon as it is up again. */
  whenUp(work: () => void): void {
    if (this.clock.now < this.downUntil) this.after(0, work);
    else work();
  }

  queue(name: string): TaskQueue {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = new TaskQueue(this);
      this.#queues.set(name, queue);
    }
    return queue;
  }

  equip(worker: Worker, equipment: Equipment): void {
    this.#equipment.set(worker, equipment);
  }

  equipmentOf(worker: Worker): Equipment {
    const equipment = this.#equipment.get(worker);
    if (equipment === undefined) throw new Error(`worker ${worker.name} has no activities`);
    return equipment;
  }

  // runs

  /** **One open run of a workflow ID**. @throws where one runs already */
  start(start: Start): Run {
    const current = this.#current.get(start.workflowId);
    if (current !== undefined && start.requestId !== undefined && current.start.requestId === start.requestId) {
      return current;
    }
    if (current?.isOpen === true) {
      throw grpcError(GRPC.alreadyExists, 'Workflow execution is already running.');
    }
    return this.#begin(start);
  }

  #begin(start: Start): Run {
    this.#starts += 1;
    const { clock } = this;
    const runId = `run-${String(this.#starts).padStart(6, '0')}`;
    const run = new Run(start, runId, clock.now, this.#starts);
    this.runs.push(run);
    this.#current.set(start.workflowId, run);
    this.visibility.changed(run);
    this.happened(run, {
      variant: 'initializeWorkflow',
      initializeWorkflow: {
        workflowId: start.workflowId,
        workflowType: start.type,
        arguments: start.input,
        headers: start.headers,
        // As they are now, for a replay begins with them.
        memo: { fields: { ...run.memo } },
        searchAttributes: { indexedFields: { ...run.attributes } },
      },
    });
    return run;
  }

  /** The run that is named, or the newest one of the ID. @throws where there is none */
  find(workflowId: string, runId?: string | null): Run {
    const run = runId ? this.runs.find((one) => one.runId === runId) : this.#current.get(workflowId);
    if (run === undefined || run.start.workflowId !== workflowId) {
      throw grpcError(GRPC.notFound, `workflow not found for ID: ${workflowId}`);
    }
    return run;
  }

  #open(workflowId: string, runId?: string | null): Run {
    const run = this.find(workflowId, runId);
    if (!run.isOpen) throw grpcError(GRPC.notFound, 'workflow execution already completed');
    return run;
  }

  signal(workflowId: string, runId: string | null | undefined, name: string, input: Payload[], headers: Fields): void {
    const run = this.#open(workflowId, runId);
    // **A run has limits**
    if (sizeOf(input) > MAX_BLOB) throw grpcError(GRPC.invalidArgument, 'Blob data size exceeds limit.');
    if (run.signals >= MAX_SIGNALS) {
      run.overLimit = 'It takes no more signals.';
      throw grpcError(GRPC.invalidArgument, 'exceeded workflow execution limit for signal events');
    }
    run.signals += 1;
    run.signalNames.push(name);
    if (name === STANDING_MUTE_SIGNAL.release) run.releasedAt ??= this.clock.now;
    if (name === STANDING_MUTE_SIGNAL.extend) run.releasedAt = undefined;
    run.count(1, input);
    const signalWorkflow = { signalName: name, input, headers };
    this.happened(run, { variant: 'signalWorkflow', signalWorkflow });
  }

  cancel(workflowId: string, runId?: string | null): void {
    const run = this.#open(workflowId, runId);
    if (run.isCancelRequested) return;
    run.isCancelRequested = true;
    run.cancelRequestedAt = this.clock.now;
    run.count(1);
    this.happened(run, { variant: 'cancelWorkflow', cancelWorkflow: {} });
  }

  terminate(workflowId: string, runId: string | null | undefined, reason: string): void {
    const run = this.#open(workflowId, runId);
    this.#close(run, STATUS.terminated, { workflowExecutionTerminatedEventAttributes: { reason } });
  }

  /** An event that the workflow is to hear of. */
  happened(run: Run, job: Job): void {
    if (!run.isOpen) return;
    run.pending.push(job);
    if (!this.#isOverLimit(run)) this.#schedule(run);
  }

  /** **A run has limits**. */
  #isOverLimit(run: Run): boolean {
    if (run.events < MAX_EVENTS && run.bytes < MAX_BYTES) return false;
    const reason =
      run.events >= MAX_EVENTS ? 'Workflow history count exceeds limit.' : 'Workflow history size exceeds limit.';
    run.overLimit = reason;
    this.#close(run, STATUS.terminated, { workflowExecutionTerminatedEventAttributes: { reason } });
    return true;
  }

  // workflow tasks

  /** **One workflow task at a time**. */
  #schedule(run: Run, ms = this.random.latency(4)): void {
    if (run.task !== undefined || run.pending.length === 0 || !run.isOpen) return;
    const task = { state: 'scheduled' as const, jobs: [] as Job[] };
    run.task = task;
    run.count(1);
    const begin = (worker: Worker): void => {
      if (run.isOpen && run.task === task) this.#startTask(run, worker);
    };
    this.after(ms, () => this.queue(run.start.taskQueue).offer('workflow', begin));
  }

  #startTask(run: Run, worker: Worker): void {
    const { clock, random } = this;
    const jobs = run.pending.splice(0);
    const task: NonNullable<Run['task']> = { state: 'started', jobs };
    run.task = task;
    run.count(1);
    // **A lost task is replayed**
    task.timeout = this.after(TASK_MS, () => {
      if (run.task === task) this.#again(run, task);
    });
    const facts = { time: clock.now, historyLength: run.events, historySize: run.bytes, isReplaying: false };
    let commands: Command[];
    try {
      const instance = this.#instanceOf(run, worker, facts);
      commands = instance.run(jobs, facts);
    } catch (error) {
      run.cached = undefined;
      if (!(error instanceof TaskFailure)) throw error;
      return this.#taskFailed(run, task, error.message);
    }
    clock.after(random.latency(3), () => this.whenUp(() => this.#taskDone(run, task, facts, commands)), worker);
  }

  /** **A failed task changes nothing**. */
  #taskFailed(run: Run, task: NonNullable<Run['task']>, message: string): void {
    task.timeout?.cancel();
    run.taskFailures += 1;
    if (run.taskFailures === 1)
      this.findings.push(`(t) ${run.start.workflowId} ${run.runId}: a workflow task failed: ${message.slice(0, 600)}`);
    run.pending = [...task.jobs, ...run.pending];
    run.task = undefined;
    this.#schedule(run, Math.min(600_000, 1_000 * 2 ** run.taskFailures));
  }

  #again(run: Run, task: NonNullable<Run['task']>): void {
    task.timeout?.cancel();
    run.pending = [...task.jobs, ...run.pending];
    run.task = undefined;
    run.cached = undefined;
    this.#schedule(run);
  }

  #instanceOf(run: Run, worker: Worker, facts: Facts): Instance {
    const { cached } = run;
    if (cached !== undefined && !cached.worker.isDead) return cached.instance;
    const instance = this.#replayed(run, facts);
    run.cached = { instance, worker };
    return instance;
  }

  /** **A lost task is replayed**. */
  #replayed(run: Run, facts: Facts): Instance {
    const { workflowId, type, taskQueue, continuedFrom } = run.start;
    const identity = {
      workflowId,
      runId: run.runId,
      workflowType: type,
      taskQueue,
      namespace: this.namespace,
      firstExecutionRunId: run.firstRunId,
      continuedFromExecutionRunId: continuedFrom?.runId,
      startTime: run.startedAt,
    };
    const [first] = run.done;
    const instance = new Instance(this.clock, identity, first === undefined ? facts : { ...first, isReplaying: true });
    for (const { jobs, commands, ...past } of run.done) {
      const told = signatureOf(instance.run(jobs, { ...past, isReplaying: true }));
      const expected = signatureOf(commands);
      if (told !== expected) {
        const what = `replayed as [${told}], recorded as [${expected}]`;
        throw new TaskFailure(`nondeterminism: ${what}`);
      }
    }
    return instance;
  }

  #taskDone(run: Run, task: NonNullable<Run['task']>, facts: Facts, commands: Command[]): void {
    if (run.task !== task || !run.isOpen) return;
    task.timeout?.cancel();
    const isClosing = commands.some(isClosingCommand);
    if (isClosing && run.pending.length > 0) {
      run.count(1);
      return this.#again(run, task); // **One workflow task at a time**
    }
    run.task = undefined;
    run.done.push({
      time: facts.time,
      historyLength: facts.historyLength,
      historySize: facts.historySize,
      jobs: task.jobs,
      commands,
    });
    run.count(1);
    for (const command of commands) this.#obey(run, command);
    this.#schedule(run);
  }

  #obey(run: Run, command: Command): void {
    if (command.startTimer)
      this.#startTimer(run, command.startTimer.seq ?? 0, msOf(command.startTimer.startToFireTimeout) ?? 0);
    else if (command.cancelTimer) this.#cancelTimer(run, command.cancelTimer.seq ?? 0);
    else if (command.scheduleActivity) {
      const activity = new Activity(this, run, command.scheduleActivity);
      run.activities.set(activity.seq, activity);
      const [order] = command.scheduleActivity.arguments ?? [];
      if (activity.type === 'startOperation' && order) run.ordered.push({ at: this.clock.now, order });
    } else if (command.requestCancelActivity)
      run.activities.get(command.requestCancelActivity.seq ?? 0)?.requestCancel();
    else if (command.upsertWorkflowSearchAttributes) {
      Object.assign(run.attributes, command.upsertWorkflowSearchAttributes.searchAttributes?.indexedFields);
      run.count(1, Object.values(command.upsertWorkflowSearchAttributes.searchAttributes?.indexedFields ?? {}));
      this.visibility.changed(run);
    } else if (command.modifyWorkflowProperties) {
      Object.assign(run.memo, command.modifyWorkflowProperties.upsertedMemo?.fields);
      run.count(1);
      this.visibility.changed(run);
    } else if (command.signalExternalWorkflowExecution)
      this.#signalExternal(run, command.signalExternalWorkflowExecution);
    else if (command.requestCancelExternalWorkflowExecution)
      this.#cancelExternal(run, command.requestCancelExternalWorkflowExecution);
    else if (command.completeWorkflowExecution) {
      const { result } = command.completeWorkflowExecution;
      const attributes = { result: { payloads: result ? [result] : [] } };
      this.#close(run, STATUS.completed, { workflowExecutionCompletedEventAttributes: attributes });
    } else if (command.failWorkflowExecution) {
      const failure: Failure = command.failWorkflowExecution.failure ?? {};
      this.#close(run, STATUS.failed, { workflowExecutionFailedEventAttributes: { failure, retryState: 5 } });
    } else if (command.cancelWorkflowExecution) {
      this.#close(run, STATUS.cancelled, { workflowExecutionCanceledEventAttributes: {} });
    } else if (command.continueAsNewWorkflowExecution) this.#continueAsNew(run, command.continueAsNewWorkflowExecution);
    else if (!command.setPatchMarker) throw new Error(`not simulated: ${Object.keys(command).join(' ')}`);
  }

  #startTimer(run: Run, seq: number, ms: number): void {
    run.count(1);
    const late = this.random.chance(0.02) ? this.random.int(0, 1_000) : this.random.int(0, 20); // **Timers fire late**
    const timer = this.after(ms + late, () => {
      run.timers.delete(seq);
      run.count(1);
      this.happened(run, { variant: 'fireTimer', fireTimer: { seq } });
    });
    run.timers.set(seq, timer);
  }

  #cancelTimer(run: Run, seq: number): void {
    run.count(1);
    run.timers.get(seq)?.cancel();
    run.timers.delete(seq);
    run.pending = run.pending.filter(({ fireTimer }) => fireTimer?.seq !== seq);
  }

  /** A signal between workflows: the sender hears whether there was somebody to take it. */
  #signalExternal(run: Run, command: NonNullable<Command['signalExternalWorkflowExecution']>): void {
    const { seq, workflowExecution, signalName, args, headers } = command;
    run.count(1, args ?? []);
    this.after(this.random.latency(6), () => {
      let failure: Failure | undefined;
      try {
        const { workflowId, runId } = workflowExecution ?? {};
        this.signal(workflowId ?? '', runId, signalName ?? '', args ?? [], headers ?? {});
      } catch (error) {
        failure = notDelivered(error);
      }
      run.count(1);
      this.happened(run, {
        variant: 'resolveSignalExternalWorkflow',
        resolveSignalExternalWorkflow: { seq: seq ?? 0, ...(failure !== undefined && { failure }) },
      });
    });
  }

  #cancelExternal(run: Run, command: NonNullable<Command['requestCancelExternalWorkflowExecution']>): void {
    const { seq, workflowExecution } = command;
    run.count(1);
    this.after(this.random.latency(6), () => {
      let failure: Failure | undefined;
      try {
        this.cancel(workflowExecution?.workflowId ?? '', workflowExecution?.runId);
      } catch (error) {
        failure = notDelivered(error);
      }
      run.count(1);
      this.happened(run, {
        variant: 'resolveRequestCancelExternalWorkflow',
        resolveRequestCancelExternalWorkflow: { seq: seq ?? 0, ...(failure !== undefined && { failure }) },
      });
    });
  }

  #continueAsNew(run: Run, command: NonNullable<Command['continueAsNewWorkflowExecution']>): void {
    const { workflowId, type, taskQueue } = run.start;
    const memo = command.memo ?? {};
    const attributes = command.searchAttributes?.indexedFields ?? {};
    const start: Start = {
      workflowId,
      type: command.workflowType || type,
      taskQueue: command.taskQueue || taskQueue,
      input: command.arguments ?? [],
      // What is not given is carried over.
      memo: Object.keys(memo).length > 0 ? memo : run.memo,
      attributes: Object.keys(attributes).length > 0 ? attributes : run.attributes,
      headers: command.headers ?? {},
      continuedFrom: run,
    };
    const close = (next: Run): void =>
      this.#close(run, STATUS.continued, {
        workflowExecutionContinuedAsNewEventAttributes: { newExecutionRunId: next.runId },
      });
    const next = this.#begin(start);
    run.next = next;
    close(next);
  }

  #close(run: Run, status: number, attributes: temporal.api.history.v1.IHistoryEvent): void {
    run.status = status;
    run.closedAt = this.clock.now;
    run.closeEvent = { eventTime: toTimestamp(run.closedAt), ...attributes };
    run.count(1);
    run.task?.timeout?.cancel();
    run.task = undefined;
    for (const timer of run.timers.values()) timer.cancel();
    run.timers.clear();
    for (const activity of run.activities.values()) activity.forget();
    run.activities.clear();
    this.visibility.changed(run);
    for (const heard of run.onClose.splice(0)) heard();
    this.schedules.closed(run);
  }

  // queries

  /** Answered by a worker, once the run has no task under way. */
  query(
    run: Run,
    name: string,
    args: unknown,
    answer: (result: Payload | Failure | undefined, isFailure: boolean) => void,
  ): void {
    const attempt = (): void => {
      this.queue(run.start.taskQueue).offer('workflow', (worker) => {
        if (run.isOpen && (run.task !== undefined || run.done.length === 0)) {
          this.clock.after(20, attempt);
          return;
        }
        const facts = { time: this.clock.now, historyLength: run.events, historySize: run.bytes, isReplaying: true };
        try {
          const { succeeded, failed } = this.#instanceOf(run, worker, facts).query(name, args, facts.time);
          if (failed) answer(failed, true);
          else answer(succeeded?.response ?? undefined, false);
        } catch (error) {
          if (!(error instanceof TaskFailure)) throw error;
          answer({ message: error.message }, true);
        }
      });
    };
    scopes.exit(() => attempt());
  }
}

function isClosingCommand(command: Command): boolean {
  return Boolean(
    command.completeWorkflowExecution ??
    command.failWorkflowExecution ??
    command.cancelWorkflowExecution ??
    command.continueAsNewWorkflowExecution,
  );
}

function notDelivered(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  return {
    message: `Unable to signal external workflow because it was not found: ${message}`,
    applicationFailureInfo: { type: 'ExternalWorkflowExecutionNotFound', nonRetryable: true },
  };
}
