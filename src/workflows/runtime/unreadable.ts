import {
  patched,
  workflowInfo,
  type Next,
  type QueryInput,
  type SignalInput,
  type WorkflowExecuteInput,
  type WorkflowInboundCallsInterceptor,
  type WorkflowInterceptors,
} from '@temporalio/workflow';
import { Unreadable } from './payload-converter.ts';

/**
 * How a payload that cannot be read is treated (`contract/unreadable.ts`) depends on who may have written it:
 *
 * - **An unreadable signal or query is ignored.** Anyone may send one. The payload becomes a text that fits nothing,
 *   so it is ignored like any invalid payload. If it failed the task, the task would be retried for ever, and a few
 *   wrong bytes could stop an operation. If only the key is missing here, a patch marker in the history records that
 *   the signal was ignored. A worker with the key then ignores it too when it replays the task. A worker without the
 *   key that replays a signal which another worker has read fails the task.
 * - **An input whose key is missing fails the task.** Temporal retries it until a worker with the key takes it.
 * - **Our own unreadable payloads fail the task.** The input of a run that continues another one, and the result of
 *   an activity (`payload-converter.ts`), were written by us and carry the state of the operation. To continue
 *   without them could leave somebody muted.
 * - **An input that nobody can read is invalid.** It becomes the same text, and the run is refused as
 *   `InvalidRequest`.
 *
 * The memo and the last result of a schedule are of no concern: no workflow looks at them.
 */

const MISFIT = 'a payload that cannot be read';

class Inputs implements WorkflowInboundCallsInterceptor {
  #signals = 0;

  async execute(input: WorkflowExecuteInput, next: Next<WorkflowInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const isContinued = workflowInfo().continuedFromExecutionRunId !== undefined;
    for (const value of input.args) {
      // **An input whose key is missing fails the task**, **Our own unreadable payloads fail the task**
      if (value instanceof Unreadable && (isContinued || value.why.missingKey !== undefined)) throw value.why;
    }
    // **An input that nobody can read is invalid.**
    return await next({ ...input, args: withoutUnreadable(input.args) });
  }

  async handleSignal(input: SignalInput, next: Next<WorkflowInboundCallsInterceptor, 'handleSignal'>): Promise<void> {
    this.#signals += 1;
    // **An unreadable signal or query is ignored.**
    await next({ ...input, args: signalled(input.args, `signal ${this.#signals} was not read`) });
  }

  async handleQuery(input: QueryInput, next: Next<WorkflowInboundCallsInterceptor, 'handleQuery'>): Promise<unknown> {
    // **An unreadable signal or query is ignored.**
    return await next({ ...input, args: withoutUnreadable(input.args) });
  }
}

export function interceptors(): WorkflowInterceptors {
  return { inbound: [new Inputs()] };
}

/** @throws {UnreadablePayload} in a replay, if the worker that took the signal has read it */
function signalled(args: readonly unknown[], ignored: string): unknown[] {
  const missing = args.find((value) => value instanceof Unreadable && value.why.missingKey !== undefined);
  if (missing instanceof Unreadable) {
    if (!patched(ignored)) throw missing.why;
    return args.map(() => MISFIT);
  }
  // Asked in a replay alone: at any other time, the question itself would be recorded.
  const isIgnored = workflowInfo().unsafe.isReplaying && patched(ignored);
  return isIgnored ? args.map(() => MISFIT) : withoutUnreadable(args);
}

function withoutUnreadable(args: readonly unknown[]): unknown[] {
  return args.map((value) => (value instanceof Unreadable ? MISFIT : value));
}
