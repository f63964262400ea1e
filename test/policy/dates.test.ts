import { describe, expect, test } from 'vitest';
import { toSeconds } from '../../src/contract/duration.ts';
import { toDate, toZone } from '../../src/schedule/dates.ts';

describe('dates, durations and zones are read', () => {
  const now = new Date('2026-03-28T10:00:00Z');
  test.each([
    ['2026-12-24T18:00', 'Europe/Berlin', '2026-12-24T17:00:00.000Z'],
    ['2026-07-01T18:00', 'Europe/Berlin', '2026-07-01T16:00:00.000Z'],
    ['2026-12-24T18:00+05:30', 'Europe/Berlin', '2026-12-24T12:30:00.000Z'],
    ['2026-12-24', undefined, '2026-12-24T00:00:00.000Z'],
    ['now', undefined, '2026-03-28T10:00:00.000Z'],
    ['in 1h30m', undefined, '2026-03-28T11:30:00.000Z'],
    ['today 18:00', 'America/New_York', '2026-03-28T22:00:00.000Z'],
    // The clocks of Berlin go forward in the night between.
    ['tomorrow 09:30', 'Europe/Berlin', '2026-03-29T07:30:00.000Z'],
  ])('%s in %s', (text, zone, expected) => {
    expect(toDate(text, zone, now)?.toISOString()).toBe(expected);
  });

  test.each(['soon', '', 'in', 'in x', 'today', 'today 25:00', '2026-13-01', '18:00 today', 17, undefined])(
    'not %j',
    (text) => expect(toDate(text, 'UTC', now)).toBeUndefined(),
  );

  test.each([
    ['90s', 90],
    ['15m', 900],
    ['1h30m', 5_400],
    ['1d 2h', 93_600],
    [45, 45],
    ['', undefined],
    ['1', undefined],
    ['m', undefined],
    ['1m1h', undefined],
    [-1, undefined],
    [Number.NaN, undefined],
  ])('the duration %j', (text, seconds) => expect(toSeconds(text)).toBe(seconds));

  test.each([
    ['europe/berlin', 'Europe/Berlin'],
    ['UTC', 'UTC'],
    ['+02:00', undefined],
    ['Nowhere', undefined],
    [1, undefined],
  ])('the zone %j', (name, zone) => expect(toZone(name)).toBe(zone));
});
