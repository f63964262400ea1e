import { Context } from '@temporalio/activity';
import { newestOwn } from '../client/newest.ts';
import { Runs } from '../client/runs.ts';
import { PENDING } from '../contract/names.ts';
import type { NewestOperation } from './types.ts';

/** Temporal's list is given up after this; the workflow looks again. */
const LOOK_WITHIN_MS = 5_000;

/**
 * What was last asked of the application's own mute in a call, by whomever. As long as that is not certain it counts as
 * an unmute that is pending: whoever asks looks again and mutes nothing, so no hold mutes against an explicit unmute that
 * a list does not show yet.
 */
export async function readNewest(callId: string): Promise<NewestOperation | undefined> {
  const { client } = Context.current();
  const looked = client.withDeadline(
    Date.now() + LOOK_WITHIN_MS,
    async () => await newestOwn(new Runs(client), callId),
  );
  const { record, isCertain } = await looked.catch(() => ({ record: undefined, isCertain: false }));
  if (!isCertain) {
    return { action: 'unmute', outcome: PENDING, runId: record?.runId ?? '', wishedAt: Number.MAX_SAFE_INTEGER };
  }
  return record && { action: record.action, outcome: record.outcome, runId: record.runId, wishedAt: record.wishedAt };
}
