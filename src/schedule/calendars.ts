import type { CalendarSpec, IntervalSpec } from '@temporalio/client';
import { DAYS } from './time-of-day.ts';
import { changesOf, DAY_MS, instantOf } from './wall-clock.ts';

/**
 * Times of day as Temporal's schedules take them.
 *
 * A calendar alone does not do when the clock changes (seen with Temporal 1.32): it never fires at a time that the
 * clock skips. A time that is shown twice it fires at the second time, west of Greenwich at the first one too, and an
 * hour late if the schedule has done anything in that hour before. So times that the next changes of the clock
 * concern are given as instants as well. What a calendar adds to them must do no harm.
 */

const HOUR_MS = 3_600_000;

/** A time of day, in seconds, on every day or on those of the week that are given (0 for Sunday). */
export function calendarAt(time: number, days: readonly number[] | undefined): CalendarSpec {
  const dayOfWeek = days?.flatMap((day) => DAYS[day] ?? []);
  return {
    hour: Math.floor(time / 3_600),
    minute: Math.floor(time / 60) % 60,
    second: time % 60,
    ...(dayOfWeek !== undefined && { dayOfWeek }),
  };
}

/**
 * A single instant, of a full second. A calendar has no zone of its own, and could mean two of them. Temporal counts
 * intervals from 1970: the first of this one ends at the instant, and the second one when nobody cares any more.
 */
export function intervalAt(instant: number): IntervalSpec {
  return { every: instant };
}

/** When a time of day comes, on the days that are given, that a change of the clock skips or repeats. */
export function changedInstantsOf(time: number, days: readonly number[] | undefined, zone: string): number[] {
  const instants: number[] = [];
  for (const { before, after } of changesOf(zone)) {
    // Calendars reckon in whole hours.
    const from = Math.floor(Math.min(before, after) / HOUR_MS) * HOUR_MS;
    const to = Math.ceil(Math.max(before, after) / HOUR_MS) * HOUR_MS;
    // The change may pass midnight, and once it took a whole day.
    for (let day = Math.floor(from / DAY_MS) * DAY_MS; day < to; day += DAY_MS) {
      const local = day + time * 1_000;
      const isOn = days === undefined || days.includes(new Date(day).getUTCDay());
      if (isOn && local >= from && local < to) instants.push(instantOf(local, zone));
    }
  }
  return instants;
}
