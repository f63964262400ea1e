import { ActivityFailure, isCancellation, setHandler, workflowInfo } from '@temporalio/workflow';
import type { OperationOrder, OperationOutcome, OperationReading, OperationStart } from '../../activities/types.ts';
import { DEFAULT_CONFIRM_WITHIN_SECONDS } from '../../contract/request.ts';
import type { Priority } from '../../contract/priority.ts';
import { toOperationEnded } from '../../contract/signals.ts';
import { operationReads, operationStarts } from '../activity-proxies.ts';
import { waitFor } from '../call/attempt.ts';
import { delayOf } from '../call/polling.ts';
import { operationEndedSignal } from '../messages.ts';

/**
 * Operations that a workflow orders: how it starts them, and waits until they end.
 *
 *     starting ──▶ running ─────────────▶ an outcome
 *      ▲   │  └──▶ superseding ──▶ running
 *      │   └─────▶ busy ──┐ ▲
 *      └──────────────────┘ └── an unmute was superseded by a mute, which may fail
 *        that one has ended
 *
 * starting     The activity `startOperation` starts, joins or supersedes; or finds an operation that must end first (busy).
 * running, superseding, busy
 *              The run of an operation is waited for. Its end is signalled (`operationEnded`), and the run is then read. A
 *              signal may be lost, so the run is also read at growing intervals, which signals do not put off.
 *
 * **The run decides.** The signal is only a reason to read it. It is not forgotten until a read shows the end: a run closes a moment
 * after its signal, and a read may fail, so until then the run is read at short intervals, which grow.
 * **Every wait has a deadline.** An operation that stands still has the outcome `NotEnded`.
 * **A cancellation sends nothing later.** Nothing goes on detached: a cancelled wait throws, and an attempt to start that is
 * under way is waited for and not retried.
 * **What is waited for is plain data**, so that it can be carried over continue-as-new.
 * **The activity that starts an operation has the operation's priority**, and gives it on. That is the workflow's own, unless
 * `priorityOf` says otherwise.
 */

/** How urgent an order is; what it leaves out is as the workflow itself has it. */
export type PriorityOfOrder = (order: OperationOrder) => Priority;

export interface PendingOperation {
  order: OperationOrder;
  startId: string;
  /** When the operation was wished for, in ms since the epoch. */
  wishedAt: number;
  /** When the wait ends, in ms since the epoch. */
  until: number;
  at: 'starting' | 'running' | 'superseding' | 'busy';
  /** The run that is waited for; empty while starting. */
  runId: string;
  attached: boolean;
  /** An attempt to start it had no answer, and may have started it all the same. */
  isRetry: boolean;
  /** Reads, or failed starts, since the last step forward. */
  round: number;
  /** When it is read, or started, next, in ms since the epoch: however often the wait is interrupted, and goes on. */
  nextAt: number;
  /** The run has announced its end. */
  isEnding?: boolean;
}

/** Before a run is read that has not signalled its end, as one that was terminated. The last one repeats. */
const READ_DELAYS_MS = [10_000, 20_000, 30_000, 60_000] as const;

/** The same, of a run that has announced its end and did not show it at once. */
const ENDING_DELAYS_MS = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000] as const;

/** Before an order is given again that Temporal did not take. The last one repeats. */
const START_DELAYS_MS = [1_000, 2_000, 5_000, 10_000] as const;

/**
 * Beside its time for the confirmation: an operation reads for up to a minute, asks for up to 70 s, and restores for up to
 * 140 s; one before it may take as long.
 */
const WAIT_MS = 10 * 60_000;

/** Ends that were signalled before the start was recorded. */
const MAX_REMEMBERED_ENDS = 1_000;

export class Operations {
  readonly #ended = new Set<string>();
  readonly #priorityOf: PriorityOfOrder;
  #orders = 0;

