import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTE_TYPE } from '../src/contract/names.ts';
import { freePort } from '../src/lib/free-port.ts';
import { DYNAMIC_CONFIG } from '../src/temporal/dev-server.ts';
import { ensureSearchAttributes } from '../src/temporal/search-attributes.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A dev server as the benchmark needs it: with its own metrics, and with or without our settings. */
export interface TemporalServer {
  address: string;
  pid: number | undefined;
  /** Requests to its frontend so far, by operation. */
  requests: () => Promise<Record<string, number>>;
  stop: () => Promise<void>;
}

export interface ServerOptions {
  cli: string;
  /** What `src/temporal/dev-server.ts` sets, or nothing. */
  limits: 'raised' | 'default';
  /** A file is opened in WAL mode, as whoever keeps one for longer would. */
  db: 'memory' | 'file';
}

const RAISED = Object.entries(DYNAMIC_CONFIG).map(([key, value]) => `${key}=${JSON.stringify(value)}`);

const READY_WITHIN_MS = 60_000;

export async function startTemporal({ cli, limits, db }: ServerOptions): Promise<TemporalServer> {
  const port = await freePort();
  const metricsPort = await freePort();
  const { folder, remove } = await temporaryFolder('bench-db');
  const args = ['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--log-level', 'error'];
  args.push('--port', String(port), '--metrics-port', String(metricsPort));
  if (limits === 'raised') args.push(...RAISED.flatMap((setting) => ['--dynamic-config-value', setting]));
  if (db === 'file') args.push('--db-filename', join(folder, 'temporal.db'), '--sqlite-pragma', 'journal_mode=wal');
  args.push(
    ...Object.entries(SEARCH_ATTRIBUTE_TYPE).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
  );
  const child = spawn(cli, args, { stdio: 'ignore' });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async (): Promise<void> => {
    process.off('exit', kill);
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(kill, 5_000);
      await exited;
      clearTimeout(late);
    }
    remove();
  };
  const address = `127.0.0.1:${port}`;
  try {
    await ready(address);
  } catch (error) {
    await stop();
    throw error;
  }
  const requests = async (): Promise<Record<string, number>> => {
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    return toRequests(metrics);
  };
  return { address, pid: child.pid, requests, stop };
}

/** A server that runs already, such as that of `npm run cluster`: what it uses and is asked is not known here. */
export async function existingTemporal(address: string): Promise<TemporalServer> {
  await ready(address);
  return { address, pid: undefined, requests: () => Promise.resolve({}), stop: () => Promise.resolve() };
}

async function ready(address: string): Promise<void> {
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

/** Of the namespace of operations: the server's own workflows have another one. */
function toRequests(metrics: string): Record<string, number> {
  const line = /^service_requests\{namespace="default",operation="(\w+)",service_name="frontend"\} (\S+)$/gm;
  return Object.fromEntries([...metrics.matchAll(line)].map(([, operation = '', count]) => [operation, Number(count)]));
}
