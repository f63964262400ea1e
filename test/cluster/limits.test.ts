import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';

/** That a limit holds for all workers of a queue together is Temporal's doing, so it takes the real one to see it. */

const PER_SECOND = 2;

let cluster: Cluster;
beforeAll(async () => {
  const env = { MODERATION_MAX_ACTIVITIES_PER_SECOND: String(PER_SECOND) };
  cluster = await Cluster.start({ webhooks: 1, env });
});
afterAll(async () => await cluster?.stop());

test('two workers together ask no more of Graph than they may', async () => {
  const calls = Array.from({ length: 10 }, () => cluster.call());
  const handles = await Promise.all(calls.map(async ({ id }) => await cluster.moderation.mute({ callId: id })));
  await Promise.all(handles.map(async (handle) => await handle.result()));
  // One activity reads the call and its roster, one sends the POST.
  const activities = calls.flatMap(({ requests }) => requests.filter(({ name }) => name !== 'listParticipants'));
  const times = activities.map(({ startedAt }) => startedAt).toSorted((a, b) => a - b);
  expect(times).toHaveLength(2 * calls.length);
  const seconds = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1_000;
  // Each of the queue's four partitions has its share of the rate, and may begin with a burst of it.
  expect(times.length / seconds).toBeLessThan(2 * PER_SECOND);
});
