import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tell } from '../faults/tried.ts';
import { Build } from '../support/process.ts';
import { writeBundleOf } from './bundle-of.ts';
import { Cluster } from './cluster.ts';
import { liveDay, type DayOptions } from './day/day.ts';
import { KINDS } from './day/lives.ts';

/**
 * A day in the life of a deployment (`day/day.ts`), and what shows that its judge finds faults. `npm run cluster:day` lives a
 * longer one: DAY_MINUTES says how long, DAY_LANES how many calls there are at a time.
 */

const MINUTES = Number(process.env['DAY_MINUTES'] ?? 1);
const LANES = Number(process.env['DAY_LANES'] ?? 12);

const DAY: DayOptions = {
  minutes: MINUTES,
  lanes: LANES,
  kinds: KINDS,
  limitMs: 120_000,
  office: LANES,
  hasTroubles: true,
  sample: 20 + MINUTES * 10,
};

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(async () => await cluster?.stop());

const say = (line: string): void => void process.stdout.write(`${line}\n`);

test('leaves nothing muted', { timeout: MINUTES * 60_000 + 600_000, retry: 0 }, async (context) => {
  const { calls, operations, troubles, throttled, quiet, violations, stories, report } = await liveDay(
    cluster,
    DAY,
    say,
  );
  say(`\n${report}\n\n${stories}`);
  tell(context, {
    what: `a day of ${MINUTES} minutes`,
    faults: troubles,
    operations,
    violations: violations.length,
    note: `${calls} calls, ${throttled} requests throttled, ${quiet} calls with quiet hours`,
  });
  expect(violations).toEqual([]);
  // It was a day.
  expect(troubles).toBe(7);
  expect(throttled).toBeGreaterThan(0);
  expect(quiet).toBe(DAY.office);
  expect(calls).toBeGreaterThan(2 * LANES + DAY.office);
  for (const part of ['webhook-1', 'worker-3', 'temporal', 'postgres']) {
    expect(cluster.topology.part(part).deaths, part).toBe(1);
  }
});

test(
  'is judged: with a worker whose unmutes mute, everything is left muted',
  {
    timeout: 240_000,
    retry: 0,
  },
  async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'call-moderation-'));
    context.onTestFinished(async () => await rm(folder, { recursive: true }));
    const bundle = join(folder, 'careless.bundle.js');
    await writeBundleOf(new URL('careless-workflows.ts', import.meta.url), bundle);
    const careless = await Build.make(bundle);
    context.onTestFinished(async () => await careless.remove());
    for (const worker of cluster.topology.workers) await worker.stop();
    await cluster.topology.startWorker('worker-careless', { dist: careless.dist });
    const kinds = ['single', 'timed', 'locked'] as const;
    const short = { minutes: 0.01, lanes: kinds.length, limitMs: 10_000, office: 0, hasTroubles: false, sample: 0 };
    const { violations, calls } = await liveDay(cluster, { ...DAY, ...short, kinds }, say);
    expect(calls).toBe(kinds.length);
    for (const kind of kinds) {
      const found = violations.filter((violation) => violation.endsWith(`[${kind}]`));
      expect(found, kind).toContainEqual(expect.stringMatching(/^newest wish: call \S+ is muted/));
    }
  },
);
