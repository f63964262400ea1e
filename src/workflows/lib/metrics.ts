import { metricMeter } from '@temporalio/workflow';
import {
  EVENTS_HELP,
  MUTE_LOCKS_HELP,
  METRIC,
  MUTED_ON_ENTRY_HELP,
  MUTES_AGAIN_HELP,
  MUTES_ON_ENTRY_HELP,
  OPERATIONS_HELP,
} from '../../contract/metrics.ts';
import type { Action } from '../../contract/names.ts';
import type { ModerationResult } from '../../contract/operation.ts';

/**
 * What is counted of operations. Temporal drops what a replay would count once more, so a worker that takes an
 * operation over does not count its past; only a workflow task that has to be run again, as after a crash in the
 * midst of it, counts twice. Labels contain only words of ours, no ID.
 */

/** An operation has ended, with the `ModerationOutcome` that it is listed with. */
export function countOperation(action: Action, outcome: string): void {
  metricMeter.createCounter(METRIC.operations, undefined, OPERATIONS_HELP).add(1, { action, outcome });
}

/** A mute lock or a timed mute has ended, with the `ModerationOutcome` that it is listed with. */
export function countMuteLock(outcome: string): void {
  metricMeter.createCounter(METRIC.muteLocks, undefined, MUTE_LOCKS_HELP).add(1, { outcome });
}

/** A mute lock has muted its call again. */
export function countMuteAgain(): void {
  metricMeter.createCounter(METRIC.mutesAgain, undefined, MUTES_AGAIN_HELP).add(1);
}

/** A mute on entry has ended, with the `ModerationOutcome` that it is listed with. */
export function countMuteOnEntry(outcome: string): void {
  metricMeter.createCounter(METRIC.mutesOnEntry, undefined, MUTES_ON_ENTRY_HELP).add(1, { outcome });
}

/** Newcomers were muted. */
export function countMutedOnEntry(count: number): void {
  if (count > 0) metricMeter.createCounter(METRIC.mutedOnEntry, undefined, MUTED_ON_ENTRY_HELP).add(count);
}

/** An event was delivered, or given up. */
export function countEvent(type: string, outcome: string): void {
  metricMeter.createCounter(METRIC.events, undefined, EVENTS_HELP).add(1, { type, outcome });
}

/** Graph has accepted, so many ms after it was first asked. */
export function recordAcceptance(action: Action, ms: number): void {
  const help = "Time from the first request to Graph's acceptance, including all attempts.";
  metricMeter.createHistogram(METRIC.acceptance, 'float', undefined, help).record(ms / 1_000, { action });
}

/** The roster has confirmed, so many ms after Graph's acceptance. */
export function recordConfirmation(action: Action, by: ModerationResult['confirmedBy'], ms: number): void {
  const help = "Time from Graph's acceptance to the roster's confirmation, by the kind of evidence.";
  metricMeter
    .createHistogram(METRIC.confirmation, 'float', undefined, help)
    .record(ms / 1_000, { action, confirmed_by: by });
}
