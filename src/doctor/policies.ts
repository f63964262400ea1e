import type { Client } from '@temporalio/client';
import { PLAIN, type PayloadKeys } from '../contract/payload-keys.ts';
import { policyIdOf } from '../contract/policy.ts';
import { ENCRYPTED, KEY_ID } from '../contract/unreadable.ts';
import { itemsOfPages } from '../lib/pages.ts';
import { CHECK_MS, Fault, type Check } from './check.ts';

/**
 * Whether every policy of this deployment is written with the first of the keys. A schedule keeps its policy as it
 * was written, so a key must not be removed before the policies that it has encrypted are written anew.
 */

const MAX_CONCURRENT_READS = 20;

/** Policies that are named at most. */
const MAX_NAMED = 20;

export function policiesCheck(client: Client, taskQueue: string, [first = PLAIN]: PayloadKeys): Check {
  const wanted = first === PLAIN ? PLAIN : first.id;
  return {
    name: 'keys of policies',
    run: async () => {
      const others = await client.withDeadline(Date.now() + CHECK_MS - 1_000, async () => {
        const found: string[] = [];
        const listed = await schedulesOf(client);
        const ids = listed.map(({ scheduleId }) => scheduleId).filter((id) => policyIdOf(id) !== undefined);
        while (ids.length > 0) {
          const keys = ids
            .splice(0, MAX_CONCURRENT_READS)
            .map(async (id) => ({ id, key: await keyOf(client, taskQueue, id) }));
          for (const { id, key } of await Promise.all(keys)) if (key !== undefined && key !== wanted) found.push(id);
        }
        return found.map((scheduleId) => policyIdOf(scheduleId) ?? scheduleId);
      });
      if (others.length === 0) return `every policy is written ${wanted === PLAIN ? 'in plain' : `with key ${wanted}`}`;
      const named = others.slice(0, MAX_NAMED).join(', ') + (others.length > MAX_NAMED ? ', …' : '');
      const remedy =
        'Run `call-moderation policy update ID` for each before you remove the key that they are written with.';
      throw new Fault(`${others.length} policies are not written with the first key: ${named}`, remedy, 'warning');
    },
  };
}

/** All schedules of the namespace. The SDK's list decodes memos, and throws if a key is missing here. */
export async function schedulesOf(client: Client): Promise<{ scheduleId: string; paused: boolean }[]> {
  const { namespace } = client.options;
  const found: { scheduleId: string; paused: boolean }[] = [];
  const schedules = itemsOfPages(async (nextPageToken) => {
    const page = await client.workflow.workflowService.listSchedules({ namespace, nextPageToken });
    return { items: page.schedules, nextPageToken: page.nextPageToken };
  });
  for await (const { scheduleId, info } of schedules) {
    if (scheduleId) found.push({ scheduleId, paused: info?.paused === true });
  }
  return found;
}

/** The ID of the key, or `plain`; `undefined` for another deployment's. */
async function keyOf(client: Client, taskQueue: string, scheduleId: string): Promise<string | undefined> {
  const { namespace } = client.options;
  const { schedule } = await client.workflow.workflowService.describeSchedule({ namespace, scheduleId });
  const { startWorkflow } = schedule?.action ?? {};
  const [payload] = startWorkflow?.input?.payloads ?? [];
  if (!payload || startWorkflow?.taskQueue?.name !== taskQueue) return undefined;
  const { encoding, [KEY_ID]: id } = payload.metadata ?? {};
  return textOf(encoding) === ENCRYPTED ? textOf(id) : PLAIN;
}

function textOf(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('utf8');
}
