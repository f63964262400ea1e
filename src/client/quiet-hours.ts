import type { CalendarSpec } from '@temporalio/client';
import { DateTime } from 'luxon';
import type { QuietHours } from '../contract/policy.ts';
import { DAYS, readDays, readTime } from './times.ts';

/** Hours of the day in which calls are kept muted. They may pass midnight, and then belong to the day they begin on. */

interface Read {
  from: number;
  to: number;
  /** Of the beginning, 0 for Sunday; all where absent. */
  days: readonly number[] | undefined;
}

/** Adds what is wrong to `faults`. */
export function readQuietHours(given: unknown, faults: string[]): Read | undefined {
  if (typeof given !== 'object' || given === null) {
    faults.push("when.quietHours must be an object such as { from: '22:00', to: '06:00' }");
    return undefined;
  }
  const { from, to, days, ...others } = given as Partial<Record<keyof QuietHours, unknown>>;
  for (const field of Object.keys(others)) {
    faults.push(`when.quietHours has the fields from, to and days, and not ${field.slice(0, 64)}`);
  }
  const [start, end] = [readTime('when.quietHours.from', from, faults), readTime('when.quietHours.to', to, faults)];
  const on = days === undefined ? undefined : readDays('when.quietHours.days', days, faults);
  if (start === undefined || end === undefined) return undefined;
  if (start === end) faults.push('when.quietHours.from and to are the same; they must differ');
  return { from: start, to: end, days: on?.map((day) => DAYS.indexOf(day)) };
}

/** The moments at which they begin and end. */
export function calendarsOf({ from, to, days }: Read): CalendarSpec[] {
  const later = to < from ? 1 : 0;
  return [
    calendar(from, days),
    calendar(
      to,
      days?.map((day) => (day + later) % 7),
    ),
  ];
}

function calendar(time: number, days: readonly number[] | undefined): CalendarSpec {
  const dayOfWeek = days?.flatMap((day) => DAYS[day] ?? []);
  return {
    hour: Math.floor(time / 3_600),
    minute: Math.floor(time / 60) % 60,
    second: time % 60,
    ...(dayOfWeek !== undefined && { dayOfWeek }),
  };
}

/** Whether a moment lies in them: their beginning does, their end does not. */
export function isQuiet(given: QuietHours, timeZone: string, at: Date): boolean {
  const hours = readQuietHours(given, []);
  if (hours === undefined) return false;
  const local = DateTime.fromJSDate(at, { zone: timeZone });
  const time = (local.hour * 60 + local.minute) * 60 + local.second;
  const { from, to, days } = hours;
  const isOn = (day: number): boolean => days === undefined || days.includes(day);
  const today = local.weekday % 7;
  if (from < to) return isOn(today) && time >= from && time < to;
  return (isOn(today) && time >= from) || (isOn((today + 6) % 7) && time < to);
}
