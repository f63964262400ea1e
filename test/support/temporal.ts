import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { inject } from 'vitest';

const run = promisify(execFile);

export interface Said {
  /** Exit code. */
  code: number;
  stdout: string;
  stderr: string;
}

/** The official Temporal CLI, as an operator calls it in a shell with nothing set up. */
export async function temporal(...args: readonly string[]): Promise<Said> {
  const given = args.includes('--address') ? args : [...args, '--address', inject('temporalAddress')];
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent' };
  try {
    const { stdout, stderr } = await run(inject('temporalCli'), given, { env, maxBuffer: 16 * 1024 * 1024 });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as Said;
    if (typeof code !== 'number') throw error;
    return { code, stdout, stderr };
  }
}

/** The same, for a command that must succeed, and its output read as JSON. */
export async function temporalJson<T = Record<string, unknown>>(...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await temporal(...args, '--output', 'json');
  if (code !== 0) throw new Error(`temporal ${args.join(' ')} exited with ${code}: ${stderr}${stdout}`);
  return JSON.parse(stdout) as T;
}
