import { upsertMemo, workflowInfo } from '@temporalio/workflow';
import { CANCELLED } from '../../contract/failure.ts';
import { WISHED_AT_MEMO } from '../../contract/names.ts';
import type { CallEnd, Successor } from '../../contract/signals.ts';
import { wishedAtOf } from '../../contract/wish.ts';
import { OperationFailed } from '../call/attempt.ts';
import { callEnded, superseded, type Failure } from '../lib/failures.ts';
import { clampToNow } from '../lib/wish.ts';

/** Thrown by a step if another operation supersedes this one. Only callers that wait for this one see its failure. */
export class Superseded {
  readonly failure: Failure;

  constructor(callId: string) {
    this.failure = superseded(callId);
  }
}

/**
 * The events that stop an operation at any moment: a successor, the end of the call, a cancellation. They are only
 * noted here; the operation checks where it can stop. If there are several, the first in this order counts: a
 * successor finds out by itself that its call has ended, and decides the state that would have been restored.
 */
export class Interruptions {
  readonly #callId: string;
  #successor: Successor | undefined;
  #callEnd: CallEnd | undefined;
  /** Of successors that were signalled, so that a signal which is sent again changes nothing. */
  readonly #known = new Set<string>();
  /** When this operation was wished for most recently. */
  #wishedAt = wishedAtOf(workflowInfo());
  #isCancelled = false;

  constructor(callId: string) {
    this.#callId = callId;
  }

  get successor(): Successor | undefined {
    return this.#successor;
  }

  get any(): boolean {
    return this.#isCancelled || this.isFinal;
  }

  /** Nothing is left to do, not even a restore. */
  get isFinal(): boolean {
    return this.#successor !== undefined || this.#callEnd !== undefined;
  }

  /**
   * The latest wish wins. A client's is newer than those that it supersedes, also if its clock says otherwise. An
   * order of a workflow may be a late or repeated one, and never overrides a newer wish for the opposite: of a
   * successor that was signalled before, or this operation itself. If it is declined, this operation continues to its
   * end, and the order is then decided again (`activities/operations.ts`). A signal that is sent again is recognized
   * by its `id`, or by the `requestId`.
   */
  supersede(successor: Successor): void {
    const names = [successor.id, successor.request.requestId].filter((name) => name !== undefined);
    const isRepeated = names.some((name) => this.#known.has(name));
    for (const name of names) this.#known.add(name);
    const isOrder = successor.watcher !== undefined;
    const atLeast = Math.max(this.#successor?.wishedAt ?? 0, this.#wishedAt);
    const wishedAt = clampToNow(Math.max(successor.wishedAt ?? Date.now(), isOrder ? 0 : atLeast));
    const newest = this.#successor?.wishedAt ?? (successor.action === workflowInfo().workflowType ? 0 : this.#wishedAt);
    const isOutdated = isOrder && wishedAt < newest;
    if (!isRepeated && !isOutdated) this.#successor = { ...successor, wishedAt };
  }

  /** Another request was attached to this operation, so it is wished for again. The run's memo records that. */
  wish(wishedAt: number): void {
    const latest = clampToNow(wishedAt);
    if (latest <= this.#wishedAt) return;
    this.#wishedAt = latest;
    upsertMemo({ [WISHED_AT_MEMO]: latest });
  }

  endCall(end: CallEnd): void {
    this.#callEnd ??= end;
  }

  cancel(): void {
    this.#isCancelled = true;
  }

  throwIfFinal(): void {
    if (this.#successor !== undefined) throw new Superseded(this.#callId);
    if (this.#callEnd !== undefined) throw new OperationFailed(callEnded(this.#callId, this.#callEnd));
  }

  throwIfAny(): void {
    this.throwIfFinal();
    if (!this.#isCancelled) return;
    const message = `The operation on call ${this.#callId} was cancelled.`;
    throw new OperationFailed({ type: CANCELLED, message, details: { callId: this.#callId } });
  }
}
