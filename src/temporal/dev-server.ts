import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTE_TYPE } from '../contract/names.ts';
import { freePort } from '../lib/free-port.ts';
import { clientProxy } from './proxy.ts';
import { ensureSearchAttributes } from './search-attributes.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { reasonOf } from '../lib/error-reason.ts';

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
  /** 0 for any free one, here and for the UI. */
  port: number;
  uiPort: number;
  /** Keeps everything in this file; in memory where absent. */
  dbFilename?: string | undefined;
  /**
   * Keeps the terminal's signals from it, so that whoever started it ends it when the time has come. It ends with this
   * process at the latest, unless that is killed.
   */
  ownGroup?: boolean;
  /** Settings of the server's dynamic configuration beside ours, such as smaller limits. */
  dynamicConfig?: Readonly<Record<string, number | string | boolean>>;
}

export class DevServerFailed extends OperatorError {
  override readonly name = 'DevServerFailed';
}

/** Thrown with what the dev server said. */
class DevServerEnded extends DevServerFailed {}

/**
 * The same as `deploy/temporal/dynamicconfig.yaml`, which says why. The dev server has one history shard, so it needs
 * the first two most.
 */
export const DYNAMIC_CONFIG = {
  'history.transferProcessorMaxPollRPS': 500,
  'history.timerProcessorMaxPollRPS': 500,
  'history.timerProcessorMaxTimeShift': '50ms',
  'matching.enableFairness': true,
};

const READY_WITHIN_MS = 60_000;

/**
 * The dev server takes ports that are free and listens on them a little later, as we do for it where any will do. On a
 * busy machine somebody else may be faster, and it ends.
 */
const MAX_STARTS = 3;

/** Starts the dev server and waits until it takes requests and has our search attributes, also in a file of before. */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  for (let starts = 1; ; starts += 1) {
    try {
      const port = options.port || (await freePort());
      const uiPort = options.uiPort || (await freePort());
      return await start({ ...options, port, uiPort });
    } catch (error) {
      if (!(error instanceof DevServerEnded) || starts >= MAX_STARTS) throw error;
    }
  }
}

async function start(options: DevServerOptions): Promise<DevServer> {
  const { cli, port, uiPort, dbFilename, ownGroup = false, dynamicConfig = {} } = options;
  const settings = Object.entries({ ...DYNAMIC_CONFIG, ...dynamicConfig }).flatMap(([key, value]) => [
    '--dynamic-config-value',
    `${key}=${JSON.stringify(value)}`,
  ]);
  const attributes = Object.entries(SEARCH_ATTRIBUTE_TYPE).flatMap(([name, type]) => [
    '--search-attribute',
    `${name}=${type}`,
  ]);
  const file = dbFilename === undefined ? [] : ['--db-filename', dbFilename];
  const ports = ['--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)];
  const args = ['server', 'start-dev', '--log-level', 'error', ...ports, ...file, ...settings, ...attributes];
  const child = spawn(cli, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: ownGroup });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  const address = `127.0.0.1:${port}`;
  try {
    await ready(child, address);
  } catch (error) {
    await end(child);
    throw error;
  }
  const { pid } = child;
  if (pid === undefined) throw new DevServerFailed(`${cli} could not be started`);
  return { address, uiUrl: `http://127.0.0.1:${uiPort}`, pid, stop: async () => await end(child) };
}

async function ready(child: ChildProcess, address: string): Promise<void> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    // The reason of a crash stands at its beginning, above the stacks of all goroutines.
    said = `${said}${text}`.slice(0, 2_000);
  });
  const ended = new Promise<never>((_, reject) => {
    child.once('error', (error) => {
      reject(new DevServerFailed(`${child.spawnfile} could not be started: ${reasonOf(error)}`));
    });
    // Its output has an end too, and what it said last stands there.
    child.once('close', (code, signal) => {
      const [reason = ''] = said.split('\n\ngoroutine ');
      const message = `The Temporal dev server ended (${code ?? signal}) before it was ready: ${reason.trim()}`;
      reject(new DevServerEnded(message));
    });
  });
  const gone = new AbortController();
  ended.catch(() => gone.abort());
  await Promise.race([connectAndRegister(address, gone.signal), ended]);
}

async function connectAndRegister(address: string, gone: AbortSignal): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!gone.aborted) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: '1s', ...clientProxy(address) });
      try {
        await ensureSearchAttributes(connection, 'default');
      } finally {
        await connection.close();
      }
      return;
    } catch (error) {
      if (Date.now() > deadline) {
        throw new DevServerFailed(`The Temporal dev server at ${address} does not become ready: ${reasonOf(error)}`);
      }
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
