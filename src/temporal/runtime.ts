import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { Address } from '../lib/address.ts';
import { METRIC_BUCKETS } from '../contract/metrics.ts';
import { freePort } from '../lib/free-port.ts';
import type { Logger } from '../lib/logger.ts';

/**
 * Temporal's Core serves its metrics itself, on a port of its own; it gets one that only this machine sees, and
 * `/metrics` passes them on. It is installed once a process and before the first connection.
 */
export async function installRuntime(log: Logger): Promise<Address> {
  const address = { host: '127.0.0.1', port: await freePort() };
  Runtime.install({
    logger: new DefaultLogger('TRACE', ({ level, message, meta }) => {
      log[level.toLowerCase() as 'trace' | 'debug' | 'info' | 'warn' | 'error'](meta ?? {}, message);
    }),
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
      metrics: {
        prometheus: {
          bindAddress: `${address.host}:${address.port}`,
          useSecondsForDurations: true,
          histogramBucketOverrides: METRIC_BUCKETS,
        },
      },
    },
  });
  return address;
}
