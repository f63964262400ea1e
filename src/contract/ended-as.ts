import { isFields } from './check.ts';
import type { AnyFailureDetails, CANCELLED, FailureType } from './failure.ts';
import { ENDED_MEMO } from './names.ts';
import type { ModerationResult, ParticipantsMuteResult } from './operation.ts';

/**
 * How an operation ended from which another one took over only after that. Its run closes as continued, without a result, so the
 * end is in its memo. A run that was superseded before its end has no such memo.
 */
export type EndedAs =
  | { result: ModerationResult | ParticipantsMuteResult }
  | { failure: { type: FailureType | typeof CANCELLED; message: string; details: AnyFailureDetails } };

/** The end in a run's memo; `undefined` if the run was superseded before it had one. */
export function endedAs(memo: Record<string, unknown> | undefined): EndedAs | undefined {
  const ended = memo?.[ENDED_MEMO];
  // Only the run itself writes it.
  return isFields(ended) && (isFields(ended['result']) || isFields(ended['failure'])) ? (ended as EndedAs) : undefined;
}
