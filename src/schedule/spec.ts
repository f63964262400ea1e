import type { CalendarSpec, IntervalSpec, ScheduleSpec } from '@temporalio/client';
import { shown } from '../contract/check.ts';
import { DURATION_RULE, toSeconds } from '../contract/duration.ts';
import type { PolicyWhen } from '../contract/policy.ts';
import { calendarAt, changedInstantsOf, intervalAt } from './calendars.ts';
import { DATE_RULE, toDate, toZone } from './dates.ts';
import { firingOf, readQuietHours } from './quiet-hours.ts';
import { DAYS, fullSecond, readDays, readTime } from './time-of-day.ts';

/** The times of a policy: from what people write to Temporal's schedules, or all issues with their remedies. */

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
 * When a policy of rules alone runs by itself: at the end of the time that Temporal's calendars know. A schedule that
 * is never to run again is deleted by Temporal after a week.
 */
const NEVER: CalendarSpec = { year: 2100, month: 'DECEMBER', dayOfMonth: 31 };

/** True for the placeholder run in 2100 that keeps a rules-only schedule. */
export function isNever(time: Date): boolean {
  return time.getUTCFullYear() >= 2100;
}

/** `dates` are the moments that relative ones mean now: a policy that is kept must not mean another day tomorrow. */
export type ReadWhen =
  | { ok: true; spec: ScheduleSpec; dates: Pick<PolicyWhen, 'once' | 'start' | 'end'> }
  | { ok: false; issues: readonly string[] };

/** A value that is not an object has no times; its issue is reported with those of the policy. */
export function readWhen(given: unknown, isByRules = false, now = new Date()): ReadWhen {
  const issues: string[] = [];
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return { ok: false, issues };
  const when = given as PolicyWhen;
  const known: readonly string[] = FIELDS;
  for (const field of Object.keys(when)) {
    if (!known.includes(field)) issues.push(`when.${field.slice(0, 64)} is not a field; they are ${known.join(', ')}`);
  }
  const ways = WAYS.filter((way) => when[way] !== undefined);
  if (ways.length !== 1 && !(isByRules && ways.length === 0)) {
    issues.push(
      `when must have exactly one of ${WAYS.join(', ')}${ways.length > 1 ? ` and not ${ways.join(' and ')}` : ''}`,
    );
  }
  const zone = when.timeZone === undefined ? 'UTC' : toZone(when.timeZone);
  if (zone === undefined) {
    issues.push(`when.timeZone ${shown(when.timeZone)} is not known; use a name such as Europe/Berlin or UTC`);
  }
  const dateOf = (field: 'once' | 'start' | 'end'): Date | undefined => {
    if (when[field] === undefined) return undefined;
    const date = toDate(when[field], zone, now);
    if (date === undefined) issues.push(`when.${field} ${DATE_RULE}`);
    return date;
  };
  const secondsOf = (field: 'every' | 'jitter', least: number): number | undefined => {
    if (when[field] === undefined) return undefined;
    const seconds = toSeconds(when[field]);
    if (seconds === undefined || seconds < least)
      issues.push(`when.${field} ${DURATION_RULE}, and at least ${least} s`);
    return seconds;
  };
  // Quiet hours begin and end with full seconds, as Temporal's calendars fire.
  const boundOf = (field: 'start' | 'end'): Date | undefined =>
    when.quietHours === undefined ? dateOf(field) : fullSecond(dateOf(field));
  const [start, end] = [boundOf('start'), boundOf('end')];
  const once = fullSecond(dateOf('once'));
  if (start !== undefined && end !== undefined && end <= start) {
    issues.push('when.end must come after when.start; exchange them, or leave one out');
  }
  if (end !== undefined && end <= now)
    issues.push('when.end has passed, so that it would never run; name a later date');
  if (once !== undefined && once <= now) issues.push('when.once has passed; name a later date, or trigger the policy');
  const [every, jitter] = [secondsOf('every', 1), secondsOf('jitter', 0)];
  const quietHours = when.quietHours === undefined ? undefined : readQuietHours(when.quietHours, issues);
  const dates = {
    ...(once !== undefined && { once: once.toISOString() }),
    ...(start !== undefined && { start: start.toISOString() }),
    ...(end !== undefined && { end: end.toISOString() }),
  };
  const firing: Firing[] = [
    readTimes(when, zone ?? 'UTC', issues),
    ...(once === undefined ? [] : [{ calendars: [calendarOf(once)] }]),
    ...(every === undefined ? [] : [{ intervals: [{ every: every * 1_000 }] }]),
    ...(quietHours === undefined || zone === undefined ? [] : [firingOf(quietHours, zone, dates)]),
    ...(ways.length === 0 ? [{ calendars: [NEVER] }] : []),
  ];
  const calendars = firing.flatMap(({ calendars: some = [] }) => some);
  const intervals = firing.flatMap(({ intervals: some = [] }) => some);
  const cronExpressions = readCron(when.cron, issues);
  if (issues.length > 0) return { ok: false, issues };
  const spec: ScheduleSpec = {
    ...(calendars.length > 0 && { calendars }),
    ...(intervals.length > 0 && { intervals }),
    ...(cronExpressions.length > 0 && { cronExpressions }),
    ...(start !== undefined && { startAt: start }),
    ...(end !== undefined && { endAt: end }),
    ...(jitter !== undefined && { jitter: jitter * 1_000 }),
    timezone: once === undefined && zone !== undefined ? zone : 'UTC',
  };
  return { ok: true, spec, dates };
}

/** One moment, in UTC. A schedule that has no time left after it is deleted by Temporal. */
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

/** What makes a schedule fire. */
interface Firing {
  calendars?: CalendarSpec[];
  intervals?: IntervalSpec[];
}

/** A time that the zone skips on a day comes at the end of the gap. */
function readTimes({ at, days }: PolicyWhen, zone: string, issues: string[]): Firing {
  if (at === undefined) {
    if (days !== undefined) issues.push('when.days goes with when.at; add times of day, or leave it out');
    return {};
  }
  const on = days === undefined ? undefined : readDays('when.days', days, issues).map((day) => DAYS.indexOf(day));
  const times: unknown[] = Array.isArray(at) ? at : [at];
  if (times.length === 0) issues.push('when.at is empty; name a time of day such as 18:00');
  const read = times.flatMap((given) => readTime('when.at', given, issues) ?? []);
  return {
    calendars: read.map((time) => calendarAt(time, on)),
    intervals: read.flatMap((time) => changedInstantsOf(time, on, zone)).map(intervalAt),
  };
}

/**
 * Temporal's server reads the expressions, in its own dialect, and refuses a schedule with an invalid one before it
 * is created. Only a zone in the expression is refused here, because `timeZone` is the one place for that.
 */
function readCron(cron: PolicyWhen['cron'], issues: string[]): string[] {
  if (cron === undefined) return [];
  const all: unknown[] = Array.isArray(cron) ? cron : [cron];
  if (all.length === 0) issues.push("when.cron is empty; write one such as '0 18 * * MON-FRI'");
  return all.flatMap((expression) => {
    if (typeof expression !== 'string' || expression.trim() === '') {
      issues.push("when.cron must be text such as '0 18 * * MON-FRI'");
      return [];
    }
    if (/TZ=/.test(expression)) {
      issues.push('when.cron must not name a zone; use when.timeZone');
      return [];
    }
    return [expression];
  });
}
