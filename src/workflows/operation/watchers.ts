import { getExternalWorkflowHandle } from '@temporalio/workflow';
import type { OperationEnded } from '../../contract/signals.ts';
import { operationEndedSignal } from '../messages.ts';

/** More than this are not kept: a workflow that waits also reads the run by itself. */
const MAX_WATCHERS = 32;

/**
 * The workflows that get a signal when an operation ends: policies, mute locks, mutes on entry and active calls. The
 * signal only wakes them; they read the outcome from the run.
 */
export class Watchers {
  readonly #waiting = new Set<string>();

  add(workflowId: string | undefined): void {
    if (workflowId !== undefined && this.#waiting.size < MAX_WATCHERS) this.#waiting.add(workflowId);
  }

  get waiting(): readonly string[] {
    return [...this.#waiting];
  }

  /** Signals everyone who waits, also those who are added meanwhile. */
  async notify(runId: string): Promise<void> {
    while (this.#waiting.size > 0) {
      const workflowIds = [...this.#waiting];
      this.#waiting.clear();
      await Promise.all(workflowIds.map(async (workflowId) => await signalEnd(workflowId, { runId })));
    }
  }
}

/** A workflow that has ended meanwhile needs no signal. */
async function signalEnd(workflowId: string, ended: OperationEnded): Promise<void> {
  await getExternalWorkflowHandle(workflowId)
    .signal(operationEndedSignal, ended)
    .catch(() => undefined);
}
