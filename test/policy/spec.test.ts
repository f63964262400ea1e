import { describe, expect, test } from 'vitest';
import { calendarAt, changedInstantsOf } from '../../src/schedule/calendars.ts';
import { isNever, readWhen } from '../../src/schedule/spec.ts';
import { fullSecond, readDays, readTime } from '../../src/schedule/time-of-day.ts';
import { iso } from './around-changes.ts';

/** From the times that people write to Temporal's schedules. */

const NOW = new Date('2027-01-01T00:00:00Z');

const specOf = (when: unknown, isByRules = false): unknown => {
  const read = readWhen(when, isByRules, NOW);
  return read.ok ? read.spec : read.issues;
};

describe('a time of day', () => {
  test.each([
    ['00:00', 0],
    ['7:30', 27_000],
    ['07:30:15', 27_015],
    ['19:59', 71_940],
    ['23:59:59', 86_399],
  ])('%s is %i seconds after midnight', (text, seconds) => {
    const issues: string[] = [];
    expect([readTime('at', text, issues), issues]).toEqual([seconds, []]);
  });

  test.each(['24:00', '12:60', '12:00:60', '1200', ' 12:00', '12:00 ', '112:00', '12:000', '12:00:000', 17])(
    '%j is none',
    (text) => {
      const issues: string[] = [];
      expect(readTime('at', text, issues)).toBeUndefined();
      expect(issues).toEqual([`at ${JSON.stringify(text)} must be a time of day such as 18:00 or 07:30:15`]);
    },
  );

  test('that is missing is asked for', () => {
    const issues: string[] = [];
    readTime('at', undefined, issues);
    expect(issues).toEqual(['at must be a time of day such as 18:00 or 07:30:15']);
  });
});

