import { toSeconds } from '../contract/duration.ts';
import { DAY_MS, instantOf, localAt } from './wall-clock.ts';

/** Dates as people write them. */

export const DATE_RULE =
  "must be a date: ISO 8601 such as 2026-12-24T18:00 or with an offset, 'now', 'in 2h', 'today 18:00' or 'tomorrow 09:30'";

/** No date, no duration and no name of a zone is longer. */
const MAX_CHARACTERS = 80;

/** The years that Temporal's calendars know; `spec.ts` keeps the last one for what never runs by itself. */
const FIRST_YEAR = 2000;
const LAST_YEAR = 2099;

/** A date, with a time and its offset if they are given. */
const ISO = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;

/**
 * The moment that a text means in a zone; `undefined` if it is no date, or one of years that Temporal's calendars do
 * not know. An offset in the text goes before the zone.
 */
export function toDate(text: unknown, timeZone = 'UTC', now = new Date()): Date | undefined {
  if (typeof text !== 'string' || text.length > MAX_CHARACTERS) return undefined;
  const said = text.trim();
  if (said === 'now') return now;
  const after = /^in (.+)$/.exec(said)?.[1];
  if (after !== undefined) {
    const seconds = toSeconds(after);
    return seconds === undefined ? undefined : known(new Date(now.getTime() + seconds * 1_000));
  }
  const zone = toZone(timeZone);
  if (zone === undefined) return undefined;
  const [, word, at] = /^(today|tomorrow) (\d\d:\d\d)$/.exec(said) ?? [];
  const [, day = '', time = '00:00', offset] =
    word === undefined ? (ISO.exec(said) ?? []) : ['', dayAfter(now, zone, word === 'tomorrow' ? 1 : 0), at];
  const local = readLocal(day, time);
  if (local === undefined) return undefined;
  return known(new Date(offset === undefined ? instantOf(local, zone) : local - readOffset(offset)));
}

/** A day of the zone's calendar. */
function dayAfter(now: Date, zone: string, days: number): string {
  return new Date(localAt(now.getTime(), zone) + days * DAY_MS).toISOString().slice(0, 10);
}

/** A date and time as a local of `wall-clock.ts`. */
function readLocal(day: string, time: string): number | undefined {
  const midnight = new Date(`${day}T00:00Z`);
  // `Date` reads the 30th of February as a day in March.
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(day)) return undefined;
  const local = Date.parse(`${day}T${time}Z`);
  return Number.isNaN(local) ? undefined : local;
}

/** Milliseconds east of Greenwich; not a number if there is no such offset. */
function readOffset(offset: string): number {
  if (/^z$/i.test(offset)) return 0;
  const [, sign, hours, minutes = '00'] = /^([+-])(\d\d):?(\d\d)?$/.exec(offset) ?? [];
  const size = Date.parse(`1970-01-01T${hours}:${minutes}Z`);
  return sign === '-' ? -size : size;
}

function known(date: Date): Date | undefined {
  const year = date.getUTCFullYear();
  return year >= FIRST_YEAR && year <= LAST_YEAR ? date : undefined;
}

/** The name of a zone as the tz database spells it, or `undefined` if there is none of that name. */
export function toZone(name: unknown): string | undefined {
  if (typeof name !== 'string' || name.length > MAX_CHARACTERS || !/^[A-Za-z]/.test(name)) return undefined;
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    // Another name of the same zone is as good, but not another case: Temporal's server looks for a file.
    return timeZone.toLowerCase() === name.toLowerCase() ? timeZone : name;
  } catch {
    return undefined;
  }
}
