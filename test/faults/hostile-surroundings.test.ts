import { randomUUID } from 'node:crypto';
import { run } from '@stricli/core';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { app } from '../../src/cli/app.ts';
import type { Context } from '../../src/cli/context.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { loadClientConfig } from '../../src/config/common.ts';
import { loadWebhookConfig } from '../../src/config/webhook.ts';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { startWebhook } from '../../src/webhook.ts';
import { Service } from '../support/service.ts';
import { tell } from './tried.ts';

/** The command line and the environment, filled in by somebody who does not know them, or who means harm. */

const RUNS = Number(process.env['HOSTILE'] ?? 60) * 5;
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const params = { seed, numRuns: RUNS, endOnFailure: process.env['SHRINK'] === undefined };

describe('the command line', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start();
  });
  afterAll(async () => await service.stop());

  const anyText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.constantFrom('', '-', '--', '-h', '\u001b[2J', "' OR 1=1", 'x'.repeat(100_000)),
  );
  const flag = fc.constantFrom(
    '--json',
    '--limit',
    '--outcome',
    '--call',
    '--tenantId',
    '--tenant-id',
    '--reason',
    '--requested-by',
    '--confirm-within-seconds',
    '--on-unconfirmed',
    '--on-conflict',
    '--client-context',
    '--__proto__',
    '--constructor',
    '--help',
    '--version',
  );
  const value = fc.oneof(
    anyText,
    fc.constantFrom('0', '-1', '1e9', 'NaN', 'restore', 'reject', 'Pending'),
    fc.constant(randomUUID()),
  );
  const command = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('mute', 'unmute', 'status', 'list') },
    // A process that listens has no end; what starts one is left to tests of its own.
    { weight: 1, arbitrary: anyText.filter((text) => !['worker', 'webhook', 'dev'].includes(text)) },
  );
  const lines = fc
    .tuple(command, fc.array(fc.oneof(flag, value), { maxLength: 6 }))
    .map(([first, rest]) => [first, ...rest]);

  async function ran(args: string[]): Promise<{ code: number; said: string }> {
    let said = '';
    const write = (text: string): void => void (said += text);
    const surroundings: Context['process'] = { stdout: { write }, stderr: { write }, env: service.env };
    await run(app, args, { process: surroundings });
    return { code: Number(surroundings.exitCode ?? 0), said };
  }

  test('ends, with a code and in words', { timeout: 120_000 }, async (context) => {
    await fc.assert(
      fc.asyncProperty(lines, async (args) => {
        const { code, said } = await ran(args);
        expect(said).not.toBe('');
        expect(said).not.toMatch(/\n {4}at /);
        // Stricli's own codes are below zero; `bin.ts` makes them ours.
        expect(code).toBeLessThanOrEqual(2);
      }),
      params,
    );
    tell(context, { what: 'hostile arguments', faults: RUNS, operations: 0, violations: 0, note: `seed ${seed}` });
  });
});

describe('the environment', () => {
  const names = [
    'TEMPORAL_ADDRESS',
    'TEMPORAL_NAMESPACE',
    'TEMPORAL_TLS',
    'LOG_LEVEL',
    'MODERATION_TASK_QUEUE',
    'MODERATION_GRAPH_CLOUD',
    'MODERATION_GRAPH_VERSION',
    'MODERATION_GRAPH_URL',
    'MODERATION_GRAPH_TOKEN',
    'MODERATION_WEBHOOK_HOST',
    'MODERATION_WEBHOOK_PORT',
    'MODERATION_WEBHOOK_PATH',
    'MODERATION_WEBHOOK_AUDIENCE',
    'MODERATION_WEBHOOK_ISSUERS',
    'MODERATION_WEBHOOK_OPENID_URL',
    'MODERATION_WEBHOOK_FORWARD_URL',
    'MODERATION_TENANTS',
    'MODERATION_HEALTH_HOST',
    'MODERATION_HEALTH_PORT',
    'AZURE_CLIENT_ID',
    'AZURE_AUTHORITY_HOST',
  ];
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.constantFrom('', ' ', '0', '65536', '-1', '1e3', ',,', 'global', 'beta', '__proto__', 'constructor', 'trace'),
    fc.constantFrom(
      'http://127.0.0.1:1',
      'https://x.example/?a=b',
      'http://x.example',
      'file:///etc/passwd',
      '//x',
      'a\r\nb: c',
    ),
    fc.constantFrom('/', '/a(b', '/{x}', '/%zz', '/livez', '//', '/a b', '/ä', '/a\u0000b'),
  );
  const environment: fc.Arbitrary<Environment> = fc.dictionary(fc.constantFrom(...names), value, {
    noNullPrototype: true,
    maxKeys: 6,
  });

  /** The configuration, or the faults in words. */
  function loaded<T>(load: (env: Environment) => T, env: Environment): T | undefined {
    try {
      return load(env);
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      for (const fault of (error as ConfigError).faults)
        expect(fault).toMatch(/^(MODERATION|TEMPORAL|AZURE|LOG)_[A-Z_*]+: /);
      return undefined;
    }
  }

  test('is valid, or is refused with the name of each variable', (context) => {
    fc.assert(
      fc.property(environment, (given) => {
        const local = { MODERATION_GRAPH_URL: 'http://127.0.0.1:1', ...given };
        const worker = loaded(loadWorkerConfig, local);
        // What is taken as a token can be sent as one.
        const token = worker?.graph.token;
        if (token !== undefined)
          expect(new Headers({ authorization: `Bearer ${token}` }).get('authorization')).toBe(`Bearer ${token}`);
        loaded(loadWebhookConfig, given);
        loaded(loadClientConfig, given);
      }),
      { ...params, numRuns: RUNS * 5 },
    );
    tell(context, {
      what: 'hostile environments',
      faults: RUNS * 5,
      operations: 0,
      violations: 0,
      note: `seed ${seed}`,
    });
  });

  test('that is valid starts a webhook, whatever its path', async (context) => {
    await fc.assert(
      fc.asyncProperty(value, async (path) => {
        const config = loaded(loadWebhookConfig, {
          TEMPORAL_ADDRESS: '127.0.0.1:1',
          MODERATION_WEBHOOK_HOST: '127.0.0.1',
          MODERATION_WEBHOOK_PORT: '0',
          MODERATION_WEBHOOK_AUDIENCE: 'app',
          MODERATION_WEBHOOK_OPENID_URL: 'http://127.0.0.1:1/',
          MODERATION_WEBHOOK_PATH: path,
        });
        if (config === undefined) return;
        const webhook = await startWebhook({ config, log: pino({ level: 'silent' }) });
        const answer = await fetch(webhook.callbackUrl, { method: 'POST', redirect: 'manual' });
        expect(answer.status, config.path).toBe(415);
        await webhook.stop();
      }),
      { ...params, numRuns: Math.min(RUNS, 200) },
    );
    tell(context, { what: 'hostile environments', faults: Math.min(RUNS, 200), operations: 0, violations: 0 });
  });
});
