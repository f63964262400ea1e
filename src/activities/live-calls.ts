import { Context } from '@temporalio/activity';
import { defaultPayloadConverter } from '@temporalio/common';
import { tsToMs } from '@temporalio/common/lib/time.js';
import { liveCallListFilter } from '../client/calls/calls.ts';
import { quote } from '../contract/list-filter.ts';
import { callIdOfLive } from '../contract/call-id.ts';
import { SEARCH_ATTRIBUTE } from '../contract/names.ts';
import type { ListedCall, LivePage } from './types.ts';

/**
 * One page of the calls that are established, the newest run first. Temporal's own page token leads to the next:
 * calls that end in the meantime shift nothing, but one that continues as new moves before the token
 * (`workflows/policy-calls.ts`).
 */
export async function listLiveCalls({ pageSize, pageToken, startedAfter, ...filter }: LivePage) {
  const { client, info } = Context.current();
  const { executions, nextPageToken } = await client.workflowService.listWorkflowExecutions({
    namespace: client.options.namespace,
    query: [
      liveCallListFilter(filter, info.taskQueue),
      ...(startedAfter === undefined ? [] : [`StartTime >= ${quote(startedAfter)}`]),
    ].join(' AND '),
    pageSize,
    ...(pageToken !== undefined && { nextPageToken: Buffer.from(pageToken, 'base64') }),
  });
  const calls = executions.flatMap(({ execution, searchAttributes, startTime }): ListedCall[] => {
    const callId = callIdOfLive(execution?.workflowId ?? '');
    const tenant = searchAttributes?.indexedFields?.[SEARCH_ATTRIBUTE.tenantId];
    const tenantId: unknown = tenant ? defaultPayloadConverter.fromPayload(tenant) : undefined;
    const startedAt = startTime ? tsToMs(startTime) : Date.now();
    return callId === undefined ? [] : [{ callId, startedAt, ...(typeof tenantId === 'string' && { tenantId }) }];
  });
  const next = Buffer.from(nextPageToken ?? []).toString('base64');
  return { calls, ...(next !== '' && { next }) };
}
