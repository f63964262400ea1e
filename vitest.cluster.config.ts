import { defineConfig } from 'vitest/config';

/** `npm run test:cluster`: on PostgreSQL and the full Temporal server, apart from the others and after them. */
export default defineConfig({
  test: {
    reporters: ['default', './test/support/faults-reporter.ts', './test/support/count-reporter.ts'],
    include: ['test/cluster/**/*.test.ts'],
    globalSetup: ['test/cluster/global-setup.ts'],
    // What has died is missed after seconds and tried again.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    retry: process.env['CI'] === 'true' ? 1 : 0,
    pool: 'forks',
    // Each file has a topology of its own, and two of them are more than two cores bear.
    fileParallelism: false,
  },
});
