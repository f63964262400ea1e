import { workflowIdOf } from '../../contract/call-id.ts';
import { otherDeployment } from '../own-deployment.ts';
import type { Run } from '../operations/operation-handle.ts';
import { leftMuted } from './left-muted.ts';
import type { ReleaseOutcome } from './release-types.ts';
import {
  answerOf,
  ASK_WITHIN_MS,
  endBy,
  notEnded,
  type Deadlines,
  type ReleaseTerms,
  type ReleaseTools,
} from './release-work.ts';

/** Unmutes a call if an operation of ours has left it muted: **Operations decide whose mute it is** (`release.ts`). */

/** An attempt of a request to Graph takes at most 10 s. */
const ON_ITS_WAY_MS = 15_000;

export async function unmuteLeftMuted(
  tools: ReleaseTools,
  callId: string,
  terms: ReleaseTerms,
  deadlines: Deadlines,
): Promise<ReleaseOutcome> {
  const { runs, taskQueue } = tools;
  const left = await leftMuted(runs, callId);
  if (left.answer === 'notMuted') return 'notMuted';
  const run = left.answer === 'muted' ? left.by : left.newest;
  if (run !== undefined && run.taskQueue !== taskQueue) {
    // **Other deployments are left alone.**
    throw otherDeployment(callId, `its operation ${run.record.runId}`, run.taskQueue, taskQueue);
  }
  const { dryRun = false, seconds } = terms;
  if (dryRun) return 'wouldUnmute';
  const tenantId = run?.record.tenantId;
  const first = await unmute(tools, callId, tenantId, terms, deadlines.standstill);
  if (first === 'ended') return 'unmuted';
  // A terminated operation is always followed by an unmute, however late.
  const second = (await isFreed(tools, callId, first))
    ? await unmute(tools, callId, tenantId, terms, Math.max(deadlines.end, Date.now() + ASK_WITHIN_MS))
    : await endOf(tools, callId, first, deadlines.end);
  if (second === 'ended') return 'unmuted';
  const why =
    second === undefined
      ? `The unmute of call ${callId} could not begin within ${seconds} s, because another operation on it has not ended.`
      : `The unmute of call ${callId} (run ${second.runId}) has not ended within ${seconds} s, and continues.`;
  throw notEnded(callId, why);
}

/** The run of the unmute if it has not ended in time; `undefined` if it has no run of its own by then. */
async function unmute(
  { runs, moderation }: ReleaseTools,
  callId: string,
  tenantId: string | undefined,
  { requestedBy, reason, onStarted }: ReleaseTerms,
  deadline: number,
): Promise<'ended' | Run | undefined> {
  let run: Run | undefined;
  const ended = await endBy(runs, deadline, async () => {
    const operation = await moderation.unmute({
      callId,
      ...(tenantId !== undefined && { tenantId }),
      ...(requestedBy !== undefined && { requestedBy }),
      ...(reason !== undefined && { reason }),
    });
    run = await operation.run();
    onStarted(run.runId);
    await operation.result();
    return 'ended' as const;
  });
  return ended ?? run;
}

/** Of an unmute that was begun already, and cannot be begun better. */
async function endOf(
  { runs, moderation }: ReleaseTools,
  callId: string,
  run: Run | undefined,
  deadline: number,
): Promise<'ended' | Run | undefined> {
  if (run === undefined) return undefined;
  const ended = await endBy(runs, deadline, async () => {
    await moderation.getHandle({ callId, action: 'unmute', runId: run.runId }).result();
    return 'ended' as const;
  });
  return ended ?? run;
}

/**
 * Whether an operation without progress was terminated. An operation of this release is not terminated (**An operation
 * without progress is terminated**).
 */
async function isFreed(
  { runs, taskQueue: own }: ReleaseTools,
  callId: string,
  mine: Run | undefined,
): Promise<boolean> {
  try {
    return await answerOf(runs, async () => {
      const described = await runs.client.workflow.getHandle(workflowIdOf(callId)).describe();
      const { runId, workflowId, closeTime, taskQueue, raw } = described;
      if (closeTime !== undefined) return true;
      if (taskQueue !== own || (mine?.runId === runId && !mine.attached)) return false;
      const run = runs.of(workflowId, runId);
      if ((await runs.statusOf(run)) !== undefined) return false;
      const isOnItsWay = (raw.pendingActivities ?? []).some(({ lastStartedTime }) => {
        const startedAt = Number(lastStartedTime?.seconds ?? 0) * 1_000;
        return Date.now() - startedAt < ON_ITS_WAY_MS;
      });
      if (isOnItsWay) return false;
      await run.terminate('Released, and no worker could run it');
      return true;
    });
  } catch {
    return false;
  }
}
