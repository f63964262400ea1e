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
 * What becomes of a payload that cannot be read (`contract/unreadable.ts`) depends on who may have written it:
 *
 * U1. Anyone may signal and query. Such a payload becomes a text that fits nothing, so it is ignored like any misfit. A
 *     task that failed because of it would be tried again for ever, so that a few wrong bytes could stop an operation.
 *     If only the key is missing here, the history records by a patch marker that the signal was ignored. A worker that has
 *     the key ignores it too when it replays the task, and goes on as the first one did. A worker without the key that
 *     replays a signal which another one has read fails the task (U2).
 * U2. The input of a run, if only the key is missing here, fails the workflow task. Temporal tries it again, until a worker
 *     takes it that has the key.
 * U3. The input of a run that continues another one was written by us, and carries how far that one had come. So does what
 *     an activity has come to (`payload-converter.ts`). Both fail the task, whyever they cannot be read: what they say is
 *     not known, and to go on without it could leave somebody muted.
 * U4. Any other input that nobody will ever read becomes the text of U1, and the run is refused as `InvalidRequest`.
 *
 * The memo and the last result of a schedule are of no concern: no workflow looks at them.
 */

const MISFIT = 'a payload that cannot be read';

class Inputs implements WorkflowInboundCallsInterceptor {
  #signals = 0;

  async execute(input: WorkflowExecuteInput, next: Next<WorkflowInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const isContinued = workflowInfo().continuedFromExecutionRunId !== undefined;
    for (const value of input.args) {
      if (value instanceof Unreadable && (isContinued || value.why.missingKey !== undefined)) throw value.why; // U2, U3
    }
    return await next({ ...input, args: withoutUnreadable(input.args) }); // U4
  }

  async handleSignal(input: SignalInput, next: Next<WorkflowInboundCallsInterceptor, 'handleSignal'>): Promise<void> {
    this.#signals += 1;
    await next({ ...input, args: signalled(input.args, `signal ${this.#signals} was not read`) }); // U1
  }

  async handleQuery(input: QueryInput, next: Next<WorkflowInboundCallsInterceptor, 'handleQuery'>): Promise<unknown> {
    return await next({ ...input, args: withoutUnreadable(input.args) }); // U1
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
