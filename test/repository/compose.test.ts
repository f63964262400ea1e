import { readFile, stat } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { TEMPORAL_SERVER, TEMPORAL_UI } from '../../cluster/go-programs.ts';
import { VARIABLES } from '../../src/config/warnings.ts';
import { loadWebhookConfig } from '../../src/config/webhook.ts';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { SEARCH_ATTRIBUTE_TYPE } from '../../src/contract/names.ts';
import { DYNAMIC_CONFIG } from '../../src/temporal/dev-server.ts';

/**
 * `docker-compose.yml` against the Compose Specification's schema, and what it sets against what the processes read. There
 * may be no Docker engine to try it with.
 */

const compose = z.object({
  services: z.record(
    z.string(),
    z.object({
      environment: z.record(z.string(), z.string()).default({}),
      depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
      healthcheck: z.object({ test: z.array(z.string()) }).optional(),
      image: z.string().optional(),
      build: z.string().optional(),
      restart: z.string().optional(),
      profiles: z.array(z.string()).default([]),
      command: z.array(z.string()).default([]),
      ports: z.array(z.string()).default([]),
      volumes: z.array(z.string()).default([]),
      deploy: z.object({ replicas: z.number() }).optional(),
    }),
  ),
});

const read = async (name: string): Promise<string> => await readFile(new URL(`../../${name}`, import.meta.url), 'utf8');

/** As Compose puts the variables of `.env` in: `${NAME}`, `${NAME:-default}`, `${NAME:?why it is needed}`. */
function interpolated(environment: Environment, env: Environment): Environment {
  const put = (text: string): string =>
    text.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, rest = '') => {
      const value = env[name] || (kind === '-' ? rest : '');
      if (kind === '?' && value === '') throw new Error(`${name}: ${rest}`);
      return value;
    });
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, put(value ?? '')]));
}

const text = await read('docker-compose.yml');
const file: unknown = parse(text, { merge: true });
const { services } = compose.parse(file);

/** What somebody fills in who deploys with Microsoft's Graph. */
const filledIn = {
  POSTGRES_PASSWORD: 'password-of-the-database',
  AZURE_TENANT_ID: '0d4f6d1e-3c55-4f3b-9d2b-0b8f5a4f7a10',
  AZURE_CLIENT_ID: '5b5b8a3f-1f83-4d3c-8b1d-6a1b2f5e7c11',
  AZURE_CLIENT_SECRET: 'secret-of-the-application',
};

const environmentOf = (name: string, env: Environment = filledIn): Environment =>
  interpolated(services[name]?.environment ?? {}, env);

