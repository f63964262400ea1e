import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeClientPackage } from '../../scripts/client-package.ts';

/** What goes into the light client is computed: here from builds of a few lines. */

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'client-package-'));
});
afterEach(async () => await rm(root, { recursive: true }));

const MAIN = {
  name: 'call-moderation',
  version: '1.2.3',
  license: 'MIT',
  type: 'module',
  exports: {
    '.': { types: './dist/index.d.ts', default: './dist/index.js' },
    './tracing': { types: './dist/tracing/client.d.ts', default: './dist/tracing/client.js' },
    './webhook': { types: './dist/webhook.d.ts', default: './dist/webhook.js' },
  },
  dependencies: { '@opentelemetry/api': '1.9.1', undici: '7.0.0' },
  peerDependencies: { '@temporalio/client': '^1.13.2', '@temporalio/common': '^1.13.2' },
};

const BUILD = {
  'index.js': "export { mute } from './mute.js';",
  'index.js.map': '{}',
  'index.d.ts': "export { mute } from './mute.ts'; export type { Result } from './result.ts';",
  'mute.js': "import { randomUUID } from 'node:crypto'; import { Client } from '@temporalio/client/lib/client.js';",
  'mute.js.map': '{}',
  'mute.d.ts': "export declare function mute(client: import('@temporalio/client').Client): void;",
  'result.js': '',
  'result.d.ts': 'export interface Result {}',
  'tracing/client.js': "import '@opentelemetry/api'; import { Client } from '@temporalio/client';",
  'tracing/client.js.map': '{}',
  'tracing/client.d.ts': 'export {};',
  'webhook.js': "import 'undici'; import './worker.js';",
  'webhook.d.ts': '',
  'worker.js': "import '@temporalio/worker';",
};

/** Makes the package of such a build, and returns its files. */
async function made(changed: Record<string, string> = {}): Promise<Map<string, string>> {
  const [build, folder] = [join(root, 'build'), join(root, 'package')];
  const files = {
    'package.json': JSON.stringify(MAIN),
    LICENSE: 'MIT',
    'docs/client.md': '# [A](api.md) [b](https://b)',
    ...Object.fromEntries(Object.entries({ ...BUILD, ...changed }).map(([name, code]) => [`build/${name}`, code])),
  };
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  await mkdir(folder, { recursive: true });
  await writeClientPackage(root, build, folder);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = paths.map(async (path) => [path.slice(folder.length + 1), await readFile(path, 'utf8')] as const);
  return new Map(await Promise.all(read));
}

test('it has the files that its entries reach, for the types too, and no others', async () => {
  const files = await made();
  expect([...files.keys()].toSorted()).toEqual([
    'LICENSE',
    'README.md',
    'dist/index.d.ts',
    'dist/index.js',
    'dist/index.js.map',
    'dist/mute.d.ts',
    'dist/mute.js',
    'dist/mute.js.map',
    'dist/result.d.ts',
    'dist/tracing/client.d.ts',
    'dist/tracing/client.js',
    'dist/tracing/client.js.map',
    'package.json',
  ]);
  expect(files.get('README.md')).toBe('# A [b](https://b)');
});

test('its package.json follows from that of the main package', async () => {
  const files = await made();
  expect(JSON.parse(files.get('package.json') ?? '')).toEqual({
    name: 'call-moderation-client',
    description: expect.stringContaining('client') as string,
    version: '1.2.3',
    license: 'MIT',
    type: 'module',
    files: ['dist'],
    exports: {
      '.': MAIN.exports['.'],
      './tracing': MAIN.exports['./tracing'],
      './package.json': './package.json',
    },
    dependencies: {},
    peerDependencies: { '@temporalio/client': '^1.13.2', '@opentelemetry/api': '^1.9.1' },
    peerDependenciesMeta: { '@opentelemetry/api': { optional: true } },
  });
});

test('what the root entry imports itself is a dependency, as pinned in the main package', async () => {
  const files = await made({ 'mute.js': "import '@opentelemetry/api';" });
  expect(JSON.parse(files.get('package.json') ?? '')).toMatchObject({
    dependencies: { '@opentelemetry/api': '1.9.1' },
    peerDependencies: { '@temporalio/client': '^1.13.2' },
    peerDependenciesMeta: {},
  });
});

test.each([
  ['an import', "import { request } from 'undici';", 'undici'],
  ['an export', "export * from '@temporalio/worker';", '@temporalio/worker'],
  ['a part of a package', "import '@azure/identity/dist/index.js';", '@azure/identity'],
  ['an import at run time', "export const later = () => import('fastify');", 'fastify'],
  ['a file that imports one', "import './worker.js';", '@temporalio/worker'],
])('%s of another package is refused, with the way to it', async (_what, code, name) => {
  await expect(made({ 'mute.js': code })).rejects.toThrow(
    `call-moderation-client would need ${name}: dist/index.js imports dist/mute.js`,
  );
});

test('so is one that only the types import', async () => {
  const changed = { 'mute.d.ts': "export declare const log: import('pino').Logger;" };
  await expect(made(changed)).rejects.toThrow('would need pino: dist/index.d.ts imports dist/mute.d.ts imports pino.');
});

test('an import whose name is not known is refused', async () => {
  const changed = { 'mute.js': 'export const later = (name) => import(name);' };
  await expect(made(changed)).rejects.toThrow('imports a module by an expression');
});
