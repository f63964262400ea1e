import { expect, test } from 'vitest';
import { KNOWN } from './known.ts';
import { tell, tried } from './search.ts';

/** Other orders of the same: chance must not be what makes it pass. */
const ORDERS = 12;

for (const [index, { row, what, scenario, orders = ORDERS }] of KNOWN.entries()) {
  test(`row ${row}: ${what} (${index})`, async () => {
    const found: string[] = [];
    for (let seed = 1; seed <= orders; seed += 1) {
      const violations = await tried({ seed, ...scenario });
      if (violations.length > 0) found.push(tell({ seed, scenario: { seed, ...scenario }, violations }));
    }
    expect(found.slice(0, 1).join('\n'), `${found.length} of ${orders} orders`).toBe('');
  });
}
