import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Service } from '../support/service.ts';
import { play } from './play.ts';
import { scenario } from './scenario.ts';
import { tell } from './tried.ts';

/**
 * Random scenarios on the real worker, webhook and Temporal server, judged afterwards. `OPERATIONS` says how many
 * operations at least; `SEED` repeats a run that failed.
 */

const LEAST = Number(process.env['OPERATIONS'] ?? 150);
const LANES = 10;

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

test(`at least ${LEAST} operations, and no invariant is violated`, { timeout: 3_600_000 }, async (context) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  const tally = new Map<string, number>();
  // Told in the table, too: where a second run passes, nobody else tells what the first has found.
  const found: string[] = [];
  const count = (what: string, by = 1): void => void tally.set(what, (tally.get(what) ?? 0) + by);
  const total = (): number => tally.get('operations') ?? 0;

  const lane = async (index: number): Promise<void> => {
    for (let round = 0; total() < LEAST; round += 1) {
      await fc.assert(
        fc.asyncProperty(scenario, async (given) => {
          const played = await play(service, given);
          count('operations', played.runs);
          count('faults injected', played.faults);
          count('misled', played.misled);
          count('overtaken', played.overtaken);
          found.push(...played.violations);
          for (const outcome of played.outcomes) count(outcome);
          expect(played.violations).toEqual([]);
        }),
        { seed: seed + index * 1_000 + round, numRuns: 2, endOnFailure: process.env['SHRINK'] === undefined },
      );
    }
  };
  try {
    await Promise.all(Array.from({ length: LANES }, async (_, index) => await lane(index)));
  } finally {
    const of = (what: string): number => tally.get(what) ?? 0;
    const outcomes = [...tally].filter(([what]) => /^[A-Z]/.test(what)).map(([what, number]) => `${number} ${what}`);
    tell(context, {
      what: 'random scenarios',
      faults: of('faults injected'),
      operations: total(),
      violations: found.length,
      note: `seed ${seed}; misled by a late roster: ${of('misled')}; overtaken by Graph: ${of('overtaken')}; ${[...outcomes, ...found].join(', ')}`,
    });
  }
  expect(tally.get('Confirmed')).toBeGreaterThan(0);
});
