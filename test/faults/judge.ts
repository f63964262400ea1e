import { sameId } from '../../src/contract/call-id.ts';
import { SIGNAL } from '../../src/contract/names.ts';
import type { FormChange, LogEntry, NotificationEntry } from '../../src/simulator/index.ts';

/**
 * The judge of single operations. It reads the simulator's log and state, the outcome that each operation reported, and
 * Temporal's histories, and nothing else.
 *
 * - **Confirmed is true.** If an operation is confirmed, the application's state was the reported one at some moment between
 *   the request and the confirmation. A roster that Graph delivers late may show an older state, and mislead a run that
 *   does not know its place in the order: full rosters have no number, and a run knows no number of delta rosters before
 *   it has received or read one. Such a confirmation is counted apart, and only if a misleading roster was delivered in
 *   that time.
 * - **Restored is true.** An operation that fails with `restored: true` has sent something, and after its last request the
 *   state was as it was read before. With `restored: false` it has sent nothing but its own request.
 * - **In time.** No run outlives its deadlines.
 * - **One at a time.** Two operations on a call never interleave. No run begins before the previous one has closed, every
 *   POST begins and ends within one run, and no POST is sent while another is under way. Only the same action may be sent
 *   again while Graph still has the first one, if the connection broke.
 * - **Nothing is lost.** Every notification that the webhook answered with 202 while a run was open is a signal in its
 *   history: the end of the call, an update of an operation, and each roster with the application's state in it. Rosters
 *   that came at the same time may be one signal, which has the later state.
 * - **The last confirmed stands.** Graph shows the state that was confirmed last, unless somebody else changed it after that.
 *   Graph may apply a POST later than the next one; if the log shows that, it is counted apart.
 */
export interface Verdict {
  violations: string[];
  /** Confirmed by a roster that came late, and whose place in the order nobody could know (*confirmed is true*). */
  misled: number;
  /** Confirmed, and then undone by a request of before, which Graph had put off (*the last confirmed stands*). */
  overtaken: number;
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
  signals: readonly JudgedSignal[];
}

/** A signal as it stands in a run's history. */
export interface JudgedSignal {
  name: string;
  /** When the server recorded it. */
  at: number;
  /** The application's `isMuted` in a roster that tells it. */
  isMuted?: boolean | undefined;
  operationId?: string | undefined;
  /** The number of a delta roster. */
  sequence?: number | undefined;
}

export interface Evidence {
  callId: string;
  participantId: string;
  log: readonly LogEntry[];
  runs: readonly JudgedRun[];
  /** How rosters are told in this call. */
  form: Pick<FormChange, 'roster' | 'numberedReads'>;
  /** How long no part of the service could reach another, on purpose: deadlines that nobody can keep meanwhile. */
  outageMs?: number;
}

/** What a run may take at most beside confirming: reading, requesting and restoring with one attempt more each, verifying. */
const MAX_MS = 3 * (60_000 + 10_000) + 10_000 + 5_000;

/** Clocks of the processes are one clock here, but moments are taken a little apart. */
const SLACK_MS = 50;

interface State {
  at: number;
  isMuted: boolean;
  serverMuted: boolean;
  /** An operation did it, and not somebody else. */
  isOurs: boolean;
}