describe('docker-compose.yml', () => {
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  addFormats.default(ajv);
  // The specification's own, which say nothing that its patterns do not.
  for (const format of ['duration', 'ports', 'expose', 'subnet_ip_address']) ajv.addFormat(format, true);

  test("holds to the Compose Specification's schema, which tells what does not", async () => {
    const isValid = ajv.compile(JSON.parse(await read('test/compose/compose-spec.json')) as object);
    expect(isValid(file), JSON.stringify(isValid.errors, undefined, 2)).toBe(true);
    const misspelt: unknown = parse(text.replace('depends_on:', 'dependson:'), { merge: true });
    expect(isValid(misspelt)).toBe(false);
  });

  test.each(['worker', 'simulator-worker'])('gives %s a valid configuration', (name) => {
    const config = loadWorkerConfig(environmentOf(name));
    expect(config.temporal.connectionOptions.address).toBe('temporal:7233');
    expect(services[name]?.healthcheck?.test.join(' ')).toContain(`:${config.health.port}/readyz`);
  });

  test.each(['webhook', 'simulator-webhook'])('gives %s a valid configuration', (name) => {
    const config = loadWebhookConfig(environmentOf(name));
    expect(config.temporal.connectionOptions.address).toBe('temporal:7233');
    expect(services[name]?.healthcheck?.test.join(' ')).toContain(`:${config.health?.port}/readyz`);
    // Metrics and health are not where Graph comes in.
    expect(config.listen.port).toBe(3_978);
  });

  test('gives the parts of the simulator ports of their own, for they share an address', () => {
    const worker = loadWorkerConfig(environmentOf('simulator-worker'));
    const webhook = loadWebhookConfig(environmentOf('simulator-webhook'));
    const graph = Number(/--port=(\d+)/.exec(services['simulator']?.command.join(' ') ?? '')?.[1]);
    expect(worker.graph.url).toBe(`http://127.0.0.1:${graph}/v1.0`);
    const ports = [worker.health.port, webhook.health?.port, webhook.listen.port, graph];
    expect(new Set(ports).size).toBe(4);
  });

  test('passes on every variable that a process reads, and sets none that it does not', () => {
    const ours = Object.values(services).filter(({ build }) => build !== undefined);
    const set = new Set(ours.flatMap(({ environment }) => Object.keys(environment)));
    for (const name of [...set].filter((variable) => /^(MODERATION_|LOG_)/.test(variable))) {
      expect(VARIABLES, name).toContain(name);
    }
    const known = VARIABLES.filter((name) => /^(MODERATION_|LOG_)/.test(name));
    // Where things listen inside their containers is nothing to choose.
    const inside = ['MODERATION_WEBHOOK_HOST', 'MODERATION_WEBHOOK_PORT', 'MODERATION_WEBHOOK_PATH'];
    inside.push('MODERATION_GATEWAY_PORT');
    // Graph's own are the right ones.
    const others = ['MODERATION_WEBHOOK_ISSUERS'];
    expect(known.filter((name) => !set.has(name)).toSorted()).toEqual([...inside, ...others].toSorted());
  });

  test('asks for what has to be filled in, and .env.example names it', async () => {
    expect(() => environmentOf('postgres', {})).toThrow('POSTGRES_PASSWORD: set it in .env');
    const example = [...(await read('.env.example')).matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name ?? '');
    for (const name of example.filter((one) => one !== 'COMPOSE_PROFILES')) expect(text).toContain(`\${${name}:`);
    for (const name of Object.keys(filledIn)) expect(example).toContain(name);
  });

  test('contains no secret, and gives each service no more than it needs', () => {
    for (const [name, { environment }] of Object.entries(services)) {
      for (const [variable, value] of Object.entries(environment)) {
        if (!/SECRET|PASSWORD|PWD|TOKEN|KEY/.test(variable)) continue;
        if (variable === 'MODERATION_GRAPH_TOKEN')
          expect([name, value]).toEqual(['simulator-worker', 'token-of-the-simulator']);
        else expect(value, `${name}: ${variable}`).toMatch(/^\$\{\w+:[-?][^}]*\}$/);
      }
    }
    const holders = (secret: string): string[] =>
      Object.keys(services).filter((name) => Object.values(environmentOf(name)).includes(secret));
    expect(holders(filledIn.AZURE_CLIENT_SECRET)).toEqual(['worker']);
    expect(holders(filledIn.POSTGRES_PASSWORD)).toEqual(['postgres', 'temporal-schema', 'temporal']);
  });

  test('pins every image, those of Temporal to the versions that the tests run on', () => {
    for (const { image, build } of Object.values(services)) {
      if (build === undefined) expect(image).toMatch(/:v?\d+\.\d+(\.\d+)?$/);
    }
    for (const name of ['temporal', 'temporal-schema', 'temporal-namespace']) {
      expect(services[name]?.image).toMatch(new RegExp(`:${TEMPORAL_SERVER.version}$`));
    }
    expect(services['temporal-ui']?.image).toMatch(new RegExp(`:${TEMPORAL_UI.version}$`));
  });

  test('starts each service after those that it needs, and waits until they are there', () => {
    for (const [name, { depends_on, restart }] of Object.entries(services)) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const needed = services[other];
        expect(needed, `${name} needs ${other}`).toBeDefined();
        const isOneShot = needed?.restart?.startsWith('on-failure') === true;
        expect(condition).toBe(isOneShot ? 'service_completed_successfully' : 'service_healthy');
        if (!isOneShot) expect(needed?.healthcheck, other).toBeDefined();
        // Nobody waits for what may not be started.
        for (const profile of needed?.profiles ?? []) expect(services[name]?.profiles).toContain(profile);
      }
      expect(restart).toBeDefined();
    }
    const needs = (name: string): string[] => {
      const direct = Object.keys(services[name]?.depends_on ?? {});
      return [...direct.flatMap(needs), ...direct];
    };
    const order = ['postgres', 'temporal-schema', 'temporal', 'temporal-namespace'];
    for (const name of ['worker', 'webhook']) {
      expect([...new Set(needs(name))]).toEqual(order);
      expect(services[name]?.deploy?.replicas).toBe(2);
    }
  });

  test('publishes what is not for Graph on a loopback address', () => {
    for (const [name, { ports }] of Object.entries(services)) {
      for (const port of ports) if (name !== 'webhook') expect(port, name).toMatch(/^127\.0\.0\.1:/);
    }
    // One for each replica.
    expect(services['webhook']?.ports).toEqual(['3978-3979:3978']);
  });

  test('mounts files that are there', async () => {
    for (const volume of Object.values(services).flatMap(({ volumes }) => volumes)) {
      const [from = '', , mode] = volume.split(':');
      if (!from.startsWith('./')) continue;
      expect(mode, volume).toBe('ro');
      await expect(stat(new URL(`../../${from}`, import.meta.url)), volume).resolves.toBeDefined();
    }
  });
});

