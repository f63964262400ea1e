import { test } from 'vitest';
import { judge } from './judge.ts';
import { play } from './play.ts';
import { scenarioOf } from './scenario.ts';
import { shrunk, tell } from './search.ts';

test('one', async () => {
  for (const seed of (process.env['SEEDS'] ?? '1').split(',').map(Number)) {
    const scenario = scenarioOf(seed);
    const violations = judge(await play(scenario));
    if (violations.length === 0) { console.log(seed, 'fine'); continue; }
    console.log(tell(process.env['SHRINK'] ? await shrunk({ seed, scenario, violations }) : { seed, scenario, violations }));
  }
});
