import { CANCELLED } from '../contract/failure.ts';
import type { CallEnd, Successor } from '../contract/signals.ts';
import { callEnded, type Failure } from './failures.ts';

/** What the saga's steps throw where they cannot go on: a failure, or that another operation takes over. */
export class Stop {
  readonly reason: Failure | 'Superseded';

  constructor(reason: Failure | 'Superseded') {
    this.reason = reason;
  }
}

/**
 * What stops a saga from outside, at any moment: a successor takes over, the call ends, the run is cancelled. They only
 * take note here; the saga looks where it can stop. Where several come together, the first in this order counts: a
 * successor finds out by itself that its call has ended, and what would have been undone is now its own to set.
 */
export class Interruptions {
  readonly #callId: string;
  #successor: Successor | undefined;
  #callEnd: CallEnd | undefined;
  readonly #requestIds = new Set<string>();
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

  /** Nothing of this operation is left to do, not even to put the call back. */
  get isFinal(): boolean {
    return this.#successor !== undefined || this.#callEnd !== undefined;
  }

  /** The latest successor wins: its starter has asked last. One that repeats its `requestId` has asked before. */
  supersede(successor: Successor): void {
    const { requestId } = successor.request;
    if (requestId !== undefined && this.#requestIds.has(requestId)) return;
    if (requestId !== undefined) this.#requestIds.add(requestId);
    this.#successor = successor;
  }

  endCall(end: CallEnd): void {
    this.#callEnd ??= end;
  }

  cancel(): void {
    this.#isCancelled = true;
  }

  throwIfFinal(): void {
    if (this.#successor !== undefined) throw new Stop('Superseded');
    if (this.#callEnd !== undefined) throw new Stop(callEnded(this.#callId, this.#callEnd));
  }

  throwIfAny(): void {
    this.throwIfFinal();
    if (!this.#isCancelled) return;
    const message = `The operation on call ${this.#callId} was cancelled.`;
    throw new Stop({ type: CANCELLED, message, details: { callId: this.#callId } });
  }
}
