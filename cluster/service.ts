import { join } from 'node:path';
import type { Environment } from '../src/lib/environment.ts';
import { Part } from './part.ts';

/** A worker or a webhook of the build, as a deployment runs it. */
export interface ServiceOptions {
  what: 'worker' | 'webhook';
  name: string;
  /** The folder of what `npm run build` makes. */
  dist: string;
  env: Environment;
  /** Where its health is served, on a loopback address: for a webhook, where it takes notifications too. */
  port: number;
  log: string;
  onProgress?: ((message: string) => void) | undefined;
}

export function servicePart({ what, name, dist, env, port, log, onProgress }: ServiceOptions): Part {
  const address =
    what === 'worker'
      ? { MODERATION_HEALTH_HOST: '127.0.0.1', MODERATION_HEALTH_PORT: String(port) }
      : { MODERATION_WEBHOOK_HOST: '127.0.0.1', MODERATION_WEBHOOK_PORT: String(port) };
  return new Part({
    name,
    command: process.execPath,
    args: [join(dist, `${what}.js`)],
    env: { ...env, ...address },
    cwd: dist,
    log,
    metricsUrl: `http://127.0.0.1:${port}/metrics`,
    isReady: async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok,
    onProgress,
  });
}
