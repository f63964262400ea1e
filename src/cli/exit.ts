import { ModerationError } from '../client/errors.ts';
import { describe } from '../process.ts';
import type { Context } from './context.ts';

/** Exit codes of every command. */
export const DONE = 0;
export const FAILED = 1;
export const WRONG_USE = 2;

/** What a command prints with `--json` in place of a result, as `{ error }`. */
export interface Problem {
  /** A failure's type, or the name of an error. */
  type: string;
  message: string;
  details: object;
}

/** Errors whose message says everything that a person needs. */
const PLAIN: ReadonlySet<string> = new Set(['DevServerFailed', 'NotSetUpError', 'OperationNotFound', 'PortsTaken', 'UnreadablePayload']);

/**
 * Runs a command and turns what goes wrong into a message and an exit code: 2 where the request itself was wrong, so that
 * nothing was sent, else 1. With `json`, the error is a result too and stands on standard output.
 */
export async function reporting(context: Context, json: boolean, work: () => Promise<number>): Promise<void> {
  try {
    context.process.exitCode = await work();
  } catch (error) {
    if (json) printJson(context, { error: toProblem(error) });
    else context.process.stderr.write(`${toText(error)}\n`);
    const isMisuse = error instanceof ModerationError && error.type === 'InvalidRequest';
    context.process.exitCode = isMisuse ? WRONG_USE : FAILED;
  }
}

export function printJson({ process }: Context, value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

function toProblem(error: unknown): Problem {
  if (error instanceof ModerationError) return { type: error.type, message: error.message, details: error.details };
  return { type: error instanceof Error ? error.name : 'Error', message: toText(error), details: {} };
}

function toText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof ModerationError) return `${error.type}: ${error.message}`;
  if (PLAIN.has(error.name)) return error.message;
  if (error.name === 'NamespaceNotFoundError')
    return `${error.message}. Create it, or set TEMPORAL_NAMESPACE to yours.`;
  // Temporal has answered, and refused: a namespace that does not exist, a key that may not.
  const { cause } = error;
  if (cause instanceof Error && 'details' in cause)
    return `Temporal refused (${error.message}): ${String(cause.details)}`;
  return describe(error);
}
