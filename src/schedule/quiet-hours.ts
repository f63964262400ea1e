import type { ScheduleSpec } from '@temporalio/client';
import type { PolicyWhen, QuietHours } from '../contract/policy.ts';
import { calendarAt, changedInstantsOf, intervalAt } from './calendars.ts';
import { toDate } from './dates.ts';
import { DAYS, fullSecond, readDays, readTime } from './time-of-day.ts';
import { DAY_MS, instantOf, localAt } from './wall-clock.ts';

/**
 * Hours of the day in which calls are kept muted. They may pass midnight, and then belong to the day they begin on.
 *
 * All questions about them are answered here: when the schedule fires, what a run does, whether an established call is
 * muted, and when an active call checks again.
 *
 * - **A day's hours are one span.** The span is `[begin, end)`, by the rules of `wall-clock.ts`: a time that the
 *   clock skips is at the end of the gap, and a time that it shows twice is the second one. Hours that lie in a gap
 *   are empty.
 * - **Bounds cut spans.** `start` and `end` of the policy cut spans. Spans that touch are one.
 * - **The schedule fires at every begin and end.** See `firingOf`. In nights with a clock change it may fire at other
 *   instants, too (`calendars.ts`). A run decides by the clock, so it repeats what is right, and at the first of two
 *   equal times it does nothing (`isFirstOfTwo`).
 * - **Our time zone tables decide.** The server's tables may be older or newer, so a schedule may fire early or late
 *   by the difference of two offsets, a multiple of a quarter of an hour. A late run does what is right anyway. An
 *   early run waits for the begin or the end (`dueLaterAt`) if the schedule does not fire then.
 */

interface Hours {
  /** Seconds since midnight. */
  from: number;
  to: number;
  /** Of the beginning, 0 for Sunday; all where absent. */
  days: readonly number[] | undefined;
}

/** Adds the issues that it finds to `issues`. */
export function readQuietHours(given: unknown, issues: string[]): Hours | undefined {
  if (typeof given !== 'object' || given === null) {
    issues.push("when.quietHours must be an object such as { from: '22:00', to: '06:00' }");
    return undefined;
  }
  const { from, to, days, ...others } = given as Partial<Record<keyof QuietHours, unknown>>;
  for (const field of Object.keys(others)) {
    issues.push(`when.quietHours has the fields from, to and days, and not ${field.slice(0, 64)}`);
  }
  const [start, end] = [readTime('when.quietHours.from', from, issues), readTime('when.quietHours.to', to, issues)];
  const on = days === undefined ? undefined : readDays('when.quietHours.days', days, issues);
  if (start === undefined || end === undefined) return undefined;
  if (start === end) issues.push('when.quietHours.from and to are the same; they must differ');
  return { from: start, to: end, days: on?.map((day) => DAYS.indexOf(day)) };
}

/** From the first instant of the hours to the first one after them. */
interface Span {
  begin: number;
  end: number;
}

/**
 * **Our time zone tables decide.** No government has changed a clock by more at once, except those that skipped a
 * day.
 */
const MAX_EARLY_MS = 3 * 3_600_000;
const QUARTER_MS = 900_000;

/** Whether an instant is quiet, and when that changes next; `until` is undefined if it never does. */
interface Quiet {
  isQuiet: boolean;
  until?: Date;
}

type Bounds = Pick<PolicyWhen, 'start' | 'end'>;
type QuietWhen = Pick<PolicyWhen, 'quietHours' | 'timeZone' | 'start' | 'end'>;

/** Days to look ahead: hours on one day of the week come again after seven. */
const aheadOf = ({ days }: Hours): number => (days === undefined ? 2 : 9);

/** Whether the hours of a policy contain an instant. Invalid hours are never quiet. */
export function quietAt(when: QuietWhen, at: Date): Quiet {
  const { quietHours, timeZone = 'UTC' } = when;
  const hours = quietHours === undefined ? undefined : readQuietHours(quietHours, []);
  if (hours === undefined) return { isQuiet: false };
  const bounds = boundsOf(when);
  const start = bounds.from > at.getTime() && Number.isFinite(bounds.from) ? bounds.from : at.getTime();
  const next = spansAround(hours, timeZone, start, bounds).find(({ end }) => end > at.getTime());
  if (next === undefined) return { isQuiet: false };
  const isQuiet = next.begin <= at.getTime();
  return { isQuiet, until: new Date(isQuiet ? next.end : next.begin) };
}

