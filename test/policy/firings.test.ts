import { randomUUID } from 'node:crypto';
import { Client, Connection, type ScheduleSpec } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { changesOf, DAY_MS } from '../../src/schedule/wall-clock.ts';
import { changesAround, HOUR_MS, hoursAround, iso, specOf } from './around-changes.ts';

/** Quiet hours and times of day as Temporal's server fires when the clock changes. */

let connection: Connection;
beforeAll(async () => {
  connection = await Connection.connect({ address: inject('temporalAddress') });
});
afterAll(async () => await connection.close());

async function firingsOf(spec: ScheduleSpec): Promise<number[]> {
  const { schedule } = new Client({ connection });
  const action = { type: 'startWorkflow', workflowType: 'x', taskQueue: 'none' } as const;
  const handle = await schedule.create({ scheduleId: `fires-${randomUUID()}`, spec, action });
  const { info } = await handle.describe();
  await handle.delete();
  return info.nextActionTimes.map((time) => time.getTime());
}

test.each(['Europe/Berlin', 'America/New_York', 'Africa/Cairo', 'America/Santiago', 'Australia/Lord_Howe'])(
  'quiet hours of %s fire at every begin and end',
  async (timeZone) => {
    const next = changesOf(timeZone).filter(({ instant }) => instant > Date.now() + 5 * DAY_MS);
    for (const change of next.slice(0, 2)) {
      for (const quietHours of hoursAround(change)) {
        const when = { quietHours, timeZone, start: iso(change.instant - 36 * HOUR_MS) };
        const fired = await firingsOf(specOf(when));
        const last = fired.at(-1) ?? 0;
        const expected = changesAround(when, change.instant).filter((at) => at <= last);
        expect(expected.length).toBeGreaterThanOrEqual(3);
        expect(fired.map(iso), JSON.stringify(when)).toEqual(expect.arrayContaining(expected.map(iso)));
      }
    }
  },
);

test('a time of day that is skipped comes at the end of the gap', async () => {
  const fired = await firingsOf(
    specOf({ at: '02:30', timeZone: 'Europe/Berlin', start: '2027-03-27T12:00', end: '2027-03-29T12:00' }),
  );
  expect(fired.map(iso)).toEqual(['2027-03-28T01:00:00.000Z', '2027-03-29T00:30:00.000Z']);
});
