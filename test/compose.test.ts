import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadWebhookConfig, loadWorkerConfig } from '../src/config.ts';

/** `docker-compose.yml` sets what the processes read. There may be no Docker engine to try it with. */

const compose = z.object({
  services: z.record(
    z.string(),
    z.object({
      environment: z.record(z.string(), z.string()).default({}),
      depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
      healthcheck: z.object({ test: z.array(z.string()) }),
      image: z.string().optional(),
    }),
  ),
});

const read = async (name: string): Promise<string> => await readFile(new URL(`../${name}`, import.meta.url), 'utf8');

describe('docker-compose.yml', async () => {
  const { services } = compose.parse(parse(await read('docker-compose.yml'), { merge: true }));
  const names = [...(await read('.env.example')).matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name ?? '');
  const secrets = Object.fromEntries(names.map((name) => [name, name.endsWith('_URL') ? 'https://bot.example' : 'x']));

  test('gives the worker a configuration that holds, and is asked for its health where it serves it', () => {
    const worker = services['worker'];
    const config = loadWorkerConfig({ ...secrets, ...worker?.environment });
    expect(config.temporal.connectionOptions.address).toBe('temporal:7233');
    expect(worker?.healthcheck.test.join(' ')).toContain(`:${config.health.port}/readyz`);
  });

  test('gives the webhook a configuration that holds, and is asked for its health where it serves it', () => {
    const webhook = services['webhook'];
    const config = loadWebhookConfig({ ...secrets, ...webhook?.environment });
    expect(config.temporal.connectionOptions.address).toBe('temporal:7233');
    expect(webhook?.healthcheck.test.join(' ')).toContain(`:${config.listen.port}/readyz`);
  });

  test('names every variable as a process reads it', async () => {
    const source = await read('src/config.ts');
    const set = Object.values(services).flatMap(({ environment }) => Object.keys(environment));
    for (const name of [...set, ...names].filter((variable) => variable.startsWith('MODERATION_'))) {
      expect(source).toContain(`${name}:`);
    }
  });

  test('starts things in order, with pinned images and no secret in the file', async () => {
    expect(services['worker']?.depends_on).toEqual({ temporal: { condition: 'service_healthy' } });
    expect(services['webhook']?.depends_on).toEqual({ temporal: { condition: 'service_healthy' } });
    expect(services['temporal']?.image).toMatch(/:\d+\.\d+\.\d+$/);
    expect(await read('docker-compose.yml')).not.toMatch(/SECRET|TOKEN|PASSWORD/);
  });
});
