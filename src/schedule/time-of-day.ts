import type { DayOfWeek } from '@temporalio/client';
import { shown } from '../contract/check.ts';

/** Times of day and days of the week as people write them. Issues are added to `issues`, with their field. */

export const DAYS = ['SUNDAY', 'MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY'] as const;

/** Days that one list may name; each of them once is 7. */
const MAX_DAYS = 14;

/** Seconds since midnight. */
export function readTime(field: string, given: unknown, issues: string[]): number | undefined {
  const found = typeof given === 'string' ? /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/.exec(given) : null;
  if (found === null) {
    const said = given === undefined ? '' : ` ${shown(given)}`;
    issues.push(`${field}${said} must be a time of day such as 18:00 or 07:30:15`);
    return undefined;
  }
  const [, hour, minute, second = '0'] = found;
  return (Number(hour) * 60 + Number(minute)) * 60 + Number(second);
}

export function readDays(field: string, given: unknown, issues: string[]): DayOfWeek[] {
  const all: unknown[] = Array.isArray(given) ? given : [given];
  if (all.length === 0) issues.push(`${field} is empty; name days such as mon or weekdays, or leave it out`);
  if (all.length > MAX_DAYS) {
    issues.push(`${field} names ${all.length} days; name each once`);
    return [];
  }
  const days = all.flatMap((one): DayOfWeek[] => {
    const word = typeof one === 'string' ? one.slice(0, 16).toUpperCase() : '';
    if (word === 'WEEKDAYS') return DAYS.slice(1, 6);
    if (word === 'WEEKENDS') return ['SATURDAY', 'SUNDAY'];
    const day = DAYS.find((name) => name === word || name.slice(0, 3) === word);
    if (day !== undefined) return [day];
    issues.push(`${field} ${shown(one)} is no day; use mon to sun, weekdays or weekends`);
    return [];
  });
  return [...new Set(days)];
}

/** Calendars know seconds; a moment that is rounded down may have passed when the schedule is made. */
export function fullSecond(date: Date | undefined): Date | undefined {
  return date && new Date(Math.ceil(date.getTime() / 1_000) * 1_000);
}
