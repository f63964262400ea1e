import type { Client } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { isAction, type Action } from '../contract/names.ts';
import { checkRequest, type ModerationRequest } from '../contract/request.ts';

/** What a run was asked for. */
export interface Asked {
  action: Action;
  request: ModerationRequest;
}

/**
 * Reads a run's input from the first event of its history: there it stands for every run, also for those that were
 * started without our client and for those that have ended, and no worker is needed.
 *
 * @returns nothing where the input is no request of ours
 */
export async function askedOf(
  client: Client,
  { workflowId, runId }: { workflowId: string; runId: string },
): Promise<Asked | undefined> {
  const { history } = await client.workflow.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
  const action = started?.workflowType?.name;
  const [input] = await decodeArrayFromPayloads(
    client.workflow.options.loadedDataConverter,
    started?.input?.payloads ?? [],
  );
  const checked = checkRequest(input);
  return isAction(action) && checked.ok ? { action, request: checked.request } : undefined;
}
