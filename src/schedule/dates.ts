import { DateTime } from 'luxon';
import { toSeconds } from '../contract/duration.ts';

/** Dates as people write them. */

export const DATE_RULE =
  "must be a date: ISO 8601 such as 2026-12-24T18:00 or with an offset, 'now', 'in 2h', 'today 18:00' or 'tomorrow 09:30'";

/** No date, no duration and no name of a zone is longer. */
const MAX_CHARACTERS = 80;

/** The years that Temporal's calendars know; `spec.ts` keeps the last one for what never runs by itself. */
const FIRST_YEAR = 2000;
const LAST_YEAR = 2099;

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
  const [, day, time] = /^(today|tomorrow) (\d\d:\d\d)$/.exec(said) ?? [];
  const local = DateTime.fromJSDate(now, { zone: timeZone }).plus({ days: day === 'tomorrow' ? 1 : 0 });
  const date = DateTime.fromISO(day === undefined ? said : `${local.toISODate()}T${time}`, { zone: timeZone });
  return date.isValid ? known(date.toJSDate()) : undefined;
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
