import { OperatorError } from '../lib/operator-error.ts';

/** Thrown with every fault of the environment in its message, each with the variable's name and the remedy. */
export class ConfigError extends OperatorError {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The configuration is invalid:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}
