import type { Reporter, TestModule } from 'vitest/node';

/** Ends the run with one line that any tool can read: how many tests passed, failed and were skipped. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const count = (state: string): number => states.filter((other) => other === state).length;
    // A file that could not be collected, a hook that failed, and an error outside of any test are failures too.
    const suites = modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const broken = suites.filter((suite) => suite.errors().length > 0).length + errors.length;
    const line = `${count('passed')} passed, ${count('failed') + broken} failed, ${count('skipped')} skipped`;
    // The default reporter prints its summary in the same moment; this comes after it.
    process.once('exit', () => process.stdout.write(`${line}\n`));
  }
}
