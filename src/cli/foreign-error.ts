import { trimEnvironment } from '../lib/environment.ts';
import { describe } from '../lib/exit-on-error.ts';
import { refusalOf } from '../temporal/refusal.ts';
import { readTemporal } from '../temporal/settings.ts';

/**
 * The message for an error of another library: Temporal has refused, because the namespace does not exist or the key
 * lacks a permission, or something else failed. In a file of its own, because it loads Temporal's SDK.
 */
export function describeForeign(error: unknown, env: NodeJS.ProcessEnv): string {
  const { connectionOptions, namespace = 'default' } = readTemporal(trimEnvironment(env)).config ?? {};
  const refusal = refusalOf(error, connectionOptions?.address ?? 'localhost:7233', namespace);
  return refusal === undefined ? describe(error) : `${refusal.reason}. ${refusal.remedy}`;
}