export function judge(evidence: Evidence): Verdict {
  const violations: string[] = [];
  let misled = 0;
  let overtaken = 0;
  const { log, runs, callId } = evidence;
  const blame = (rule: string, run: JudgedRun | undefined, what: string): void => {
    violations.push(
      `${rule}: call ${callId} run ${run?.runId ?? '-'} ${run?.action ?? ''} ${run?.outcome ?? ''}: ${what}`,
    );
  };
  const states = statesOf(evidence);
  const posts = log.filter((entry) => entry.type === 'request').filter(({ action }) => action !== undefined);

  for (const run of runs) {
    // confirmed is true
    if (run.result !== undefined) {
      const from = Date.parse(run.result.requestedAt) - SLACK_MS;
      const to = Date.parse(run.result.confirmedAt) + SLACK_MS;
      const { isMuted } = run.result;
      if (!within(states, from, to).some((state) => state.isMuted === isMuted)) {
        if (mayHaveMisled(evidence, run, from, to)) misled += 1;
        else blame('confirmed is true', run, `isMuted ${isMuted} was confirmed and never true from ${from} to ${to}`);
      }
    }
    // restored is true
    if (run.details?.restored === true && run.before !== undefined && run.closedAt !== undefined) {
      const { before, closedAt } = run;
      const last = posts.findLast(({ startedAt }) => startedAt >= run.startedAt && startedAt <= closedAt);
      const isAsBefore = (state: State): boolean =>
        before.serverMuted === undefined ? state.isMuted === before.isMuted : state.serverMuted === before.serverMuted;
      if (last === undefined) blame('restored is true', run, 'restored, but nothing was sent');
      else if (!within(states, last.endedAt ?? last.startedAt, closedAt + SLACK_MS).some(isAsBefore))
        blame('restored is true', run, `restored, but the state is not ${JSON.stringify(before)}`);
    }
    if (run.details?.restored === false && run.outcome !== 'RestoreFailed' && run.closedAt !== undefined) {
      const sent = posts.filter(({ startedAt }) => startedAt >= run.startedAt && startedAt <= (run.closedAt ?? 0));
      const others = sent.filter(({ action }) => action !== run.action);
      if (others.length > 0)
        blame('restored is true', run, `restored: false, but ${others.length} opposite requests were sent`);
    }
    // in time
    const end = run.closedAt;
    if (end === undefined) blame('in time', run, 'never closed');
    else if (end - run.startedAt > MAX_MS + run.confirmWithinSeconds * 1_000 + (evidence.outageMs ?? 0))
      blame('in time', run, `took ${end - run.startedAt} ms`);
  }

  // one at a time
  for (const [index, run] of runs.entries()) {
    const next = runs[index + 1];
    if (next !== undefined && next.startedAt < (run.closedAt ?? Infinity) - SLACK_MS)
      blame('one at a time', run, `not closed when run ${next.runId} began`);
  }
  for (const [index, post] of posts.entries()) {
    const { action, startedAt, endedAt = Infinity, outcome } = post;
    const span = `${action} of ${startedAt} to ${endedAt}`;
    const isOfARun = runs.some(
      (run) => run.startedAt - SLACK_MS <= startedAt && (run.closedAt ?? Infinity) + SLACK_MS >= startedAt,
    );
    const isWithin = runs.some(
      (run) => run.startedAt - SLACK_MS <= startedAt && (run.closedAt ?? Infinity) + SLACK_MS >= endedAt,
    );
    if (!isOfARun) blame('one at a time', undefined, `${span} belongs to no run`);
    else if (!isWithin && outcome !== 'gone') blame('one at a time', undefined, `${span} outlives its run`);
    const next = posts[index + 1];
    if (next === undefined || next.startedAt >= endedAt - 1) continue;
    const isRepeated = outcome === 'gone' && next.action === action;
    if (!isRepeated) blame('one at a time', undefined, `${span} overlaps ${next.action} of ${next.startedAt}`);
  }

  // nothing is lost
  for (const entry of log) {
    if (entry.type !== 'notification' || entry.status !== 202) continue;
    const { startedAt, endedAt = Infinity } = entry;
    const taker = runs.find((run) => run.startedAt <= startedAt && (run.closedAt ?? Infinity) >= endedAt + SLACK_MS);
    const told = signalOf(entry);
    if (taker === undefined || told === undefined) continue;
    const then = runs
      .flatMap(({ signals }) => signals)
      .filter(({ at, name }) => name === told.name && at >= startedAt - SLACK_MS && at <= endedAt + SLACK_MS);
    const isThere = then.some((signal) => told.isSaidBy(signal)) || (then.length > 0 && mayBeMerged(entry, evidence));
    if (!isThere) blame('nothing is lost', taker, `${entry.kind} answered 202 at ${endedAt} is no signal`);
  }

  // the last confirmed stands
  const confirmed = runs.filter(({ result }) => result !== undefined);
  const last = confirmed.toSorted((a, b) => (a.closedAt ?? 0) - (b.closedAt ?? 0)).at(-1);
  const lastRun = runs.toSorted((a, b) => a.startedAt - b.startedAt).at(-1);
  const now = states.at(-1);
  if (last?.result !== undefined && last === lastRun && now !== undefined && now.isMuted !== last.result.isMuted) {
    // What turned it round: a change of something else may have come after it, and be anybody's.
    const turn = states.findLast((state, index) => state.isMuted !== (states[index - 1]?.isMuted ?? false)) ?? now;
    const isLater = turn.at > Date.parse(last.result.requestedAt) - SLACK_MS;
    const wasPutOff = log.some((entry) => entry.type === 'request' && entry.effect === 'later');
    if (isLater && turn.isOurs && wasPutOff) overtaken += 1;
    else if ((!isLater || turn.isOurs) && misled === 0)
      blame(
        'the last confirmed stands',
        last,
        `confirmed isMuted ${last.result.isMuted}, and Graph shows ${now.isMuted}`,
      );
  }
  return { violations, misled, overtaken };
}

