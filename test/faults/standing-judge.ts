import type { LogEntry } from '../../src/simulator/index.ts';

/**
 * The judge of standing mutes. It reads Graph's log and state, Temporal's account of each run, and the requests with their
 * times.
 *
 * - **Newest wish.** Once everything has ended and Graph has recovered, the call is as the newest wish wants it. A wish is an
 *   operation that was confirmed, the end of a mute lock or timed mute, or a change by an organizer. Wishes whose order
 *   nobody can know decide nothing, and are counted apart.
 * - **Who was there.** A mute on entry mutes nobody who was there when it began.
 * - **Silence after the end.** No POST begins after the last run of the call has closed.
 * - **Deadlines and limits.** Everything ends within the time that the player gives.
 */
export interface StandingEvidence {
  callId: string;
  log: readonly LogEntry[];
  wishes: readonly Wish[];
  isServerMuted: boolean;
  hasEnded: boolean;
  /** Participants, with the time since when each may be muted: who was there never may. */
  participants: readonly { id: string; joinedAt: number }[];
  /** When the first mute on entry was asked for; `undefined` if none was. */
  muteOnEntryAt: number | undefined;
  /** When the last run of the call closed. */
  lastClosedAt: number;
  /** What had not ended in time. */
  late: readonly string[];
}

export interface Wish {
  /** When it was asked for, and when it had taken effect. */
  from: number;
  at: number;
  /** `undefined` for an operation that failed: it may have left the call either way, or restored what was there before. */
  isMuted: boolean | undefined;
  who: string;
}

export interface StandingVerdict {
  violations: string[];
  /** The last two wishes contradict, and came at the same time. */
  undecided: number;
}

/** Wishes closer than this are taken for simultaneous: they travel through several processes. */
const SIMULTANEOUS_MS = 1_500;

const SLACK_MS = 100;

export function judgeStanding(evidence: StandingEvidence): StandingVerdict {
  const { callId, log, wishes, isServerMuted, hasEnded, late, lastClosedAt } = evidence;
  const violations = late.map((what) => `deadlines and limits: call ${callId}: ${what} has not ended in time`);
  const requests = log.filter((entry) => entry.type === 'request');

  // newest wish
  const ordered = wishes.toSorted((a, b) => a.at - b.at);
  const last = ordered.at(-1);
  const near = ordered.filter(({ at }) => last !== undefined && at > last.from - SIMULTANEOUS_MS);
  const isUndecided = near.some(({ isMuted }) => isMuted === undefined || isMuted !== last?.isMuted);
  const wanted = last?.isMuted ?? false;
  if (!hasEnded && !isUndecided && late.length === 0 && isServerMuted !== wanted) {
    const said = ordered.map(({ at, isMuted, who }) => `${at} ${who}: ${String(isMuted)}`).join(', ');
    violations.push(
      `newest wish: call ${callId} is ${isServerMuted ? 'muted' : 'not muted'}, and the wishes were: ${said}`,
    );
  }

  // who was there
  for (const { path, name } of requests) {
    if (name !== 'muteParticipant') continue;
    const muted = evidence.participants.find(({ id }) => path.includes(id));
    if (evidence.muteOnEntryAt === undefined || muted === undefined) {
      violations.push(`who was there: call ${callId}: ${path} without a mute on entry`);
    } else if (muted.joinedAt < evidence.muteOnEntryAt - SLACK_MS) {
      violations.push(`who was there: call ${callId}: ${path}, who was there before the mute on entry`);
    }
  }

  // silence after the end
  for (const { action, startedAt } of requests) {
    if (action !== undefined && startedAt > lastClosedAt + SLACK_MS) {
      violations.push(
        `silence after the end: call ${callId}: ${action} at ${startedAt}, after the last run has closed at ${lastClosedAt}`,
      );
    }
  }
  return { violations, undecided: isUndecided ? 1 : 0 };
}
