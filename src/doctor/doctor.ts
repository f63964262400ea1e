import { configWarnings } from '../config/warnings.ts';
import { ConfigError } from '../config/config-error.ts';
import { loadClientConfig } from '../config/common.ts';
import { loadWebhookConfig, type WebhookConfig } from '../config/webhook.ts';
import { loadWorkerConfig, type WorkerConfig } from '../config/worker.ts';
import type { Address } from '../lib/address.ts';
import type { Environment } from '../lib/environment.ts';
import { tokensOf } from '../graph/tokens.ts';
import { closeClient, lazyClient } from '../temporal/connect.ts';
import { describeKeys } from '../temporal/payload-codec.ts';
import { bundleCheck } from './bundle.ts';
import { Fault, findingOf, type Check, type Finding } from './check.ts';
import { clockCheck } from './clock.ts';
import { nexusCheck } from './nexus.ts';
import { policiesCheck } from './policies.ts';
import { temporalChecks } from './temporal.ts';
import { tokenChecks } from './token.ts';
import { webhookChecks } from './webhook.ts';

export interface DoctorOptions {
  /** Where Graph reaches the webhook. Default: this machine. */
  webhookUrl?: string | undefined;
  tenantId?: string | undefined;
}

/** Checks everything that a deployment needs, from this machine and with this environment. */
export async function examine(env: Environment, options: DoctorOptions): Promise<Finding[]> {
  const common = loadClientConfig(env);
  const worker = attempt(() => loadWorkerConfig(env));
  const webhook = attempt(() => loadWebhookConfig(env));
  const client = lazyClient(common);
  const address = common.temporal.connectionOptions.address ?? 'localhost:7233';
  try {
    const checks = [
      configurationCheck('configuration of the worker', worker),
      configurationCheck('configuration of the webhook', webhook),
      { name: 'encryption', run: () => describeKeys(common.payloadKeys) },
      ...configWarnings(env).map(warningCheck),
      bundleCheck(),
      ...temporalChecks(client, common.taskQueue, address),
      ...(common.payloadKeys === undefined ? [] : [policiesCheck(client, common.taskQueue, common.payloadKeys)]),
      ...('config' in worker && worker.config.nexusEndpoint !== undefined
        ? [nexusCheck(client, common.taskQueue, worker.config.nexusEndpoint)]
        : []),
      ...('config' in worker ? graphChecks(worker.config, options) : []),
      ...('config' in webhook ? webhookChecks(webhook.config, options.webhookUrl ?? urlOf(webhook.config)) : []),
      clockCheck([
        ...('config' in webhook ? [webhook.config.openIdUrl] : []),
        ...('config' in worker ? [worker.config.graph.url] : []),
      ]),
    ];
    return await Promise.all(checks.map(findingOf));
  } finally {
    await closeClient(client);
  }
}

function graphChecks({ graph }: WorkerConfig, { tenantId }: DoctorOptions): Check[] {
  return tokenChecks({ graph, tokens: tokensOf(graph), tenantId });
}

type Loaded<T> = { config: T } | { faults: readonly string[] };

function attempt<T>(load: () => T): Loaded<T> {
  try {
    return { config: load() };
  } catch (error) {
    if (error instanceof ConfigError) return { faults: error.faults };
    throw error;
  }
}

function configurationCheck(name: string, loaded: Loaded<WorkerConfig | WebhookConfig>): Check {
  return {
    name,
    run: () => {
      if ('config' in loaded) return 'valid';
      throw new Fault(loaded.faults.join('; '), 'Correct the variables; checks that depend on them were skipped.');
    },
  };
}

function warningCheck(warning: string): Check {
  return {
    name: 'configuration',
    run: () => {
      throw new Fault(warning, 'Correct it.', 'warning');
    },
  };
}

function urlOf({ listen, path }: { listen: Address; path: string }): string {
  const host = listen.host === '0.0.0.0' || listen.host === '::' ? '127.0.0.1' : listen.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${listen.port}${path}`;
}
