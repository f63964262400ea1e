import type { CalendarSpec, ScheduleSpec } from '@temporalio/client';
import { shown } from '../contract/check.ts';
import { DURATION_RULE, toSeconds } from '../contract/duration.ts';
import type { PolicyWhen } from '../contract/policy.ts';
import { DATE_RULE, toDate, toZone } from './dates.ts';
import { calendarsOf, readQuietHours } from './quiet-hours.ts';
import { readDays, readTime } from './times.ts';

/** The times of a policy: what people write, to what Temporal's schedules take, or every fault with its remedy. */

const FIELDS = [
  'at',
  'days',
  'every',
  'cron',
  'once',
  'quietHours',
  'timeZone',
  'start',
  'end',
  'jitter',
] satisfies (keyof PolicyWhen)[];
const WAYS = ['at', 'every', 'cron', 'once', 'quietHours'] as const;

/**
 * When a policy of rules alone runs by itself: at the end of the time that Temporal's calendars know. A schedule that is
 * never to run again is deleted by Temporal after a week.
 */
const NEVER: CalendarSpec = { year: 2100, month: 'DECEMBER', dayOfMonth: 31 };

/** Whether a schedule's next time is none that anybody has asked for. */
export function isNever(time: Date): boolean {
  return time.getUTCFullYear() >= 2100;
}

/** `dates` are the moments that relative ones mean now: a policy that is kept must not mean another day tomorrow. */
export type ReadWhen =
  | { ok: true; spec: ScheduleSpec; dates: Pick<PolicyWhen, 'once' | 'start' | 'end'> }
  | { ok: false; faults: readonly string[] };

/** What is no object has no times, and its fault is told with those of the policy. */
export function readWhen(given: unknown, isByRules = false, now = new Date()): ReadWhen {
  const faults: string[] = [];
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return { ok: false, faults };
  const when = given as PolicyWhen;
  const known: readonly string[] = FIELDS;
  for (const field of Object.keys(when)) {
    if (!known.includes(field)) faults.push(`when.${field.slice(0, 64)} is not a field; they are ${known.join(', ')}`);
  }
  const ways = WAYS.filter((way) => when[way] !== undefined);
  if (ways.length !== 1 && !(isByRules && ways.length === 0)) {
    faults.push(
      `when must have exactly one of ${WAYS.join(', ')}${ways.length > 1 ? ` and not ${ways.join(' and ')}` : ''}`,
    );
  }
  const zone = when.timeZone === undefined ? 'UTC' : toZone(when.timeZone);
  if (zone === undefined) {
    faults.push(`when.timeZone ${shown(when.timeZone)} is not known; use a name such as Europe/Berlin or UTC`);
  }
  const dateOf = (field: 'once' | 'start' | 'end'): Date | undefined => {
    if (when[field] === undefined) return undefined;
    const date = toDate(when[field], zone, now);
    if (date === undefined) faults.push(`when.${field} ${DATE_RULE}`);
    return date;
  };
  const secondsOf = (field: 'every' | 'jitter', least: number): number | undefined => {
    if (when[field] === undefined) return undefined;
    const seconds = toSeconds(when[field]);
    if (seconds === undefined || seconds < least)
      faults.push(`when.${field} ${DURATION_RULE}, and at least ${least} s`);
    return seconds;
  };
  const [start, end] = [dateOf('start'), dateOf('end')];
  const once = fullSecond(dateOf('once'));
  if (start !== undefined && end !== undefined && end <= start) {
    faults.push('when.end must come after when.start; exchange them, or leave one out');
  }
  if (end !== undefined && end <= now)
    faults.push('when.end has passed, so that it would never run; name a later date');
  if (once !== undefined && once <= now) faults.push('when.once has passed; name a later date, or trigger the policy');
  const [every, jitter] = [secondsOf('every', 1), secondsOf('jitter', 0)];
  const quietHours = when.quietHours === undefined ? undefined : readQuietHours(when.quietHours, faults);
  const calendars = [
    ...readTimes(when, faults),
    ...(once === undefined ? [] : [calendarOf(once)]),
    ...(quietHours === undefined ? [] : calendarsOf(quietHours)),
    ...(ways.length === 0 ? [NEVER] : []),
  ];
  const cronExpressions = readCron(when.cron, faults);
  if (faults.length > 0) return { ok: false, faults };
  const spec: ScheduleSpec = {
    ...(calendars.length > 0 && { calendars }),
    ...(every !== undefined && { intervals: [{ every: every * 1_000 }] }),
    ...(cronExpressions.length > 0 && { cronExpressions }),
    ...(start !== undefined && { startAt: start }),
    ...(end !== undefined && { endAt: end }),
    ...(jitter !== undefined && { jitter: jitter * 1_000 }),
    timezone: once === undefined && zone !== undefined ? zone : 'UTC',
  };
  const dates = {
    ...(once !== undefined && { once: once.toISOString() }),
    ...(start !== undefined && { start: start.toISOString() }),
    ...(end !== undefined && { end: end.toISOString() }),
  };
  return { ok: true, spec, dates };
}

/** Calendars know seconds; a moment that is rounded down may have passed when the schedule is made. */
function fullSecond(date: Date | undefined): Date | undefined {
  return date && new Date(Math.ceil(date.getTime() / 1_000) * 1_000);
}

/** One moment, in UTC. */
function calendarOf(date: Date): CalendarSpec {
  return {
    year: date.getUTCFullYear(),
    month: MONTHS[date.getUTCMonth()] ?? 'JANUARY',
    dayOfMonth: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  };
}

const MONTHS = [
  'JANUARY',
  'FEBRUARY',
  'MARCH',
  'APRIL',
  'MAY',
  'JUNE',
  'JULY',
  'AUGUST',
  'SEPTEMBER',
  'OCTOBER',
  'NOVEMBER',
  'DECEMBER',
] as const;

function readTimes({ at, days }: PolicyWhen, faults: string[]): CalendarSpec[] {
  if (at === undefined) {
    if (days !== undefined) faults.push('when.days goes with when.at; add times of day, or leave it out');
    return [];
  }
  const dayOfWeek = days === undefined ? undefined : readDays('when.days', days, faults);
  const times: unknown[] = Array.isArray(at) ? at : [at];
  if (times.length === 0) faults.push('when.at is empty; name a time of day such as 18:00');
  return times.flatMap((given) => {
    const time = readTime('when.at', given, faults);
    if (time === undefined) return [];
    const clock = { hour: Math.floor(time / 3_600), minute: Math.floor(time / 60) % 60, second: time % 60 };
    return [{ ...clock, ...(dayOfWeek !== undefined && { dayOfWeek }) }];
  });
}

/**
 * Temporal's server reads the expressions, in its own dialect, and refuses a schedule that holds a bad one before there
 * is any. Only a zone in the expression is refused here, for there is one place for that.
 */
function readCron(cron: PolicyWhen['cron'], faults: string[]): string[] {
  if (cron === undefined) return [];
  const all: unknown[] = Array.isArray(cron) ? cron : [cron];
  if (all.length === 0) faults.push("when.cron is empty; write one such as '0 18 * * MON-FRI'");
  return all.flatMap((expression) => {
    if (typeof expression !== 'string' || expression.trim() === '') {
      faults.push("when.cron must be text such as '0 18 * * MON-FRI'");
      return [];
    }
    if (/TZ=/.test(expression)) {
      faults.push('when.cron must not name a zone; use when.timeZone');
      return [];
    }
    return [expression];
  });
}
