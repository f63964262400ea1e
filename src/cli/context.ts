import type { CommandContext, StricliProcess } from '@stricli/core';

/** The parts of the process that a command may use, so that tests can replace them. */
export interface Context extends CommandContext {
  process: StricliProcess & { env: NodeJS.ProcessEnv };
}
