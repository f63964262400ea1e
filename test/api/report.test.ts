import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/**
 * `etc/api` shows what each entry point exports, so that a diff shows every change of the public API. This fails if the API
 * has changed and the reports were not made anew, if a name or a method has no docstring, and if a signature names a type
 * that is not exported.
 */
const ROOT = join(import.meta.dirname, '../..');

test(
  'the reports of the public API are up to date, and everything in it is exported and documented',
  { timeout: 400_000 },
  async () => {
    const script = [join(ROOT, 'node_modules/tsx/dist/cli.mjs'), join(ROOT, 'scripts/api-report.ts'), '--check'];
    const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
      const child = execFile(process.execPath, script, (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? 1, output: stdout + stderr });
      });
    });
    expect(code, output).toBe(0);
  },
);
