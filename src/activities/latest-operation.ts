import { Context } from '@temporalio/activity';
import { latestSelfOperation, type LatestSelfOperation } from '../client/operations/latest-self-operation.ts';
import { Runs } from '../client/operations/runs.ts';
import { PENDING } from '../contract/names.ts';
import type { LatestOperation } from './types.ts';

/** Temporal's list is given up after this; the workflow looks again. */
const LOOK_WITHIN_MS = 5_000;

/**
 * The newest request for the application's own mute in a call. As long as that is uncertain, it counts as a pending
 * unmute: the caller looks again and mutes nothing, so no mute lock mutes against an explicit unmute that a list does
 * not show yet. With `since` see `latestSelfOperation`.
 */
export async function readLatestOperation(callId: string, since?: number): Promise<LatestOperation | undefined> {
  const { client } = Context.current();
  const looked = client.withDeadline(
    Date.now() + LOOK_WITHIN_MS,
    async () => await latestSelfOperation(new Runs(client), callId, since),
  );
  const nothing: LatestSelfOperation = { isLast: true, isCertain: false };
  const { record, isLast, isCertain } = await looked.catch(() => nothing);
  if (!isCertain) {
    const wishedAt = Number.MAX_SAFE_INTEGER;
    return { action: 'unmute', outcome: PENDING, runId: record?.runId ?? '', wishedAt, isLast: true };
  }
  if (record === undefined) return undefined;
  const { action, outcome, runId, wishedAt } = record;
  return { action, outcome, runId, wishedAt, isLast };
}
