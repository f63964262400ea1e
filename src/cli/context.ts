import type { CommandContext, StricliProcess } from '@stricli/core';

/** What a command may use of its surroundings, so that tests can stand in for them. */
export interface Context extends CommandContext {
  process: StricliProcess & { env: NodeJS.ProcessEnv };
}
