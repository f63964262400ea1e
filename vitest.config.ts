import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default', './test/support/faults-reporter.ts', './test/support/count-reporter.ts'],
    include: ['test/**/*.test.ts'],
    // They need PostgreSQL and the full server: `npm run test:cluster`; and a clock of their own: `npm run test:simulation`.
    exclude: ['test/cluster/**', 'test/simulation/**'],
    globalSetup: ['test/support/global-setup.ts'],
    // Operations wait for real clocks: a read comes 2 s after acceptance, a restore may take longer.
    // On a machine that is busy with something else, too.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // CI's machines are noisy, and these tests live by real clocks: there, one that fails is tried once more and told.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    // Forks suit Temporal's native core.
    pool: 'forks',
    // They keep two processors busy, with the processes that they start.
    maxWorkers: 2,
  },
});
