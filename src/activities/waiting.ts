import type { Context } from '@temporalio/activity';

/** What activities share that start something by our own client and wait for it. */

/** A third of the heartbeat timeout, or this in ms where there is none. */
const BEAT_MS = 3_000;

/** The same for every attempt at an activity, and for nothing else: what names a start that may be asked for twice. */
export function startIdOf({ info }: Context): string {
  return [info.workflowExecution?.runId ?? info.activityRunId, info.activityId].join('/');
}

/** Beats, with what there is to tell, until the function that is returned is called. What ends sooner costs no beat. */
export function keepBeating(context: Context, details: () => unknown = () => undefined): () => void {
  const ms = (context.info.heartbeatTimeoutMs ?? 0) / 3 || BEAT_MS;
  const beats = setInterval(() => context.heartbeat(details()), ms);
  return () => clearInterval(beats);
}
