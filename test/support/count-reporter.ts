import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

type Counts = Record<'passed' | 'failed' | 'skipped', number>;

/**
 * Ends the run with one line that any tool can read: how many tests passed, failed and were skipped. The tests that passed only
 * at their second try stand before it. Where `TEST_COUNTS`
 * names a file, the counts of the runs before stand in it, and the line is of all of them.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const states = tests.map((test) => test.result().state);
    const retried = tests.filter((test) => test.diagnostic()?.flaky).map((test) => test.fullName);
    const count = (state: string): number => states.filter((other) => other === state).length;
    // A file that could not be collected, a hook that failed, and an error outside of any test are failures too.
    const suites = modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const broken = suites.filter((suite) => suite.errors().length > 0).length + errors.length;
    const { passed, failed, skipped } = withThoseBefore({
      passed: count('passed'),
      failed: count('failed') + broken,
      skipped: count('skipped'),
    });
    const line = `${passed} passed, ${failed} failed, ${skipped} skipped`;
    // The default reporter prints its summary in the same moment; this comes after it.
    process.once('exit', () => process.stdout.write(`${[...retried.map(needed), line].join('\n')}\n`));
  }
}

/** A finding, although it passed. */
function needed(name: string): string {
  return `needed a second try: ${name}`;
}

function withThoseBefore(counts: Counts): Counts {
  const file = process.env['TEST_COUNTS'];
  if (file === undefined) return counts;
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const before = text === '' ? { passed: 0, failed: 0, skipped: 0 } : (JSON.parse(text) as Counts);
  const sum = {
    passed: before.passed + counts.passed,
    failed: before.failed + counts.failed,
    skipped: before.skipped + counts.skipped,
  };
  writeFileSync(file, JSON.stringify(sum));
  return sum;
}
