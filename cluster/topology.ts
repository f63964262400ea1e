import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../src/lib/environment.ts';
import { findTemporalCli } from '../src/dev/temporal-cli.ts';

import { GraphSimulator, type SimulatorOptions } from '../src/simulator/index.ts';
import { Balancer } from './balancer.ts';
import { goPrograms, TEMPORAL_SERVER, TEMPORAL_UI } from './go-programs.ts';
import { lastingPort } from './lasting-port.ts';
import type { Part } from './part.ts';
import { preparePostgres, type Postgres } from './postgres.ts';
import { servicePart } from './service.ts';
import { OTHER_PORTS, setUpNamespace, setUpSchema, temporalServer } from './temporal.ts';
import { temporalUi } from './temporal-ui.ts';

/**
 * What docker-compose.yml starts, without Docker: PostgreSQL, the full Temporal server with its schema, namespace and
 * search attributes, its UI, two workers, two webhooks with a balancer before them, and the Graph simulator and gateways with
 * a balancer of their own where asked. Each is a process of its own, but for the balancer and the simulator. All are on loopback addresses.
 *
 * They start in the order of who needs whom, and end in the opposite one, so that nobody waits for what is gone.
 */
export interface TopologyOptions {
  /** For data, logs and configuration. */
  folder: string;
  /** The folder of what `npm run build` makes. */
  dist: string;
  /** 0 for any free one. */
  ports?: Partial<Record<PortName, number>>;
  /** The variables of workers, webhooks and gateways; those of the topology come on top. */
  env?: Environment;
  workers?: number;
  webhooks?: number;
  /** 0 where absent. */
  gateways?: number;
  /** Starts the Graph simulator and wires everything to it. */
  simulator?: SimulatorOptions | undefined;
  /** Whether Temporal's UI is started. */
  ui?: boolean;
  /** In place of the one that Docker's topology has. */
  dynamicConfig?: string;
  /** Of Temporal, on a database that is new. */
  historyShards?: number;
  onProgress?: (message: string) => void;
}

export const PORT_NAMES = ['temporal', 'ui', 'postgres', 'graph', 'webhook', 'gateway'] as const;
export type PortName = (typeof PORT_NAMES)[number];

/** Good for the simulator alone: the configuration takes a fixed token for a Graph on this machine only. */
const TOKEN = 'token-of-the-simulator';

const DYNAMIC_CONFIG = fileURLToPath(new URL('../deploy/temporal/dynamicconfig.yaml', import.meta.url));
const NAMESPACE = 'default';

export class Topology {
  readonly #options: TopologyOptions;
  readonly #ends: (() => Promise<void>)[] = [];
  /** Every program, in the order in which they were started. */
  readonly parts: Part[] = [];
  readonly workers: Part[] = [];
  readonly webhooks: Part[] = [];
  readonly gateways: Part[] = [];
  graph: GraphSimulator | undefined;
  postgres: Postgres | undefined;
  temporalAddress = '';
  uiUrl: string | undefined;
  /** Where Graph's notifications go. */
  callbackUrl = '';
  /** What callers of the gateways have in place of Graph's root. */
  gatewayUrl: string | undefined;
  #env: Environment = {};

  private constructor(options: TopologyOptions) {
    this.#options = options;
  }

  static async start(options: TopologyOptions): Promise<Topology> {
    const topology = new Topology(options);
    try {
      await topology.#start();
      return topology;
    } catch (error) {
      await topology.stop();
      throw error;
    }
  }

  /** What workers, webhooks and gateways are given; a client needs of it `TEMPORAL_ADDRESS`. */
  get env(): Environment {
    return this.#env;
  }

  part(name: string): Part {
    const part = this.parts.find((one) => one.name === name);
    if (part === undefined)
      throw new Error(`there is no ${name}; there are ${this.parts.map((one) => one.name).join(', ')}`);
    return part;
  }

  /** One more worker, whose build and variables may be others; it polls when this settles. */
  async startWorker(name: string, { dist, env }: { dist?: string; env?: Environment } = {}): Promise<Part> {
    const worker = await this.#service('worker', name, await lastingPort(), { dist, env });
    this.workers.push(worker);
    return worker;
  }

