import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { ensureSearchAttributes } from '../src/temporal/search-attributes.ts';
import { goModuleFolder, TEMPORAL_SERVER } from './go-programs.ts';
import { Part } from './part.ts';
import type { Postgres } from './postgres.ts';

/** The full Temporal server on PostgreSQL: what Temporal's images hold, with the variables that they are given. */
export interface TemporalOptions {
  /** The folder of its programs. */
  programs: string;
  postgres: Postgres;
  dynamicConfig: string;
  ports: TemporalPorts;
  cwd: string;
  log: string;
  onProgress?: ((message: string) => void) | undefined;
}

/** Each of its four services listens twice, for requests and for the others. */
export interface TemporalPorts {
  frontend: number;
  metrics: number;
  others: readonly number[];
}

/** What `others` of the ports are for. */
export const OTHER_PORTS = [
  'FRONTEND_MEMBERSHIP_PORT',
  'FRONTEND_HTTP_PORT',
  'HISTORY_GRPC_PORT',
  'HISTORY_MEMBERSHIP_PORT',
  'MATCHING_GRPC_PORT',
  'MATCHING_MEMBERSHIP_PORT',
  'WORKER_GRPC_PORT',
  'WORKER_MEMBERSHIP_PORT',
] as const;

const DATABASES = { temporal: 'temporal', temporal_visibility: 'visibility' };

/** As long as the images' default; fixed with the first start, so that of production is chosen with care. */
const HISTORY_SHARDS = 4;

const run = promisify(execFile);

/** Makes the two databases and brings their schema to that of the server; changes nothing where they are. */
export async function setUpSchema(programs: string, { port, user, password }: Postgres): Promise<void> {
  const schemas = join(await goModuleFolder(TEMPORAL_SERVER), 'schema', 'postgresql', 'v12');
  const tool = async (database: string, ...args: string[]): Promise<void> => {
    const to = ['--plugin', 'postgres12', '--ep', '127.0.0.1', '-p', String(port), '-u', user, '--db', database];
    // Not on the command line, which everybody on the machine may read.
    await run(join(programs, 'sql'), [...to, ...args], { env: { SQL_PASSWORD: password } });
  };
  const setUp = async ([database, folder]: [string, string]): Promise<void> => {
    await tool(database, 'create');
    await tool(database, 'setup-schema', '-v', '0.0');
    await tool(database, 'update-schema', '-d', join(schemas, folder, 'versioned'));
  };
  await Promise.all(Object.entries(DATABASES).map(setUp));
}

export function temporalServer(options: TemporalOptions): Part {
  const { programs, postgres, dynamicConfig, ports, cwd, log, onProgress } = options;
  return new Part({
    name: 'temporal',
    command: join(programs, 'server'),
    args: ['start'],
    env: {
      DB: 'postgres12',
      DB_PORT: String(postgres.port),
      POSTGRES_SEEDS: '127.0.0.1',
      POSTGRES_USER: postgres.user,
      POSTGRES_PWD: postgres.password,
      BIND_ON_IP: '127.0.0.1',
      NUM_HISTORY_SHARDS: String(HISTORY_SHARDS),
      DYNAMIC_CONFIG_FILE_PATH: dynamicConfig,
      FRONTEND_GRPC_PORT: String(ports.frontend),
      PROMETHEUS_ENDPOINT: `127.0.0.1:${ports.metrics}`,
      LOG_LEVEL: 'warn',
      ...Object.fromEntries(OTHER_PORTS.map((name, index) => [name, String(ports.others[index])])),
    },
    cwd,
    log,
    isReady: async () => await answers(`127.0.0.1:${ports.frontend}`),
    onProgress,
  });
}

async function answers(address: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: '1s' });
  try {
    // The frontend answers before it has found the history service; this goes through both, to an execution of nobody's.
    const of = { namespace: 'temporal-system', execution: { workflowId: 'nobody' } };
    await connection
      .withDeadline(Date.now() + 2_000, async () => await connection.workflowService.describeWorkflowExecution(of))
      .catch(unless(NOT_FOUND));
    return true;
  } finally {
    await connection.close();
  }
}

/** How long the namespace keeps what has ended. */
const RETENTION = '3 days';

const NAMESPACE_WITHIN_MS = 60_000;

/** The namespace with our search attributes, where it is not there yet. The server learns of both with some delay. */
export async function setUpNamespace(address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address });
  try {
    const { workflowService } = connection;
    await workflowService
      .registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs(RETENTION) })
      .catch(unless(ALREADY_EXISTS));
    const deadline = Date.now() + NAMESPACE_WITHIN_MS;
    for (;;) {
      try {
        await workflowService.describeNamespace({ namespace });
        await ensureSearchAttributes(connection, namespace);
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await sleep(200);
      }
    }
  } finally {
    await connection.close();
  }
}

/** `grpc.status`. */
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;

/** Takes an error of this code for an answer. */
function unless(code: number): (error: unknown) => void {
  return (error) => {
    if ((error as { code?: unknown }).code !== code) throw error;
  };
}
