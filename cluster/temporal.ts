import { execFile } from 'node:child_process';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import type { Environment } from '../src/lib/environment.ts';
import { goModuleFolder, TEMPORAL_SERVER } from './go-programs.ts';
import { Part, PartFailed } from './part.ts';
import type { Postgres } from './postgres.ts';

/** The full Temporal server on PostgreSQL: what Temporal's images hold, with the variables that they are given. */
export interface TemporalOptions {
  /** The folder of its programs. */
  programs: string;
  postgres: Postgres;
  dynamicConfig: string;
  /** Fixed with the first start on a database. 4 where absent. */
  historyShards?: number | undefined;
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

/** As long as the images' default; fixed with the first start, so that of production is chosen with care. */
const HISTORY_SHARDS = 4;

const run = promisify(execFile);

/** What the containers run too, so that here it is tried. */
const script = (name: string): string => fileURLToPath(new URL(`../deploy/temporal/${name}.sh`, import.meta.url));

/** Makes the two databases and brings their schema to that of the server; changes nothing where they are. */
export async function setUpSchema(programs: string, folder: string, { port, user, password }: Postgres): Promise<void> {
  // The image's name of it.
  const tools = join(folder, 'tools');
  await mkdir(tools, { recursive: true });
  const tool = join(tools, 'temporal-sql-tool');
  await rm(tool, { force: true });
  await symlink(join(programs, 'sql'), tool);
  await setUp('schema', {
    PATH: `${tools}:${process.env['PATH']}`,
    SCHEMA_FOLDER: join(await goModuleFolder(TEMPORAL_SERVER), 'schema'),
    SQL_PLUGIN: 'postgres12',
    SQL_HOST: '127.0.0.1',
    SQL_PORT: String(port),
    SQL_USER: user,
    SQL_PASSWORD: password,
  });
}

/** The namespace with our search attributes, and the Nexus endpoint if `env` names one, where they are not there yet. */
export async function setUpNamespace(
  cli: string,
  address: string,
  namespace: string,
  env: Environment = {},
): Promise<void> {
  await setUp('namespace', {
    PATH: `${dirname(cli)}:${process.env['PATH']}`,
    HOME: process.env['HOME'],
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
    MODERATION_NEXUS_ENDPOINT: env['MODERATION_NEXUS_ENDPOINT'],
    MODERATION_TASK_QUEUE: env['MODERATION_TASK_QUEUE'],
  });
}

async function setUp(name: string, env: Record<string, string | undefined>): Promise<void> {
  try {
    await run('/bin/sh', [script(name)], { env });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new PartFailed(`deploy/temporal/${name}.sh has failed:\n${`${stdout}${stderr}`.trim().slice(-1_000)}`, {
      cause: error,
    });
  }
}

export function temporalServer(options: TemporalOptions): Part {
  const { programs, postgres, dynamicConfig, historyShards = HISTORY_SHARDS, ports, cwd, log, onProgress } = options;
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
      NUM_HISTORY_SHARDS: String(historyShards),
      DYNAMIC_CONFIG_FILE_PATH: dynamicConfig,
      FRONTEND_GRPC_PORT: String(ports.frontend),
      PROMETHEUS_ENDPOINT: `127.0.0.1:${ports.metrics}`,
      LOG_LEVEL: 'warn',
      ...Object.fromEntries(OTHER_PORTS.map((name, index) => [name, String(ports.others[index])])),
    },
    cwd,
    log,
    metricsUrl: `http://127.0.0.1:${ports.metrics}/metrics`,
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

/** `grpc.status.NOT_FOUND` */
const NOT_FOUND = 5;

/** Takes an error of this code for an answer. */
function unless(code: number): (error: unknown) => void {
  return (error) => {
    if ((error as { code?: unknown }).code !== code) throw error;
  };
}
