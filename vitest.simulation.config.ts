import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** `npm run test:simulation`: the service on a virtual clock (`test/simulation/README.md`). */
export default defineConfig({
  resolve: {
    alias: {
      'lru-cache': fileURLToPath(new URL('test/simulation/lru-cache.ts', import.meta.url)),
      'node:timers/promises': fileURLToPath(new URL('test/simulation/timers-promises.ts', import.meta.url)),
    },
  },
  test: {
    reporters: ['default', './test/support/faults-reporter.ts', './test/support/count-reporter.ts'],
    include: ['test/simulation/**/*.test.ts'],
    setupFiles: ['test/simulation/setup.ts'],
    testTimeout: 600_000,
    pool: 'forks',
    // Most of what a simulation makes lives for a moment only.
    execArgv: ['--max-semi-space-size=64'],
    maxWorkers: 2,
  },
});
