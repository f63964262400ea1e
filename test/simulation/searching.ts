import { expect, test } from 'vitest';
import { tell as tellTable } from '../faults/tried.ts';
import { play } from './play.ts';
import { judge } from './judge.ts';
import { scenarioOf } from './scenario.ts';
import { rulesOf, search, shrunk, tell, type Found } from './search.ts';

/**
 * The search, in as many files as there are processors: each takes every so manieth seed.
 *
 * SCENARIOS is how many there are in all, FIRST the seed of the first one. SEED plays one, exactly as the search did, and tells
 * of it; SHRINK=1 makes it smaller.
 */
const SHARDS = 2;

/** Of each kind so many are made smaller and told whole. */
const TOLD = 1;
const MAX_KINDS = 8;
const SHRINKS = 60;

export function searching(shard: number): void {
  const { SEED, SHRINK, SCENARIOS = '10000', FIRST = '1' } = process.env;
  if (SEED !== undefined) {
    test.runIf(shard === 0)(`seed ${SEED}`, async () => {
      const scenario = scenarioOf(Number(SEED));
      const played = await play(scenario);
      const found = { seed: Number(SEED), scenario, violations: judge(played) };
      const smaller = SHRINK === undefined || found.violations.length === 0 ? found : await shrunk(found);
      console.log(`${tell(smaller)}\n  digest ${played.world.clock.digest}`);
      expect(found.violations).toEqual([]);
    });
    return;
  }
  const count = Number(SCENARIOS);
  test(`${Math.ceil(count / SHARDS)} scenarios, from seed ${Number(FIRST) + shard}`, async (context) => {
    const began = performance.now();
    const cpu = process.cpuUsage();
    const { found, minutes, events, faults, operations } = await search(Number(FIRST) + shard, count - shard, SHARDS);
    const seconds = (performance.now() - began) / 1_000;
    const scenarios = Math.ceil((count - shard) / SHARDS);
    const days = Math.round(minutes / 1_440);
    const { user, system } = process.cpuUsage(cpu);
    const each = ((user + system) / 1_000 / scenarios).toFixed(0);
    console.log(
      `${scenarios} scenarios, ${days} days, ${events} events in ${seconds.toFixed(0)} s: ${each} ms of a processor each; ${found.length} with violations`,
    );
    tellTable(context, {
      what: 'simulated time',
      faults,
      operations,
      violations: found.length,
      note: `${scenarios} scenarios of ${days} days in ${seconds.toFixed(0)} s`,
    });
    expect(await told(found)).toBe('');
  });
}

/** All seeds by what they break, and of each kind the first ones whole. */
async function told(found: readonly Found[]): Promise<string> {
  const kinds = groupedBy(found, ({ scenario, violations }) => `${scenario.theme}: ${rulesOf(violations)}`);
  const lines: string[] = [];
  for (const [index, [kind, all]] of [...kinds].entries()) {
    lines.push(
      `${all.length} x ${kind}: seeds ${all
        .map(({ seed }) => seed)
        .slice(0, 12)
        .join(', ')}`,
    );
    if (index < MAX_KINDS) for (const one of all.slice(0, TOLD)) lines.push(tell(await shrunk(one, SHRINKS)));
  }
  return lines.join('\n');
}

function groupedBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}
