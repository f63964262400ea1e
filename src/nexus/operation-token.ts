import type { Client } from '@temporalio/client';
import { HandlerError } from 'nexus-rpc';

/**
 * The workflow behind a Nexus operation, as the operation's token names it: by its first run, too. The workflow ID of a mute lock
 * and of a mute on entry is that of the call, so it alone would name a newer one as well, and a cancellation that comes late would
 * end what somebody else has started since.
 */
export interface Named {
  workflowId: string;
  /** A workflow that lasts long continues as further runs, which Temporal knows by the first one. */
  firstRunId: string;
}

export function tokenOf({ workflowId, firstRunId }: Named): string {
  return Buffer.from(JSON.stringify([workflowId, firstRunId])).toString('base64url');
}

/** @throws {HandlerError} if the token is none of ours */
export function namedBy(token: string): Named {
  const [workflowId, firstRunId] = partsOf(token);
  if (typeof workflowId === 'string' && typeof firstRunId === 'string') return { workflowId, firstRunId };
  throw new HandlerError(
    'BAD_REQUEST',
    'The token is not of an operation of this service. Cancel with the token that it returned.',
  );
}

function partsOf(token: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    return Array.isArray(parts) ? parts : [];
  } catch {
    return [];
  }
}

/** The first run of a workflow that may have continued since. */
export async function firstRunOf(
  client: Client,
  { workflowId, runId }: { workflowId: string; runId: string },
): Promise<string> {
  const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
  return raw.workflowExecutionInfo?.firstRunId || runId;
}
