import { WorkflowNotFoundError } from '@temporalio/client';
import { canonicalId, workflowIdOf } from '../contract/call-id.ts';
import { toQuery, toRecord, type OperationRecord } from './records.ts';
import type { Runs } from './runs.ts';

/**
 * The newest operation on the application's own mute in a call, running or ended. The newest run of the call's workflow ID
 * the server always knows; where that is a mute of others, the one before it is looked for in Temporal's lists.
 */
export async function newestOwn({ client }: Runs, callId: string): Promise<OperationRecord | undefined> {
  try {
    const newest = toRecord(await client.workflow.getHandle(workflowIdOf(callId)).describe());
    if (newest === undefined || newest.target === undefined) return newest;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
  const records: OperationRecord[] = [];
  for await (const info of client.workflow.list({ query: toQuery({ callId: canonicalId(callId) }), pageSize: 20 })) {
    const record = toRecord(info);
    if (record !== undefined && record.target === undefined) records.push(record);
    if (records.length >= MOST_LOOKED_AT) break;
  }
  return records.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt))[0];
}

/** The lists are in about the order of the starts. */
const MOST_LOOKED_AT = 5;
