/**
 * Makes promises of workflows cheap, by not recording a stack for each of them.
 *
 * Why: the SDK takes a source-mapped stack of every promise, so that Temporal's UI can show where a workflow waits
 * (the tab *Call Stack*, query `__stack_trace`). That is a third of what a workflow task costs a worker. Our
 * workflows show where they wait in their queries and timers.
 *
 * How: its promise hook runs outside of the sandbox. For every promise it compiles two functions inside, through the
 * constructor of `Promise`, one that returns the activator and one that returns the class `Error`. Here the
 * constructor of `Promise` answers these two itself, with an `Error` that has no stack. `globalThis.Error` stays, so
 * the errors of workflows keep their stacks.
 *
 * This rests on internals of the SDK (`worker/src/workflow/vm-shared.ts`, 1.24).
 * `test/temporal/workflow-bundle.test.ts` fails if they change. MODERATION_CALL_STACKS=true leaves it out.
 */

class ErrorWithoutStack {
  readonly stack = undefined;
}

const ANSWERS: ReadonlyMap<string, () => unknown> = new Map([
  ['return globalThis.__TEMPORAL_ACTIVATOR__', (): unknown => Reflect.get(globalThis, '__TEMPORAL_ACTIVATOR__')],
  ['return globalThis.Error', (): unknown => ErrorWithoutStack],
]);

Object.defineProperty(Promise, 'constructor', {
  // oxlint-disable-next-line typescript/no-implied-eval -- what the constructor of `Promise` does without us
  value: (code: string): unknown => ANSWERS.get(code) ?? new Function(code),
});
