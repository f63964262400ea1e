import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, inject } from 'vitest';
import { closeClient, connectClient } from '../../src/temporal/connect.ts';
import { ensureEndpoint } from '../../src/temporal/nexus-endpoint.ts';
import { loadClientConfig } from '../../src/config/common.ts';
import type { PayloadKeys } from '../../src/contract/payload-keys.ts';
import { dataConverterOf } from '../../src/temporal/payload-codec.ts';
import { pythonPackage } from '../support/python.ts';
import { silenceTemporal } from '../support/service.ts';
import { temporal } from '../support/temporal.ts';
import { until } from '../support/until.ts';
import type { Asked, Ended } from './caller.ts';

/** Another team: a namespace of its own, and workers for its workflows in TypeScript and, if Python can be had, in Python. */

export type Language = 'TypeScript' | 'Python';

const PYTHON = 'temporalio==1.35.0';

const beside = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export class Team {
  readonly client: Client;
  readonly endpoint: string;
  readonly #payloadKeys: PayloadKeys | undefined;
  readonly #stops: (() => Promise<void>)[] = [];

  private constructor(client: Client, endpoint: string, payloadKeys: PayloadKeys | undefined) {
    this.client = client;
    this.endpoint = endpoint;
    this.#payloadKeys = payloadKeys;
  }

  /**
   * With an endpoint of this name, which leads to the task queue in the namespace `default`. `keys` are those that its client and
   * its worker in TypeScript encrypt with, as `MODERATION_PAYLOAD_KEYS` has them.
   */
  static async start(endpoint: string, taskQueue: string, keys?: string): Promise<Team> {
    const namespace = `team-${randomUUID()}`;
    const { code, stderr } = await temporal('operator', 'namespace', 'create', '--namespace', namespace);
    expect(code, stderr).toBe(0);
    const address = inject('temporalAddress');
    const config = loadClientConfig({
      TEMPORAL_ADDRESS: address,
      TEMPORAL_NAMESPACE: namespace,
      MODERATION_PAYLOAD_KEYS: keys,
    });
    const client = await connectClient(config);
    await ensureEndpoint(client.connection, endpoint, { namespace: 'default', taskQueue });
    // The frontend learns of a namespace a little later.
    const isThere = client.workflowService.describeNamespace.bind(client.workflowService);
    await until(
      async () =>
        await isThere({ namespace }).then(
          () => true,
          () => false,
        ),
      Boolean,
    );
    return new Team(client, endpoint, config.payloadKeys);
  }

  /** Starts the worker of a language. False if there is no Python. */
  async work(language: Language): Promise<boolean> {
    return language === 'TypeScript' ? await this.#typeScript() : await this.#python();
  }

  async #typeScript(): Promise<true> {
    silenceTemporal();
    const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
    const worker = await Worker.create({
      connection,
      namespace: this.client.options.namespace,
      taskQueue: 'TypeScript',
      workflowsPath: beside('caller.ts'),
      ...(this.#payloadKeys !== undefined && dataConverterOf(this.#payloadKeys)),
    });
    const ended = worker.run();
    this.#stops.push(async () => {
      worker.shutdown();
      await ended;
      await connection.close();
    });
    return true;
  }

  async #python(): Promise<boolean> {
    const folder = await pythonPackage(PYTHON, 'test/nexus.test.ts (Python)');
    if (folder === undefined) return false;
    const example = await this.#example();
    const args = [beside('caller.py'), inject('temporalAddress'), this.client.options.namespace, 'Python'];
    const env = { PATH: process.env['PATH'], PYTHONPATH: `${folder}:${example}`, PYTHONDONTWRITEBYTECODE: '1' };
    const child: ChildProcess = spawn('python3', args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    const exited = once(child, 'close');
    this.#stops.push(async () => {
      child.kill('SIGKILL');
      await exited;
    });
    await Promise.race([
      once(child.stdout!, 'data'),
      exited.then(() => Promise.reject(new Error(`Python ended: ${said}`))),
    ]);
    return true;
  }

  /** A folder with the Python example of the documents, as a module that calls this team's endpoint. */
  async #example(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'call-moderation-python-'));
    this.#stops.push(async () => await rm(folder, { recursive: true }));
    const page = await readFile(beside('../../docs/nexus.md'), 'utf8');
    const [, code = ''] = /^```python\n([\s\S]*?)^```$/m.exec(page) ?? [];
    await writeFile(join(folder, 'docs_example.py'), code.replace('"call-moderation"', JSON.stringify(this.endpoint)));
    return folder;
  }

  /** Has a workflow of the team call the service. Cancelling the workflow cancels the Nexus operation. */
  async call(
    language: Language,
    operation: Asked['operation'],
    input: unknown,
  ): Promise<WorkflowHandle<() => Promise<Ended>>> {
    const asked: Asked = { endpoint: this.endpoint, operation, input };
    return await this.client.workflow.start<(asked: Asked) => Promise<Ended>>('callModeration', {
      workflowId: randomUUID(),
      taskQueue: language,
      args: [asked],
    });
  }

  async ended(language: Language, operation: Asked['operation'], input: unknown): Promise<Ended> {
    return await (await this.call(language, operation, input)).result();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#stops.map(async (stop) => await stop()));
    await closeClient(this.client);
  }
}
