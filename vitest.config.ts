import { defineConfig } from 'vitest/config';
import { ELSEWHERE, FAULTS, UNIT } from './test/suites.ts';

/** `npm run test:unit`, `npm test` (unit and service) and `npm run test:faults`: `test/suites.ts` says which test is where. */
const withServer = ['test/support/global-setup.ts'];

export default defineConfig({
  test: {
    reporters: ['default', './test/support/faults-reporter.ts', './test/support/count-reporter.ts'],
    // Operations wait for real clocks: a read comes 2 s after acceptance, a restore may take longer.
    // On a machine that is busy with something else, too.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // CI's machines are noisy, and these tests live by real clocks: there, one that fails is tried once more and told.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    // Forks suit Temporal's native core.
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: UNIT,
          // They compute and wait little, and their imports take longer than they do: files share them.
          isolate: false,
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'service',
          include: ['test/**/*.test.ts'],
          exclude: [...UNIT, ...FAULTS, ...ELSEWHERE],
          globalSetup: withServer,
          // They wait most of their time: two processors bear four of them, with the processes that they start.
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'faults',
          include: FAULTS,
          globalSetup: withServer,
          // They keep two processors busy, with the processes that they start.
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
