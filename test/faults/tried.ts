import type { TestContext } from 'vitest';

/**
 * What a test of this folder has tried. The rows of all tests make the table that `npm run test:faults` ends with
 * (`faults-reporter.ts`); those that say the same `what` are added up.
 */
export interface Tried {
  /** Names the row: what goes wrong, and whose fault it is. */
  what: string;
  /** Faults that were injected: kills, broken connections, hostile inputs, whatever `what` tells. */
  faults: number;
  /** Operations that had to live with them; or requests, where the row says so in `note`. */
  operations: number;
  /** Invariants that were found violated (`judge.ts`). */
  violations: number;
  /** What else was measured, for people. */
  note?: string;
}

/** Tells the table what this test has tried; also before it fails. */
export function tell({ task }: Pick<TestContext, 'task'>, row: Tried): void {
  (task.meta.tried ??= []).push(row);
}

declare module 'vitest' {
  export interface TaskMeta {
    tried?: Tried[];
  }
}
