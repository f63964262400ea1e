import { WISHED_AT_MEMO } from './names.ts';

/** The time of a request, which a signal may carry because the signal may wait for a worker. */
export interface Wish {
  /**
   * In ms since the epoch.
   *
   * @default the arrival of the signal
   */
  wishedAt?: number;
}

/** When a run was wished for, in ms since the epoch: from its memo, or its start time. */
export function wishedAtOf({
  memo,
  startTime,
}: {
  memo?: Record<string, unknown> | undefined;
  startTime: Date;
}): number {
  const wishedAt = memo?.[WISHED_AT_MEMO];
  return typeof wishedAt === 'number' ? wishedAt : startTime.getTime();
}
