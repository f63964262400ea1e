import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default', './test/support/count-reporter.ts'],
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Operations wait for real clocks: a read comes 2 s after acceptance, a restore may take longer.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Forks suit Temporal's native core.
    pool: 'forks',
    maxWorkers: 3,
  },
});
