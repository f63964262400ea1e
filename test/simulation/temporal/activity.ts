import { noopLogger } from './logger.ts';
import { ActivityCancellationDetails, noopMetricMeter } from '@temporalio/common';
import { defaultDataConverter } from './converter.ts';
import type { coresdk } from '@temporalio/proto';
import { Activity as SdkActivity } from '@temporalio/worker/lib/activity.js';
import { scopes, type Owner, type Timer } from '../clock.ts';
import { cancelled } from './instance.ts';
import { type Failure, type Payload, type Run } from './run.ts';
import type { Server } from './server.ts';
import type { Worker } from './worker.ts';

/**
 * One activity of a run, as the server keeps it, and each attempt at it, as a worker runs it: the SDK's own `Activity`
 * around the activity's own code.
 *
 * - **A failed attempt is retried.** An attempt that fails is tried again after the retry policy's interval, or after
 *   what the failure itself says, unless it is not retryable, was asked to be cancelled, or the next one would begin
 *   after schedule-to-close.
 * - **An attempt has a limit.** An attempt is given up at start-to-close, or when it has not beaten for the heartbeat
 *   timeout. What it does from then on it still does, unless its worker has died, but nobody hears its result.
 * - **A cancellation comes with a heartbeat.** A cancellation reaches an attempt with the answer to a heartbeat, and
 *   no other way. One between two attempts, or not begun, is cancelled at once.
 * - **Heartbeats are throttled.** Beats go to the server at most every 0.8 of the heartbeat timeout, the latest of
 *   them.
 * - **A lost attempt keeps its effect.** The effect of an attempt whose worker died stays, and its result is lost:
 *   the next attempt comes when its limit is over.
 */
type Schedule = coresdk.workflow_commands.IScheduleActivity;

interface Attempt {
  worker: Worker;
  owner: Owner;
  sdk: SdkActivity;
  isOver: boolean;
}

const TIMEOUT = { startToClose: 1, scheduleToClose: 3, heartbeat: 4 } as const;

export class Activity {
  readonly run: Run;
  readonly seq: number;
  readonly type: string;
  attempt = 1;
  readonly #server: Server;
  readonly #schedule: Schedule;
  readonly #scheduledAt: number;
  readonly #deadline: number;
  readonly #overall: Timer | undefined;
  #isOver = false;
  #isCancelRequested = false;
  #current: Attempt | undefined;
  #timers: Timer[] = [];
  #heartbeatTimer: Timer | undefined;
  #heartbeatDetails: unknown;
  #lastHeartbeat: readonly Payload[] = [];
  #lastFailure: Failure | undefined;

  constructor(server: Server, run: Run, schedule: Schedule) {
    this.#server = server;
    this.run = run;
    this.seq = schedule.seq ?? 0;
    this.type = schedule.activityType ?? '';
    this.#schedule = schedule;
    this.#scheduledAt = server.clock.now;
    const limit = msOf(schedule.scheduleToCloseTimeout);
    this.#deadline = limit === undefined ? Infinity : this.#scheduledAt + limit;
    if (limit !== undefined) {
      this.#overall = server.after(limit, () => this.#timeOut(TIMEOUT.scheduleToClose, 'ScheduleToClose'));
    }
    run.count(1, schedule.arguments ?? []);
    this.#offer(server.random.latency(4));
  }

  get isPending(): boolean {
    return !this.#isOver;
  }

  /** The run has ended, or needs it no more. An attempt that runs hears of it with its next beat (**A cancellation comes with a heartbeat**). */
  forget(): void {
    this.#isOver = true;
    this.#overall?.cancel();
    this.#stopTimers();
  }

