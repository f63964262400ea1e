import { pathToFileURL } from 'node:url';
import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { collectDefaultMetrics, type Registry } from 'prom-client';
import { request } from 'undici';
import { createActivities } from './activities/index.ts';
import { ownWords } from './activities/own-words.ts';
import { configWarnings } from './config/warnings.ts';
import { loadWorkerConfig, type WorkerConfig } from './config/worker.ts';
import { wantsTraces } from './config/traces.ts';
import type { Address } from './lib/address.ts';
import type { DeploymentVersion } from './temporal/deployment-version.ts';
import { DELIVERIES, OPERATION_EVENTS, STANDING_MUTE_EVENTS } from './contract/event.ts';
import { CANCELLED, FAILURE_TYPES } from './contract/failure.ts';
import { MUTE_LOCK_ENDS } from './contract/mute-lock.ts';
import { endOutcome } from './contract/standing-mute.ts';
import {
  EVENTS_HELP,
  MUTE_LOCKS_HELP,
  METRIC,
  MUTED_ON_ENTRY_HELP,
  MUTES_AGAIN_HELP,
  MUTES_ON_ENTRY_HELP,
  OPERATIONS_HELP,
} from './contract/metrics.ts';
import { MUTE_ON_ENTRY_ENDS } from './contract/mute-on-entry.ts';
import { PARTIAL, WORKFLOW, type Action } from './contract/names.ts';
import { EventMetrics } from './events/metrics.ts';
import { EventReceiver } from './events/receiver.ts';
import { GraphClient } from './graph/client.ts';
import { GraphMetrics } from './graph/metrics.ts';
import { tokensOf } from './graph/tokens.ts';
import { createHealthServer, Unhealthy } from './health/health.ts';
import { listenOn } from './http/listen.ts';
import { createLogger, type Logger } from './lib/logger.ts';
import { seldom } from './lib/outbound.ts';
import { exitOnFault } from './lib/exit-on-error.ts';
import { stopSignal } from './lib/stop-signal.ts';
import { TemporalUnreachable } from './temporal/connect.ts';
import { requireEncryptedInput } from './nexus/encrypted-input.ts';
import { moderationService } from './nexus/service.ts';
import { currentBuildOf } from './temporal/deployment-version.ts';
import { dataConverterOf, describeKeys, marking } from './temporal/payload-codec.ts';
import { workerProxy } from './temporal/proxy.ts';
import { installRuntime } from './temporal/runtime.ts';
import { refusalOf, TemporalRefused } from './temporal/refusal.ts';
import { ensureSearchAttributes, SearchAttributesNotShown } from './temporal/search-attributes.ts';
import { startTracing } from './tracing/tracing.ts';
import { activityInterceptors, traceSinks } from './tracing/worker.ts';
import { USER_AGENT } from './lib/version.ts';
import { loadWorkflows, withEvents, type WorkflowBundle } from './temporal/workflow-bundle.ts';

/**
 * The worker process: it runs the workflows and asks Graph.
 *
 * It polls only once everything that an operation needs is there: a valid configuration, a Temporal that answers,
 * the search attributes. On SIGTERM and SIGINT it is not ready any more, takes no more work, and ends when the requests
 * to Graph that it has under way are answered.
 */

/** Longer than one attempt at a request to Graph, which is never aborted. */
const SHUTDOWN_GRACE = '11s';
const SHUTDOWN_FORCE = '20s';

/** After a signal, when nothing else has ended the process, in ms. */
const EXIT_MS = 25_000;

/**
 * Activities at a time. None waits for a workflow, so each holds its place for one request to Graph or Temporal: some 100 ms,
 * and at most 10 s if that does not answer. `MODERATION_MAX_ACTIVITIES` sets fewer.
 */
const MAX_ACTIVITIES = 1_000;

export interface RunningWorker {
  health: Address;
  /** Settles when the worker has stopped, with the error that stopped it, if one did. */
  stopped: Promise<void>;
  stop: () => Promise<void>;
}

export interface WorkerProcessOptions {
  config: WorkerConfig;
  log: Logger;
  /** Where Temporal's own metrics of this process are served, if they are. */
  coreMetrics?: Address | undefined;
  /** A bundle of the workflows to run in place of the one that was built. */
  bundle?: WorkflowBundle | undefined;
}

/**
 * @throws {TemporalUnreachable}
 * @throws {SearchAttributesError}
 */
