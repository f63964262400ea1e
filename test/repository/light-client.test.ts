import { execFile } from 'node:child_process';
import { lstat, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import * as root from '../../src/index.ts';
import { missing } from '../support/programs.ts';
import { Service } from '../support/service.ts';

/**
 * The light client as a backend has it: the tarball, installed from npm in an empty folder, compiled against and run
 * in a process of its own.
 */

const run = promisify(execFile);
const repository = fileURLToPath(new URL('../..', import.meta.url));

/** In all, with `@temporalio/client`. */
const MOST = { packages: 46, bytes: 40_000_000 };

/** What only a worker, a webhook or a gateway needs. */
const HEAVY =
  /^(@temporalio\/(worker|workflow|activity|core-bridge|testing)|@azure\/.*|@swc\/.*|fastify|pino|prom-client|undici|zod)$/;

const { peerDependencies } = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8')) as {
  peerDependencies: Record<string, string>;
};
const range = peerDependencies['@temporalio/client'] ?? '';

async function npm(...args: string[]): Promise<string> {
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel', 'error'];
  const { stdout } = await run('npm', [...args, ...flags], { cwd: repository, timeout: 300_000 });
  return stdout;
}

/** Without a registry the tests are skipped, or fail in CI. */
const hasRegistry = await npm('view', `@temporalio/client@${range}`, 'version').then(
  () => true,
  () => {
    missing('test/repository/light-client.test.ts', '@temporalio/client from npm');
    return false;
  },
);

/** A folder with packages from npm and files of a backend. */
class Consumer {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async install(...packages: string[]): Promise<Consumer> {
    const consumer = new Consumer(await realpath(await mkdtemp(join(tmpdir(), 'light-client-'))));
    await consumer.write('package.json', JSON.stringify({ private: true, type: 'module' }));
    await consumer.add(...packages);
    return consumer;
  }

  async add(...packages: string[]): Promise<void> {
    // The prefix, because within `npm run` npm takes the repository for it.
    await npm('install', '--prefix', this.folder, ...packages);
  }

  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.folder, name), text);
  }

  /** As `nodenext` resolves, with our declarations checked. Returns the errors that are not in others' declarations. */
  async compile(...names: string[]): Promise<string[]> {
    const flags = ['--module', 'nodenext', '--moduleResolution', 'nodenext', '--target', 'es2022', '--strict'];
    const tsc = join(repository, 'node_modules/typescript/bin/tsc');
    const options = [...flags, '--types', 'node', '--skipLibCheck', 'false'];
    const compiled = await run(process.execPath, [tsc, ...options, ...names], { cwd: this.folder }).catch(
      (error: { stdout: string }) => error,
    );
    const errors = compiled.stdout.split('\n').filter((line) => line.includes('error TS'));
    return errors.filter((line) => !/^node_modules\/(?!call-moderation-client\/)/.test(line));
  }

  async run(service: Service, name: string, ...args: string[]): Promise<string> {
    const env = {
      PATH: process.env['PATH'],
      TEMPORAL_ADDRESS: inject('temporalAddress'),
      MODERATION_TASK_QUEUE: service.taskQueue,
    };
    const { stdout } = await run(process.execPath, [name, ...args], { cwd: this.folder, env, timeout: 90_000 });
    return stdout;
  }

  /** The packages that are installed, by their paths. */
  async packages(): Promise<{ name: string; version: string }[]> {
    const lock = JSON.parse(await readFile(join(this.folder, 'node_modules/.package-lock.json'), 'utf8')) as {
      packages: Record<string, { version: string }>;
    };
    return Object.entries(lock.packages).map(([path, { version }]) => ({
      name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version,
    }));
  }

  /** What its packages occupy on the disk. */
  async bytes(): Promise<number> {
    const folder = join(this.folder, 'node_modules');
    const names = await readdir(folder, { recursive: true });
    const sizes = names.map(async (name) => (await lstat(join(folder, name))).blocks * 512);
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}

/** The example of docs/client.md. */
async function documented(): Promise<string> {
  const page = await readFile(join(repository, 'docs/client.md'), 'utf8');
  const [, example] = /^```ts\n([\s\S]*?)^```$/m.exec(page) ?? [];
  if (example === undefined) throw new Error('docs/client.md has no example');
  return example;
}

/** What types are good for: each of the marked lines is an error, so none of them is `any`. */
const TYPED = `
import { Client, Connection } from '@temporalio/client';
import { EncryptionCodec, ModerationClient, type ModerationResult, type Policy } from 'call-moderation-client';
import { traceInterceptor } from 'call-moderation-client/tracing';

const connection = Connection.lazy();
const dataConverter = { payloadCodecs: [new EncryptionCodec(['plain'])] };
const client = new Client({ connection, dataConverter, interceptors: { workflow: [traceInterceptor] } });
export const moderation = new ModerationClient({ client });
export async function typed(policy: Policy): Promise<ModerationResult> {
  const result = await (await moderation.mute({ callId: policy.id })).result();
  // @ts-expect-error it is a boolean
  const isMuted: string = result.isMuted;
  // @ts-expect-error there is no such field
  await moderation.mute({ callID: isMuted });
  return result;
}
`;

