import type { Client } from '@temporalio/client';
import { HOLD, holdIdOf } from '../contract/hold.ts';
import { MUTE_ON_ENTRY, muteOnEntryIdOf } from '../contract/mute-on-entry.ts';

/**
 * Who listens to a call beside its operation: a hold, a mute on entry, or both, as this process knows it. A notification
 * costs one more signal for each of them, and one of any other call costs what it always does: nothing is asked of
 * Temporal for it.
 *
 * The list comes from Temporal's visibility, by one query at most every few seconds, and only while notifications come.
 * It is fetched behind a notification and never waited for, so it is a little out of date. That is enough: one that
 * has just begun has read the call, and looks at the roster by itself (H6 of `workflows/holding.ts`, E7 of
 * `workflows/entry.ts`), and a signal to one that has just ended finds nobody. Where the list cannot be fetched, the one
 * before it stays.
 */

const FRESH_MS = 3_000;

/** A query that takes longer is given up. */
const FETCH_WITHIN_MS = 3_000;

/** With more than this their list is not kept, and every call counts as having both. */
const MOST_LISTENERS = 10_000;

export class Listeners {
  readonly #client: Client;
  #workflowIds: ReadonlySet<string> | 'any' = new Set();
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #isFetching = false;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Their workflow IDs. */
  of(callId: string): readonly string[] {
    if (!this.#isFetching && performance.now() - this.#fetchedAt > FRESH_MS) void this.#fetch();
    const running = this.#workflowIds;
    if (running !== 'any' && running.size === 0) return [];
    return [holdIdOf(callId), muteOnEntryIdOf(callId)].filter((id) => running === 'any' || running.has(id));
  }

  async #fetch(): Promise<void> {
    this.#isFetching = true;
    try {
      await this.#client.withDeadline(Date.now() + FETCH_WITHIN_MS, async () => {
        const found = new Set<string>();
        const query = `WorkflowType IN ('${HOLD}', '${MUTE_ON_ENTRY}') AND ExecutionStatus = 'Running'`;
        for await (const { workflowId } of this.#client.workflow.list({ query })) {
          if (found.add(workflowId).size > MOST_LISTENERS) break;
        }
        this.#workflowIds = found.size > MOST_LISTENERS ? 'any' : found;
      });
    } catch {
      // Temporal cannot be reached: the hand-over tells that, and the next notification asks again.
    } finally {
      this.#fetchedAt = performance.now();
      this.#isFetching = false;
    }
  }
}
