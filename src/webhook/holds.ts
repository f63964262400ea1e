import type { Client } from '@temporalio/client';
import { HOLD, holdIdOf } from '../contract/hold.ts';

/**
 * Which calls are held, as this process knows it. A notification of a call that is held costs one more signal, and one of
 * any other call costs what it always does: nothing is asked of Temporal for it.
 *
 * The list comes from Temporal's visibility, by one query at most every few seconds, and only while notifications come.
 * It is fetched behind a notification and never waited for, so it is a little out of date. That is enough: a hold that
 * has just begun was confirmed by its own operation and looks at the roster by itself (H6 of `workflows/holding.ts`), and
 * a signal to one that has just ended finds nobody. Where the list cannot be fetched, the one before it stays.
 */

const FRESH_MS = 3_000;

/** A query that takes longer is given up. */
const FETCH_WITHIN_MS = 3_000;

/** With more holds than this their list is not kept, and every call counts as held. */
const MOST_HOLDS = 10_000;

export class RunningHolds {
  readonly #client: Client;
  #workflowIds: ReadonlySet<string> | 'any' = new Set();
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #isFetching = false;

  constructor(client: Client) {
    this.#client = client;
  }

  has(callId: string): boolean {
    if (!this.#isFetching && performance.now() - this.#fetchedAt > FRESH_MS) void this.#fetch();
    return this.#workflowIds === 'any' || this.#workflowIds.has(holdIdOf(callId));
  }

  async #fetch(): Promise<void> {
    this.#isFetching = true;
    try {
      await this.#client.withDeadline(Date.now() + FETCH_WITHIN_MS, async () => {
        const found = new Set<string>();
        const query = `WorkflowType = '${HOLD}' AND ExecutionStatus = 'Running'`;
        for await (const { workflowId } of this.#client.workflow.list({ query })) {
          if (found.add(workflowId).size > MOST_HOLDS) break;
        }
        this.#workflowIds = found.size > MOST_HOLDS ? 'any' : found;
      });
    } catch {
      // Temporal cannot be reached: the hand-over tells that, and the next notification asks again.
    } finally {
      this.#fetchedAt = performance.now();
      this.#isFetching = false;
    }
  }
}
