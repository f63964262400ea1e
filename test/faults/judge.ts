import type { LogEntry } from '../../src/simulator/index.ts';

/**
 * The judge. It reads only what cannot be argued with: the simulator's log and its state, the outcome that each operation
 * told, and Temporal's account of each run.
 *
 * (a) A confirmed operation means that the application's state was as reported at a moment between the request and the
 *     confirmation. Full rosters carry no order: one that Graph delivers late may show what is past, and mislead. Such a
 *     confirmation is counted apart, and only where a roster that was late was delivered in that time.
 * (b) A failed operation that says `restored: true` left the state as it was read; one that says `restored: false` has sent
 *     nothing but what was asked.
 * (c) No run outlives its deadlines.
 * (d) Two POSTs on a call never overlap: none is sent while another is on its way.
 * (e) Every roster that the webhook answered with 202 while a run was there to take it stands in a run's history as a
 *     signal.
 * (f) What was confirmed last is what Graph shows, unless somebody changed it later.
 */
export interface Verdict {
  violations: string[];
  misled: number;
}

export interface JudgedRun {
  runId: string;
  action: 'mute' | 'unmute';
  startedAt: number;
  closedAt: number | undefined;
  confirmWithinSeconds: number;
  outcome: string;
  /** The result of a confirmed run, the details of a failed one. */
  result: { isMuted: boolean; requestedAt: string; confirmedAt: string } | undefined;
  details: { restored?: boolean; failure?: string } | undefined;
  before: { isMuted: boolean; serverMuted?: boolean } | undefined;
  /** When `rosterUpdated` signals were recorded. */
  rosterSignals: readonly number[];
}

export interface Evidence {
  callId: string;
  participantId: string;
  log: readonly LogEntry[];
  runs: readonly JudgedRun[];
  isDelta: boolean;
}

/** What a run may take at most beside confirming: reading, requesting and restoring with one attempt more each, verifying. */
const MOST_MS = 3 * (60_000 + 10_000) + 10_000 + 5_000;

/** Clocks of the processes are one clock here, but moments are taken a little apart. */
const SLACK_MS = 50;

interface State {
  at: number;
  isMuted: boolean;
  serverMuted: boolean;
}

export function judge(evidence: Evidence): Verdict {
  const violations: string[] = [];
  let misled = 0;
  const { log, runs, callId } = evidence;
  const blame = (rule: string, run: JudgedRun | undefined, what: string): void => {
    violations.push(
      `(${rule}) call ${callId} run ${run?.runId ?? '-'} ${run?.action ?? ''} ${run?.outcome ?? ''}: ${what}`,
    );
  };
  const states = statesOf(evidence);
  const posts = log.filter((entry) => entry.type === 'request').filter(({ action }) => action !== undefined);

  for (const run of runs) {
    // (a)
    if (run.result !== undefined) {
      const from = Date.parse(run.result.requestedAt) - SLACK_MS;
      const to = Date.parse(run.result.confirmedAt) + SLACK_MS;
      const { isMuted } = run.result;
      if (!within(states, from, to).some((state) => state.isMuted === isMuted)) {
        if (!evidence.isDelta && wasTold(log, isMuted, from, to)) misled += 1;
        else blame('a', run, `isMuted ${isMuted} was confirmed and never true from ${from} to ${to}`);
      }
    }
    // (b)
    if (run.details?.restored === true && run.before !== undefined && run.closedAt !== undefined) {
      const { before } = run;
      const told = within(states, run.startedAt, run.closedAt + SLACK_MS).some((state) =>
        before.serverMuted === undefined ? state.isMuted === before.isMuted : state.serverMuted === before.serverMuted,
      );
      if (!told) blame('b', run, `restored, but the state is not ${JSON.stringify(before)}`);
    }
    if (run.details?.restored === false && run.outcome !== 'RestoreFailed' && run.closedAt !== undefined) {
      const sent = posts.filter(({ startedAt }) => startedAt >= run.startedAt && startedAt <= (run.closedAt ?? 0));
      const others = sent.filter(({ action }) => action !== run.action);
      if (others.length > 0) blame('b', run, `restored: false, but ${others.length} opposite requests were sent`);
    }
    // (c)
    const end = run.closedAt;
    if (end === undefined) blame('c', run, 'never closed');
    else if (end - run.startedAt > MOST_MS + run.confirmWithinSeconds * 1_000)
      blame('c', run, `took ${end - run.startedAt} ms`);
  }

  // (d)
  for (const [index, post] of posts.entries()) {
    const next = posts[index + 1];
    if (next === undefined) break;
    if (post.endedAt === undefined || next.startedAt < post.endedAt - 1) {
      blame(
        'd',
        undefined,
        `${post.action} of ${post.startedAt} to ${post.endedAt} overlaps ${next.action} of ${next.startedAt}`,
      );
    }
  }

  // (e)
  for (const entry of log) {
    if (entry.type !== 'notification' || entry.kind !== 'roster' || entry.status !== 202) continue;
    const { startedAt, endedAt = Infinity } = entry;
    const taker = runs.find((run) => run.startedAt <= startedAt && (run.closedAt ?? Infinity) >= endedAt + SLACK_MS);
    if (taker === undefined) continue;
    const signals = runs.flatMap(({ rosterSignals }) => rosterSignals);
    const isThere = signals.some((at) => at >= startedAt - SLACK_MS && at <= endedAt + SLACK_MS);
    if (!isThere) blame('e', taker, `a roster answered 202 at ${endedAt} is no signal`);
  }

  // (f)
  const confirmed = runs.filter(({ result }) => result !== undefined);
  const last = confirmed.toSorted((a, b) => (a.closedAt ?? 0) - (b.closedAt ?? 0)).at(-1);
  const lastRun = runs.toSorted((a, b) => a.startedAt - b.startedAt).at(-1);
  if (last?.result !== undefined && last === lastRun) {
    const since = Date.parse(last.result.confirmedAt);
    const now = states.at(-1);
    const changedLater = now !== undefined && now.at > since - SLACK_MS;
    if (now !== undefined && !changedLater && now.isMuted !== last.result.isMuted && misled === 0) {
      blame('f', last, `confirmed isMuted ${last.result.isMuted}, and Graph shows ${now.isMuted}`);
    }
  }
  return { violations, misled };
}

/** The application's states in order; the first is that of the call's creation. */
function statesOf({ log, participantId }: Evidence): State[] {
  return log.flatMap((entry) =>
    entry.type === 'change' && entry.participantId === participantId && entry.isMuted !== undefined
      ? [{ at: entry.startedAt, isMuted: entry.isMuted, serverMuted: entry.serverMuted ?? false }]
      : [],
  );
}

/** The state at `from`, and those that came until `to`. */
function within(states: readonly State[], from: number, to: number): State[] {
  const initial = { at: 0, isMuted: false, serverMuted: false };
  const before = states.findLast(({ at }) => at <= from) ?? initial;
  return [before, ...states.filter(({ at }) => at > from && at <= to)];
}

function wasTold(log: readonly LogEntry[], isMuted: boolean, from: number, to: number): boolean {
  return log.some(
    (entry) =>
      entry.type === 'notification' &&
      entry.own?.isMuted === isMuted &&
      entry.startedAt <= to &&
      (entry.endedAt ?? Infinity) >= from,
  );
}