  constructor(priorityOf: PriorityOfOrder = () => ({})) {
    this.#priorityOf = priorityOf;
    setHandler(
      operationEndedSignal,
      (payload: unknown) => {
        const ended = toOperationEnded(payload);
        if (ended !== undefined && this.#ended.size < MAX_REMEMBERED_ENDS) this.#ended.add(ended.runId);
      },
      { description: 'An operation that this workflow waits for has ended (sent by that operation)' },
    );
  }

  /** A name that this run gives to nothing else. */
  nextId(): string {
    this.#orders += 1;
    return `${workflowInfo().runId}/${this.#orders}`;
  }

  /** A new order. `wishedAt` says when it was wished for, if that was before now. */
  order(order: OperationOrder, wishedAt = Date.now()): PendingOperation {
    const confirmMs = (order.request.confirmWithinSeconds ?? DEFAULT_CONFIRM_WITHIN_SECONDS) * 1_000;
    return {
      order,
      startId: this.nextId(),
      wishedAt,
      until: Date.now() + WAIT_MS + confirmMs,
      at: 'starting',
      runId: '',
      attached: false,
      isRetry: false,
      round: 0,
      nextAt: Date.now(),
    };
  }

  /** Gives an order and waits for its outcome. A cancellation of the scope is thrown, and leaves the operation to itself. */
  async run(order: OperationOrder, wishedAt?: number): Promise<OperationOutcome> {
    const outcome = await this.settle(this.order(order, wishedAt), () => false);
    return outcome ?? notEnded(order);
  }

  /**
   * Waits for the outcome, and takes note in `pending` of how far it is.
   *
   * @returns `undefined` if `isInterrupted` became true before; the wait can then go on, also in another run
   */
  async settle(pending: PendingOperation, isInterrupted: () => boolean): Promise<OperationOutcome | undefined> {
    while (Date.now() < pending.until) {
      const outcome =
        pending.at === 'starting'
          ? await this.#start(pending, isInterrupted)
          : await this.#read(pending, isInterrupted);
      if (outcome !== undefined) return outcome;
      this.#hear(pending);
      if (isInterrupted()) return undefined;
    }
    return notEnded(pending.order);
  }

  /** Takes down that the run has announced its end, so that it is read at once, also by the run that continues this one. */
  #hear(pending: PendingOperation): void {
    if (this.#ended.delete(pending.runId)) Object.assign(pending, { isEnding: true, round: 0, nextAt: Date.now() });
  }

  async #start(pending: PendingOperation, isInterrupted: () => boolean): Promise<OperationOutcome | undefined> {
    const { order, startId, wishedAt, isRetry } = pending;
    await waitFor(isInterrupted, pending.nextAt - Date.now(), 'Wait before the next attempt to start');
    if (isInterrupted()) return undefined;
    // In full, because an activity that is dispatched eagerly does not learn what it has inherited.
    const priority = { ...workflowInfo().priority, ...this.#priorityOf(order) };
    const started = await start({ ...order, startId, wishedAt, isRetry }, priority);
    if (started === undefined) {
      pending.isRetry = true;
      putOff(pending, START_DELAYS_MS);
      return undefined;
    }
    if (started.kind === 'ended') return started.outcome;
    stepTo(pending, started.kind, started.runId, started.kind === 'running' && started.attached);
    return undefined;
  }

  async #read(pending: PendingOperation, isInterrupted: () => boolean): Promise<OperationOutcome | undefined> {
    const { order, startId, runId, at, attached } = pending;
    const left = Math.min(pending.nextAt, pending.until) - Date.now();
    await waitFor(() => this.#ended.has(runId) || isInterrupted(), left, waitSummary(pending));
    this.#hear(pending);
    if (isInterrupted() && Date.now() < pending.nextAt) return undefined;
    const isEnding = pending.isEnding === true;
    putOff(pending, isEnding ? ENDING_DELAYS_MS : READ_DELAYS_MS);
    const { action } = order;
    const { callId } = order.request;
    const reading = await read({
      callId,
      action,
      startId,
      runId,
      as: at === 'starting' ? 'busy' : at,
      attached,
      isEnding,
    });
    if (reading === undefined || reading.kind === 'running') return undefined;
    if (reading.kind === 'ended') return reading.outcome;
    if (reading.kind === 'free') stepTo(pending, 'starting', '', false);
    else stepTo(pending, reading.as, reading.runId, reading.attached);
    return undefined;
  }
}

/** A step forward. */
function stepTo(pending: PendingOperation, at: PendingOperation['at'], runId: string, attached: boolean): void {
  Object.assign(pending, { at, runId, attached, round: 0, nextAt: Date.now(), isEnding: false });
  if (at !== 'starting') putOff(pending, READ_DELAYS_MS);
}

function putOff(pending: PendingOperation, delays: readonly number[]): void {
  pending.nextAt = Date.now() + delayOf(delays, pending.round);
  pending.round += 1;
}

/** `undefined` if Temporal did not take it in time. */
async function start(
  order: Parameters<typeof operationStarts.startOperation>[0],
  priority: Priority,
): Promise<OperationStart | undefined> {
  const summary = `${order.action === 'mute' ? 'Mute' : 'Unmute'} call ${order.request.callId}`;
  return await orUndefined(operationStarts.startOperation.executeWithOptions({ summary, priority }, [order]));
}

async function read(target: Parameters<typeof operationReads.readOperation>[0]): Promise<OperationReading | undefined> {
  const summary = `Read the operation on call ${target.callId}`;
  return await orUndefined(operationReads.readOperation.executeWithOptions({ summary }, [target]));
}

async function orUndefined<T>(activity: Promise<T>): Promise<T | undefined> {
  try {
    return await activity;
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    return undefined;
  }
}

function waitSummary({ at, order: { request } }: PendingOperation): string {
  return at === 'running'
    ? `Wait for the operation on call ${request.callId}`
    : `Wait for the operation before, on call ${request.callId}`;
}

function notEnded({ action, request: { callId } }: OperationOrder): OperationOutcome {
  const message = `The ${action} of call ${callId} did not end in time, and may still take effect. Look at workflow call-moderation/${callId} in Temporal: it stands still, or waits for another operation that does.`;
  return { outcome: 'NotEnded', message, details: { callId } };
}
