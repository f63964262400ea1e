/**
 * The wall clock of a zone, and the instants at which it shows a time.
 *
 * A date and time of a zone is a `local`: the milliseconds that the same date and time has in UTC.
 *
 * - **Each local time has one instant.** `instantOf` is the first instant from which the clock no longer shows an
 *   earlier time. A later local time never has an earlier instant.
 * - **A skipped time (spring).** It comes at the end of the gap.
 * - **A repeated time (autumn).** It comes the second time.
 */

const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** More than any zone's distance from UTC. */
const FARTHEST_MS = 16 * HOUR_MS;

/** Changes of the clock are known from last year on, for so many years. */
const YEARS = 32;

/** Clocks that change twice in a short time (Ramadan in Morocco) stay changed for more than three weeks. */
const STEP_MS = 20 * DAY_MS;

/** What the clock of the zone shows at an instant. */
export function localAt(instant: number, zone: string): number {
  return instant + offsetAt(instant, zone);
}

/** **Each local time has one instant.** */
export function instantOf(local: number, zone: string): number {
  const [from, to] = [local - FARTHEST_MS, local + FARTHEST_MS];
  const [before, after] = [offsetAt(from, zone), offsetAt(to, zone)];
  if (before === after) return local - after;
  const change = changesOf(zone).find(({ instant }) => instant > from && instant <= to)?.instant;
  const instant = change ?? changeBetween(from, to, zone);
  if (local - after >= instant) return local - after; // **A repeated time (autumn).**
  return Math.min(local - before, instant); // **A skipped time (spring).**
}

/** A change of the clock: at `instant` it goes on from `before` to `after`, which are locals. */
export interface Change {
  instant: number;
  before: number;
  after: number;
}

/** What is known of a zone. To ask for each instant would be slow. */
interface Table {
  from: number;
  to: number;
  /** Before the first change. */
  offset: number;
  changes: readonly Change[];
}

const tables = new Map<string, Table>();

/** The changes that are known, in order. */
export function changesOf(zone: string): readonly Change[] {
  return tableOf(zone).changes;
}

function tableOf(zone: string): Table {
  const table = tables.get(zone) ?? readTable(zone);
  tables.set(zone, table);
  return table;
}

function readTable(zone: string): Table {
  const year = new Date().getUTCFullYear();
  const [from, to] = [Date.UTC(year - 1, 0, 1), Date.UTC(year - 1 + YEARS, 0, 1)];
  const changes: Change[] = [];
  const offset = askedOffset(from, zone);
  let [at, before] = [from, offset];
  while (at < to) {
    const next = Math.min(at + STEP_MS, to);
    const after = askedOffset(next, zone);
    if (after !== before) {
      const instant = changeBetween(at, next, zone);
      changes.push({ instant, before: instant + before, after: instant + after });
    }
    [at, before] = [next, after];
  }
  return { from, to, offset, changes };
}

/** The instant of the one change of the clock between two. */
function changeBetween(from: number, to: number, zone: string): number {
  let [low, high] = [Math.floor(from / 1_000), Math.ceil(to / 1_000)];
  const before = askedOffset(low * 1_000, zone);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (askedOffset(middle * 1_000, zone) === before) low = middle;
    else high = middle;
  }
  return high * 1_000;
}

function offsetAt(instant: number, zone: string): number {
  const { from, to, offset, changes } = tableOf(zone);
  if (instant < from || instant >= to) return askedOffset(instant, zone);
  const last = changes.findLast((change) => change.instant <= instant);
  return last === undefined ? offset : last.after - last.instant;
}

/** Makers of texts such as `1/1/2026, GMT+05:30`, one for each zone because they are slow to make. */
const formats = new Map<string, Intl.DateTimeFormat>();

function askedOffset(instant: number, zone: string): number {
  const format = formats.get(zone) ?? new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' });
  formats.set(zone, format);
  const [, sign, hours, minutes, seconds] =
    /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(format.format(instant)) ?? [];
  const size = (Number(hours ?? 0) * 3_600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)) * 1_000;
  return sign === '-' ? -size : size;
}
