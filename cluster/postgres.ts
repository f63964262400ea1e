import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, chmod, chown, constants, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Part, PartFailed, type User } from './part.ts';
import { OperatorError } from '../src/lib/operator-error.ts';

/** PostgreSQL in a folder of ours, on a loopback address, with a password that was made for it. */
export interface Postgres {
  part: Part;
  port: number;
  user: string;
  password: string;
}

export interface PostgresOptions {
  /** Everything that it keeps. Made where it is absent, and used as it is where it is there. */
  folder: string;
  port: number;
  log: string;
  /** The value of PATH. */
  searchPath: string | undefined;
  onProgress?: ((message: string) => void) | undefined;
}

/** Thrown with what to install. */
export class PostgresNotFound extends OperatorError {
  override readonly name = 'PostgresNotFound';
}

const USER = 'temporal';
const run = promisify(execFile);

/** Makes its folder ready; it is not started yet. */
export async function preparePostgres(options: PostgresOptions): Promise<Postgres> {
  const { folder, port, log, searchPath, onProgress } = options;
  const programs = await findPrograms(searchPath);
  const user = await unprivileged();
  const data = join(folder, 'data');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Whom it runs as must get there.
  if (user !== undefined) await chmod(dirname(folder), 0o711);
  await own(folder, user);
  const passwordFile = join(folder, 'password');
  if (!existsSync(passwordFile)) await writeFile(passwordFile, randomBytes(18).toString('base64url'), { mode: 0o600 });
  await own(passwordFile, user);
  if (!existsSync(join(data, 'PG_VERSION'))) {
    const account = ['-U', USER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
    const flags = ['-D', data, ...account, '--encoding=UTF8', '--locale=C', '--no-instructions'];
    await run(join(programs, 'initdb'), flags, { cwd: folder, ...user }).catch(explain(folder));
  }
  const address = ['-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='];
  const part = new Part({
    name: 'postgres',
    command: join(programs, 'postgres'),
    args: ['-D', data, ...address],
    env: { PATH: searchPath, LC_ALL: 'C' },
    cwd: folder,
    log,
    user,
    async isReady() {
      const to = ['-h', '127.0.0.1', '-p', String(port), '-d', 'postgres', '-U', USER, '-q'];
      await run(join(programs, 'pg_isready'), to);
      return true;
    },
    // It ends the sessions that are open, and does not wait for them.
    endsOn: 'SIGINT',
    onProgress,
  });
  return { part, port, user: USER, password: (await readFile(passwordFile, 'utf8')).trim() };
}

function explain(folder: string): (error: unknown) => never {
  return (error) => {
    const { stderr } = error as { stderr?: string };
    const remedy = 'Where it says permission denied: give --data a folder that the user postgres can get to.';
    throw new PartFailed(`PostgreSQL's folder ${folder} could not be made:\n${stderr?.trim()}\n${remedy}`, {
      cause: error,
    });
  };
}

/** The folder of PostgreSQL's programs: on PATH, or where Debian puts them, the newest first. */
async function findPrograms(searchPath = ''): Promise<string> {
  const debian = '/usr/lib/postgresql';
  const versions = await readdir(debian).catch(() => []);
  const newest = versions.toSorted((a, b) => Number(b) - Number(a)).map((version) => join(debian, version, 'bin'));
  // Debian links some of the programs into /usr/bin, and not all of them.
  for (const folder of [...searchPath.split(delimiter).filter((part) => part !== ''), ...newest]) {
    const names = ['initdb', 'postgres', 'pg_isready'];
    const found = await Promise.all(names.map(async (name) => await isExecutable(join(folder, name))));
    if (found.every(Boolean)) return folder;
  }
  throw new PostgresNotFound(
    "PostgreSQL's programs initdb, postgres and pg_isready are neither on PATH nor below /usr/lib/postgresql. " +
      "Install PostgreSQL 12 or newer: 'apt-get install postgresql' on Debian, 'brew install postgresql' on macOS.",
  );
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** PostgreSQL refuses to run as root; then it runs as the user that Debian's package makes for it, or as nobody. */
async function unprivileged(): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const account = accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody') ?? [];
  const [, , uid, gid] = account.map(Number);
  if (uid === undefined || gid === undefined) {
    throw new PostgresNotFound('PostgreSQL does not run as root, and there is no user postgres or nobody to run it as');
  }
  return { uid, gid };
}

async function own(path: string, user: User | undefined): Promise<void> {
  if (user === undefined) return;
  await chown(path, user.uid, user.gid);
  await chmod(path, path.endsWith('password') ? 0o600 : 0o700);
}
