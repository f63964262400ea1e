import { CancellationScope, CancelledFailure, getExternalWorkflowHandle } from '@temporalio/workflow';
import type { OperationOutcome } from '../activities/types.ts';
import { workflowIdOf } from '../contract/call-id.ts';
import { CANCELLED } from '../contract/failure.ts';
import { readNexusOrder, type ReadOrder } from '../contract/nexus-order.ts';
import type { ModerationResult, ParticipantsMuteResult } from '../contract/operation.ts';
import { invalidRequest } from './lib/failures.ts';
import { Operations, type PendingOperation } from './orders/ordered-operations.ts';
import { closing } from './lib/own-run.ts';

/**
 * The workflow behind a Nexus operation that mutes or unmutes. It orders the operation on the call as policies do
 * (`ordered-operations.ts`), so the rules for conflicts are the same, and closes with its result or its failure. It
 * stands between the Nexus caller and the operation because the operation's run may continue as another caller's, or
 * belong to several callers.
 *
 * - **A cancellation does what `cancel()` of the client's handle does.** It depends on the state:
 *     - starting, or waiting for another operation to end: nothing more is started.
 *     - superseding: that cannot be recalled. Our operation is cancelled once it has its run.
 *     - running, and started by this order: the operation is cancelled and its outcome is waited for, because it
 *       restores the call.
 *     - running, and attached to: the operation continues without this caller.
 * - **A start without an answer is looked for.** It may have started a run. After a cancellation one more attempt finds
 *   that run, and starts none, because the order's time is over by then.
 * - **The outcome decides.** A cancellation that came too late returns the result, and a restore that failed is
 *   `RestoreFailed`.
 */
export async function nexusOrder(input: unknown): Promise<ModerationResult | ParticipantsMuteResult> {
  const operations = new Operations();
  const read = readNexusOrder(input);
  if ('refusal' in read) throw closing(read.refusal);
  if ('issues' in read) throw closing(invalidRequest(read.issues));
  return await new NexusOrdering(operations, read.order).result();
}

class NexusOrdering {
  readonly #operations: Operations;
  readonly #pending: PendingOperation;
  #isCancelled = false;
  /** The run that was asked to cancel. */
  #cancelledRunId = '';

  constructor(operations: Operations, order: ReadOrder) {
    this.#operations = operations;
    this.#pending = operations.order(order);
  }

  async result(): Promise<ModerationResult | ParticipantsMuteResult> {
    CancellationScope.current().cancelRequested.catch(() => this.#cancel());
    const outcome = await CancellationScope.nonCancellable(() => this.#outcome());
    if (outcome.outcome === 'Confirmed') return outcome.result;
    const { outcome: type, message, details } = outcome;
    if (type === CANCELLED && this.#isCancelled) throw new CancelledFailure(message); // **The outcome decides.**
    throw closing({ type, message, details });
  }

  #cancel(): void {
    this.#isCancelled = true;
    const { order } = this.#pending;
    // **A start without an answer is looked for.**
    this.#pending.order = { ...order, notAfter: new Date().toISOString() };
  }

  async #outcome(): Promise<OperationOutcome> {
    const pending = this.#pending;
    for (;;) {
      const outcome = await this.#operations.settle(pending, () => this.#isToAct());
      if (outcome !== undefined) return outcome;
      if (pending.at !== 'running' || pending.attached) return this.#letGo();
      this.#cancelledRunId = pending.runId;
      const { callId } = pending.order.request;
      const isAsked = await getExternalWorkflowHandle(workflowIdOf(callId), pending.runId)
        .cancel()
        .then(
          () => true,
          () => false,
        );
      // It has just ended or continued as another run, as a read shows.
      if (!isAsked) pending.nextAt = Date.now();
    }
  }

  /** Whether the cancellation has something to do. */
  #isToAct(): boolean {
    const { at, isRetry, runId } = this.#pending;
    if (!this.#isCancelled) return false;
    if (at === 'starting') return !isRetry; // **A start without an answer is looked for.**
    return at === 'busy' || (at === 'running' && runId !== this.#cancelledRunId);
  }

  #letGo(): OperationOutcome {
    const { at, order } = this.#pending;
    const { callId } = order.request;
    const message =
      at === 'running'
        ? `This caller no longer waits for the operation on call ${callId}, to which it was attached. The operation continues.`
        : `The ${order.action} of call ${callId} was cancelled before it began.`;
    return { outcome: CANCELLED, message, details: { callId } };
  }
}
