import { IANAZone } from 'luxon';

/**
 * The wall clock of a zone, and the instants at which it comes to a time.
 *
 * A date and time of a zone is a `local`: the milliseconds that the same date and time has in UTC.
 *
 * W1. `instantOf` is the first instant from which on the clock no longer shows an earlier time. So each local has exactly
 *     one instant, and a later local never has an earlier one.
 * W2. A time that the clock skips (spring) comes at the end of the gap.
 * W3. A time that the clock shows twice (autumn) comes the second time.
 */

const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** More than any zone's distance from UTC. */
const FARTHEST_MS = 16 * HOUR_MS;

/** What the clock of the zone shows at an instant. */
export function localAt(instant: number, zone: string): number {
  return instant + offsetAt(instant, zone);
}

/** W1. */
export function instantOf(local: number, zone: string): number {
  const [from, to] = [local - FARTHEST_MS, local + FARTHEST_MS];
  const [before, after] = [offsetAt(from, zone), offsetAt(to, zone)];
  if (before === after) return local - after;
  const change = changeBetween(from, to, zone);
  if (local - after >= change) return local - after; // W3
  return Math.min(local - before, change); // W2
}

/** A change of the clock: at `instant` it goes on from `before` to `after`, which are locals. */
export interface Change {
  instant: number;
  before: number;
  after: number;
}

const all = new Map<string, readonly Change[]>();

/** The changes of the next YEARS. */
export function changesOf(zone: string, firstYear = new Date().getUTCFullYear()): readonly Change[] {
  const key = `${zone} ${firstYear}`;
  const changes = all.get(key) ?? findChanges(zone, firstYear);
  all.set(key, changes);
  return changes;
}

const YEARS = 30;

/** Clocks that change twice in a short time (Ramadan in Morocco) stay changed for more than three weeks. */
const STEP_MS = 20 * DAY_MS;

function findChanges(zone: string, firstYear: number): Change[] {
  const changes: Change[] = [];
  const last = Date.UTC(firstYear + YEARS, 0, 1);
  let [at, before] = [Date.UTC(firstYear, 0, 1), offsetAt(Date.UTC(firstYear, 0, 1), zone)];
  while (at < last) {
    const next = Math.min(at + STEP_MS, last);
    const after = offsetAt(next, zone);
    if (after !== before) {
      const instant = changeBetween(at, next, zone);
      changes.push({ instant, before: instant + before, after: instant + after });
    }
    [at, before] = [next, after];
  }
  return changes;
}

/** Changes that were found, by zone: to search is slow. */
const found = new Map<string, number[]>();

/** The instant of the one change of the clock after an instant, up to another one. */
function changeBetween(from: number, to: number, zone: string): number {
  const known = found.get(zone) ?? [];
  const before = known.find((change) => change > from && change <= to);
  if (before !== undefined) return before;
  const change = search(from, to, zone);
  found.set(zone, [...known, change]);
  return change;
}

function search(from: number, to: number, zone: string): number {
  let [low, high] = [Math.floor(from / 1_000), Math.ceil(to / 1_000)];
  const before = offsetAt(low * 1_000, zone);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle * 1_000, zone) === before) low = middle;
    else high = middle;
  }
  return high * 1_000;
}

function offsetAt(instant: number, zone: string): number {
  return Math.round(IANAZone.create(zone).offset(instant) * 60_000);
}