export async function startWorker({ config, log, coreMetrics, bundle }: WorkerProcessOptions): Promise<RunningWorker> {
  const { temporal, taskQueue, graph, tenants, version, payloadKeys, maxActivitiesPerSecond, callStacks } = config;
  const { maxActivities = MAX_ACTIVITIES, maxWorkflowTasks } = config;
  const { nexusEndpoint } = config;
  const namespace = temporal.namespace ?? 'default';
  const connection = await connect(config);
  const metrics = new GraphMetrics();
  const tokens = tokensOf(graph, metrics);
  const graphClient = new GraphClient({ url: graph.url, tokens, userAgent: USER_AGENT, metrics });
  const events = receiverOf(config, metrics.registry);
  try {
    announceOutcomes(namespace, taskQueue);
    if (events !== undefined) announceEvents(namespace, taskQueue);
    await prepareNamespace(connection, namespace, log);
    const workflows = bundle ?? (await loadWorkflows({ callStacks }));
    const worker = await Worker.create({
      connection,
      namespace,
      taskQueue,
      activities: createActivities({ graph: graphClient, tenants, events }),
      workflowBundle: events === undefined ? workflows : await withEvents(workflows),
      interceptors: { activity: [activityInterceptors, ownWords] },
      sinks: traceSinks,
      // What a worker has taken is not taken back if something more urgent comes, so fewer at a time mean that less waits.
      maxConcurrentActivityTaskExecutions: maxActivities,
      ...(maxWorkflowTasks !== undefined && { maxConcurrentWorkflowTaskExecutions: maxWorkflowTasks }),
      shutdownGraceTime: SHUTDOWN_GRACE,
      shutdownForceTime: SHUTDOWN_FORCE,
      ...dataConverterOf(
        payloadKeys,
        marking(({ message, missingKey }) => log.error({ key: missingKey }, message)),
        nexusEndpoint === undefined ? undefined : requireEncryptedInput,
      ),
      // Temporal holds all workers of the queue to it. Set on its side alone it would be passed by: a worker that runs the
      // workflow gets an activity handed eagerly, past the queue, unless it knows of a limit.
      ...(maxActivitiesPerSecond !== undefined && { maxTaskQueueActivitiesPerSecond: maxActivitiesPerSecond }),
      ...(version !== undefined && { workerDeploymentOptions: pinnedTo(version) }),
      ...(nexusEndpoint !== undefined && { nexusServices: [moderationService()] }),
    });
    const health = await serveHealth({ config, log, coreMetrics, worker, connection, registry: metrics.registry });
    const payloads = describeKeys(payloadKeys);
    log.info(
      {
        taskQueue,
        namespace,
        graph: graph.url,
        health: health.address,
        payloads,
        events: events !== undefined,
        nexusEndpoint,
        ...version,
      },
      'worker is polling',
    );
    if (version !== undefined) await tellVersion(connection, namespace, version, log);
    const run = async (): Promise<void> => {
      try {
        await worker.run();
      } finally {
        await health.close();
        await graphClient.close();
        await events?.close();
        await connection.close();
        log.info({}, 'worker has stopped');
      }
    };
    const stopped = run();
    const stop = async (): Promise<void> => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await stopped;
    };
    return { health: health.address, stopped, stop };
  } catch (error) {
    await graphClient.close();
    await events?.close();
    await connection.close();
    const refusal = refusalOf(error, temporal.connectionOptions.address ?? 'localhost:7233', namespace);
    throw refusal === undefined ? error : new TemporalRefused(refusal, error);
  }
}

/** Where Temporal does not show them, operations find out: to refuse to start would help nobody. */
async function prepareNamespace(connection: NativeConnection, namespace: string, log: Logger): Promise<void> {
  try {
    const added = await ensureSearchAttributes(connection, namespace);
    if (added.length > 0) log.info({ added, namespace }, 'registered search attributes');
  } catch (error) {
    if (!(error instanceof SearchAttributesNotShown)) throw error;
    log.warn({ namespace, warning: error.message }, 'search attributes cannot be checked');
  }
}

/** Every outcome is counted from the start, with none, so that the first one is seen as an increase. */
function announceOutcomes(namespace: string, taskQueue: string): void {
  const { metricMeter } = Runtime.instance();
  const operations = metricMeter.createCounter(METRIC.operations, undefined, OPERATIONS_HELP);
  for (const action of ['mute', 'unmute'] satisfies Action[]) {
    for (const outcome of ['Confirmed', PARTIAL, CANCELLED, ...FAILURE_TYPES]) {
      operations.add(0, { action, outcome, namespace, taskQueue, workflowType: action });
    }
  }
  const ofMuteLock = { namespace, taskQueue, workflowType: WORKFLOW.keepMuted };
  const holds = metricMeter.createCounter(METRIC.muteLocks, undefined, MUTE_LOCKS_HELP);
  for (const end of MUTE_LOCK_ENDS) holds.add(0, { ...ofMuteLock, outcome: endOutcome(end) });
  metricMeter.createCounter(METRIC.mutesAgain, undefined, MUTES_AGAIN_HELP).add(0, ofMuteLock);
  const onEntry = { namespace, taskQueue, workflowType: WORKFLOW.muteOnEntry };
  const entries = metricMeter.createCounter(METRIC.mutesOnEntry, undefined, MUTES_ON_ENTRY_HELP);
  for (const end of MUTE_ON_ENTRY_ENDS) entries.add(0, { ...onEntry, outcome: endOutcome(end) });
  metricMeter.createCounter(METRIC.mutedOnEntry, undefined, MUTED_ON_ENTRY_HELP).add(0, onEntry);
}

