import { withTimeout } from '../lib/with-timeout.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { reasonOf } from '../lib/error-reason.ts';

/**
 * One thing that a deployment needs. Checks know nothing of each other, run side by side, and each has a time limit, so
 * that what hangs hides nothing else.
 */
export interface Check {
  name: string;
  /** Resolves with the result of a successful check. @throws {Fault} if the check fails */
  run: () => string | Promise<string>;
}

export interface Finding {
  check: string;
  /** A warning is worth a look, and keeps nothing from working. */
  state: 'ok' | 'warning' | 'failed';
  said: string;
  remedy?: string;
}

/** What a check has found to be wrong. Like every word of a finding, it quotes no token and no body. */
export class Fault extends OperatorError {
  readonly remedy: string;
  readonly state: 'warning' | 'failed';

  constructor(message: string, remedy: string, state: 'warning' | 'failed' = 'failed') {
    super(message);
    this.remedy = remedy;
    this.state = state;
  }
}

export const CHECK_MS = 8_000;

export async function findingOf({ name, run }: Check): Promise<Finding> {
  try {
    const late = (): Fault =>
      new Fault(`no answer in ${CHECK_MS / 1_000} s`, 'Check the network between this machine and the server.');
    return { check: name, state: 'ok', said: await withTimeout(CHECK_MS, run, late) };
  } catch (error) {
    if (error instanceof Fault) return { check: name, state: error.state, said: error.message, remedy: error.remedy };
    return { check: name, state: 'failed', said: reasonOf(error), remedy: 'This is unexpected: report it.' };
  }
}
