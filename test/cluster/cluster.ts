import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { Topology, type TopologyOptions } from '../../cluster/topology.ts';
import { ModerationClient } from '../../src/client/moderation-client.ts';
import { loadClientConfig } from '../../src/config/common.ts';
import type { GraphSimulator, LogEntry, NewCall } from '../../src/simulator/index.ts';
import { closeClient, connectClient } from '../../src/temporal/connect.ts';
import { Build } from '../support/process.ts';
import { TestCall } from '../support/service.ts';

/** The topology of a deployment, and a client of it in the test's process. */
export class Cluster {
  readonly topology: Topology;
  readonly client: Client;
  readonly moderation: ModerationClient;
  readonly graph: GraphSimulator;
  readonly build: Build;
  readonly #folder: string;
  readonly #hooks: Set<Hook>;

  private constructor(topology: Topology, client: Client, build: Build, folder: string, hooks: Set<Hook>) {
    if (topology.graph === undefined) throw new Error('the topology has no simulator');
    this.topology = topology;
    this.client = client;
    this.moderation = new ModerationClient({ client });
    this.graph = topology.graph;
    this.build = build;
    this.#folder = folder;
    this.#hooks = hooks;
  }

  static async start(options: Partial<TopologyOptions> = {}): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), 'call-moderation-cluster-'));
    const build = Build.shared();
    const hooks = new Set<Hook>();
    const topology = await Topology.start({
      folder,
      dist: build.dist,
      ui: false,
      simulator: {
        onEvent: (callId, entry) => {
          for (const hook of hooks) hook(callId, entry);
        },
      },
      ...options,
    });
    const client = await connectClient(loadClientConfig({ TEMPORAL_ADDRESS: topology.temporalAddress }));
    return new Cluster(topology, client, build, folder, hooks);
  }

  async stop(): Promise<void> {
    await closeClient(this.client);
    await this.topology.stop();
    await this.build.remove();
    await rm(this.#folder, { recursive: true });
  }

  call(given: Partial<NewCall> = {}): TestCall {
    const created = this.graph.createCall({ callbackUri: this.topology.callbackUrl, ...given });
    return new TestCall({ graph: this.graph }, created);
  }

  /** Runs `act` in the very moment in which the simulator logs the entry that `isTime` is waiting for, and once only. */
  when(isTime: Hook<boolean>, act: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const hook: Hook = (callId, entry) => {
        if (!isTime(callId, entry)) return;
        this.#hooks.delete(hook);
        act().then(resolve, reject);
      };
      this.#hooks.add(hook);
    });
  }
}

type Hook<T = void> = (callId: string, entry: LogEntry) => T;
