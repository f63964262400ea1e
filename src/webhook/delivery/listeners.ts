import type { Client } from '@temporalio/client';
import { itemsOfPages } from '../../lib/pages.ts';
import { muteLockIdOf } from '../../contract/mute-lock.ts';
import { quote } from '../../contract/list-filter.ts';
import { muteOnEntryIdOf } from '../../contract/mute-on-entry.ts';
import { WORKFLOW } from '../../contract/names.ts';
import { withTimeout } from '../../lib/with-timeout.ts';

/**
 * The standing mutes of a call that receive its notifications besides its operation, as this process knows them. A
 * notification costs one more signal for each of them; a notification of any other call causes no further request to
 * Temporal.
 *
 * Only those of the webhook's own task queue count: another deployment in the namespace has a webhook of its own. The
 * list comes from Temporal's visibility, by one query at most every few seconds, and only while notifications arrive.
 * If the list is older than that, a notification waits for the next query, beside the signal to the operation: in a
 * quiet call it may be the only one for a long time. So the list is out of date by at most FRESH_MS, and the lag of
 * Temporal's own lists. That is enough: a standing mute that has just begun has read the call, and reads the roster
 * by itself (`mute-lock-loop.ts` and `mute-on-entry-loop.ts` in `src/workflows/standing`), and a signal to one that
 * has just ended does no harm. If the list cannot be fetched, or not soon, the previous one is used.
 */

const FRESH_MS = 3_000;

/** A query that takes longer is given up. */
const FETCH_WITHIN_MS = 3_000;

/** Time limit for a notification to wait for the list. */
const WAIT_MS = 500;

/** Above this number the list is not kept, and every call is signalled as if it had both. */
const MAX_LISTENERS = 10_000;

export class Listeners {
  readonly #client: Client;
  readonly #taskQueue: string;
  #workflowIds: ReadonlySet<string> | 'any' = new Set();
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
  }

  /** Their workflow IDs. */
  async of(callId: string): Promise<readonly string[]> {
    if (performance.now() - this.#fetchedAt > FRESH_MS) {
      const fetching = (this.#fetching ??= this.#fetch());
      const late = (): Error => new Error('the list is late');
      await withTimeout(WAIT_MS, () => fetching, late).catch(() => undefined);
    }
    const running = this.#workflowIds;
    if (running !== 'any' && running.size === 0) return [];
    return [muteLockIdOf(callId), muteOnEntryIdOf(callId)].filter((id) => running === 'any' || running.has(id));
  }

  async #fetch(): Promise<void> {
    try {
      await this.#client.withDeadline(Date.now() + FETCH_WITHIN_MS, async () => {
        const found = new Set<string>();
        const query = `WorkflowType IN ('${WORKFLOW.keepMuted}', '${WORKFLOW.muteOnEntry}') AND ExecutionStatus = 'Running' AND TaskQueue = ${quote(this.#taskQueue)}`;
        for await (const workflowId of this.#list(query)) {
          if (found.add(workflowId).size > MAX_LISTENERS) break;
        }
        this.#workflowIds = found.size > MAX_LISTENERS ? 'any' : found;
      });
    } catch {
      // Temporal cannot be reached: the delivery reports that, and the next notification tries again.
    } finally {
      this.#fetchedAt = performance.now();
      this.#fetching = undefined;
    }
  }

  /** Does not use the SDK's list, which decodes memos, and throws if this process does not have the key of one. */
  async *#list(query: string): AsyncIterable<string> {
    const { workflowService, options } = this.#client.workflow;
    const { namespace } = options;
    const runs = itemsOfPages(async (nextPageToken) => {
      const page = await workflowService.listWorkflowExecutions({ namespace, query, nextPageToken });
      return { items: page.executions, nextPageToken: page.nextPageToken };
    });
    for await (const { execution } of runs) if (execution?.workflowId) yield execution.workflowId;
  }
}
