import type { ClientConnectConfig } from '@temporalio/envconfig';
import { z } from 'zod';
import { DEFAULT_TASK_QUEUE } from '../contract/names.ts';
import type { PayloadKeys } from '../contract/payload-keys.ts';
import { trimEnvironment, type Environment } from '../lib/environment.ts';
import { LOG_LEVELS, type LogLevel } from '../lib/log-level.ts';
import { webUrl } from './addresses.ts';
import { payloadKeys } from './payload-keys.ts';
import { read } from './read.ts';

/** What every process needs. */
export interface CommonConfig {
  temporal: ClientConnectConfig;
  taskQueue: string;
  /** Of what Temporal stores: the first encrypts, all decrypt. If absent, nothing is encrypted. */
  payloadKeys: PayloadKeys | undefined;
  logLevel: LogLevel;
}

/** In Temporal's lists it stands between quotes. */
const taskQueue = z
  .string()
  .max(1_000, 'must be at most 1000 characters')
  .regex(/^[^\s"'`\\]*$/, 'must be a name without white space, quotes and backslashes, such as call-moderation')
  .refine((value) => !value.startsWith('/_sys/'), "must not begin with /_sys/, which is Temporal's own");

export const common = z.object({
  MODERATION_PAYLOAD_KEYS: payloadKeys.optional(),
  MODERATION_TASK_QUEUE: taskQueue.default(DEFAULT_TASK_QUEUE),
  LOG_LEVEL: z
    .string()
    .toLowerCase()
    .pipe(z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`))
    .default('info'),
  // OpenTelemetry's SDK itself reads the rest of OTEL_*.
  OTEL_EXPORTER_OTLP_ENDPOINT: webUrl.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: webUrl.optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: z
    .literal('http/protobuf', 'must be http/protobuf, which collectors take on port 4318; leave it out for that')
    .optional(),
});

export function commonOf(values: z.infer<typeof common>, temporal: ClientConnectConfig): CommonConfig {
  return {
    temporal,
    taskQueue: values.MODERATION_TASK_QUEUE,
    payloadKeys: values.MODERATION_PAYLOAD_KEYS,
    logLevel: values.LOG_LEVEL,
  };
}

/** For the commands that talk to Temporal only. */
export function loadClientConfig(env: Environment): CommonConfig {
  const { values, temporal } = read(common, env, trimEnvironment(env), []);
  return commonOf(values, temporal);
}
