import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Environment } from '../../src/lib/environment.ts';
import { Deployment } from '../support/deployment.ts';

/**
 * How long it takes until something is there, from the build. Machines differ and are busy, so what counts are ratios to
 * Node's own start, measured in turns; of each the quickest counts, which was disturbed least. On a quiet machine, where
 * Node takes 25 ms, we measured 56 ms to the help, 0.44 s to the first byte of a mute, 1.2 s to a worker that polls and
 * 2.9 s to the demo's first mute. The limits are about twice that, as a worker starts on several cores and others may use them.
 */

const ROUNDS = 5;
const MOST = { help: 5, firstByte: 40, worker: 100, demo: 250 };

let service: Deployment;
beforeAll(async () => {
  service = await Deployment.start();
  await service.webhook();
  await service.worker();
});
afterAll(async () => await service.stop());

/** Milliseconds until a program has said `what`, or ends where it is to say nothing; then it is ended. */
async function timeOf(program: string, args: readonly string[], what?: RegExp, env: Environment = {}): Promise<number> {
  const began = performance.now();
  const { PATH, HOME } = process.env;
  const child = spawn(program, args, { env: { PATH, HOME, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = new Promise((resolve) => {
    child.once('close', resolve);
  });
  const said = new Promise<number>((resolve, reject) => {
    let text = '';
    const hear = (chunk: string): void => {
      text += chunk;
      if (what?.test(text) === true) resolve(performance.now() - began);
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', hear);
    child.once('error', reject);
    child.once('close', (code) => {
      if (what === undefined && code === 0) resolve(performance.now() - began);
      else reject(new Error(`${program} ${args.join(' ')} ended with ${code}: ${text}`));
    });
  });
  try {
    return await said;
  } finally {
    child.kill('SIGINT');
    await closed;
  }
}

test('what starts is soon there', { timeout: 120_000 }, async () => {
  const { dist } = service.build;
  const bin = join(dist, 'cli', 'bin.js');
  const node = process.execPath;
  const things: Record<string, () => Promise<number>> = {
    node: async () => await timeOf(node, ['-e', '0']),
    temporal: async () => await timeOf(inject('temporalCli'), ['--version']),
    help: async () => await timeOf(node, [bin, '--help']),
    firstByte: async () => await timeOf(node, [bin, 'mute', service.call().id], /./, service.env),
    worker: async () => await timeOf(node, [join(dist, 'worker.js')], /worker is polling/, service.env),
  };
  const best: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, time] of Object.entries(things)) best[name] = Math.min(best[name] ?? Infinity, await time());
  }
  best['demo'] = await timeOf(node, [join(dist, 'dev', 'demo.js')], /confirmed: isMuted true/, {
    MODERATION_TEMPORAL_CLI: inject('temporalCli'),
  });
  const { node: unit = 0 } = best;
  const ratios = Object.fromEntries(Object.entries(best).map(([name, ms]) => [name, ms / unit]));
  const told = Object.entries(best).map(([name, ms]) => `${name} ${ms.toFixed(0)} ms (${(ms / unit).toFixed(1)})`);
  process.stdout.write(`start-up, and its ratio to Node's: ${told.join(', ')}\n`);
  for (const [name, most] of Object.entries(MOST)) expect(ratios[name], name).toBeLessThan(most);
});
