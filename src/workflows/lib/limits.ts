import { workflowInfo } from '@temporalio/workflow';

/**
 * When a run continues as new. Temporal terminates a run at 51,200 events or 50 MB of history, and refuses signals
 * after 10,000 (https://docs.temporal.io/workflow-execution/limits). A signal with a full roster has some 10 KB, and
 * a call sends up to ten a second, so what waits while signals come in counts them.
 */
const MAX_SIGNALS = 80;

/** Whether the history is long enough to continue as new: after MAX_SIGNALS, or when Temporal suggests it. */
export function isHistoryLong(signals: number): boolean {
  return signals >= MAX_SIGNALS || workflowInfo().continueAsNewSuggested;
}
