import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { SEARCH_ATTRIBUTE } from '../../src/contract/names.ts';
import { startWorker } from '../../src/worker.ts';
import { BIN, Command, killCommands, type Ended } from '../support/command-kit.ts';
import { RefusingProxy } from '../support/refusing-proxy.ts';
import { log, Service } from '../support/service.ts';
import { temporal } from '../support/temporal.ts';

/** What a namespace needs, who registers it, and what one hears where it is missing. */

const NAMES = Object.values(SEARCH_ATTRIBUTE);

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => {
  await killCommands();
  await service.stop();
});

/** A new namespace without search attributes, as an environment names it. */
async function bareNamespace(): Promise<Environment> {
  const namespace = `bare-${randomUUID()}`;
  const { code, stderr } = await temporal('operator', 'namespace', 'create', '--namespace', namespace);
  expect(code, stderr).toBe(0);
  const { TEMPORAL_ADDRESS, MODERATION_TASK_QUEUE } = service.env;
  const env = { TEMPORAL_ADDRESS, MODERATION_TASK_QUEUE, TEMPORAL_NAMESPACE: namespace };
  // The frontend learns of it a little later.
  const seen = async (): Promise<number> =>
    (await temporal('operator', 'search-attribute', 'list', '--namespace', namespace)).code;
  await expect.poll(seen, { timeout: 30_000, interval: 250 }).toBe(0);
  return env;
}

async function run(args: readonly string[], env: Environment): Promise<Ended> {
  return await new Command(BIN, args, env).ended;
}

describe('setup', () => {
  test('registers what is missing, and nothing the second time', async () => {
    const env = await bareNamespace();
    const namespace = env['TEMPORAL_NAMESPACE'];
    expect(await run(['setup'], env)).toMatchObject({
      code: 0,
      stdout: `${namespace}: registered ${NAMES.join(', ')}\n`,
    });
    const again = await run(['setup', '--json'], env);
    expect(JSON.parse(again.stdout)).toEqual({ namespace, searchAttributes: NAMES, registered: [] });
    expect(again.code).toBe(0);
  });

  test('names an attribute of another type, and what to do', async () => {
    const env = await bareNamespace();
    const namespace = env['TEMPORAL_NAMESPACE'] ?? '';
    const wrong = ['--name', 'ModerationTenantId', '--type', 'Int'];
    const created = await temporal('operator', 'search-attribute', 'create', '--namespace', namespace, ...wrong);
    expect(created.code, created.stderr).toBe(0);
    const { code, stderr } = await run(['setup'], env);
    expect(code).toBe(1);
    expect(stderr).toContain('has ModerationTenantId (Keyword) with another type: remove them first');
    const config = loadWorkerConfig({ ...service.env, TEMPORAL_NAMESPACE: namespace });
    await expect(startWorker({ config, log })).rejects.toThrow('call-moderation setup');
  });

  test('says so where Temporal is not there', async () => {
    const { code, stdout } = await run(['setup', '--json'], { TEMPORAL_ADDRESS: '127.0.0.1:1' });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { type: 'TemporalUnreachable' } });
  });
});

/** As Temporal Cloud is: there is no operator service for the keys of a namespace. */
describe('where Temporal does not show search attributes', () => {
  let made: Promise<Environment> | undefined;
  const bareOnce = async (): Promise<Environment> => await (made ??= bareNamespace());

  const REFUSALS = { ListSearchAttributes: 7, AddSearchAttributes: 7 };

  test('a worker starts all the same, and logs which attributes it could not check', async () => {
    const proxy = await RefusingProxy.start(service.env['TEMPORAL_ADDRESS'] ?? '', {
      ...REFUSALS,
      DescribeNamespace: 7,
    });
    const lines: object[] = [];
    const told = Object.assign(Object.create(log) as typeof log, { warn: (fields: object) => lines.push(fields) });
    const env = { ...service.env, TEMPORAL_ADDRESS: proxy.address, MODERATION_HEALTH_PORT: '0' };
    await expect(startWorker({ config: loadWorkerConfig(env), log: told })).rejects.toThrow(
      /^Temporal refuses these credentials \(permission denied/,
    );
    proxy.stop();

    const cloud = await RefusingProxy.start(service.env['TEMPORAL_ADDRESS'] ?? '', REFUSALS);
    // The server has them, and its namespace names them.
    const named = { ...env, TEMPORAL_ADDRESS: cloud.address };
    const worker = await startWorker({ config: loadWorkerConfig(named), log: told });
    await worker.stop();
    expect(lines).toEqual([]);
    // A namespace without them is started in, too: what is not shown may be there.
    const bare = await bareOnce();
    const unknown = { ...named, TEMPORAL_NAMESPACE: bare['TEMPORAL_NAMESPACE'] };
    const other = await startWorker({ config: loadWorkerConfig(unknown), log: told });
    await other.stop();
    expect(lines).toEqual([
      { namespace: bare['TEMPORAL_NAMESPACE'], warning: expect.stringContaining('does not show') },
    ]);
    expect(new Set(cloud.refused)).toEqual(new Set(['ListSearchAttributes']));
    cloud.stop();
  });

  test.each([
    [7, 'does not show this process whether'],
    [12, 'does not show this process whether'],
    [16, 'Temporal refuses these credentials (the credentials are refused'],
    [5, 'Namespace not found'],
    [13, 'Temporal refuses the request (the server failed'],
  ])('setup and doctor print a message, and none of the words of the server: gRPC status %d', async (status, said) => {
    const refusals = { ListSearchAttributes: status, AddSearchAttributes: status };
    const proxy = await RefusingProxy.start(service.env['TEMPORAL_ADDRESS'] ?? '', refusals);
    const { MODERATION_GRAPH_URL, MODERATION_GRAPH_TOKEN } = service.env;
    const env = {
      ...(await bareOnce()),
      MODERATION_GRAPH_URL,
      MODERATION_GRAPH_TOKEN,
      TEMPORAL_ADDRESS: proxy.address,
    };
    const [plain, json, doctor] = await Promise.all([
      run(['setup'], env),
      run(['setup', '--json'], env),
      run(['doctor'], env),
    ]);
    proxy.stop();
    expect([plain.code, json.code, doctor.code]).toEqual([1, 1, 1]);
    expect(plain.stderr).toContain(said);
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { message: expect.stringContaining(said) } });
    expect(doctor.stdout).toContain(said);
    for (const { stdout, stderr } of [plain, json, doctor]) {
      expect(stdout + stderr).not.toMatch(/planted words|^ +at /m);
    }
  });
});

test('whatever is started in a namespace without them is refused as NotSetUp, with the command to run', async () => {
  const env = await bareNamespace();
  const namespace = env['TEMPORAL_NAMESPACE'];
  for (const command of ['mute', 'keep-muted', 'mute-on-entry']) {
    const { code, stdout } = await run([command, randomUUID(), '--json'], env);
    expect(code, command).toBe(1);
    expect(JSON.parse(stdout), command).toMatchObject({ error: { type: 'NotSetUp', details: { namespace } } });
    expect(stdout).toContain(`Nothing was started: namespace ${namespace} lacks search attributes`);
    expect(stdout).toContain('`call-moderation setup`');
  }
});