/** When the hours last began or ended, up to an instant; `undefined` if they never did. */
export function lastChangeOf(when: QuietWhen, at: Date): Date | undefined {
  const { quietHours, timeZone = 'UTC' } = when;
  const hours = quietHours === undefined ? undefined : readQuietHours(quietHours, []);
  if (hours === undefined) return undefined;
  const bounds = boundsOf(when);
  const from = Math.min(at.getTime(), bounds.to) - (aheadOf(hours) - 2) * DAY_MS;
  const changes = spansAround(hours, timeZone, from, bounds).flatMap(({ begin, end }) => [begin, end]);
  const last = changes.findLast((change) => change <= at.getTime());
  return last === undefined ? undefined : new Date(last);
}

/** The end of the hours that `now` lies in, or else of the last ones that ended after `since`. */
export function lastEndOf(when: QuietWhen, since: Date, now: Date): Date | undefined {
  const { isQuiet, until } = quietAt(when, now);
  if (isQuiet) return until;
  const end = lastChangeOf(when, now);
  return end !== undefined && end.getTime() > since.getTime() ? end : undefined;
}

/** When the hours begin or end, if the schedule may have fired early for that (**Our time zone tables decide**). */
export function dueLaterAt(when: QuietWhen, scheduledAt: Date): Date | undefined {
  const { until } = quietAt(when, scheduledAt);
  if (until === undefined || lastChangeOf(when, scheduledAt)?.getTime() === scheduledAt.getTime()) return undefined;
  const early = until.getTime() - scheduledAt.getTime();
  return early <= MAX_EARLY_MS && early % QUARTER_MS === 0 ? until : undefined;
}

/**
 * An instant of the hours' own times of day at which they neither begin nor end, because the clock shows it once more
 * (**The schedule fires at every begin and end**).
 */
export function isFirstOfTwo({ quietHours, timeZone = 'UTC' }: QuietWhen, at: Date): boolean {
  const hours = quietHours === undefined ? undefined : readQuietHours(quietHours, []);
  if (hours === undefined) return false;
  const local = localAt(at.getTime(), timeZone);
  const time = (((local % DAY_MS) + DAY_MS) % DAY_MS) / 1_000;
  return (time === hours.from || time === hours.to) && instantOf(local, timeZone) !== at.getTime();
}

/**
 * When the schedule of a policy with these hours fires, in its zone (**The schedule fires at every begin and end**).
 */
export function firingOf(hours: Hours, zone: string, bounds: Bounds): Pick<ScheduleSpec, 'calendars' | 'intervals'> {
  const { from, to, days } = hours;
  const later = to < from ? 1 : 0;
  const endDays = days?.map((day) => (day + later) % 7);
  const { from: start, to: end } = boundsOf(bounds);
  const instants = [
    ...changedInstantsOf(from, days, zone),
    ...changedInstantsOf(to, endDays, zone),
    ...[start, end].filter(Number.isFinite), // **Bounds cut spans.**
  ].filter((instant) => isChange(instant, hours, zone, bounds));
  return { calendars: [calendarAt(from, days), calendarAt(to, endDays)], intervals: instants.map(intervalAt) };
}

/** Whether the hours begin or end at an instant. */
function isChange(at: number, hours: Hours, zone: string, bounds: Bounds): boolean {
  return spansAround(hours, zone, at, boundsOf(bounds)).some(({ begin, end }) => begin === at || end === at);
}

/** Calendars know full seconds, so the bounds are rounded up to them. */
function boundsOf({ start, end }: Bounds): { from: number; to: number } {
  return {
    from: fullSecond(toDate(start))?.getTime() ?? Number.NEGATIVE_INFINITY,
    to: fullSecond(toDate(end))?.getTime() ?? Number.POSITIVE_INFINITY,
  };
}

/** The spans of the days around an instant, in order, cut (**Bounds cut spans**), and without those that are empty. */
function spansAround(hours: Hours, zone: string, at: number, { from, to }: { from: number; to: number }): Span[] {
  const today = Math.floor(localAt(at, zone) / DAY_MS) * DAY_MS;
  const spans: Span[] = [];
  for (let day = today - 2 * DAY_MS; day <= today + aheadOf(hours) * DAY_MS; day += DAY_MS) {
    const whole = spanOn(day, hours, zone);
    const span = whole && { begin: Math.max(whole.begin, from), end: Math.min(whole.end, to) };
    const last = spans.at(-1);
    if (span === undefined || span.end <= span.begin) continue;
    if (last !== undefined && span.begin <= last.end) last.end = Math.max(last.end, span.end);
    else spans.push(span);
  }
  return spans;
}

/** **A day's hours are one span.** The hours that begin on a day, which is given by its local midnight. */
function spanOn(day: number, { from, to, days }: Hours, zone: string): Span | undefined {
  if (days !== undefined && !days.includes(new Date(day).getUTCDay())) return undefined;
  const lastDay = to < from ? day + DAY_MS : day;
  return { begin: instantOf(day + from * 1_000, zone), end: instantOf(lastDay + to * 1_000, zone) };
}
