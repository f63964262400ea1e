import { isForPeople } from './operator-error.ts';
import { framesOf, reasonOf } from './error-reason.ts';

/**
 * Runs a process's main function. An error is printed as one message, and the process ends with code 1.
 */
export async function exitOnFault(main: () => Promise<void>): Promise<void> {
  describeUncaught();
  try {
    await main();
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`);
    process.exitCode = 1;
  }
}

/** Node itself would print an uncaught error with everything that its message quotes. */
export function describeUncaught(): void {
  process.once('uncaughtException', (error) => {
    process.stderr.write(`${describe(error)}\n`);
    process.exit(1);
  });
}

/** The message of an error of ours. Of any other its kind, and where it came from, but never its message. */
export function describe(error: unknown): string {
  if (isForPeople(error)) return error.message;
  const at = framesOf(error).map((frame) => `\n    ${frame}`);
  return `Something went wrong: ${reasonOf(error)}.${at.join('')}`;
}
