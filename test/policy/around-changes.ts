import type { ScheduleSpec } from '@temporalio/client';
import type { PolicyWhen } from '../../src/contract/policy.ts';
import { quietAt } from '../../src/schedule/quiet-hours.ts';
import { readWhen } from '../../src/schedule/spec.ts';
import { DAY_MS, type Change } from '../../src/schedule/wall-clock.ts';

/** Quiet hours around the moments when the clock changes. */

export const HOUR_MS = 3_600_000;

export const clock = (local: number): string => new Date(local).toISOString().slice(11, 19);
export const iso = (at: number): string => new Date(at).toISOString();

/** Hours that begin, or end, or both, in the time that a change of the clock skips or repeats. */
export function hoursAround({ before, after }: Change): { from: string; to: string }[] {
  const [low, high] = [Math.min(before, after), Math.max(before, after)];
  const middle = Math.round((low + high) / 2_000) * 1_000;
  const pairs = [
    [middle, middle + 5 * HOUR_MS],
    [middle - 5 * HOUR_MS, middle],
    [low, high],
    [high, low],
    [low + 60_000, middle],
    [middle, low + 60_000],
  ] as const;
  return pairs.map(([from, to]) => ({ from: clock(from), to: clock(to) }));
}

/** Begins and ends, from two days before an instant to two days after it. */
export function changesAround(when: PolicyWhen, at: number): number[] {
  const found: number[] = [];
  for (
    let next = quietAt(when, new Date(at - 2 * DAY_MS)).until;
    next !== undefined;
    next = quietAt(when, next).until
  ) {
    if (next.getTime() > at + 2 * DAY_MS) break;
    found.push(next.getTime());
  }
  return found;
}

export function specOf(when: PolicyWhen, now?: Date): ScheduleSpec {
  const read = readWhen(when, false, now);
  if (!read.ok) throw new Error(read.issues.join('; '));
  return read.spec;
}
