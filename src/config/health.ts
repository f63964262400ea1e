import { z } from 'zod';
import type { Address } from '../lib/address.ts';
import { host, port } from './addresses.ts';

/** Where the webhook and the gateway serve health, if not at their own address. */
export const healthVariables = {
  MODERATION_HEALTH_HOST: host.optional(),
  MODERATION_HEALTH_PORT: port.optional(),
};

const healthSchema = z.object(healthVariables);

/** Paths that health is served on, so that nothing else can be. */
export const HEALTH_PATHS: ReadonlySet<string> = new Set(['/livez', '/readyz', '/metrics']);

/** `undefined` if health is served at the process's own address. */
export function healthOf(values: z.infer<typeof healthSchema>, listen: Address): Address | undefined {
  const health = {
    host: values.MODERATION_HEALTH_HOST ?? listen.host,
    port: values.MODERATION_HEALTH_PORT ?? listen.port,
  };
  return health.host === listen.host && health.port === listen.port ? undefined : health;
}