/** The signal that a notification must have become; nothing where it concerns no operation. */
function signalOf(entry: NotificationEntry): { name: string; isSaidBy: (signal: JudgedSignal) => boolean } | undefined {
  const { kind, own, operation, state } = entry;
  if (kind === 'roster') {
    return { name: SIGNAL.rosterUpdated, isSaidBy: ({ isMuted }) => own === undefined || isMuted === own.isMuted };
  }
  if (kind === 'call' && state === 'terminated') return { name: SIGNAL.callEnded, isSaidBy: () => true };
  if (kind !== 'operation' || operation === undefined || operation.status === null) return undefined;
  const isSaidBy = ({ operationId = '' }: JudgedSignal): boolean => sameId(operationId, operation.id);
  return { name: SIGNAL.operationUpdated, isSaidBy };
}

/**
 * Another roster, which tells another state, was on its way at the same time. A full one also tells it by leaving the
 * application out; a delta does not.
 */
function mayBeMerged(entry: NotificationEntry, { log, form }: Evidence): boolean {
  if (entry.kind !== 'roster') return false;
  const { startedAt, endedAt = Infinity, own } = entry;
  return log.some(
    (other) =>
      other.type === 'notification' &&
      other.kind === 'roster' &&
      (other.own !== undefined || form.roster !== 'delta') &&
      other.own?.isMuted !== own?.isMuted &&
      other.startedAt <= endedAt &&
      (other.endedAt ?? Infinity) >= startedAt,
  );
}

/** The application's states in order; the first is that of the call's creation. */
function statesOf({ log, participantId }: Evidence): State[] {
  return log.flatMap((entry) =>
    entry.type === 'change' && entry.participantId === participantId && entry.isMuted !== undefined
      ? [
          {
            at: entry.startedAt,
            isMuted: entry.isMuted,
            serverMuted: entry.serverMuted ?? false,
            isOurs: entry.operationId !== undefined,
          },
        ]
      : [],
  );
}

/** The state at `from`, and those that came until `to`. */
function within(states: readonly State[], from: number, to: number): State[] {
  const initial = { at: 0, isMuted: false, serverMuted: false, isOurs: false };
  const before = states.findLast(({ at }) => at <= from) ?? initial;
  return [before, ...states.filter(({ at }) => at > from && at <= to)];
}

/** Whether a roster that may be an old one told, from `from` to `to`, what the run has confirmed. */
function mayHaveMisled({ log, form }: Evidence, run: JudgedRun, from: number, to: number): boolean {
  const isDelta = form.roster === 'delta';
  if (isDelta && form.numberedReads === true) return false;
  const known = run.signals.filter(({ at }) => at <= from).map(({ sequence = 0 }) => sequence);
  return log.some(
    (entry) =>
      entry.type === 'notification' &&
      entry.own?.isMuted === run.result?.isMuted &&
      entry.startedAt <= to &&
      (entry.endedAt ?? Infinity) >= from &&
      (!isDelta || (entry.sequenceNumber ?? 0) > Math.max(0, ...known)),
  );
}
