import { PARTIAL, type Action } from '../../contract/names.ts';
import type { OperationOutcome } from '../../activities/types.ts';
import { isEveryoneMuted, type ParticipantsMuteResult } from '../../contract/operation.ts';
import type { MutedOthers, PolicyReport } from '../../contract/policy.ts';

/** The report of a run of a policy. It has less than 600 KB for any number of calls. */

const MAX_CONFIRMED = 2_000;
const MAX_FAILURES = 100;
const MAX_MESSAGE = 300;
const MAX_IN_CALLS = 1_000;

/** The outcome of a call. */
export interface CallOutcome {
  outcome: string;
  message?: string;
  /** Of a mute that was confirmed. */
  runId?: string;
  /** Where others were muted. */
  others?: MutedOthers;
}

/** A decision of a rule is not a failure. */
const BY_RULE: ReadonlySet<string> = new Set(['BelowMinimum', 'AlreadyDone', 'StillQuiet']);

/** A mute on entry is running now; whom it will mute is unknown. */
const ON_ENTRY: ReadonlySet<string> = new Set(['Started', 'Extended']);

export function newReport(policyId: string, action: Action): PolicyReport {
  const startedAt = new Date().toISOString();
  return { policyId, action, startedAt, calls: 0, outcomes: {}, confirmed: [], failures: [] };
}

export function countCall(report: PolicyReport, callId: string, came: CallOutcome): void {
  const { outcome: type, message = '', others } = came;
  report.calls += 1;
  report.outcomes[type] = (report.outcomes[type] ?? 0) + 1;
  if (others !== undefined) countOthers(report, callId, others);
  if (type === 'Confirmed') {
    if (report.confirmed.length < MAX_CONFIRMED) report.confirmed.push(callId);
  } else if (!BY_RULE.has(type) && !ON_ENTRY.has(type) && report.failures.length < MAX_FAILURES) {
    report.failures.push({ callId, type, message: message.slice(0, MAX_MESSAGE) });
  }
}

/** Calls of which only their number is known. */
export function countMore(report: PolicyReport, outcomes: Readonly<Record<string, number>>): void {
  for (const [type, count] of Object.entries(outcomes)) {
    report.calls += count;
    report.outcomes[type] = (report.outcomes[type] ?? 0) + count;
  }
}

function countOthers(report: PolicyReport, callId: string, { muted, of }: MutedOthers): void {
  const others = (report.others ??= { muted: 0, of: 0, inCalls: [] });
  others.muted += muted;
  others.of += of;
  if (others.inCalls.length < MAX_IN_CALLS) others.inCalls.push({ callId, muted, of });
}

/** An operation on others is confirmed, too, where only some of them are muted. */
export function callOutcomeOf(outcome: OperationOutcome): CallOutcome {
  if (outcome.outcome !== 'Confirmed') return { outcome: outcome.outcome, message: outcome.message };
  const { result, runId } = outcome;
  if (!('participants' in result)) return { outcome: 'Confirmed', runId };
  const others = countMuted(result);
  if (isEveryoneMuted(result)) return { outcome: 'Confirmed', others };
  const rest = result.isRosterComplete ? '' : ', and the roster was incomplete, so there may be more';
  return { outcome: PARTIAL, message: `${others.muted} of ${others.of} are muted${rest}.`, others };
}

function countMuted({ target, participants }: ParticipantsMuteResult): MutedOthers {
  const isByName = target !== 'others' && 'participantIds' in target;
  const meant = participants.filter(({ outcome }) => outcome !== 'left' && (isByName || outcome !== 'inLobby'));
  return { muted: meant.filter(({ outcome }) => outcome === 'confirmed').length, of: meant.length };
}
