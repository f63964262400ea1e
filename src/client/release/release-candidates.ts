import { setTimeout as pause } from 'node:timers/promises';
import { callIdOf, callIdOfLive } from '../../contract/call-id.ts';
import { quote } from '../../contract/list-filter.ts';
import { SEARCH_ATTRIBUTE } from '../../contract/names.ts';
import { itemsOfPages } from '../../lib/pages.ts';
import { liveCallListFilter } from '../calls/calls.ts';
import { andTenant } from '../operations/records.ts';
import type { Runs } from '../operations/runs.ts';
import type { ReleaseTools } from './release-work.ts';

/**
 * Finds the calls that a release has to look at, in Temporal's lists. A list only names candidates: the runs of a call
 * decide what is done.
 *
 * - **Several lists name candidates.** A list shows a run some time after its start, seconds on Elasticsearch and
 *   Temporal Cloud. An active call is listed since it was established, so its newest mute is found even if no list
 *   shows that mute yet.
 * - **The lists are read until they are current.** Runs that started just before the release are found by listing
 *   again, until the lists show the unmutes that the release itself has started, or SETTLE_MS have passed without
 *   one. It gives up after CATCH_UP_MS.
 * - **A list that fails is a gap.** A page is requested several times. If a list cannot be read, or does not catch
 *   up, the other lists are processed and the caller gets the gap.
 */

/** A call, and whether a list shows that we have acted on it; an active call alone does not. */
export interface Candidate {
  callId: string;
  isNamed: boolean;
}

const PAGE_SIZE = 1_000;
const PAGE_WITHIN_MS = 5_000;
const PAGE_PAUSES_MS = [300, 1_000] as const;

const SETTLE_MS = 3_000;
const CATCH_UP_MS = 10_000;
const LIST_AGAIN_MS = 250;

/** Listing again leaves out what is older than this before the release: the first list has it. */
const RECENT_MS = 600_000;

/** Number of the release's own unmutes, the first ones, that show how current the lists are. */
const MAX_OWN = 10;

interface List {
  name: string;
  query: string;
  callIdOf: (workflowId: string) => string | undefined;
  isNaming: boolean;
  isRead: boolean;
}

export class ReleaseCandidates {
  readonly #runs: Runs;
  readonly #lists: readonly List[];
  readonly #began = Date.now();
  readonly #own: string[] = [];
  readonly #gaps = new Set<string>();

  constructor({ runs, taskQueue, muteLocks, mutesOnEntry }: ReleaseTools, tenantId: string | undefined) {
    this.#runs = runs;
    const mutes = `WorkflowType = 'mute' AND TaskQueue = ${quote(taskQueue)} AND ${SEARCH_ATTRIBUTE.target} IS NULL`;
    const withSuffix = (suffix: string) => (workflowId: string) =>
      workflowId.endsWith(suffix) ? callIdOf(workflowId.slice(0, -suffix.length)) : undefined;
    const lists: Omit<List, 'isRead'>[] = [
      { name: 'mute locks', query: muteLocks.queryOf(tenantId), callIdOf: withSuffix('/keep-muted'), isNaming: true },
      { name: 'mutes on entry', query: mutesOnEntry.queryOf(tenantId), callIdOf: withSuffix('/entry'), isNaming: true },
      { name: 'mutes', query: mutes + andTenant(tenantId), callIdOf, isNaming: true },
      {
        name: 'live calls',
        query: liveCallListFilter({ ...(tenantId !== undefined && { tenantId }) }, taskQueue),
        callIdOf: callIdOfLive,
        isNaming: false,
      },
    ];
    this.#lists = lists.map((list) => ({ ...list, isRead: false }));
  }

  /** An unmute that the release has started. */
  started(runId: string): void {
    if (this.#own.length < MAX_OWN) this.#own.push(runId);
  }

  /** Hands over each candidate, some more than once; returns what could not be read. */
  async find(found: (candidate: Candidate) => void): Promise<readonly string[]> {
    const deadline = this.#began + CATCH_UP_MS;
    await this.#list(found);
    for (;;) {
      const isFresh = await this.#isFresh();
      const isLate = Date.now() >= deadline;
      await this.#list(found); // **The lists are read until they are current.**
      if (isFresh) break;
      if (isLate) {
        this.#gaps.add(
          `calls that were muted in the last seconds: the lists are more than ${CATCH_UP_MS / 1_000} s old`,
        );
        break;
      }
      await pause(LIST_AGAIN_MS);
    }
    return [...this.#gaps];
  }

  async #list(found: (candidate: Candidate) => void): Promise<void> {
    const since = new Date(this.#began - RECENT_MS).toISOString();
    const read = this.#lists.map(async (list) => {
      const query = list.isRead ? `${list.query} AND StartTime > '${since}'` : list.query;
      try {
        for await (const workflowId of this.#workflowIds(query)) {
          const callId = list.callIdOf(workflowId);
          if (callId !== undefined) found({ callId, isNamed: list.isNaming });
        }
        list.isRead = true;
        this.#gaps.delete(list.name);
      } catch {
        this.#gaps.add(list.name); // **A list that fails is a gap.**
      }
    });
    await Promise.all(read);
  }

  async *#workflowIds(query: string): AsyncGenerator<string> {
    const { workflowService, options } = this.#runs.client;
    const { namespace } = options;
    const runs = itemsOfPages(async (nextPageToken) => {
      const page = await this.#tried(
        async () =>
          await workflowService.listWorkflowExecutions({ namespace, query, pageSize: PAGE_SIZE, nextPageToken }),
      );
      return { items: page.executions, nextPageToken: page.nextPageToken };
    });
    for await (const { execution } of runs) yield execution?.workflowId ?? '';
  }

  async #tried<T>(ask: () => Promise<T>): Promise<T> {
    for (const ms of PAGE_PAUSES_MS) {
      try {
        return await this.#runs.client.withDeadline(Date.now() + PAGE_WITHIN_MS, ask);
      } catch {
        await pause(ms);
      }
    }
    return await this.#runs.client.withDeadline(Date.now() + PAGE_WITHIN_MS, ask);
  }

  async #isFresh(): Promise<boolean> {
    if (this.#own.length === 0) return Date.now() - this.#began >= SETTLE_MS;
    const own = [...this.#own];
    const shown = new Set<string>();
    const { client } = this.#runs;
    const { namespace } = client.options;
    const query = own.map((runId) => `RunId = ${quote(runId)}`).join(' OR ');
    try {
      const ask = async () =>
        await client.workflowService.listWorkflowExecutions({ namespace, query, pageSize: own.length });
      const { executions } = await client.withDeadline(Date.now() + PAGE_WITHIN_MS, ask);
      for (const { execution } of executions) shown.add(execution?.runId ?? '');
    } catch {
      return false;
    }
    return own.every((runId) => shown.has(runId));
  }
}