  async stop(): Promise<void> {
    for (const end of this.#ends.splice(0).toReversed()) await end();
  }

  async #start(): Promise<void> {
    const { folder, ui = true, onProgress = () => undefined, workers = 2, webhooks = 2, gateways = 0 } = this.#options;
    await mkdir(join(folder, 'logs'), { recursive: true });
    const server = await goPrograms(TEMPORAL_SERVER, onProgress);
    const searchPath = process.env['PATH'];
    const cli = await findTemporalCli({ path: process.env['MODERATION_TEMPORAL_CLI'], searchPath, onProgress });
    const uiPrograms = ui ? await goPrograms(TEMPORAL_UI, onProgress) : undefined;

    onProgress('Starting PostgreSQL …');
    const postgres = await preparePostgres({
      folder: join(folder, 'postgres'),
      port: await this.#port('postgres'),
      log: this.#log('postgres'),
      searchPath,
      onProgress,
    });
    this.postgres = postgres;
    await this.#add(postgres.part);

    onProgress('Starting Temporal …');
    await setUpSchema(server, folder, postgres);
    const frontend = await this.#port('temporal');
    const others: number[] = [];
    for (const _ of OTHER_PORTS) others.push(await lastingPort());
    const temporal = temporalServer({
      programs: server,
      postgres,
      dynamicConfig: this.#options.dynamicConfig ?? DYNAMIC_CONFIG,
      historyShards: this.#options.historyShards,
      ports: { frontend, metrics: await lastingPort(), others },
      cwd: folder,
      log: this.#log('temporal'),
      onProgress,
    });
    await this.#add(temporal);
    this.temporalAddress = `127.0.0.1:${frontend}`;
    await setUpNamespace(cli, this.temporalAddress, NAMESPACE, this.#options.env);
    if (uiPrograms !== undefined) await this.#startUi(uiPrograms);

    onProgress('Starting the webhooks and the workers …');
    await this.#startGraph();
    const callbacks = await this.#startBalanced('webhook', webhooks, this.webhooks);
    this.callbackUrl = `${callbacks}${this.#env['MODERATION_WEBHOOK_PATH'] ?? '/api/calls'}`;
    if (gateways > 0) this.gatewayUrl = await this.#startBalanced('gateway', gateways, this.gateways);
    for (let number = 1; number <= workers; number += 1) await this.startWorker(`worker-${number}`);
  }

  async #startUi(programs: string): Promise<void> {
    const { folder, onProgress } = this.#options;
    const port = await this.#port('ui');
    const log = this.#log('ui');
    const { temporalAddress } = this;
    await this.#add(await temporalUi({ programs, folder: join(folder, 'ui'), temporalAddress, port, log, onProgress }));
    this.uiUrl = `http://127.0.0.1:${port}`;
  }

  async #startGraph(): Promise<void> {
    const { simulator, env } = this.#options;
    this.#env = { PATH: process.env['PATH'], ...env, TEMPORAL_ADDRESS: this.temporalAddress };
    if (simulator === undefined) return;
    const graph = await GraphSimulator.start({ port: await this.#port('graph'), fixedToken: TOKEN, ...simulator });
    this.#ends.push(async () => await graph.close());
    this.graph = graph;
    this.#env = {
      ...this.#env,
      MODERATION_GRAPH_URL: graph.url,
      MODERATION_GRAPH_TOKEN: simulator.fixedToken ?? TOKEN,
      MODERATION_WEBHOOK_AUDIENCE: graph.addresses.appId,
      MODERATION_WEBHOOK_OPENID_URL: graph.openIdUrl,
      AZURE_AUTHORITY_HOST: graph.authorityUrl,
    };
  }

  /** So many of them, added to `started`, and the root of the balancer before them. */
  async #startBalanced(what: 'webhook' | 'gateway', count: number, started: Part[]): Promise<string> {
    const ports: number[] = [];
    for (let number = 1; number <= count; number += 1) {
      const port = await lastingPort();
      started.push(await this.#service(what, `${what}-${number}`, port));
      ports.push(port);
    }
    const port = await this.#port(what);
    const balancer = await Balancer.start(port, ports);
    this.#ends.push(async () => await balancer.close());
    return `http://127.0.0.1:${port}`;
  }

  async #service(
    what: 'worker' | 'webhook' | 'gateway',
    name: string,
    port: number,
    { dist, env }: { dist?: string | undefined; env?: Environment | undefined } = {},
  ): Promise<Part> {
    return await this.#add(
      servicePart({
        what,
        name,
        dist: dist ?? this.#options.dist,
        env: { ...this.#env, ...env },
        port,
        log: this.#log(name),
        onProgress: this.#options.onProgress,
      }),
    );
  }

  async #add(part: Part): Promise<Part> {
    this.parts.push(part);
    this.#ends.push(async () => await part.stop());
    await part.start();
    return part;
  }

  async #port(name: PortName): Promise<number> {
    return this.#options.ports?.[name] || (await lastingPort());
  }

  #log(name: string): string {
    return join(this.#options.folder, 'logs', `${name}.log`);
  }
}
