import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/**
 * Programs of the system that some tests need. Where one is missing they are skipped and say so; in CI, which installs
 * them, they fail.
 */
export async function findProgram(names: readonly string[], named?: string): Promise<string | undefined> {
  if (named !== undefined) return named;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  for (const candidate of names.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    if (await canRun(candidate)) return candidate;
  }
  return undefined;
}

/** Tells that the tests of a file are skipped for want of a program, or ends them in CI. */
export function missing(file: string, program: string): void {
  const message = `${program} is not installed`;
  if (process.env['CI'] === 'true') throw new Error(message);
  process.stderr.write(`${file} is skipped: ${message}\n`);
}

async function canRun(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
