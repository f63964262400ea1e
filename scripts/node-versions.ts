import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findOrFetch, installWhole, type Source } from '../src/dev/fetched-program.ts';

/**
 * `npm run test:node`: the unit tests and the demo on the versions of Node that users have. All other tests run on the
 * Node that runs this script, which is the oldest supported one in CI. npm has each version as a package, which is kept
 * beside the Temporal CLI.
 */

const VERSIONS = ['22.23.3', '24.21.0', '26.12.1'];

/** Unit tests and the demo take less than a minute each. */
const WITHIN_MS = 5 * 60_000;

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

function packageOf(version: string): Source {
  const name = `node-${process.platform}-${process.arch}`;
  return {
    what: `${name}@${version} from npm`,
    folder: `node-${version}`,
    async fetch(folder) {
      const flags = ['--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--ignore-scripts'];
      await installWhole(folder, async (part) => {
        await mkdir(part, { recursive: true });
        await run('npm', ['install', '--prefix', part, ...flags, `${name}@${version}`], { timeout: WITHIN_MS });
      });
    },
    programs: (folder) => Promise.resolve([join(folder, 'node_modules', name, 'bin', 'node')]),
  };
}

async function nodeOf(version: string): Promise<string> {
  const found = await findOrFetch({
    what: `Node ${version}`,
    name: `node-${version}`,
    sources: [packageOf(version)],
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  if ('path' in found) return found.path;
  throw new Error(`Node ${version} could not be installed:\n${found.tried.join('\n')}`);
}

/** Runs a script on `node`, which its own children find on PATH too. Only a failure prints the script's output. */
async function check(what: string, node: string, args: readonly string[]): Promise<boolean> {
  const began = Date.now();
  const env = { ...process.env, PATH: [dirname(node), process.env['PATH']].join(delimiter) };
  const options = { cwd: root, env, timeout: WITHIN_MS, maxBuffer: 64 * 1024 * 1024 };
  const failure = await run(node, args, options).then(
    () => undefined,
    (error: { stdout: string; stderr: string; killed?: boolean }) => error,
  );
  const took = `${Math.round((Date.now() - began) / 1_000)} s`;
  if (failure === undefined) {
    process.stdout.write(`${what}: passed in ${took}\n`);
    return true;
  }
  const how = failure.killed === true ? `did not end within ${WITHIN_MS / 60_000} minutes` : `failed after ${took}`;
  process.stdout.write(`${failure.stdout}${failure.stderr}\n${what}: ${how}\n`);
  return false;
}

for (const version of VERSIONS) {
  const node = await nodeOf(version);
  const { stdout } = await run(node, ['--version']);
  const unit = await check(`Node ${stdout.trim()}, unit tests`, node, [
    'node_modules/vitest/vitest.mjs',
    ...['run', '--project', 'unit'],
  ]);
  const demo = await check(`Node ${stdout.trim()}, demo`, node, ['dist/dev/demo.js']);
  if (!unit || !demo) process.exitCode = 1;
}
