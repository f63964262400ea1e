import { execFile } from 'node:child_process';
import { copyFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from './temporary-folder.ts';

/**
 * A build of the sources as they stand, in a folder of its own: what is measured is what a deployment runs, plain
 * JavaScript and the bundle of the workflows, and nobody's `dist` is in the way. Types are checked elsewhere.
 */
export interface Build {
  folder: string;
  remove: () => void;
}

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

export async function build(): Promise<Build> {
  const { folder, remove } = await temporaryFolder('bench');
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const flags = ['-p', join(root, 'bench/tsconfig.json'), '--outDir', folder, '--noCheck'];
  await Promise.all([
    run(process.execPath, [compiler, ...flags]),
    copyFile(join(root, 'package.json'), join(folder, 'package.json')),
    symlink(join(root, 'node_modules'), join(folder, 'node_modules')),
  ]);
  const script = `
    import { writeFile } from 'node:fs/promises';
    import { BUNDLE_PATH, bundleWorkflows } from ${JSON.stringify(pathToFileURL(join(folder, 'src/temporal/workflow-bundle.js')).href)};
    await writeFile(BUNDLE_PATH, await bundleWorkflows());`;
  await run(process.execPath, ['--input-type=module', '--eval', script]);
  return { folder, remove };
}
