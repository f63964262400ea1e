import { IANAZone } from 'luxon';
import { describe, expect, test } from 'vitest';
import { dueLaterAt, isFirstOfTwo, lastChangeOf, lastEndOf, quietAt } from '../../src/schedule/quiet-hours.ts';
import { changesOf, DAY_MS, instantOf, localAt } from '../../src/schedule/wall-clock.ts';
import type { PolicyWhen } from '../../src/contract/policy.ts';
import { changesAround, clock, HOUR_MS, hoursAround, iso, specOf } from './around-changes.ts';

/** Quiet hours and times of day when the clock changes, as instants; `firings.test.ts` has what Temporal makes of them. */

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

  test('a run that another table of zones starts early waits, and one that is late or triggered does not', () => {
    const when = { quietHours: { from: '22:00', to: '06:00', days: ['fri'] }, timeZone: 'Europe/Berlin' };
    const later = (scheduledAt: string): string | undefined => dueLaterAt(when, new Date(scheduledAt))?.toISOString();
    expect(later('2027-02-05T20:00:00Z')).toBe('2027-02-05T21:00:00.000Z');
    expect(later('2027-02-06T04:30:00Z')).toBe('2027-02-06T05:00:00.000Z');
    expect(later('2027-02-05T21:00:00Z')).toBeUndefined();
    expect(later('2027-02-05T22:00:00Z')).toBeUndefined();
    expect(later('2027-02-05T20:00:01Z')).toBeUndefined();
    const last = (at: string): string | undefined => lastChangeOf(when, new Date(at))?.toISOString();
    expect(last('2027-02-05T20:59:59.999Z')).toBe('2027-01-30T05:00:00.000Z');
    expect(last('2027-02-12T20:59:59Z')).toBe('2027-02-06T05:00:00.000Z');
    expect(lastChangeOf({ ...when, start: '2027-02-13T00:00:00Z' }, new Date('2027-02-12T23:00:00Z'))).toBeUndefined();
    const ended = { ...when, end: '2027-02-05T23:00:00Z' };
    expect(lastChangeOf(ended, new Date('2028-01-01T00:00:00Z'))?.toISOString()).toBe('2027-02-05T23:00:00.000Z');
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

describe('quiet hours', () => {
  test.each([
    [
      'end at the end of the gap',
      'Europe/Berlin',
      '22:00',
      '02:30',
      '2027-03-28T00:30:00Z',
      '2027-03-28T01:00:00.000Z',
    ],
    ['in New York, too', 'America/New_York', '22:00', '02:30', '2027-03-14T05:00:00Z', '2027-03-14T07:00:00.000Z'],
    ['end the second time', 'Europe/Berlin', '22:00', '02:30', '2027-10-31T00:45:00Z', '2027-10-31T01:30:00.000Z'],
    [
      'in New York the second time',
      'America/New_York',
      '22:00',
      '01:30',
      '2027-11-07T05:45:00Z',
      '2027-11-07T06:30:00.000Z',
    ],
    [
      'begin where midnight is skipped',
      'Africa/Cairo',
      '00:00',
      '06:00',
      '2027-04-29T22:00:00Z',
      '2027-04-30T03:00:00.000Z',
    ],
    [
      'in a gap of half an hour',
      'Australia/Lord_Howe',
      '22:00',
      '02:10',
      '2027-10-02T15:00:00Z',
      '2027-10-02T15:30:00.000Z',
    ],
  ])('%s', (_what, timeZone, from, to, quiet, end) => {
    const when = { quietHours: { from, to }, timeZone };
    expect(quietAt(when, new Date(quiet))).toEqual({ isQuiet: true, until: new Date(end) });
  });

  test('are cut by the first and the last date of their policy', () => {
    const when = {
      quietHours: { from: '22:00', to: '06:00' },
      start: '2027-01-05T23:30:00.500Z',
      end: '2027-01-07T01:00:00.000Z',
    };
    const spans = [iso(Date.parse('2027-01-05T22:30Z'))];
    for (let at = quietAt(when, new Date(spans[0] ?? '')).until; at !== undefined; at = quietAt(when, at).until) {
      spans.push(at.toISOString());
    }
    expect(spans.slice(1)).toEqual([
      '2027-01-05T23:30:01.000Z',
      '2027-01-06T06:00:00.000Z',
      '2027-01-06T22:00:00.000Z',
      '2027-01-07T01:00:00.000Z',
    ]);
    const { intervals, endAt } = specOf({ ...when }, new Date('2027-01-01'));
    expect(intervals?.map(({ every }) => iso(Number(every)))).toEqual([spans[1], spans[4]]);
    expect(endAt).toEqual(new Date(spans[4] ?? ''));
  });

  test('are over since their end, for whoever was there before it', () => {
    const when = { quietHours: { from: '22:00', to: '06:00' }, timeZone: 'UTC', start: '2027-02-01T00:00:00Z' };
    const end = (since: string, now: string) => lastEndOf(when, new Date(since), new Date(now))?.toISOString();
    expect(end('2027-02-02T05:59:59Z', '2027-02-02T05:59:59Z')).toBe('2027-02-02T06:00:00.000Z');
    expect(end('2027-02-02T05:59:59Z', '2027-02-02T06:00:00Z')).toBe('2027-02-02T06:00:00.000Z');
    expect(end('2027-02-02T05:59:59Z', '2027-02-03T12:00:00Z')).toBe('2027-02-03T06:00:00.000Z');
    expect(end('2027-02-02T05:59:59Z', '2027-02-02T23:00:00Z')).toBe('2027-02-03T06:00:00.000Z');
    expect(end('2027-02-02T06:00:00Z', '2027-02-02T06:04:00Z')).toBeUndefined();
    expect(end('2027-01-31T12:00:00Z', '2027-02-01T00:00:00Z')).toBe('2027-02-01T06:00:00.000Z');
    expect(end('2027-01-31T12:00:00Z', '2027-01-31T23:00:00Z')).toBeUndefined();
    expect(lastEndOf({}, new Date(0), new Date())).toBeUndefined();
  });

  test('on some days are empty on the others', () => {
    const when = { quietHours: { from: '22:00', to: '06:00', days: ['fri'] } };
    const friday = new Date('2027-01-08T22:00:00Z');
    expect(quietAt(when, new Date('2027-01-02T07:00:00Z'))).toEqual({ isQuiet: false, until: friday });
    expect(quietAt(when, friday)).toEqual({ isQuiet: true, until: new Date('2027-01-09T06:00:00Z') });
  });
});