function receiverOf({ events }: WorkerConfig, registry: Registry): EventReceiver | undefined {
  if (events === undefined) return undefined;
  return new EventReceiver({ ...events, userAgent: USER_AGENT, metrics: new EventMetrics(registry) });
}

function announceEvents(namespace: string, taskQueue: string): void {
  const counter = Runtime.instance().metricMeter.createCounter(METRIC.events, undefined, EVENTS_HELP);
  const types = [
    ...OPERATION_EVENTS.map((event) => `call-moderation.operation.${event}`),
    ...STANDING_MUTE_EVENTS.map((event) => `call-moderation.standing-mute.${event}`),
  ];
  for (const type of types) {
    for (const outcome of DELIVERIES)
      counter.add(0, { type, outcome, namespace, taskQueue, workflowType: WORKFLOW.publishEvent });
  }
}

/** An operation may end within minutes: it stays on its build, and needs no `patched`. */
function pinnedTo(version: DeploymentVersion): NonNullable<WorkerOptions['workerDeploymentOptions']> {
  return { version, useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' };
}

/** A build that is not the current one takes no new operation, and waits in silence otherwise. */
async function tellVersion(
  connection: NativeConnection,
  namespace: string,
  version: DeploymentVersion,
  log: Logger,
): Promise<void> {
  const current = await currentBuildOf(connection, namespace, version.deploymentName);
  if (current === version.buildId) return;
  const text =
    current === undefined
      ? 'no version of the deployment is the current one, and no operation begins; run: call-moderation set-current-version'
      : 'another version is the current one, and operations begin there; to change that run: call-moderation set-current-version';
  log.warn({ ...version, current }, text);
}

async function connect({ temporal }: WorkerConfig): Promise<NativeConnection> {
  try {
    const { connectionOptions } = temporal;
    return await NativeConnection.connect({ ...connectionOptions, ...workerProxy(connectionOptions.address) });
  } catch (error) {
    throw new TemporalUnreachable(temporal.connectionOptions.address, error);
  }
}

interface HealthParts extends WorkerProcessOptions {
  worker: Worker;
  connection: NativeConnection;
  registry: Registry;
}

async function serveHealth({ config, log, coreMetrics, worker, connection, registry }: HealthParts) {
  collectDefaultMetrics({ register: registry });
  const app = createHealthServer({
    registry,
    log,
    alive: () => {
      if (worker.getState() === 'FAILED') throw new Unhealthy('the worker has failed; start the process again');
    },
    checks: {
      polling: () => {
        if (worker.getStatus().workflowPollerState !== 'POLLING') throw new Unhealthy('the worker is not polling');
      },
      draining: () => {
        if (worker.getState() !== 'RUNNING') throw new Unhealthy(`the worker is ${worker.getState().toLowerCase()}`);
      },
      temporal: async () => {
        await connection.withDeadline(Date.now() + 2_000, () => connection.workflowService.getSystemInfo({}));
      },
    },
    ...(coreMetrics !== undefined && { extraMetrics: () => textOf(coreMetrics) }),
  });
  await listenOn(config.health, 'MODERATION_HEALTH_HOST and _PORT', async () => await app.listen(config.health));
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.health.port;
  return { address: { host: config.health.host, port }, close: async () => await app.close() };
}

async function textOf({ host, port }: Address): Promise<string> {
  const { body } = await request(`http://${host}:${port}/metrics`, { dispatcher: seldom(), reset: true });
  return await body.text();
}

/** Runs the worker until it is told to stop. */
export async function main(env: NodeJS.ProcessEnv): Promise<void> {
  const config = loadWorkerConfig(env);
  const log = createLogger(config.logLevel, 'worker');
  for (const warning of configWarnings(env)) log.warn({ warning }, 'configuration');
  const sendTraces = await startTracing(wantsTraces(env), 'worker', (said) => log.warn({ said }, 'OpenTelemetry'));
  const coreMetrics = await installRuntime(log);
  const worker = await startWorker({ config, log, coreMetrics });
  const stopOnSignal = async (): Promise<void> => {
    await stopSignal();
    // Core says goodbye to the server at the end, and waits for the answer: of one that is frozen, or cut off from here
    // without a word, none comes until keep-alive misses it, which takes longer than an orchestrator waits.
    const exit = (): never => {
      log.error({}, 'Temporal does not answer; the worker ends without its goodbye');
      process.exit(1);
    };
    setTimeout(exit, EXIT_MS).unref();
    await worker.stop();
  };
  stopOnSignal().catch(() => undefined);
  try {
    await worker.stopped;
  } finally {
    await sendTraces();
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await exitOnFault(() => main(process.env));
}
