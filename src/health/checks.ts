import type { Client } from '@temporalio/client';
import { Unhealthy, type Check } from './health.ts';

/** What the readiness of several processes rests on. */

const TEMPORAL_TIMEOUT_MS = 2000;

/** Whether Temporal can be reached. */
export function temporalCheck(client: Client): Check {
  return async () => {
    const { workflowService } = client.connection;
    await client.withDeadline(Date.now() + TEMPORAL_TIMEOUT_MS, () => workflowService.getSystemInfo({}));
  };
}

export function demand(isFine: boolean, fault: string): void {
  if (!isFine) throw new Unhealthy(fault);
}
