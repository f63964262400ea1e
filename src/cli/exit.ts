import { ModerationError } from '../client/errors.ts';
import { describe } from '../process.ts';
import type { Context } from './context.ts';

/** Exit codes of every command. */
export const DONE = 0;
export const FAILED = 1;
export const WRONG_USE = 2;

/**
 * Runs a command and turns what goes wrong into a message and an exit code: 2 where the request itself was wrong, so that
 * nothing was sent, else 1. With `json`, the error is a result too and stands on standard output.
 */
export async function reporting(context: Context, json: boolean, work: () => Promise<number>): Promise<void> {
  try {
    context.process.exitCode = await work();
  } catch (error) {
    const isModeration = error instanceof ModerationError;
    if (json) {
      const { type, details } = isModeration ? error : { type: 'Error', details: {} };
      printJson(context, { error: { type, message: describe(error), details } });
    } else {
      context.process.stderr.write(`${isModeration ? `${error.type}: ${error.message}` : describe(error)}\n`);
    }
    context.process.exitCode = isModeration && error.type === 'InvalidRequest' ? WRONG_USE : FAILED;
  }
}

export function printJson({ process }: Context, value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}
