import type { Client } from '@temporalio/client';
import { EndpointNotShown, endpointFault } from '../temporal/nexus-endpoint.ts';
import { CHECK_MS, Fault, type Check } from './check.ts';

/** `temporal.api.enums.v1.TaskQueueType` */
const NEXUS_TASKS = 3;

/** Whether the endpoint by which Nexus callers reach the workers is there and leads to them. */
export function nexusCheck(client: Client, taskQueue: string, endpoint: string): Check {
  const { connection } = client;
  const { namespace } = client.options;
  return {
    name: 'nexus',
    run: async () => {
      const fault = await client
        .withDeadline(
          Date.now() + CHECK_MS - 1_000,
          async () => await endpointFault(connection, endpoint, { namespace, taskQueue }),
        )
        .catch((error: unknown) => {
          if (!(error instanceof EndpointNotShown)) throw error;
          throw new Fault(error.message, 'Look at it where the namespace is managed.', 'warning');
        });
      if (fault !== undefined) {
        throw new Fault(
          fault,
          `Run \`call-moderation setup --nexus-endpoint ${endpoint}\`, or correct MODERATION_NEXUS_ENDPOINT.`,
        );
      }
      const queue = { namespace, taskQueue: { name: taskQueue }, taskQueueType: NEXUS_TASKS };
      const { pollers } = await client.withDeadline(
        Date.now() + CHECK_MS - 1_000,
        async () => await connection.workflowService.describeTaskQueue(queue),
      );
      if ((pollers ?? []).length > 0)
        return `endpoint ${endpoint} leads to task queue ${taskQueue}, which workers poll`;
      throw new Fault(
        `endpoint ${endpoint} leads to task queue ${taskQueue}, and no worker polls that for Nexus`,
        `Start a worker with MODERATION_NEXUS_ENDPOINT=${endpoint}.`,
      );
    },
  };
}
