import { givenOf } from '../lib/environment.ts';
import { describe } from '../lib/exit-on-error.ts';
import { refusalOf } from '../temporal/refusal.ts';
import { readTemporal } from '../temporal/settings.ts';

/**
 * What a command prints of an error of another library: Temporal has answered and refused, because of a namespace that does not
 * exist or a key that may not, or something else went wrong. Apart, because it loads Temporal's SDK.
 */
export function describeForeign(error: unknown, env: NodeJS.ProcessEnv): string {
  const { connectionOptions, namespace = 'default' } = readTemporal(givenOf(env)).config ?? {};
  const refusal = refusalOf(error, connectionOptions?.address ?? 'localhost:7233', namespace);
  return refusal === undefined ? describe(error) : `${refusal.reason}. ${refusal.remedy}`;
}
