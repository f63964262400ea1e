import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { answerErrors, errorBody, refuseOtherMethods, type Log } from '../http/http-error.ts';
import { createHttpServer } from '../http/http-server.ts';
import { withTimeout } from '../lib/with-timeout.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { kindOf } from '../lib/error-reason.ts';

/**
 * `/livez`, `/readyz` and `/metrics`, for the webhook and the worker alike. Live is the process itself: a failing
 * `livez` gets it killed, so nothing outside may make it fail. Ready is what it needs to be of use: each check by name.
 */

const CHECK_TIMEOUT_MS = 2000;

/** Thrown by a check with what is wrong, in fixed words: whoever reaches the address reads them. */
export class Unhealthy extends OperatorError {}

/** Fine when it returns or resolves. Of what it throws, only an `Unhealthy` is quoted. */
export type Check = () => void | Promise<void>;

export interface HealthOptions {
  /** What readiness rests on, by name. */
  checks: Readonly<Record<string, Check>>;
  registry: Registry;
  log: Log;
  /** Whether the process itself is past help. */
  alive?: Check;
  /** Further metrics as Prometheus text, such as those of Temporal's Core. */
  extraMetrics?: () => Promise<string>;
}

export async function healthPlugin(app: FastifyInstance, options: HealthOptions): Promise<void> {
  const { checks, registry, log, alive, extraMetrics } = options;
  answerErrors(app, log);

  app.get('/livez', async (_request, reply) => {
    const fault = alive && (await faultOf(alive));
    if (fault === undefined) return { status: 'live' };
    return reply.code(503).send({ status: 'failed', ...errorBody(503, fault) });
  });

  // Probes that come together share one round of checks: they are an open door to Temporal otherwise.
  let running: Promise<Record<string, string>> | undefined;
  app.get('/readyz', async (request, reply) => {
    running ??= runChecks(checks).finally(() => (running = undefined));
    const excluded = excludedIn(request.query);
    const found = Object.entries(await running).filter(([name]) => !excluded.has(name));
    const results = Object.fromEntries(found);
    const faults = found.filter(([, result]) => result !== 'ok');
    if (faults.length === 0) return { status: 'ready', checks: results };
    const message = faults.map(([name, fault]) => `${name}: ${fault}`).join('; ');
    return reply.code(503).send({ status: 'not ready', checks: results, ...errorBody(503, message) });
  });

  app.get('/metrics', async (_request, reply) => {
    const [own, extra] = await Promise.all([registry.metrics(), extraMetrics?.().catch(() => '')]);
    return reply.type(registry.contentType).send(extra === undefined || extra === '' ? own : `${own}\n${extra}`);
  });

  for (const path of ['/livez', '/readyz', '/metrics']) refuseOtherMethods(app, path, ['GET', 'HEAD']);
}

/** The checks that `?exclude=NAME` leaves out, once or several times, as the API server of Kubernetes reads it. */
function excludedIn(query: unknown): ReadonlySet<unknown> {
  const { exclude = [] } = query as { exclude?: string | string[] };
  return new Set([exclude].flat());
}

/** A server of its own for health, where it listens apart from the webhook, or where there is no webhook. */
export function createHealthServer(options: HealthOptions): FastifyInstance {
  const app = createHttpServer(options);
  void app.register(healthPlugin, options);
  return app;
}

async function runChecks(checks: HealthOptions['checks']): Promise<Record<string, string>> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, (await faultOf(check)) ?? 'ok'] as const),
  );
  return Object.fromEntries(results);
}

async function faultOf(check: Check): Promise<string | undefined> {
  try {
    await withTimeout(CHECK_TIMEOUT_MS, check, () => new Unhealthy('no answer in 2 s'));
    return undefined;
  } catch (error) {
    return error instanceof Unhealthy ? error.message : (kindOf(error) ?? 'failed');
  }
}
