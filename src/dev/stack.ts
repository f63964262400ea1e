import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Environment } from '../config.ts';
import { loadWebhookConfig, loadWorkerConfig } from '../config.ts';
import { freePort } from '../free-port.ts';
import { createLogger } from '../logger.ts';
import { GraphSimulator, type LogEntry } from '../simulator/index.ts';
import { startDevServer, type DevServer } from '../temporal/dev-server.ts';
import { installRuntime } from '../temporal/runtime.ts';
import { startWebhook, type RunningWebhook } from '../webhook.ts';
import { startWorker, type RunningWorker } from '../worker.ts';
import { findTemporalCli } from './temporal-cli.ts';

/**
 * Everything that the service needs, on this machine: Temporal's dev server with its UI, the Graph simulator, the webhook
 * and the worker. They are wired with the variables that a deployment sets, and talk over the same HTTP and gRPC.
 */
export interface Stack {
  temporal: DevServer;
  graph: GraphSimulator;
  webhook: RunningWebhook;
  worker: RunningWorker;
  /** What to set so that another process finds this Temporal. */
  env: Environment;
  /** Ends everything, in the order in which nothing waits for what is gone. */
  stop: () => Promise<void>;
}

export interface StackOptions {
  /** 0 for any free port. */
  ports: { temporal: number; ui: number; graph: number; webhook: number };
  env: Environment;
  temporalCli?: string | undefined;
  dbFilename?: string | undefined;
  onProgress?: (message: string) => void;
  onGraphEvent?: (callId: string, entry: LogEntry) => void;
}

/** Good for the simulator alone: the configuration takes a fixed token for a Graph on this machine only. */
const TOKEN = 'token-of-the-simulator';

export async function startStack(options: StackOptions): Promise<Stack> {
  const { ports, env, dbFilename, onProgress = () => {}, onGraphEvent } = options;
  const started: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of started.splice(0).toReversed()) await end();
  };
  try {
    const path = options.temporalCli ?? env['MODERATION_TEMPORAL_CLI'];
    const cli = await findTemporalCli({ path, searchPath: env['PATH'], onProgress });
    if (dbFilename !== undefined) await mkdir(dirname(dbFilename), { recursive: true });

    onProgress('Starting Temporal …');
    const temporalPort = ports.temporal || (await freePort());
    const uiPort = ports.ui || (await freePort());
    const temporal = await startDevServer({ cli, port: temporalPort, uiPort, dbFilename });
    started.push(temporal.stop);

    onProgress('Starting the Graph simulator, the webhook and the worker …');
    const graph = await GraphSimulator.start({
      port: ports.graph,
      fixedToken: TOKEN,
      ...(onGraphEvent !== undefined && { onEvent: onGraphEvent }),
    });
    started.push(async () => await graph.close());

    const settings = {
      LOG_LEVEL: env['LOG_LEVEL'] ?? 'warn',
      TEMPORAL_ADDRESS: temporal.address,
      MODERATION_GRAPH_URL: graph.url,
      MODERATION_GRAPH_TOKEN: TOKEN,
      MODERATION_WEBHOOK_AUDIENCE: graph.addresses.appId,
      MODERATION_WEBHOOK_OPENID_URL: graph.openIdUrl,
      MODERATION_WEBHOOK_HOST: '127.0.0.1',
      MODERATION_WEBHOOK_PORT: String(ports.webhook),
    };
    const webhookConfig = loadWebhookConfig(settings);
    const webhook = await startWebhook({ config: webhookConfig, log: createLogger(webhookConfig.logLevel, 'webhook') });
    started.push(webhook.stop);
    const log = createLogger(webhookConfig.logLevel, 'worker');
    const coreMetrics = await installRuntime(log);
    const workerConfig = loadWorkerConfig({ ...settings, MODERATION_HEALTH_PORT: '0' });
    const worker = await startWorker({ config: workerConfig, log, coreMetrics });
    started.push(worker.stop);
    return { temporal, graph, webhook, worker, env: { TEMPORAL_ADDRESS: temporal.address }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
