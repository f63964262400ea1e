import { ModerationClient } from '../client/moderation-client.ts';
import { configWarnings } from '../config/warnings.ts';
import { loadClientConfig } from '../config/common.ts';
import { wantsTraces } from '../config/traces.ts';
import { closeClient, connectClient } from '../temporal/connect.ts';
import { startTracing } from '../tracing/tracing.ts';
import type { Context } from './context.ts';

/** Runs `work` with a client of the environment's Temporal, and always closes its connection. */
export async function withClient<T>(
  { process }: Context,
  work: (moderation: ModerationClient, taskQueue: string) => Promise<T>,
): Promise<T> {
  const config = loadClientConfig(process.env);
  for (const warning of configWarnings(process.env)) process.stderr.write(`Warning: ${warning}\n`);
  const say = (said: string): void => {
    process.stderr.write(`OpenTelemetry: ${said}\n`);
  };
  const sendTraces = await startTracing(wantsTraces(process.env), 'cli', say);
  const client = await connectClient(config);
  try {
    return await work(new ModerationClient({ client, taskQueue: config.taskQueue }), config.taskQueue);
  } finally {
    await closeClient(client);
    await sendTraces();
  }
}
