import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { descendantsOf } from './descendants.ts';
import type { Part } from './part.ts';
import type { Postgres } from './postgres.ts';

/** What a part and its children have used, as Linux counts it. */
export interface Usage {
  /** Since it was started. */
  cpuMs: number;
  /** At this moment. */
  ownBytes: number;
}

export function usageOf({ pid }: Part): Usage {
  const entries = pid === undefined ? [] : descendantsOf(pid);
  const sum = (field: keyof Usage): number => entries.reduce((total, entry) => total + entry[field], 0);
  return { cpuMs: sum('cpuMs'), ownBytes: sum('ownBytes') };
}

const run = promisify(execFile);

/** Of both of Temporal's databases. */
export async function databaseBytes({ port, user, password }: Postgres): Promise<number> {
  const query = "SELECT sum(pg_database_size(datname)) FROM pg_database WHERE datname LIKE 'temporal%'";
  const to = ['-h', '127.0.0.1', '-p', String(port), '-U', user, '-d', 'postgres'];
  const env = { PATH: process.env['PATH'], PGPASSWORD: password };
  const { stdout } = await run('psql', [...to, '--tuples-only', '--no-align', '--command', query], { env });
  return Number(stdout);
}
