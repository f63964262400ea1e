import { WorkflowContinuedAsNewError, type WorkflowHandle } from '@temporalio/client';
import { endedAs } from '../../contract/ended-as.ts';
import type { ModerationResult, ParticipantsMuteResult } from '../../contract/operation.ts';

/**
 * Waits for the result of a run of an operation, also of one that had ended when another operation took over from it.
 *
 * @throws what the run's own `result()` throws; see `toModerationError`
 */
export async function resultOf(run: WorkflowHandle): Promise<ModerationResult | ParticipantsMuteResult> {
  try {
    return (await run.result()) as ModerationResult | ParticipantsMuteResult;
  } catch (error) {
    if (!(error instanceof WorkflowContinuedAsNewError)) throw error;
    const ended = endedAs((await run.describe()).memo);
    if (ended !== undefined && 'result' in ended) return ended.result;
    throw error;
  }
}