  /** **A cancellation comes with a heartbeat**. */
  requestCancel(): void {
    if (this.#isOver) return;
    this.#isCancelRequested = true;
    this.run.count(1);
    if (this.#current === undefined) {
      const failure = cancelled({ activityId: String(this.seq), activityType: this.type });
      this.#resolve({ cancelled: { failure } });
    }
  }

  #offer(ms: number): void {
    const { taskQueue = '' } = this.#schedule;
    this.#timers.push(
      this.#server.after(ms, () => {
        const queue = this.#server.queue(taskQueue ?? '');
        queue.offer('activity', (worker) => {
          if (!this.#isOver && this.#current === undefined) this.#start(worker);
        });
      }),
    );
  }

  #start(worker: Worker): void {
    const { clock } = this.#server;
    const owner: Owner = {
      name: `${worker.name} ${this.type}`,
      get isDead() {
        return worker.isDead;
      },
    };
    worker.running += 1;
    const startToClose = msOf(this.#schedule.startToCloseTimeout) ?? Infinity;
    const heartbeatTimeoutMs = msOf(this.#schedule.heartbeatTimeout);
    const { workflowId, type: workflowType, taskQueue } = this.run.start;
    const info = {
      taskToken: Buffer.from(`${this.run.runId}/${this.seq}/${this.attempt}`),
      base64TaskToken: `${this.run.runId}/${this.seq}/${this.attempt}`,
      activityId: String(this.seq),
      activityType: this.type,
      activityNamespace: this.#server.namespace,
      namespace: this.#server.namespace,
      workflowNamespace: this.#server.namespace,
      attempt: this.attempt,
      isLocal: false,
      inWorkflow: true,
      workflowExecution: { workflowId, runId: this.run.runId },
      workflowType,
      scheduledTimestampMs: this.#scheduledAt,
      scheduleToCloseTimeoutMs: this.#deadline - this.#scheduledAt,
      startToCloseTimeoutMs: startToClose,
      currentAttemptScheduledTimestampMs: clock.now,
      ...(heartbeatTimeoutMs !== undefined && { heartbeatTimeoutMs }),
      heartbeatDetails: this.#heartbeatDetails,
      taskQueue,
    };
    const beats = new Beats(this.#server, owner, heartbeatTimeoutMs, (details) => this.#beat(attempt, details));
    const { activities, client } = this.#server.equipmentOf(worker);
    const sdk = new SdkActivity(
      info,
      activities[this.type] as never,
      defaultDataConverter,
      { type: 'activity', namespace: this.#server.namespace } as never,
      undefined,
      (details) => beats.beat(details),
      client,
      noopLogger,
      noopMetricMeter,
      [],
    );
    const attempt: Attempt = { worker, owner, sdk, isOver: false };
    this.#current = attempt;
    if (startToClose !== Infinity) {
      this.#timers.push(
        this.#server.after(startToClose, () => this.#attemptTimedOut(attempt, TIMEOUT.startToClose, 'StartToClose')),
      );
    }
    this.#watchBeats(attempt, heartbeatTimeoutMs);
    const args = (this.#schedule.arguments ?? []).map((payload) =>
      defaultDataConverter.payloadConverter.fromPayload(payload),
    );
    const done = scopes.run({ owner }, async () => await sdk.run({ args, headers: {} }));
    const report = async (): Promise<void> => {
      const result = await done;
      attempt.isOver = true;
      beats.stop();
      worker.running -= 1;
      if (worker.isDead) return;
      clock.after(
        this.#server.random.latency(3),
        () => {
          this.#server.queue(taskQueue).poll();
          this.#server.whenUp(() => this.#ended(attempt, result));
        },
        owner,
      );
    };
    void report();
  }

  /**
   * A heartbeat that the activity waits for, unlike **Heartbeats are throttled**.
   *
   * @returns whether it is to be cancelled, or `undefined` if the attempt is not known any more
   */
  recordHeartbeat(attempt: number, details: readonly Payload[]): boolean | undefined {
    if (this.#isOver || this.#current === undefined || this.attempt !== attempt) return undefined;
    this.#lastHeartbeat = details;
    return this.#isCancelRequested;
  }

  #watchBeats(attempt: Attempt, timeout: number | undefined): void {
    this.#heartbeatTimer?.cancel();
    if (timeout === undefined) return;
    this.#heartbeatTimer = this.#server.after(timeout, () =>
      this.#attemptTimedOut(attempt, TIMEOUT.heartbeat, 'Heartbeat'),
    );
  }

  /** The server hears a beat; its answer may cancel the attempt (**A cancellation comes with a heartbeat**). */
  #beat(attempt: Attempt, details: unknown): void {
    const isKnown = !this.#isOver && this.#current === attempt;
    if (isKnown) {
      this.#heartbeatDetails = details;
      this.#watchBeats(attempt, msOf(this.#schedule.heartbeatTimeout));
    }
    if (isKnown && !this.#isCancelRequested) return;
    const reason = isKnown ? 'CANCELLED' : 'NOT_FOUND';
    const told = ActivityCancellationDetails.fromProto(isKnown ? { isCancelled: true } : { isNotFound: true });
    this.#server.clock.after(
      this.#server.random.latency(3),
      () => {
        if (!attempt.isOver) scopes.run({ owner: attempt.owner }, () => attempt.sdk.cancel(reason, told));
      },
      attempt.owner,
    );
  }

  #ended(attempt: Attempt, result: coresdk.activity_result.IActivityExecutionResult): void {
    if (this.#isOver || this.#current !== attempt) return; // **An attempt has a limit**
    this.#current = undefined;
    this.#stopTimers();
    if (result.completed) this.#resolve({ completed: { result: result.completed.result ?? null } }, payloadOf(result));
    else if (result.cancelled && this.#isCancelRequested) {
      const failure = cancelled({ activityId: String(this.seq), activityType: this.type });
      this.#resolve({ cancelled: { failure } });
    } else this.#failed(result.failed?.failure ?? result.cancelled?.failure ?? {});
  }

  /** **A failed attempt is retried**. */
  #failed(failure: Failure): void {
    const { applicationFailureInfo } = failure;
    this.#lastFailure = failure;
    const { retryPolicy } = this.#schedule;
    const initial = msOf(retryPolicy?.initialInterval) ?? 1_000;
    const most = msOf(retryPolicy?.maximumInterval) ?? initial * 100;
    const coefficient = retryPolicy?.backoffCoefficient ?? 2;
    const usual = Math.min(most, initial * coefficient ** (this.attempt - 1));
    const pause = msOf(applicationFailureInfo?.nextRetryDelay) ?? usual;
    const attempts = retryPolicy?.maximumAttempts ?? 0;
    const isFinal =
      applicationFailureInfo?.nonRetryable === true ||
      this.#isCancelRequested ||
      (attempts > 0 && this.attempt >= attempts) ||
      this.#server.clock.now + pause > this.#deadline;
    if (isFinal) return this.#resolve({ failed: { failure: this.#failureOf(failure) } });
    this.attempt += 1;
    this.#offer(pause + this.#server.random.latency(5));
  }

  /** **An attempt has a limit**. */
  #attemptTimedOut(attempt: Attempt, type: number, name: string): void {
    if (this.#isOver || this.#current !== attempt) return;
    this.#current = undefined;
    this.#stopTimers();
    const cause = this.#lastFailure;
    this.#failed({
      message: `activity ${name} timeout`,
      timeoutFailureInfo: { timeoutType: type, lastHeartbeatDetails: { payloads: [...this.#lastHeartbeat] } },
      ...(cause !== undefined && { cause }),
    });
  }

  #timeOut(type: number, name: string): void {
    if (this.#isOver) return;
    this.#stopTimers();
    const cause = this.#lastFailure;
    const failure = {
      message: `activity ${name} timeout`,
      timeoutFailureInfo: { timeoutType: type, lastHeartbeatDetails: { payloads: [...this.#lastHeartbeat] } },
      ...(cause !== undefined && { cause }),
    };
    this.#resolve({ failed: { failure: this.#failureOf(failure) } });
  }

  #failureOf(cause: Failure): Failure {
    return {
      message: 'Activity task failed',
      cause,
      activityFailureInfo: { activityId: String(this.seq), activityType: { name: this.type }, retryState: 1 },
    };
  }

  #resolve(result: coresdk.activity_result.IActivityResolution, payloads: readonly Payload[] = []): void {
    this.forget();
    this.run.activities.delete(this.seq);
    this.run.count(2, payloads);
    this.#server.happened(this.run, { variant: 'resolveActivity', resolveActivity: { seq: this.seq, result } });
  }

  #stopTimers(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel();
    this.#heartbeatTimer?.cancel();
  }
}