/** As CommonJS, more of the client; prints what it has seen. */
const COMMON_JS = `
const { Client, Connection } = require('@temporalio/client');

async function main([callId, nowhere]) {
  const light = await import('call-moderation-client');
  const codec = new light.EncryptionCodec([{ id: '1', key: Buffer.alloc(32, 1) }]);
  const [payload] = await codec.encode([{ metadata: {}, data: Buffer.from('secret') }]);
  const [decoded] = await codec.decode([payload]);

  const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS });
  const client = new Client({ connection });
  const moderation = new light.ModerationClient({ client, taskQueue: process.env.MODERATION_TASK_QUEUE });
  const muted = await (await moderation.mute({ callId, requestId: 'order-4711' })).result();
  const again = await (await moderation.mute({ callId, requestId: 'order-4711' })).result();
  const latest = await moderation.getLatestOperation(callId);
  const failure = await (await moderation.mute({ callId: nowhere })).result().catch((error) => error);
  const lock = await moderation.keepMuted({ callId });
  const { request } = await lock.status();
  await lock.release();
  const { endedBy } = await lock.result();
  const id = 'light-' + callId;
  const when = { at: '18:00', timeZone: 'Europe/Berlin', end: 'in 30d' };
  await moderation.policies.create({ id, action: 'mute', target: { calls: [callId] }, when });
  const { nextTimes } = await moderation.policies.describe(id);
  await moderation.policies.delete(id);
  const released = await moderation.release({ callId }).all();
  await connection.close();
  return {
    muted,
    again,
    outcome: latest.record.outcome,
    failure: { isOurs: failure instanceof light.ModerationError, type: failure.type },
    lock: request.callId,
    endedBy,
    next: nextTimes[0],
    released,
    secret: Buffer.from(decoded.data).toString(),
    exports: Object.keys(light),
  };
}

main(process.argv.slice(2)).then((seen) => console.log(JSON.stringify(seen)));
`;

let tarball: string;
let made: string;
let service: Service;

beforeAll(async () => {
  if (!hasRegistry) return;
  made = await mkdtemp(join(tmpdir(), 'light-client-tarball-'));
  tarball = (await run('npm', ['run', '--silent', 'pack:client', '--', made], { cwd: repository })).stdout.trim();
  service = await Service.start();
}, 300_000);

afterAll(async () => {
  if (!hasRegistry) return;
  await service.stop();
  await rm(made, { recursive: true });
});

const VERSIONS = [
  ['the newest version', range],
  ['the oldest version', range.slice(1)],
] as const;

describe.skipIf(!hasRegistry).each(VERSIONS)('beside %s of @temporalio/client, %s', (_what, version) => {
  let consumer: Consumer;
  beforeAll(async () => {
    consumer = await Consumer.install(`@temporalio/client@${version}`, tarball);
  }, 300_000);
  afterAll(async () => await consumer.remove());

  test('it installs little', async ({ annotate }) => {
    const packages = await consumer.packages();
    const bytes = await consumer.bytes();
    const names = packages.map(({ name }) => name);
    await annotate(`${packages.length} packages, ${(bytes / 1e6).toFixed(1)} MB`);
    expect(names).toContain('call-moderation-client');
    expect(names.filter((name) => HEAVY.test(name))).toEqual([]);
    // A second copy would be one more.
    expect(names.filter((name) => name.startsWith('@temporalio/')).toSorted()).toEqual([
      '@temporalio/client',
      '@temporalio/common',
      '@temporalio/proto',
    ]);
    expect(packages.length).toBeLessThanOrEqual(MOST.packages);
    expect(bytes).toBeLessThanOrEqual(MOST.bytes);
  });

  test('the example of its page compiles, and mutes', async () => {
    const call = service.call();
    await consumer.write('example.ts', await documented());
    expect(await consumer.compile('example.ts')).toEqual([]);
    expect(await consumer.run(service, 'example.js', call.id)).toBe('true notification\n');
    expect(call.self.isMuted).toBe(true);
  });

  test('CommonJS uses it', async () => {
    const call = service.call();
    await consumer.write('backend.cjs', COMMON_JS);
    const seen = JSON.parse(await consumer.run(service, 'backend.cjs', call.id, `nowhere-${call.id}`)) as {
      muted: object;
      exports: string[];
    };
    expect(seen).toMatchObject({
      muted: { callId: call.id, isMuted: true },
      again: seen.muted,
      outcome: 'Confirmed',
      failure: { isOurs: true, type: 'CallNotFound' },
      lock: call.id,
      endedBy: 'released',
      next: expect.stringMatching(/T1[67]:00:00/) as string,
      released: [expect.objectContaining({ callId: call.id })],
      secret: 'secret',
    });
    // It is what the main package exports, so that code moves by a change of the import.
    expect(seen.exports.toSorted()).toEqual(Object.keys(root).toSorted());
    expect(call.self.isMuted).toBe(false);
  });

  test('the types of both entries compile, once the API of OpenTelemetry is installed', async () => {
    await consumer.write('typed.ts', TYPED);
    await consumer.write('traced.js', `import 'call-moderation-client/tracing';`);
    await expect(consumer.run(service, 'traced.js')).rejects.toThrow("Cannot find package '@opentelemetry/api'");
    await consumer.add('@opentelemetry/api');
    expect(await consumer.run(service, 'traced.js')).toBe('');
    expect(await consumer.compile('typed.ts')).toEqual([]);
  });

  test('its package is well made, and its source maps have their sources', async () => {
    const pkgDir = join(consumer.folder, 'node_modules/call-moderation-client');
    const { messages, pkg } = await publint({ pkgDir, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg as never))).toEqual([]);
    const map = JSON.parse(await readFile(join(pkgDir, 'dist/index.js.map'), 'utf8')) as { sourcesContent: string[] };
    expect(map.sourcesContent[0]).toContain('export {');
  });
});
