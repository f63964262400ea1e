import type { installSdk } from './otel.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { reasonOf } from '../lib/error-reason.ts';

/** Traces are off unless the environment names where they go; then the SDK is loaded, which takes its time. */

/** Thrown where traces are asked for and cannot be had, with what to do. */
class TracesUnavailable extends OperatorError {
  override readonly name = 'TracesUnavailable';

  constructor(cause: unknown) {
    super(
      'OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, but the optional packages of OpenTelemetry are not installed. ' +
        'Install this package without --omit=optional, or leave the variable out.',
      { cause },
    );
  }
}

type Sdk = { installSdk: typeof installSdk };

/**
 * `say` hears what the SDK complains of, such as a collector that is not there.
 *
 * @returns what sends the spans that are left, before the process ends
 * @throws {TracesUnavailable}
 */
export async function startTracing(
  isWanted: boolean,
  process: 'worker' | 'webhook' | 'gateway' | 'cli',
  say: (message: string) => void,
  load: () => Promise<Sdk> = () => import('./otel.ts'),
): Promise<() => Promise<void>> {
  if (!isWanted) return () => Promise.resolve();
  let sdk: Sdk;
  try {
    sdk = await load();
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
    throw isMissing ? new TracesUnavailable(error) : error;
  }
  const shutdown = sdk.installSdk(process, say);
  return async () => {
    // A collector that is not there must not keep the process from ending in good order.
    await shutdown().catch((error: unknown) => {
      say(`the last spans were not sent: ${reasonOf(error)}`);
    });
  };
}
