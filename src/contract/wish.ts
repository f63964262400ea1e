import { WISHED_AT_MEMO } from './names.ts';

/** When a run was wished for, in ms since the epoch: as its memo says, or when it started. */
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
