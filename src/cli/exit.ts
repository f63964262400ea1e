import { ModerationError } from '../client/errors.ts';
import { isForPeople } from '../lib/operator-error.ts';
import { classNameOf } from '../lib/error-reason.ts';
import type { Context } from './context.ts';

/** Exit codes of every command. */
export const DONE = 0;
export const FAILED = 1;
export const WRONG_USE = 2;

/** What a command prints with `--json` instead of a result, as `{ error }`. */
export interface Problem {
  /** A failure's type, or the name of an error. */
  type: string;
  message: string;
  details: object;
}

/**
 * Runs a command and turns an error into a message and an exit code: 2 if the request itself was invalid, so that
 * nothing was sent, else 1. With `json`, the error is printed on standard output, like a result.
 */
export async function reporting(context: Context, json: boolean, work: () => Promise<number>): Promise<void> {
  try {
    context.process.exitCode = await work();
  } catch (error) {
    if (json) printJson(context, { error: await toProblem(error, context.process.env) });
    else context.process.stderr.write(`${await toText(error, context.process.env)}\n`);
    const isMisuse = error instanceof ModerationError && error.type === 'InvalidRequest';
    context.process.exitCode = isMisuse ? WRONG_USE : FAILED;
  }
}

export function printJson({ process }: Context, value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

async function toProblem(error: unknown, env: NodeJS.ProcessEnv): Promise<Problem> {
  if (error instanceof ModerationError) return { type: error.type, message: error.message, details: error.details };
  return { type: classNameOf(error), message: await toText(error, env), details: {} };
}

async function toText(error: unknown, env: NodeJS.ProcessEnv): Promise<string> {
  if (error instanceof ModerationError) return `${error.type}: ${error.message}`;
  if (isForPeople(error)) return error.message;
  const { describeForeign } = await import('./foreign-error.ts');
  return describeForeign(error, env);
}
