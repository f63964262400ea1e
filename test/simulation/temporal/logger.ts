import type { Logger } from '@temporalio/common';

const nothing = (): void => undefined;

/** What the SDK writes of the simulated processes is nobody's. */
export const noopLogger: Logger = {
  log: nothing,
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
};
