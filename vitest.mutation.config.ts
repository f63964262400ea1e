import { defineConfig } from 'vitest/config';

/** `npm run test:mutation`: the tests that Stryker runs on each mutant of a pure module, always with the same random input. */
export default defineConfig({
  test: {
    include: [
      'test/graph/{client,resources}.test.ts',
      'test/input/{contract,input}.test.ts',
      'test/operation/{participant-mutes,priorities,roster}.test.ts',
      'test/policy/{dates,quiet-hours,spec}.test.ts',
      'test/webhook/{arrival-order,notification}.test.ts',
    ],
    testTimeout: 30_000,
    isolate: false,
    setupFiles: ['test/support/fixed-seed.ts'],
  },
});
