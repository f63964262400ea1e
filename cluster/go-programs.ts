import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OperatorError } from '../src/lib/operator-error.ts';

/**
 * Programs that are built from their Go modules, once, and kept beside the Temporal CLI that `src/dev` keeps. A module's
 * version is part of its folder's name, so that a new one is built and an old one never taken for it.
 */
export interface GoModule {
  /** For people, and the folder's name. */
  name: string;
  path: string;
  version: string;
  /** Packages of the module with a `main`, whose last part names the program. */
  packages: readonly string[];
}

/** The full server, which Temporal's images run, and the tool that makes its schema. */
export const TEMPORAL_SERVER = {
  name: 'temporal-server',
  path: 'go.temporal.io/server',
  version: '1.32.0',
  packages: ['cmd/server', 'cmd/tools/sql'],
} as const satisfies GoModule;

export const TEMPORAL_UI = {
  name: 'temporal-ui',
  path: 'github.com/temporalio/ui-server/v2',
  version: '2.54.1',
  packages: ['cmd/server'],
} as const satisfies GoModule;

/** For the chart: `npm run helm`, and its tests. */
export const HELM = {
  name: 'helm',
  path: 'helm.sh/helm/v4',
  version: '4.3.1',
  packages: ['cmd/helm'],
} as const satisfies GoModule;

/** Thrown with the reason and what to do. */
export class GoBuildFailed extends OperatorError {
  override readonly name = 'GoBuildFailed';
}

const run = promisify(execFile);

/** Minutes, on a machine with two cores. */
const BUILD_WITHIN_MS = 30 * 60_000;

/** The folder with the module's programs, if they have been built. */
export function builtPrograms(module: GoModule): string | undefined {
  const folder = folderOf(module);
  const programs = module.packages.map((name) => join(folder, name.split('/').at(-1) ?? name));
  return programs.every((program) => existsSync(program)) ? folder : undefined;
}

/**
 * The folder that holds the module's programs, built where they are not there yet.
 *
 * @throws {GoBuildFailed}
 */
export async function goPrograms(module: GoModule, onProgress: (message: string) => void): Promise<string> {
  const built = builtPrograms(module);
  if (built !== undefined) return built;
  const folder = folderOf(module);
  onProgress(`Building ${module.name} ${module.version} from its Go module, once; this takes minutes …`);
  const part = `${folder}.${process.pid}.part`;
  const packages = module.packages.map((name) => `${module.path}/${name}@v${module.version}`);
  try {
    await mkdir(part, { recursive: true });
    const env = { ...process.env, GOBIN: part };
    await run('go', ['install', '-trimpath', '-ldflags=-s -w', ...packages], { env, timeout: BUILD_WITHIN_MS });
    // All or nothing, so that a build that was interrupted is not taken for one.
    await rm(folder, { recursive: true, force: true });
    await rename(part, folder);
  } catch (error) {
    throw new GoBuildFailed(reasonOf(module, error), { cause: error });
  } finally {
    await rm(part, { recursive: true, force: true });
  }
  return folder;
}

/**
 * Where Go keeps the module's files: the server's schema is among them, and definitions of Kubernetes' custom resources.
 *
 * @throws {GoBuildFailed}
 */
export async function goModuleFolder(module: Omit<GoModule, 'packages'>): Promise<string> {
  try {
    const { stdout } = await run('go', ['mod', 'download', '-json', `${module.path}@v${module.version}`]);
    return (JSON.parse(stdout) as { Dir: string }).Dir;
  } catch (error) {
    throw new GoBuildFailed(reasonOf(module, error), { cause: error });
  }
}

function folderOf({ name, version }: GoModule): string {
  return join(homedir(), '.cache', 'call-moderation', `${name}-${version}`);
}

function reasonOf({ name, version }: Omit<GoModule, 'packages'>, error: unknown): string {
  const { code, stderr } = error as { code?: unknown; stderr?: string };
  if (code === 'ENOENT') {
    return `${name} ${version} is built with Go 1.26 or newer, and 'go' is not on PATH. Install it from https://go.dev/dl`;
  }
  const reason = stderr?.trim().split('\n').slice(-5).join('\n') || String(error);
  return `${name} ${version} could not be built from its Go module:\n${reason}`;
}
