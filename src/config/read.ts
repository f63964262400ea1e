import type { ClientConnectConfig } from '@temporalio/envconfig';
import type { z } from 'zod';
import { malformedFaults, untrimmedFaults, type Environment, type Given } from '../lib/environment.ts';
import { grpcProxyFaults } from '../temporal/proxy.ts';
import { readTemporal } from '../temporal/settings.ts';
import { ConfigError } from './config-error.ts';
import { wantsTraces } from './traces.ts';

/**
 * The environment is read in this folder and nowhere else. Each process loads what it needs (`worker.ts`, `webhook.ts`,
 * `gateway.ts`, `deployment.ts`, and `common.ts` for the commands), and reports every fault at once: also values that
 * could never work, or that mean something else than they seem to.
 *
 * `@azure/identity` reads `AZURE_*` itself; only those that mean something to us as well are read here.
 */

/** The values of `schema` and of Temporal's own variables, or one error with their faults beside those found before. */
export function read<T extends z.ZodType>(
  schema: T,
  env: Environment,
  given: Given,
  found: readonly string[],
): { values: z.infer<T>; temporal: ClientConnectConfig } {
  const parsed = schema.safeParse(given);
  const temporal = readTemporal(given);
  const faults = [
    ...faultsIn(parsed.error),
    ...found,
    ...grpcProxyFaults(given),
    ...(wantsTraces(env) ? untrimmedFaults(env, 'traces') : []),
    ...temporal.faults,
  ];
  // One fault per variable is enough.
  const isNamed = new Set(faults.map(variableOf));
  faults.push(...malformedFaults(given).filter((fault) => !isNamed.has(variableOf(fault))));
  if (!parsed.success || temporal.config === undefined || faults.length > 0) throw new ConfigError(faults);
  return { values: parsed.data, temporal: temporal.config };
}

/** The first fault of each variable. */
export function faultsIn(error: z.ZodError | undefined): string[] {
  const faults = new Map<string, string>();
  for (const { path, message } of error?.issues ?? []) {
    const name = path.join('.');
    if (!faults.has(name)) faults.set(name, `${name}: ${message}`);
  }
  return [...faults.values()];
}

const variableOf = (fault: string): string | undefined => fault.split(':')[0];
