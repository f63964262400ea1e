/**
 * Runs a process's main function. What goes wrong is told in one message, without a stack where it is a fault of the
 * surroundings that has a name, and the process ends with code 1.
 */
export async function exitOnFault(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`);
    process.exitCode = 1;
  }
}

const NAMED: ReadonlySet<string> = new Set([
  'AddressNotAvailable',
  'ConfigError',
  'DeploymentVersionError',
  'DevServerFailed',
  'GoBuildFailed',
  'PartFailed',
  'PortsTaken',
  'PostgresNotFound',
  'SearchAttributesError',
  'TemporalCliNotFound',
  'TemporalUnreachable',
  'TracesUnavailable',
]);

export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return NAMED.has(error.name) ? error.message : (error.stack ?? error.message);
}
