import type { Client } from '@temporalio/client';
import { refusalOf } from '../temporal/refusal.ts';
import { searchAttributesFault, SearchAttributesNotShown } from '../temporal/search-attributes.ts';
import { CHECK_MS, Fault, type Check } from './check.ts';
import { schedulesOf } from './policies.ts';

/** Where Temporal is, and whether the namespace and the task queue are ready for operations. */

/** Schedules of ours have IDs that begin so. */
const SCHEDULES = 'call-moderation/';

/** A poll lasts about a minute, and Temporal remembers pollers for five: one that polled longer ago is gone. */
const POLL_MS = 90_000;

/** `temporal.api.enums.v1.TaskQueueType`. */
const TASKS = { workflow: 1, activity: 2 } as const;

export function temporalChecks(client: Client, taskQueue: string, address: string): Check[] {
  const { connection } = client;
  const { namespace } = client.options;
  const asked = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await client.withDeadline(Date.now() + CHECK_MS - 1_000, work);
    } catch (error) {
      throw faultOf(error, address, namespace);
    }
  };
  return [
    {
      name: 'temporal',
      run: async () => {
        const { serverVersion } = await asked(() => connection.workflowService.getSystemInfo({}));
        return `${address} answers, server ${serverVersion ?? 'of an unknown version'}`;
      },
    },
    {
      name: 'namespace',
      run: async () => {
        const { config } = await asked(() => connection.workflowService.describeNamespace({ namespace }));
        const days = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) / 86_400;
        return `${namespace} exists and keeps ended operations for ${Number(days.toFixed(1))} days`;
      },
    },
    {
      name: 'search attributes',
      run: async () => {
        const fault = await asked(() => searchAttributesFault(connection, namespace)).catch((error: unknown) => {
          if (!(error instanceof SearchAttributesNotShown)) throw error;
          throw new Fault(error.message, 'Check them where the namespace is managed.', 'warning');
        });
        if (fault === undefined) return 'all are registered';
        throw new Fault(fault, 'Run `call-moderation setup` with the permission to register them.');
      },
    },
    {
      name: 'worker',
      run: async () => {
        const [workflows, activities] = await Promise.all([pollers(TASKS.workflow), pollers(TASKS.activity)]);
        const remedy = `Start one (\`call-moderation worker\`) with MODERATION_TASK_QUEUE=${taskQueue} and this namespace, and read its log.`;
        const kinds = [
          ...(workflows.length > 0 ? [] : ['workflows']),
          ...(activities.length > 0 ? [] : ['activities']),
        ];
        if (kinds.length > 0)
          throw new Fault(`no worker polls task queue ${taskQueue} for ${kinds.join(' and ')}`, remedy);
        return `${workflows.length} on task queue ${taskQueue}: ${workflows.slice(0, 5).join(', ')}`;
      },
    },
    {
      name: 'schedules',
      run: async () => {
        const found = await asked(async () => {
          const ours = (await schedulesOf(client)).filter(({ scheduleId }) => scheduleId.startsWith(SCHEDULES));
          return ours.map(({ paused }) => paused);
        });
        const paused = found.filter(Boolean).length;
        return `can be listed; ${found.length} of ours${paused > 0 ? `, ${paused} of them paused` : ''}`;
      },
    },
  ];

  /** Identities of those that poll. */
  async function pollers(taskQueueType: number): Promise<string[]> {
    const queue = { namespace, taskQueue: { name: taskQueue }, taskQueueType };
    const { pollers: told } = await asked(() => connection.workflowService.describeTaskQueue(queue));
    const since = Date.now() / 1_000 - POLL_MS / 1_000;
    const fresh = (told ?? []).filter(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) >= since);
    return [...new Set(fresh.map(({ identity }) => identity ?? 'unnamed'))];
  }
}

function faultOf(error: unknown, address: string, namespace: string): unknown {
  const refusal = refusalOf(error, address, namespace);
  return refusal === undefined ? error : new Fault(refusal.reason, refusal.remedy);
}
