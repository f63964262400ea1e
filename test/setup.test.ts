import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadWorkerConfig, type Environment } from '../src/config.ts';
import { SEARCH_ATTRIBUTE } from '../src/contract/names.ts';
import { startWorker } from '../src/worker.ts';
import { BIN, Command, killCommands, type Ended } from './command-kit.ts';
import { log, Service } from './support/service.ts';
import { temporal } from './support/temporal.ts';

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

test('an operation that is started in a namespace without them is refused, with the command to run', async () => {
  const env = await bareNamespace();
  const { code, stderr } = await run(['mute', randomUUID()], env);
  expect(code).toBe(1);
  expect(stderr).toContain(`Nothing was started: namespace ${env['TEMPORAL_NAMESPACE']} lacks search attributes`);
  expect(stderr).toContain('`call-moderation setup`');
});