test('the image is of a pinned Node, and runs as nobody in particular', async () => {
  const dockerfile = await read('Dockerfile');
  expect(dockerfile).toMatch(/^ARG NODE=\d+\.\d+\.\d+-/m);
  expect([...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, from]) => from)).toEqual(['node:${NODE}', 'node:${NODE}']);
  expect(dockerfile.slice(dockerfile.lastIndexOf('FROM'))).toMatch(/^USER node$/m);
});

describe('what is mounted', () => {
  test('registers every search attribute of the operations', async () => {
    const registered = [...(await read('deploy/temporal/namespace.sh')).matchAll(/--name (\w+) --type (\w+)/g)];
    const types = registered.map(([, name = '', type = '']) => [name, type] as const);
    expect(Object.fromEntries(types)).toEqual(SEARCH_ATTRIBUTE_TYPE);
  });

  test('has Prometheus read every service that has metrics', async () => {
    const { scrape_configs } = z
      .object({ scrape_configs: z.array(z.object({ job_name: z.string() }).loose()), rule_files: z.array(z.string()) })
      .parse(parse(await read('deploy/prometheus/prometheus.yml')));
    expect(scrape_configs.map(({ job_name }) => job_name)).toEqual(['worker', 'webhook', 'gateway', 'temporal']);
    for (const [job, name] of [
      ['worker', 'worker'],
      ['webhook', 'webhook'],
      ['gateway', 'gateway'],
      ['worker', 'simulator-worker'],
      ['webhook', 'simulator-webhook'],
    ] as const) {
      const scraped = JSON.stringify(scrape_configs.find(({ job_name }) => job_name === job));
      const host = name.startsWith('simulator') ? 'simulator' : name;
      expect(scraped).toContain(`"${host}"`);
      expect(scraped).toContain(`"port":${environmentOf(name)['MODERATION_HEALTH_PORT']}`);
    }
  });
});

test("Temporal's server is set as the dev server is", async () => {
  const settings = z.record(z.string(), z.array(z.object({ value: z.union([z.number(), z.string(), z.boolean()]) })));
  const deployed = settings.parse(parse(await read('deploy/temporal/dynamicconfig.yaml')));
  const values = Object.fromEntries(
    Object.entries(deployed).map(([key, given]) => [key, given.map(({ value }) => value)]),
  );
  expect(values).toEqual(Object.fromEntries(Object.entries(DYNAMIC_CONFIG).map(([key, value]) => [key, [value]])));
});
