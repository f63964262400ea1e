import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';
import type { Tried } from '../faults/tried.ts';

/** Prints what the tests of faults have tried, as a table; nothing where none of them has run. */
export default class FaultsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const rows = added(tests.flatMap((test) => test.meta().tried ?? []));
    if (rows.length === 0) return;
    const table = tableOf([...rows, totalOf(rows)]);
    const file = process.env['FAULTS_TABLE'];
    if (file !== undefined) writeFileSync(file, table);
    process.stdout.write(`\n${table}\n`);
  }
}

function added(rows: readonly Tried[]): Tried[] {
  const byWhat = new Map<string, Tried>();
  for (const row of rows) {
    const sum = byWhat.get(row.what) ?? { what: row.what, faults: 0, operations: 0, violations: 0 };
    const notes = [sum.note, row.note].filter((note) => note !== undefined);
    byWhat.set(row.what, {
      what: row.what,
      faults: sum.faults + row.faults,
      operations: sum.operations + row.operations,
      violations: sum.violations + row.violations,
      ...(notes.length > 0 && { note: notes.join('; ') }),
    });
  }
  return [...byWhat.values()].toSorted((a, b) => a.what.localeCompare(b.what));
}

function totalOf(rows: readonly Tried[]): Tried {
  const sum = (field: 'faults' | 'operations' | 'violations'): number =>
    rows.reduce((total, row) => total + row[field], 0);
  return { what: '**all**', faults: sum('faults'), operations: sum('operations'), violations: sum('violations') };
}

/** A table of Markdown, so that it can stand in the docs as it is printed. */
function tableOf(rows: readonly Tried[]): string {
  const cells = rows.map(({ what, faults, operations, violations, note }) =>
    [what, ...[faults, operations, violations].map((number) => number.toLocaleString('en')), note ?? ''].join(' | '),
  );
  const head = ['what was tried | faults | operations | violations | measured', '---|--:|--:|--:|---'];
  return [...head, ...cells].map((line) => `| ${line} |`).join('\n') + '\n';
}
