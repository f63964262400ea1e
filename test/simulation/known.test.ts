import { expect, test } from 'vitest';
import { judge } from './judge.ts';
import { KNOWN } from './known.ts';
import { play, type Played } from './play.ts';
import { tell } from './search.ts';

/** Other orders of the same: chance must not be what makes it pass. */
const ORDERS = 12;

for (const [index, { row, what, scenario, orders = ORDERS, endsBy }] of KNOWN.entries()) {
  test(`row ${row}: ${what} (${index})`, async () => {
    const found: string[] = [];
    for (let seed = 1; seed <= orders; seed += 1) {
      const played = await play({ seed, ...scenario });
      const violations = [...judge(played), ...late(played, endsBy)];
      if (violations.length > 0) found.push(tell({ seed, scenario: { seed, ...scenario }, violations }));
    }
    expect(found.slice(0, 1).join('\n'), `${found.length} of ${orders} orders`).toBe('');
  });
}

function late({ told, start }: Played, endsBy = Infinity): string[] {
  return told
    .filter(({ endedAt = Infinity }) => endsBy < Infinity && endedAt > start + endsBy * 1_000)
    .map(({ step, endedAt }) => `${step.kind} has ended ${((endedAt ?? Infinity) - start) / 1_000} s after the start`);
}
