import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { reachedFrom } from './module-graph.ts';

/**
 * The light client: those files of a build that `call-moderation` and `call-moderation/tracing` reach, as a package
 * of their own. Nothing of it is listed by hand but what it may install:
 *
 * - **The files** are those that the compiled entries import, and their declarations.
 * - **The dependencies** are the packages that the root entry imports, at the versions of the main package.
 * - **The peers** are the main package's, and optional ones: those that only another entry imports.
 * - **Everything else is refused**, so that an import somewhere in the client never makes it heavy unnoticed.
 */

export const NAME = 'call-moderation-client';

/** Entries of the main package, the root first. */
const ENTRIES = ['.', './tracing'] as const;

/** What the light client may import. All of it together is what a backend installs. */
const ALLOWED = new Set(['@temporalio/client', '@opentelemetry/api']);

/** The fields of package.json that are read here. */
interface Manifest {
  exports: Record<string, { types: string; default: string }>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  [field: string]: unknown;
}

/** Fields that both packages have in common. */
const COMMON = ['version', 'license', 'type', 'sideEffects', 'engines'];

/**
 * Writes the package into `folder`.
 *
 * @param root of the repository, or a folder with its package.json, its licence and docs/client.md
 * @param build the folder that package.json calls `dist`
 */
export async function writeClientPackage(root: string, build: string, folder: string): Promise<void> {
  const main = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest;
  const { files, ofRoot, ofOthers } = await readGraph(main, build);
  for (const file of files) {
    const target = join(folder, 'dist', relative(build, file));
    await mkdir(dirname(target), { recursive: true });
    await copyFile(file, target);
  }
  await copyFile(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  await writeFile(join(folder, 'README.md'), withoutLinks(await readFile(join(root, 'docs/client.md'), 'utf8')));
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifestOf(main, ofRoot, ofOthers), null, 2)}\n`);
}

async function readGraph({ exports }: Manifest, build: string) {
  const files = new Set<string>();
  const ofRoot = new Set<string>();
  const ofOthers = new Set<string>();
  for (const entry of ENTRIES) {
    const names = entry === '.' ? ofRoot : ofOthers;
    const compiled = exports[entry];
    if (compiled === undefined) throw new Error(`package.json exports no ${entry}, which is an entry of ${NAME}.`);
    for (const path of [compiled.default, compiled.types]) {
      const reached = await reachedFrom(join(build, relative('dist', path)));
      for (const [name, way] of reached.packages) {
        if (!ALLOWED.has(name)) throw new Error(refusalOf(name, way, build));
        names.add(name);
      }
      for (const file of reached.files) {
        files.add(file);
        if (file.endsWith('.js')) files.add(`${file}.map`);
      }
    }
  }
  return { files, ofRoot, ofOthers };
}

function refusalOf(name: string, way: readonly string[], build: string): string {
  const chain = way.map((file) => join('dist', relative(build, file))).join(' imports ');
  return (
    `${NAME} would need ${name}: ${chain} imports ${name}. Move that import out of what the client reaches. ` +
    'If backends shall install the package, allow it in scripts/client-package.ts.'
  );
}

function manifestOf(main: Manifest, ofRoot: ReadonlySet<string>, ofOthers: ReadonlySet<string>): object {
  const pick = (from: Record<string, unknown>, keys: Iterable<string>): Record<string, unknown> =>
    Object.fromEntries([...keys].filter((key) => from[key] !== undefined).map((key) => [key, from[key]]));
  const optional = [...ofOthers].filter((name) => !ofRoot.has(name) && main.peerDependencies[name] === undefined);
  const ranges = optional.map((name) => [name, `^${main.dependencies[name]}`]);
  return {
    name: NAME,
    description: 'The client of call-moderation alone: starts, follows and ends its operations through Temporal',
    ...pick(main, COMMON),
    files: ['dist'],
    exports: { ...pick(main.exports, ENTRIES), './package.json': './package.json' },
    dependencies: pick(main.dependencies, ofRoot),
    peerDependencies: { ...pick(main.peerDependencies, [...ofRoot, ...ofOthers]), ...Object.fromEntries(ranges) },
    peerDependenciesMeta: Object.fromEntries(optional.map((name) => [name, { optional: true }])),
  };
}

/** Links of the documents lead nowhere in the package. */
function withoutLinks(markdown: string): string {
  return markdown.replaceAll(/\[([^\]]+)\]\((?![a-z]+:)[^)]*\)/g, '$1');
}
