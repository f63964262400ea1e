import { configWarnings } from './config/warnings.ts';
import { wantsTraces } from './config/traces.ts';
import type { LogLevel } from './lib/log-level.ts';
import { createLogger, type Logger } from './lib/logger.ts';
import { stopSignal } from './lib/stop-signal.ts';
import { startTracing } from './tracing/tracing.ts';

/** A process that takes requests: the webhook or the gateway. */
export interface HttpProcess<Config> {
  name: 'webhook' | 'gateway';
  load: (env: NodeJS.ProcessEnv) => Config;
  start: (options: { config: Config; log: Logger }) => Promise<Serving>;
}

interface Serving {
  /** Not ready any more, though still serving. */
  drain: () => void;
  stop: () => Promise<void>;
}

/** How long a load balancer has to see that the process is not ready any more, in ms. */
const DRAIN_MS = 1_000;

/** Runs the process until it receives a signal to stop: then it drains, and ends. */
export async function runHttpProcess<Config extends { logLevel: LogLevel }>(
  { name, load, start }: HttpProcess<Config>,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const config = load(env);
  // Before anyone can know that the process is there.
  const stopped = stopSignal();
  const log = createLogger(config.logLevel, name);
  for (const warning of configWarnings(env)) log.warn({ warning }, 'configuration');
  const sendTraces = await startTracing(wantsTraces(env), name, (said) => log.warn({ said }, 'OpenTelemetry'));
  const serving = await start({ config, log });
  await stopped;
  serving.drain();
  await new Promise((resolve) => {
    setTimeout(resolve, DRAIN_MS);
  });
  await serving.stop();
  await sendTraces();
}
