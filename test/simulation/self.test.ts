import { expect, test } from 'vitest';
import { Clock, simulate } from './clock.ts';
import { KNOWN } from './known.ts';
import { play } from './play.ts';
import { Random } from './random.ts';
import { scenarioOf } from './scenario.ts';
import { Server } from './temporal/server.ts';

/** What the simulation itself must hold to: a judge is worth as much as the world that it judges. */

test('a seed goes the same way each time, whatever was played before', async () => {
  const digestOf = async (seed: number): Promise<number> => (await play(scenarioOf(seed))).world.clock.digest;
  const first = [await digestOf(5), await digestOf(6), await digestOf(7)];
  const again = [await digestOf(7), await digestOf(6), await digestOf(5)];
  expect(again.toReversed()).toEqual(first);
  expect(new Set(first).size).toBe(3);
});

test('where nothing goes wrong, a mute lock mutes, mutes again and unmutes', async () => {
  const { world, told, calls } = await play({
    seed: 1,
    theme: 'known',
    start: '2027-02-01T21:00:00Z',
    minutes: 40,
    calls: [{ people: 2, isDelta: false, deployment: 0, isLive: false }],
    steps: [
      { at: 0, kind: 'keepMuted', call: 0, enforce: true, seconds: 600 },
      { at: 300_000, kind: 'organizer', call: 0, isMuted: false },
    ],
  });
  const posts = world.graph.log.flatMap((entry) => (entry.type === 'post' ? [entry.verb] : []));
  expect(posts).toEqual(['mute', 'mute', 'unmute']);
  expect(told[0]?.outcome).toBe('expired');
  expect(calls[0]?.own.serverMuted).toBe(false);
  expect(world.server.findings).toEqual([]);
});

test('a run whose worker has died is replayed by another one, and goes on', async () => {
  const { world, told } = await play({
    seed: 1,
    theme: 'known',
    start: '2027-02-01T21:00:00Z',
    minutes: 40,
    calls: [{ people: 2, isDelta: false, deployment: 0, isLive: false }],
    steps: [
      { at: 0, kind: 'keepMuted', call: 0, enforce: true, seconds: 600 },
      { at: 200_000, kind: 'away', deployment: 0, seconds: 30 },
    ],
  });
  expect(told[0]?.outcome).toBe('expired');
  expect(world.server.findings).toEqual([]);
});

test('a schedule has no time in the hour that spring skips', async () => {
  const start = Date.parse('2027-03-13T12:00:00-05:00');
  const clock = new Clock(start);
  await simulate(clock, () => {
    const { schedules } = new Server(clock, new Random(1));
    const calendar = { hour: [{ start: 2 }], minute: [{ start: 30 }], second: [{ start: 0 }] };
    schedules.create('s', {
      spec: { structuredCalendar: [calendar], timezoneName: 'America/New_York' },
      state: { paused: true },
    });
    const times = schedules
      .find('s')
      .future(start, 2)
      .map((time) => new Date(time).toISOString());
    expect(times).toEqual(['2027-03-15T06:30:00.000Z', '2027-03-16T06:30:00.000Z']);
  });
});

test('every known scenario is data that can be told and played again', () => {
  expect(KNOWN.length).toBeGreaterThan(20);
  for (const { scenario } of KNOWN) expect(JSON.parse(JSON.stringify(scenario))).toEqual(scenario);
});