/** **Heartbeats are throttled**. */
class Beats {
  readonly #server: Server;
  readonly #owner: Owner;
  readonly #every: number;
  readonly #send: (details: unknown) => void;
  #isHeldBack = false;
  #latest: { details: unknown } | undefined;
  #timer: Timer | undefined;

  constructor(server: Server, owner: Owner, timeout: number | undefined, send: (details: unknown) => void) {
    this.#server = server;
    this.#owner = owner;
    this.#every = Math.min((timeout ?? 75_000) * 0.8, 60_000);
    this.#send = send;
  }

  beat(details: unknown): void {
    if (this.#isHeldBack) {
      this.#latest = { details };
      return;
    }
    this.#isHeldBack = true;
    const { clock, random } = this.#server;
    clock.after(random.latency(3), () => this.#server.whenUp(() => this.#send(details)), this.#owner);
    this.#timer = clock.after(
      this.#every,
      () => {
        this.#isHeldBack = false;
        const latest = this.#latest;
        this.#latest = undefined;
        if (latest !== undefined) this.beat(latest.details);
      },
      this.#owner,
    );
  }

  stop(): void {
    this.#timer?.cancel();
  }
}

function payloadOf({ completed }: coresdk.activity_result.IActivityExecutionResult): Payload[] {
  return completed?.result ? [completed.result] : [];
}

interface Duration {
  seconds?: { toNumber(): number } | null;
  nanos?: number | null;
}

export function msOf(duration: Duration | null | undefined): number | undefined {
  if (duration === undefined || duration === null) return undefined;
  const ms = (duration.seconds?.toNumber() ?? 0) * 1_000 + (duration.nanos ?? 0) / 1e6;
  return ms === 0 ? undefined : ms;
}
