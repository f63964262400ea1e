import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NAME, writeClientPackage } from './client-package.ts';

/** `npm run pack:client -- [FOLDER]`: compiles, and leaves the tarball of the light client in the folder or here. */

const root = fileURLToPath(new URL('..', import.meta.url));
const destination = process.argv[2] ?? '.';
const work = mkdtempSync(join(tmpdir(), `${NAME}-`));
try {
  mkdirSync(destination, { recursive: true });
  const [build, folder] = [join(work, 'build'), join(work, 'package')];
  // A build of its own, because somebody may be building in `dist`.
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.build.json'), '--outDir', build], {
    stdio: 'inherit',
  });
  await writeClientPackage(root, build, folder);
  const packed = execFileSync(
    'npm',
    ['pack', folder, '--json', '--ignore-scripts', '--pack-destination', destination],
    {
      encoding: 'utf8',
    },
  );
  const [tarball] = JSON.parse(packed) as { filename: string }[];
  console.log(join(destination, tarball?.filename ?? ''));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
