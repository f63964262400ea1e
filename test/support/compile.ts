import { execFile } from 'node:child_process';
import { copyFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Makes in `folder` what `npm run build` makes: not in the repository's `dist`, because somebody may be building there.
 * Types are checked elsewhere, and whoever calls this puts a bundle of the workflows to `bundleIn(folder)`.
 */
export async function compile(folder: string): Promise<void> {
  const dist = join(folder, 'dist');
  const compiler = [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')];
  const unneeded = ['--declaration', '--sourceMap', '--inlineSources'].flatMap((flag) => [flag, 'false']);
  const flags = ['--outDir', dist, '--noCheck', ...unneeded];
  await Promise.all([
    run(process.execPath, [...compiler, ...flags]),
    copyFile(join(root, 'package.json'), join(folder, 'package.json')),
    symlink(join(root, 'node_modules'), join(folder, 'node_modules')),
  ]);
}

export function bundleIn(folder: string): string {
  return join(folder, 'dist', 'workflows.bundle.js');
}
