import { describe, expect, test } from 'vitest';
import { dueLaterAt, lastChangeOf, lastEndOf, quietAt } from '../../src/schedule/quiet-hours.ts';
import { iso, specOf } from './around-changes.ts';

/** Quiet hours as instants; `every-zone.test.ts` has all zones, and `firings.test.ts` has what Temporal makes of them. */

describe('quiet hours', () => {
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
