import { canonicalId } from '../../../src/contract/call-id.ts';
import type { LogEntry } from '../../../src/simulator/index.ts';
import { judgeStanding } from '../../faults/standing-judge.ts';

/**
 * The judge of a day. It reads Graph's logs and states, and Temporal's list of all runs.
 *
 * - *newest wish*, *who was there*, *silence after the end* and *deadlines and limits* are the rules of `standing-judge.ts`.
 *   The newest wish for each call is that nothing stays muted.
 * - **Calm times.** While nothing is wrong, no request fails, and everything ends as it was asked to.
 * - **Not before its time.** What keeps a call muted does not unmute it before its end.
 * - **End of the day.** Then nothing runs, and no call that has ended is listed as active.
 */
export interface DayEvidence {
  lives: readonly LifeAccount[];
  runs: readonly DayRun[];
  /** Workflow IDs that still ran after their time. */
  running: readonly string[];
  /** Calls that were listed as active after all had ended. */
  active: readonly string[];
}

/** What became of one call. */
export interface LifeAccount {
  readonly kind: string;
  readonly callId: string;
  readonly log: readonly LogEntry[];
  /** Whether it ended while it was muted, as calls do; then nothing is left. */
  endedMuted: boolean;
  /** As Graph had it when the call ended, or at the end of the day. */
  isServerMuted: boolean;
  /** Participants, with the time since when each may be muted: who was there never may. */
  readonly participants: { id: string; joinedAt: number }[];
  muteOnEntryAt: number | undefined;
  /** What Graph did not show in time. */
  readonly late: string[];
  /** What failed in calm times. */
  readonly failed: string[];
  /** Times in which nothing of ours may unmute it. */
  readonly kept: { from: number; until: number; by: string }[];
}

export interface DayRun {
  type: string;
  callId: string | undefined;
  startedAt: number;
  closedAt: number | undefined;
  outcome: string;
  events: number;
}

const SLACK_MS = 50;

export function judgeDay({ lives, runs, running, active }: DayEvidence): string[] {
  const lastClosedAt = new Map<string, number>();
  for (const { callId, closedAt = 0 } of runs) {
    if (callId !== undefined) lastClosedAt.set(callId, Math.max(lastClosedAt.get(callId) ?? 0, closedAt));
  }
  return [
    ...lives.flatMap((life) => judgeLife(life, lastClosedAt.get(canonicalId(life.callId)) ?? 0)),
    ...running.map((workflowId) => `end of the day: ${workflowId} still runs`),
    ...active.map((callId) => `end of the day: call ${callId} has ended, and is listed as active`),
  ];
}

function judgeLife(life: LifeAccount, lastClosedAt: number): string[] {
  const { kind, callId, log, endedMuted, isServerMuted, participants, muteOnEntryAt, late, failed, kept } = life;
  const standing = judgeStanding({
    callId,
    log,
    // Whatever was asked for, the last wish of each is that nothing stays muted.
    wishes: [],
    isServerMuted,
    hasEnded: endedMuted,
    participants,
    muteOnEntryAt,
    lastClosedAt,
    late: [],
  });
  const violations = [
    ...standing.violations,
    ...late.map((what) => `deadlines and limits: call ${callId}: ${what}`),
    ...failed.map((what) => `calm times: call ${callId}: ${what}, and nothing was wrong`),
  ];
  const unmutes = log.filter((entry) => entry.type === 'request').filter(({ action }) => action === 'unmute');
  for (const { from, until, by } of kept) {
    const early = unmutes.filter(({ startedAt }) => startedAt >= from && startedAt < until - SLACK_MS);
    for (const { startedAt } of early) {
      violations.push(
        `not before its time: call ${callId}: unmuted at ${startedAt}, and ${by} had to keep it muted until ${until}`,
      );
    }
  }
  return violations.map((violation) => `${violation} [${kind}]`);
}
