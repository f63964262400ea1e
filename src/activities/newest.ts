import { Context } from '@temporalio/activity';
import { newestOwn } from '../client/newest.ts';
import { Runs } from '../client/runs.ts';
import type { NewestOperation } from './types.ts';

/** What was last asked of the application's own mute in a call, by whomever. */
export async function readNewest(callId: string): Promise<NewestOperation | undefined> {
  const newest = await newestOwn(new Runs(Context.current().client), callId);
  return newest && { action: newest.action, outcome: newest.outcome, runId: newest.runId, wishedAt: newest.wishedAt };
}
