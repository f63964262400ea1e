import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { executionInfoFromRaw } from '@temporalio/client/lib/helpers.js';
import { itemsOfPages } from '../lib/pages.ts';

export type ListedRun = Omit<WorkflowExecutionInfo, 'raw'>;

type RawRun = Parameters<typeof executionInfoFromRaw>[0];

/**
 * The runs of a list, in Temporal's order. The SDK's own list decodes memos and throws at the first one whose key is
 * missing here; then the caller gets none of the others. Such a run comes without its memo.
 */
export async function* listedRuns(client: Client, query: string, pageSize = 1_000): AsyncIterable<ListedRun> {
  const { namespace } = client.options;
  const { workflowService, options } = client.workflow;
  const infoOf = async (raw: RawRun): Promise<ListedRun> =>
    await executionInfoFromRaw(raw, options.loadedDataConverter, undefined, namespace);
  const runs = itemsOfPages(async (nextPageToken) => {
    const page = await workflowService.listWorkflowExecutions({ namespace, query, pageSize, nextPageToken });
    return { items: page.executions, nextPageToken: page.nextPageToken };
  });
  for await (const raw of runs) {
    const withoutMemo = Object.create(raw, { memo: { value: undefined } }) as RawRun;
    yield await infoOf(raw).catch(async () => await infoOf(withoutMemo));
  }
}
