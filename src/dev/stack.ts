import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Environment } from '../lib/environment.ts';
import { loadClientConfig } from '../config/common.ts';
import { loadGatewayConfig } from '../config/gateway.ts';
import { loadWebhookConfig } from '../config/webhook.ts';
import { loadWorkerConfig } from '../config/worker.ts';
import { startGateway, type RunningGateway } from '../gateway.ts';
import { createLogger } from '../lib/logger.ts';
import { GraphSimulator, type LogEntry } from '../simulator/index.ts';
import { closeClient, connectClient } from '../temporal/connect.ts';
import { startDevServer, type DevServer } from '../temporal/dev-server.ts';
import { ensureEndpoint } from '../temporal/nexus-endpoint.ts';
import { installRuntime } from '../temporal/runtime.ts';
import { startWebhook, type RunningWebhook } from '../webhook.ts';
import { startWorker, type RunningWorker } from '../worker.ts';
import { checkPorts, type Ports } from './ports.ts';
import { findTemporalCli } from './temporal-cli.ts';

/**
 * Everything that the service needs, on this machine: Temporal's dev server with its UI, the Graph simulator, the
 * webhook and the worker. They are wired with the variables that a deployment sets, and talk over the same HTTP and
 * gRPC.
 */
export interface Stack {
  temporal: DevServer;
  graph: GraphSimulator;
  webhook: RunningWebhook;
  worker: RunningWorker;
  gateway: RunningGateway | undefined;
  /** What to set so that another process finds this Temporal. */
  env: Environment;
  /** Ends everything, in the order in which nothing waits for what is gone. */
  stop: () => Promise<void>;
}

export interface StackOptions {
  ports: Ports;
  env: Environment;
  temporalCli?: string | undefined;
  dbFilename?: string | undefined;
  /** The Nexus endpoint that leads to the worker, made if it is not there. */
  nexusEndpoint?: string;
  onProgress?: (message: string) => void;
  onGraphEvent?: (callId: string, entry: LogEntry) => void;
}

/** Good for the simulator alone: the configuration takes a fixed token for a Graph on this machine only. */
const TOKEN = 'token-of-the-simulator';

export async function startStack(options: StackOptions): Promise<Stack> {
  const { ports, env, dbFilename, nexusEndpoint, onProgress = () => {}, onGraphEvent } = options;
  const ends: Partial<Record<'gateway' | 'worker' | 'graph' | 'webhook' | 'temporal', () => Promise<void>>> = {};
  const stop = async (): Promise<void> => {
    // The simulator goes before the webhook, for the connections that it keeps open would be waited for.
    for (const what of ['gateway', 'worker', 'graph', 'webhook', 'temporal'] as const) await ends[what]?.();
  };
  try {
    await checkPorts(ports);
    const path = options.temporalCli ?? env['MODERATION_TEMPORAL_CLI'];
    const cli = await findTemporalCli({ path, searchPath: env['PATH'], onProgress });
    if (dbFilename !== undefined) await mkdir(dirname(dbFilename), { recursive: true });

    onProgress('Starting Temporal …');
    const temporal = await startDevServer({
      cli,
      port: ports.temporal,
      uiPort: ports.ui,
      dbFilename,
      // Ctrl-C must not take Temporal from a worker that still hands its tasks back.
      ownGroup: true,
    });
    ends.temporal = temporal.stop;

    onProgress('Starting the Graph simulator, the webhook and the worker …');
    const graph = await GraphSimulator.start({
      port: ports.graph,
      fixedToken: TOKEN,
      ...(onGraphEvent !== undefined && { onEvent: onGraphEvent }),
    });
    ends.graph = async () => await graph.close();

    const surroundings = {
      TEMPORAL_ADDRESS: temporal.address,
      MODERATION_TASK_QUEUE: env['MODERATION_TASK_QUEUE'],
    };
    const settings = {
      ...surroundings,
      LOG_LEVEL: env['LOG_LEVEL'] || 'warn',
      MODERATION_GRAPH_URL: graph.url,
      MODERATION_GRAPH_TOKEN: TOKEN,
      MODERATION_WEBHOOK_AUDIENCE: graph.addresses.appId,
      MODERATION_WEBHOOK_OPENID_URL: graph.openIdUrl,
      MODERATION_WEBHOOK_HOST: '127.0.0.1',
      MODERATION_WEBHOOK_PORT: String(ports.webhook),
    };
    const webhookConfig = loadWebhookConfig(settings);
    const webhook = await startWebhook({ config: webhookConfig, log: createLogger(webhookConfig.logLevel, 'webhook') });
    ends.webhook = webhook.stop;
    const log = createLogger(webhookConfig.logLevel, 'worker');
    const coreMetrics = await installRuntime(log);
    if (nexusEndpoint !== undefined) await makeEndpoint(nexusEndpoint, surroundings);
    const workerConfig = loadWorkerConfig({
      ...settings,
      MODERATION_HEALTH_PORT: '0',
      MODERATION_NEXUS_ENDPOINT: nexusEndpoint,
    });
    const worker = await startWorker({ config: workerConfig, log, coreMetrics });
    ends.worker = worker.stop;
    let gateway: RunningGateway | undefined;
    if (ports.gateway !== undefined) {
      const config = loadGatewayConfig({
        ...surroundings,
        // That it asks nobody for a token need not be said here.
        LOG_LEVEL: env['LOG_LEVEL'] || 'error',
        MODERATION_GATEWAY_PORT: String(ports.gateway),
      });
      gateway = await startGateway({ config, log: createLogger(config.logLevel, 'gateway') });
      ends.gateway = gateway.stop;
    }
    return { temporal, graph, webhook, worker, gateway, env: surroundings, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** As `setup --nexus-endpoint` does. */
async function makeEndpoint(name: string, env: Environment): Promise<void> {
  const config = loadClientConfig(env);
  const client = await connectClient(config);
  try {
    const { namespace } = client.options;
    await ensureEndpoint(client.connection, name, { namespace, taskQueue: config.taskQueue });
  } finally {
    await closeClient(client);
  }
}
