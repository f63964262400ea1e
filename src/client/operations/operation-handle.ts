import { WorkflowContinuedAsNewError, type WorkflowHandle } from '@temporalio/client';
import { CANCELLED } from '../../contract/failure.ts';
import { QUERY, type Action } from '../../contract/names.ts';
import type { ModerationResult, OperationStatus } from '../../contract/operation.ts';
import { readContinuation } from './continued.ts';
import { isOutcome, ModerationError } from '../errors.ts';
import { toModerationError } from './failed-operation.ts';
import { resultOf } from './run-result.ts';

/** The run of an operation in Temporal, and whether somebody else had started it. */
export interface Run {
  /** Temporal's handle of this run alone; it does not follow the runs that it continues as. */
  handle: WorkflowHandle;
  runId: string;
  /** Whether somebody else had started it, so that `cancel()` only stops waiting for it. */
  attached: boolean;
}

/** What an `OperationHandle` is made of. */
export interface Operation {
  callId: string;
  workflowId: string;
  action: Action;
  /** The run of a successor exists only once the superseded run has ended. */
  run: () => Promise<Run>;
}

/** The key to find an operation again that was started before. */
export interface StartedOperation {
  callId: string;
  action: Action;
  runId: string;
  /** Whether somebody else had started it, so that `cancel()` only stops waiting for it. */
  attached?: boolean;
}

/**
 * An operation that this call has started, or to which it is attached. `R` is its result: a `ModerationResult`, or a
 * `ParticipantsMuteResult` for a mute of others.
 *
 * @example
 * const operation = await moderation.mute({ callId });
 * const { phase } = await operation.status();
 * await operation.cancel(); // undoes what was sent
 */
export class OperationHandle<R = ModerationResult> {
  readonly callId: string;
  readonly workflowId: string;
  readonly action: Action;
  readonly #locate: () => Promise<Run>;
  readonly #letGo = new AbortController();
  #run: Promise<Run> | undefined;

  /** @internal */
  constructor({ callId, workflowId, action, run }: Operation) {
    this.callId = callId;
    this.workflowId = workflowId;
    this.action = action;
    this.#locate = run;
    // Looked for at once, whether or not anyone asks: a supersede that the running operation did not receive before
    // its end is started again (`starter.ts`).
    this.run().catch(() => undefined);
  }

  /**
   * Temporal's run. For an operation that supersedes another, it is known once that one has ended, which takes as
   * long as a request to Graph that is under way.
   *
   * @throws {ModerationError} `Superseded` if yet another operation was faster
   */
  async run(): Promise<Run> {
    const run = (this.#run ??= this.#locate());
    try {
      return await run;
    } catch (error) {
      // An outcome is final; a failed request to Temporal is not.
      if (!isOutcome(error) && this.#run === run) this.#run = undefined;
      throw error;
    }
  }

  /**
   * Waits until the roster has confirmed the operation. That takes as long as Graph and the roster do: by default at most
   * a minute for Graph to accept it, and 30 seconds (`confirmWithinSeconds`) for the roster to show it.
   *
   * @throws {ModerationError} with the type of the failure; see `ModerationErrorType`
   */
  async result(): Promise<R> {
    const { signal } = this.#letGo;
    const letGo = new Promise<never>((_, reject) => {
      const refuse = (): void => reject(letGoError(this.callId));
      if (signal.aborted) refuse();
      else signal.addEventListener('abort', refuse, { once: true });
    });
    return await Promise.race([this.#result(), letGo]);
  }

  async #result(): Promise<R> {
    let { handle } = await this.run();
    for (;;) {
      try {
        return (await resultOf(handle)) as R;
      } catch (error) {
        const next = error instanceof WorkflowContinuedAsNewError ? await readContinuation(handle) : undefined;
        if (next === undefined) throw await toModerationError(error, this.callId, handle);
        handle = next;
      }
    }
  }

  /** The run that carries the operation out now: an operation with a long history continues as another run. */
  async #current(): Promise<WorkflowHandle> {
    let { handle } = await this.run();
    for (let next = await readContinuation(handle); next !== undefined; next = await readContinuation(handle))
      handle = next;
    return handle;
  }

  /** The state of the operation. A worker answers, also after the operation has ended; without a worker the query fails. */
  async status(): Promise<OperationStatus> {
    const handle = await this.#current();
    return await handle.query<OperationStatus>(QUERY.operation);
  }

  /**
   * Cancels the operation and undoes what it has sent. A successor is cancelled once the superseded run has ended. An
   * operation to which this handle is attached belongs to its starter, so this handle only stops waiting for it, and
   * its `result()` rejects with `Cancelled`.
   */
  async cancel(): Promise<void> {
    const { attached } = await this.run();
    if (attached) return this.#letGo.abort();
    await (await this.#current()).cancel();
  }
}

function letGoError(callId: string): ModerationError {
  const message = `This handle no longer waits for the operation on call ${callId}, to which it was attached. The operation continues.`;
  return new ModerationError(CANCELLED, message, { callId });
}