describe('days', () => {
  const read = (given: unknown): unknown[] => {
    const issues: string[] = [];
    return [readDays('days', given, issues), issues];
  };

  test.each([
    ['mon', ['MONDAY']],
    ['Friday', ['FRIDAY']],
    [
      ['sun', 'SUNDAY', 'tue'],
      ['SUNDAY', 'TUESDAY'],
    ],
    ['weekdays', ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY']],
    [
      ['weekends', 'wed'],
      ['SATURDAY', 'SUNDAY', 'WEDNESDAY'],
    ],
  ])('%j', (given, days) => expect(read(given)).toEqual([days, []]));

  test.each(['mo', 'mond', 'weekday', '', 1])('%j is none', (given) => {
    expect(read(given)).toEqual([
      [],
      [`days ${JSON.stringify(given)} is no day; use mon to sun, weekdays or weekends`],
    ]);
  });

  test('are some, and not too many', () => {
    expect(read([])).toEqual([[], ['days is empty; name days such as mon or weekdays, or leave it out']]);
    expect(read(Array(14).fill('mon'))).toEqual([['MONDAY'], []]);
    expect(read(Array(15).fill('mon'))).toEqual([[], ['days names 15 days; name each once']]);
  });
});

test('a moment is rounded up to a full second', () => {
  expect(fullSecond(new Date('2027-01-01T00:00:00.001Z'))).toEqual(new Date('2027-01-01T00:00:01Z'));
  expect(fullSecond(new Date('2027-01-01T00:00:01.000Z'))).toEqual(new Date('2027-01-01T00:00:01Z'));
  expect(fullSecond(undefined)).toBeUndefined();
});

test('a calendar has the hour, the minute and the second, and the days by their names', () => {
  expect(calendarAt(82_815, undefined)).toEqual({ hour: 23, minute: 0, second: 15 });
  expect(calendarAt(5_400, [0, 6])).toEqual({ hour: 1, minute: 30, second: 0, dayOfWeek: ['SUNDAY', 'SATURDAY'] });
});

describe('a time that a change of the clock skips or repeats', () => {
  const in2027 = (instants: readonly number[]): string[] =>
    instants.map(iso).filter((instant) => instant.startsWith('2027'));

  test.each([
    ['02:30', undefined, ['2027-03-28T01:00:00.000Z', '2027-10-31T01:30:00.000Z']],
    ['02:30', [0], ['2027-03-28T01:00:00.000Z', '2027-10-31T01:30:00.000Z']],
    ['02:30', [1], []],
    ['01:59', undefined, []],
    ['03:00', undefined, []],
  ])('%s in Berlin on %j', (at, days, expected) => {
    const time = readTime('at', at, []) ?? 0;
    expect(in2027(changedInstantsOf(time, days, 'Europe/Berlin'))).toEqual(expected);
  });

  test('is found beyond midnight', () => {
    // Cairo goes from 24:00 to 01:00, and in autumn from 24:00 back to 23:00.
    expect(in2027(changedInstantsOf(23.5 * 3_600, undefined, 'Africa/Cairo'))).toEqual(['2027-10-28T21:30:00.000Z']);
    expect(in2027(changedInstantsOf(1_800, undefined, 'Africa/Cairo'))).toEqual(['2027-04-29T22:00:00.000Z']);
  });
});

describe('a schedule', () => {
  test('fires at times of day, on some days, in a zone', () => {
    expect(specOf({ at: ['18:00', '07:30:15'], days: ['fri'], timeZone: 'UTC' })).toEqual({
      calendars: [
        { hour: 18, minute: 0, second: 0, dayOfWeek: ['FRIDAY'] },
        { hour: 7, minute: 30, second: 15, dayOfWeek: ['FRIDAY'] },
      ],
      timezone: 'UTC',
    });
    expect(specOf({ at: '18:00', timeZone: 'europe/berlin' })).toEqual({
      calendars: [{ hour: 18, minute: 0, second: 0 }],
      timezone: 'Europe/Berlin',
    });
  });

  test('fires every so often, with a jitter', () => {
    expect(specOf({ every: '90s', jitter: '1m' })).toEqual({
      intervals: [{ every: 90_000 }],
      jitter: 60_000,
      timezone: 'UTC',
    });
    expect(specOf({ every: 1, jitter: 0 })).toMatchObject({ intervals: [{ every: 1_000 }], jitter: 0 });
  });

  test('fires by expressions of cron', () => {
    expect(specOf({ cron: '0 18 * * *', timeZone: 'Europe/Berlin' })).toEqual({
      cronExpressions: ['0 18 * * *'],
      timezone: 'Europe/Berlin',
    });
    expect(specOf({ cron: ['0 18 * * *', '@daily'] })).toMatchObject({ cronExpressions: ['0 18 * * *', '@daily'] });
  });

  test.each([
    ['2027-12-24T18:00:07.5+01:00', { year: 2027, month: 'DECEMBER', dayOfMonth: 24, hour: 17, minute: 0, second: 8 }],
    ['2027-01-31T12:34', { year: 2027, month: 'JANUARY', dayOfMonth: 31, hour: 11, minute: 34, second: 0 }],
    ['2028-02-29', { year: 2028, month: 'FEBRUARY', dayOfMonth: 28, hour: 23, minute: 0, second: 0 }],
  ])('fires once, at %s of Berlin, and is in UTC', (once, calendar) => {
    expect(specOf({ once, timeZone: 'Europe/Berlin' })).toEqual({ calendars: [calendar], timezone: 'UTC' });
  });

  test.each([
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
  ])('knows %s', (month) => {
    const once = new Date(`15 ${month} 2027 12:00 UTC`).toISOString();
    expect(specOf({ once })).toMatchObject({ calendars: [{ month, dayOfMonth: 15 }] });
  });

  test('is bounded, and keeps what relative dates meant', () => {
    const read = readWhen({ every: '1h', start: 'in 1h', end: '2027-02-01T00:00:00.250' }, false, NOW);
    expect(read).toEqual({
      ok: true,
      spec: {
        intervals: [{ every: 3_600_000 }],
        startAt: new Date('2027-01-01T01:00:00Z'),
        endAt: new Date('2027-02-01T00:00:00.250Z'),
        timezone: 'UTC',
      },
      dates: { start: '2027-01-01T01:00:00.000Z', end: '2027-02-01T00:00:00.250Z' },
    });
    expect(readWhen({ once: 'tomorrow 09:30' }, false, NOW)).toMatchObject({
      dates: { once: '2027-01-02T09:30:00.000Z' },
    });
  });

  test('of quiet hours fires at their begin and end, also beyond midnight, with bounds of full seconds', () => {
    const quietHours = { from: '22:00', to: '06:00', days: ['sat'] };
    expect(specOf({ quietHours, end: '2027-12-31T23:30:00.1' })).toEqual({
      calendars: [
        { hour: 22, minute: 0, second: 0, dayOfWeek: ['SATURDAY'] },
        { hour: 6, minute: 0, second: 0, dayOfWeek: ['SUNDAY'] },
      ],
      endAt: new Date('2027-12-31T23:30:01Z'),
      timezone: 'UTC',
    });
    expect(specOf({ quietHours: { from: '06:00', to: '07:00', days: ['sat'] } })).toMatchObject({
      calendars: [{ dayOfWeek: ['SATURDAY'] }, { dayOfWeek: ['SATURDAY'] }],
    });
  });

  test('of rules alone is for 2100, which never comes', () => {
    expect(specOf({}, true)).toEqual({
      calendars: [{ year: 2100, month: 'DECEMBER', dayOfMonth: 31 }],
      timezone: 'UTC',
    });
    expect(isNever(new Date('2100-01-01T00:00:00Z'))).toBe(true);
    expect(isNever(new Date('2099-12-31T23:59:59Z'))).toBe(false);
    expect(specOf({ at: '18:00' }, true)).toMatchObject({ calendars: [{ hour: 18 }] });
  });
});

const WAYS = 'when must have exactly one of at, every, cron, once, quietHours';
const OF_DURATION = 'must be a number of seconds, or such as 90s, 15m, 1h30m, 1d, and at least';

test.each<[object, string]>([
  [{}, WAYS],
  [{ at: '18:00', every: '1h', cron: 'x' }, `${WAYS} and not at and every and cron`],
  [{ at: [] }, 'when.at is empty; name a time of day such as 18:00'],
  [{ at: '25:00' }, 'when.at "25:00" must be a time of day such as 18:00 or 07:30:15'],
  [{ every: '1h', days: 'mon' }, 'when.days goes with when.at; add times of day, or leave it out'],
  [{ every: 0.5 }, `when.every ${OF_DURATION} 1 s`],
  [{ every: '1 fortnight' }, `when.every ${OF_DURATION} 1 s`],
  [{ every: 1, jitter: -1 }, `when.jitter ${OF_DURATION} 0 s`],
  [{ every: 1, timeZone: 'Mars' }, 'when.timeZone "Mars" is not known; use a name such as Europe/Berlin or UTC'],
  [{ every: 1, start: 'soon' }, expect.stringMatching(/^when\.start must be a date: ISO 8601/) as string],
  [{ every: 1, until: 'x' }, expect.stringMatching(/^when\.until is not a field; they are at, days, every/) as string],
  [
    { every: 1, start: '2027-02-01', end: '2027-02-01' },
    'when.end must come after when.start; exchange them, or leave one out',
  ],
  [{ every: 1, end: 'now' }, 'when.end has passed, so that it would never run; name a later date'],
  [{ once: 'now' }, 'when.once has passed; name a later date, or trigger the policy'],
  [{ cron: [] }, "when.cron is empty; write one such as '0 18 * * MON-FRI'"],
  [{ cron: ' ' }, "when.cron must be text such as '0 18 * * MON-FRI'"],
  [{ cron: 17 }, "when.cron must be text such as '0 18 * * MON-FRI'"],
  [{ cron: 'TZ=UTC 0 18 * * *' }, 'when.cron must not name a zone; use when.timeZone'],
  [{ quietHours: '22:00' }, "when.quietHours must be an object such as { from: '22:00', to: '06:00' }"],
  [{ quietHours: null }, "when.quietHours must be an object such as { from: '22:00', to: '06:00' }"],
  [{ quietHours: { from: '22:00', to: '22:00' } }, 'when.quietHours.from and to are the same; they must differ'],
  [
    { quietHours: { from: '22:00', to: '06:00', on: 'x' } },
    'when.quietHours has the fields from, to and days, and not on',
  ],
  [{ quietHours: { from: '22:00' } }, 'when.quietHours.to must be a time of day such as 18:00 or 07:30:15'],
  [
    { quietHours: { from: '22:00', to: '06:00', days: 'x' } },
    'when.quietHours.days "x" is no day; use mon to sun, weekdays or weekends',
  ],
])('%j is refused with its remedy', (when, issue) => {
  expect(specOf(when)).toEqual([issue]);
});

test.each([undefined, null, 'at', []])('%j has no times, and no issue of its own', (when) => {
  expect(readWhen(when, false, NOW)).toEqual({ ok: false, issues: [] });
});
