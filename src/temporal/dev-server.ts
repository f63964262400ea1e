import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTE } from '../contract/names.ts';
import { ensureSearchAttributes } from './search-attributes.ts';

/** Temporal's dev server (`temporal server start-dev`) as a child process. */
export interface DevServer {
  address: string;
  /** Root of Temporal's UI. */
  uiUrl: string;
  pid: number;
  stop: () => Promise<void>;
}

export interface DevServerOptions {
  /** The Temporal CLI. */
  cli: string;
  port: number;
  uiPort: number;
  /** Keeps everything in this file; in memory where absent. */
  dbFilename?: string | undefined;
}

/**
 * The dev server has one history shard, and by default reads that shard's queue of tasks 20 times a second at most: each
 * dispatch of a task then waits 25 to 33 ms. Raised, it waits 3 to 6.
 */
const DYNAMIC_CONFIG = {
  'history.transferProcessorMaxPollRPS': 500,
  'history.timerProcessorMaxPollRPS': 500,
};

const READY_WITHIN_MS = 60_000;

/** Starts the dev server and waits until it takes requests and has our search attributes, also in a file of before. */
export async function startDevServer({ cli, port, uiPort, dbFilename }: DevServerOptions): Promise<DevServer> {
  const settings = Object.entries(DYNAMIC_CONFIG).flatMap(([key, value]) => [
    '--dynamic-config-value',
    `${key}=${value}`,
  ]);
  const attributes = Object.values(SEARCH_ATTRIBUTE).flatMap((name) => ['--search-attribute', `${name}=Keyword`]);
  const file = dbFilename === undefined ? [] : ['--db-filename', dbFilename];
  const ports = ['--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)];
  const args = ['server', 'start-dev', '--log-level', 'error', ...ports, ...file, ...settings, ...attributes];
  const child = spawn(cli, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const address = `127.0.0.1:${port}`;
  try {
    await ready(child, address);
  } catch (error) {
    await end(child);
    throw error;
  }
  const { pid } = child;
  if (pid === undefined) throw new Error(`${cli} could not be started`);
  return { address, uiUrl: `http://127.0.0.1:${uiPort}`, pid, stop: async () => await end(child) };
}

async function ready(child: ChildProcess, address: string): Promise<void> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-2_000);
  });
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      reject(new Error(`The Temporal dev server ended (code ${code}) before it was ready: ${said.trim()}`));
    });
  });
  await Promise.race([connectAndRegister(address), ended]);
  ended.catch(() => undefined);
}

async function connectAndRegister(address: string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: '1s' });
      await ensureSearchAttributes(connection, 'default');
      await connection.close();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => {
        setTimeout(resolve, 100);
      });
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await exited;
  clearTimeout(late);
}
