import { WorkflowContinuedAsNewError, type WorkflowHandle } from '@temporalio/client';
import { CANCELLED } from '../../contract/failure.ts';
import { QUERY, type Action } from '../../contract/names.ts';
import type { ModerationResult, OperationStatus } from '../../contract/operation.ts';
import { continuationOf } from './continued.ts';
import { ModerationError } from '../errors.ts';
import { toModerationError } from './failed-operation.ts';

/** The run of Temporal that carries an operation out, and whether somebody else had started it. */
export interface Run {
  handle: WorkflowHandle;
  runId: string;
  attached: boolean;
}

export interface Operation {
  callId: string;
  workflowId: string;
  action: Action;
  /** A superseding operation has its run only once the superseded one has handed over. */
  run: () => Promise<Run>;
}

/** What finds an operation again that was started before. */
export interface StartedOperation {
  callId: string;
  action: Action;
  runId: string;
  /** Whether somebody else had started it, so that `cancel()` only lets go of it. */
  attached?: boolean;
}

/** An operation that was started, or attached while it ran. `R` is its result. */
export class OperationHandle<R = ModerationResult> {
  readonly callId: string;
  readonly workflowId: string;
  readonly action: Action;
  readonly #locate: () => Promise<Run>;
  readonly #letGo = new AbortController();
  #run: Promise<Run> | undefined;

  constructor({ callId, workflowId, action, run }: Operation) {
    this.callId = callId;
    this.workflowId = workflowId;
    this.action = action;
    this.#locate = run;
    // Looked for at once, whether or not anyone asks: one that was ended before it heard of this is started anew (C4).
    this.run().catch(() => undefined);
  }

  /**
   * Temporal's run. Of an operation that supersedes another it is known once that one has handed over, which takes as
   * long as a request to Graph that is under way.
   *
   * @throws {ModerationError} `Superseded` where yet another operation was faster
   */
  async run(): Promise<Run> {
    const run = (this.#run ??= this.#locate());
    try {
      return await run;
    } catch (error) {
      // An outcome stays; that Temporal could not be asked does not.
      if (!(error instanceof ModerationError) && this.#run === run) this.#run = undefined;
      throw error;
    }
  }

  /**
   * Waits until the roster has confirmed the operation.
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
        return (await handle.result()) as R;
      } catch (error) {
        const next = error instanceof WorkflowContinuedAsNewError ? await continuationOf(handle) : undefined;
        if (next === undefined) throw await toModerationError(error, this.callId, handle);
        handle = next;
      }
    }
  }

  /** The run that carries the operation out now: an operation with a long history goes on as another run. */
  async #current(): Promise<WorkflowHandle> {
    let { handle } = await this.run();
    for (let next = await continuationOf(handle); next !== undefined; next = await continuationOf(handle))
      handle = next;
    return handle;
  }

  /** Where the operation stands; answered by a worker, also after the operation has ended. */
  async status(): Promise<OperationStatus> {
    const handle = await this.#current();
    return await handle.query<OperationStatus>(QUERY.operation);
  }

  /**
   * Cancels the operation: what was sent is undone. One that supersedes another is cancelled once that has handed over. An operation that was attached belongs to whoever started it, so this
   * handle only lets go of it, and its `result()` rejects with `Cancelled`.
   */
  async cancel(): Promise<void> {
    const { attached } = await this.run();
    if (attached) return this.#letGo.abort();
    await (await this.#current()).cancel();
  }
}

function letGoError(callId: string): ModerationError {
  const message = `This handle has let go of the operation on call ${callId}, which it had attached. The operation goes on.`;
  return new ModerationError(CANCELLED, message, { callId });
}
