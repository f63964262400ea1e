import { join } from 'node:path';
import { workflowIdOf } from '../src/contract/call-id.ts';
import { freePort } from '../src/lib/free-port.ts';
import { workflowIdOf as canonicalIdOf } from './canonical/names.ts';
import { Process } from './process.ts';
import type { Simulator } from './simulator.ts';
import type { TemporalServer } from './temporal-server.ts';

/** One way to carry out the same operation, in processes of its own. */
export interface Contender {
  name: string;
  client: Process;
  /** Where Graph sends the notifications of its calls. */
  callbackUrl: string;
  /** By part, for the account of CPU. */
  pids: Record<string, number>;
  temporal?: TemporalServer;
  workflowIdOf?: (callId: string) => string;
  stop: () => Promise<void>;
}

export interface Surroundings {
  /** The build's folder. */
  folder: string;
  graph: Simulator;
}

/** Our service, as it is deployed: `dist/worker.js` and `dist/webhook.js`, told by the environment's variables. */
export async function ours(
  name: string,
  { folder, graph }: Surroundings,
  temporal: TemporalServer,
): Promise<Contender> {
  const workerHealth = await freePort();
  // A queue of its own: a server that runs already may have workers.
  const common = { TEMPORAL_ADDRESS: temporal.address, MODERATION_TASK_QUEUE: 'ours' };
  const worker = new Process(`worker of ${name}`, {
    script: join(folder, 'src/worker.js'),
    env: { ...common, ...graphOf(graph), MODERATION_HEALTH_PORT: String(workerHealth) },
  });
  const { webhook, answers } = await webhookOf(name, { folder, graph }, temporal);
  const client = new Process(`client of ${name}`, { script: join(folder, 'bench/ours.js'), env: common });
  return await once({
    name,
    client,
    temporal,
    workflowIdOf,
    parts: { worker, webhook, client },
    ready: async () => {
      await worker.answers(`http://127.0.0.1:${workerHealth}/readyz`);
      await client.ready();
      return await answers();
    },
  });
}

/** Our service in a backend that has a worker of its own, on its client's connection. */
export async function embedded(
  name: string,
  { folder, graph }: Surroundings,
  temporal: TemporalServer,
): Promise<Contender> {
  const { webhook, answers } = await webhookOf(name, { folder, graph }, temporal);
  const env = { TEMPORAL_ADDRESS: temporal.address, MODERATION_TASK_QUEUE: 'embedded', ...graphOf(graph) };
  const client = new Process(`service of ${name}`, { script: join(folder, 'bench/embedded.js'), env });
  const ready = async (): Promise<string> => {
    await client.ready();
    return await answers();
  };
  return await once({ name, client, temporal, workflowIdOf, parts: { service: client, webhook }, ready });
}

/** Our webhook, and its address once it is there. */
async function webhookOf(
  name: string,
  { folder, graph }: Surroundings,
  temporal: TemporalServer,
): Promise<{ webhook: Process; answers: () => Promise<string> }> {
  const port = await freePort();
  const webhook = new Process(`webhook of ${name}`, {
    script: join(folder, 'src/webhook.js'),
    env: {
      TEMPORAL_ADDRESS: temporal.address,
      MODERATION_WEBHOOK_HOST: '127.0.0.1',
      MODERATION_WEBHOOK_PORT: String(port),
      MODERATION_WEBHOOK_AUDIENCE: graph.appId,
      MODERATION_WEBHOOK_OPENID_URL: graph.openIdUrl,
    },
  });
  const answers = async (): Promise<string> => {
    await webhook.answers(`http://127.0.0.1:${port}/readyz`);
    return `http://127.0.0.1:${port}/api/calls`;
  };
  return { webhook, answers };
}

function graphOf(graph: Simulator): Record<string, string> {
  return { MODERATION_GRAPH_URL: graph.url, MODERATION_GRAPH_TOKEN: graph.token };
}

/** What a reader of Temporal's samples would build. */
export async function canonical(
  name: string,
  { folder, graph }: Surroundings,
  temporal: TemporalServer,
): Promise<Contender> {
  const env = { TEMPORAL_ADDRESS: temporal.address, ...settingsOf(graph) };
  const part = (what: string): Process =>
    new Process(`${what} of ${name}`, { script: join(folder, `bench/canonical/${what}.js`), env });
  const [worker, webhook, client] = [part('worker'), part('webhook'), part('client')];
  return await once({
    name,
    client,
    temporal,
    workflowIdOf: canonicalIdOf,
    parts: { worker, webhook, client },
    ready: async () => {
      const [, { callbackUrl = '' }] = await Promise.all([worker.ready(), webhook.ready(), client.ready()]);
      return callbackUrl;
    },
  });
}

/** The same HTTP with nothing durable. */
export async function floor(name: string, { folder, graph }: Surroundings): Promise<Contender> {
  const client = new Process(name, { script: join(folder, 'bench/floor.js'), env: settingsOf(graph) });
  const ready = async (): Promise<string> => (await client.ready())['callbackUrl'] ?? '';
  return await once({ name, client, parts: { client }, ready });
}

function settingsOf(graph: Simulator): Record<string, string> {
  return {
    BENCH_GRAPH_URL: graph.url,
    BENCH_GRAPH_TOKEN: graph.token,
    BENCH_OPENID_URL: graph.openIdUrl,
    BENCH_AUDIENCE: graph.appId,
  };
}

interface Parts extends Pick<Contender, 'name' | 'client' | 'temporal' | 'workflowIdOf'> {
  parts: Record<string, Process>;
  ready: () => Promise<string>;
}

/** The contender once it is ready; one that does not become ready leaves nothing behind. */
async function once({ parts, ready, ...rest }: Parts): Promise<Contender> {
  const stop = async (): Promise<void> => {
    await Promise.all(Object.values(parts).map(async (part) => await part.stop()));
  };
  try {
    const callbackUrl = await ready();
    const pids = Object.fromEntries(Object.entries(parts).map(([part, { pid }]) => [part, pid]));
    const server = rest.temporal?.pid;
    return { ...rest, callbackUrl, pids: { ...(server !== undefined && { server }), ...pids }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
