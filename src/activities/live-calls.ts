import { Context } from '@temporalio/activity';
import { defaultPayloadConverter } from '@temporalio/common';
import { toLiveQuery } from '../client/calls.ts';
import { callIdOfLive } from '../contract/call-id.ts';
import { SEARCH_ATTRIBUTE } from '../contract/names.ts';
import type { LivePage, PolicyCall } from './types.ts';

/**
 * One page of the calls that are established. Temporal's own page token leads to the next: it holds over the end of a
 * workflow's run, and calls that end in the meantime shift nothing.
 */
export async function listLiveCalls({ pageSize, pageToken, ...filter }: LivePage) {
  const { client, info } = Context.current();
  const { executions, nextPageToken } = await client.workflowService.listWorkflowExecutions({
    namespace: client.options.namespace,
    query: toLiveQuery(filter, info.taskQueue),
    pageSize,
    ...(pageToken !== undefined && { nextPageToken: Buffer.from(pageToken, 'base64') }),
  });
  const calls = executions.flatMap(({ execution, searchAttributes }): PolicyCall[] => {
    const callId = callIdOfLive(execution?.workflowId ?? '');
    const tenant = searchAttributes?.indexedFields?.[SEARCH_ATTRIBUTE.tenantId];
    const tenantId: unknown = tenant ? defaultPayloadConverter.fromPayload(tenant) : undefined;
    return callId === undefined ? [] : [{ callId, ...(typeof tenantId === 'string' && { tenantId }) }];
  });
  const next = Buffer.from(nextPageToken ?? []).toString('base64');
  return { calls, ...(next !== '' && { next }) };
}
