import { IANAZone } from 'luxon';
import { describe, expect, test } from 'vitest';
import { dueLaterAt, isFirstOfTwo, lastChangeOf, quietAt } from '../../src/schedule/quiet-hours.ts';
import { changesOf, DAY_MS, instantOf, localAt } from '../../src/schedule/wall-clock.ts';
import type { PolicyWhen } from '../../src/contract/policy.ts';
import { changesAround, clock, HOUR_MS, hoursAround, iso, specOf } from './around-changes.ts';

/** Quiet hours in every zone whose clock changes, at every kind of change. */

const FIRST_YEAR = new Date().getUTCFullYear() - 1;

/** One zone of each kind: those whose clocks change alike are the same here. */
function zonesOfAllKinds(): string[] {
  const kinds = new Map<string, string>();
  for (const zone of Intl.supportedValuesOf('timeZone')) {
    // Not by the table of the zone: there are hundreds of zones, and a table takes long to make.
    const offsets = Array.from({ length: 104 }, (_, week) =>
      IANAZone.create(zone).offset(Date.UTC(FIRST_YEAR, 0, 1) + week * 7 * DAY_MS),
    );
    const kind = offsets.join();
    if (!kinds.has(kind) && new Set(offsets).size > 1) kinds.set(kind, zone);
  }
  return [...kinds.values()];
}

describe('in every zone whose clock changes', () => {
  const zones = zonesOfAllKinds();

  test('each begin has an end, the schedule fires at both, and the hours agree', () => {
    const now = new Date(Date.UTC(FIRST_YEAR, 0, 1));
    const issues: string[] = [];
    let checked = 0;
    for (const timeZone of zones) {
      for (const change of changesOf(timeZone).slice(0, 6)) {
        for (const quietHours of hoursAround(change)) {
          const when = { quietHours, timeZone };
          const intervals = new Set(specOf(when, now).intervals?.map(({ every }) => Number(every)));
          const times = changesAround(when, change.instant);
          if (times.length < 6) issues.push(`${JSON.stringify(when)} has ${times.length} changes`);
          for (const at of times) {
            const isTurn = quietAt(when, new Date(at)).isQuiet !== quietAt(when, new Date(at - 1_000)).isQuiet;
            const isFired = intervals.has(at) || firesByCalendar(when, at);
            const isLast = lastChangeOf(when, new Date(at))?.getTime() === at;
            const isDue = isLast && !isFirstOfTwo(when, new Date(at)) && dueLaterAt(when, new Date(at)) === undefined;
            checked += 1;
            if (!isTurn || !isFired || !isDue) issues.push(`${JSON.stringify(when)} ${iso(at)}`);
          }
        }
      }
    }
    expect(issues).toEqual([]);
    expect(zones.length).toBeGreaterThan(20);
    expect(checked).toBeGreaterThan(3_000);
  });

  test('a local has one instant, and a later one has no earlier instant', () => {
    const issues: string[] = [];
    for (const timeZone of zones) {
      for (const { instant, before, after } of changesOf(timeZone).slice(0, 6)) {
        let last = Number.NEGATIVE_INFINITY;
        const [from, to] = [Math.min(before, after) - HOUR_MS, Math.max(before, after) + HOUR_MS];
        for (let local = from; local <= to; local += 15 * 60_000) {
          const at = instantOf(local, timeZone);
          const shown = localAt(at, timeZone);
          // From then on, the clock shows nothing earlier.
          if (at < last || shown < local || (shown !== local && at !== instant))
            issues.push(`${timeZone} ${iso(local)}`);
          last = at;
        }
      }
    }
    expect(issues).toEqual([]);
  });
});

/** A calendar fires at a time that the clock shows once. */
function firesByCalendar({ quietHours, timeZone = 'UTC' }: PolicyWhen, at: number): boolean {
  const local = localAt(at, timeZone);
  const isShownOnce = [-2, -1, -0.5, 0.5, 1, 2].every((hours) => localAt(at + hours * HOUR_MS, timeZone) !== local);
  return isShownOnce && [quietHours?.from, quietHours?.to].includes(clock(local));
}
