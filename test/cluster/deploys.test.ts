import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, test, type TestContext } from 'vitest';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import type { Environment } from '../../src/lib/environment.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { setCurrentBuild } from '../../src/temporal/deployment-version.ts';
import { evidenceOf } from '../faults/evidence.ts';
import { judge } from '../faults/judge.ts';
import { tell } from '../faults/tried.ts';
import { failureOf } from '../support/expect.ts';
import { Build } from '../support/process.ts';
import { untilPhase, type TestCall } from '../support/service.ts';
import { writeBundleOf } from './bundle-of.ts';
import { Cluster } from './cluster.ts';

/**
 * A rolling deploy of workflows that have changed in a way that no running operation could live with, with versioned
 * workers: those that have begun end on the old build, new ones begin on the new one, and the old one drains. The tests
 * are the steps of one deploy, in their order.
 */

/** With a slash, as Temporal's Worker Controller makes it of a namespace and a name. */
const DEPLOYMENT = 'production/call-moderation-worker';
const run = promisify(execFile);

const versionOf = (buildId: string): Environment => ({
  MODERATION_DEPLOYMENT_NAME: DEPLOYMENT,
  MODERATION_BUILD_ID: buildId,
});

let cluster: Cluster;
let changed: Build;
let changedBundle: string;
let folder: string;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  folder = await mkdtemp(join(tmpdir(), 'call-moderation-'));
  cluster = await Cluster.start({ workers: 0, webhooks: 1, dynamicConfig: await impatient() });
  changedBundle = join(folder, 'changed.bundle.js');
  await writeBundleOf(new URL('changed-workflows.ts', import.meta.url), changedBundle);
  changed = await Build.make(changedBundle);
});
afterAll(async () => {
  await changed?.remove();
  await cluster?.stop();
  await rm(folder, { recursive: true });
});

/** Temporal looks only after minutes whether a build has drained; here, after seconds. */
async function impatient(): Promise<string> {
  const own = fileURLToPath(new URL('../../deploy/temporal/dynamicconfig.yaml', import.meta.url));
  const file = join(folder, 'dynamicconfig.yaml');
  const names = ['VersionDrainageStatusVisibilityGracePeriod', 'VersionDrainageStatusRefreshInterval'];
  const settings = names.map((name) => `matching.wv.${name}:\n  - value: 2s\n`);
  await writeFile(file, [await readFile(own, 'utf8'), ...settings].join('\n'));
  return file;
}

/** Nothing confirms until the faults are cleared. */
const undecided: Faults = {
  requests: [{ on: 'getParticipant', answer: { status: 503 }, times: 'forever' }],
  notifications: [{ on: 'roster', drop: true, times: 'forever' }],
};

async function setCurrentVersion(buildId: string): Promise<unknown> {
  const bin = join(cluster.build.dist, 'cli', 'bin.js');
  const env = { PATH: process.env['PATH'], TEMPORAL_ADDRESS: cluster.topology.temporalAddress, ...versionOf(buildId) };
  const { stdout } = await run(process.execPath, [bin, 'set-current-version', '--json'], { env });
  return JSON.parse(stdout);
}

/** The build that the run of an operation is pinned to. */
async function buildOf(handle: OperationHandle): Promise<string | null | undefined> {
  const { raw } = await (await handle.run()).handle.describe();
  return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId;
}

/** Whether the run has set a timer before it asked for anything. */
async function beginsWithTimer(handle: OperationHandle): Promise<boolean> {
  const { events } = await (await handle.run()).handle.fetchHistory();
  const first = events?.find(
    (event) => event.timerStartedEventAttributes ?? event.activityTaskScheduledEventAttributes,
  );
  return Boolean(first?.timerStartedEventAttributes);
}

async function judged(calls: readonly TestCall[], what: string, context: TestContext): Promise<void> {
  const verdicts = await Promise.all(calls.map(async (call) => judge(await evidenceOf(cluster.client, call))));
  const violations = verdicts.flatMap((verdict) => verdict.violations);
  tell(context, { what, faults: 1, operations: calls.length, violations: violations.length });
  expect(violations).toEqual([]);
}

// Steps of one deploy: none of them can be tried again by itself.
describe('a rolling deploy', { retry: 0 }, () => {
  const old: OperationHandle[] = [];
  const oldCalls: TestCall[] = [];

  test('begins with a build that runs nothing, and says so, until it is made the current one', async () => {
    const worker = await cluster.topology.startWorker('worker-a-1', { env: versionOf('a') });
    expect(await readFile(worker.log, 'utf8')).toContain('no version of the deployment is the current one');
    const call = cluster.call();
    const handle = await cluster.moderation.mute({ callId: call.id });
    const since = Date.now();
    expect(await setCurrentVersion('a')).toEqual({ deploymentName: DEPLOYMENT, buildId: 'a' });
    expect(await handle.result()).toMatchObject({ isMuted: true });
    expect(await buildOf(handle)).toBe('a');
    const { events } = await (await handle.run()).handle.fetchHistory();
    const started = events?.find((event) => event.workflowTaskStartedEventAttributes);
    expect(Number(started?.eventTime?.seconds)).toBeGreaterThanOrEqual(Math.floor(since / 1_000));
    expect(await setCurrentVersion('a')).toEqual({ deploymentName: DEPLOYMENT, buildId: 'a', before: 'a' });
  });

  test('has operations end on the build that they began on, and new ones begin on the new one', async (context) => {
    await cluster.topology.startWorker('worker-a-2', { env: versionOf('a') });
    for (let count = 0; count < 4; count += 1) {
      const call = cluster.call({ faults: undecided });
      oldCalls.push(call);
      old.push(await cluster.moderation.mute({ callId: call.id, confirmWithinSeconds: 120 }));
    }
    await Promise.all(old.map(async (handle) => await untilPhase(handle, 'confirming')));

    const { dist } = changed;
    const [worker] = [
      await cluster.topology.startWorker('worker-b-1', { dist, env: versionOf('b') }),
      await cluster.topology.startWorker('worker-b-2', { dist, env: versionOf('b') }),
    ];
    expect(await readFile(worker.log, 'utf8')).toContain('another version is the current one');
    expect(await setCurrentVersion('b')).toMatchObject({ buildId: 'b', before: 'a' });

    const newCalls = [cluster.call(), cluster.call(), cluster.call()];
    const fresh = await Promise.all(newCalls.map(async ({ id }) => await cluster.moderation.mute({ callId: id })));
    for (const handle of fresh) {
      expect(await handle.result()).toMatchObject({ isMuted: true });
      expect(await buildOf(handle)).toBe('b');
      expect(await beginsWithTimer(handle)).toBe(true);
    }

    // What is in the cache of the one is gone, and another one replays: it must be one of the same build.
    await cluster.topology.part('worker-a-1').kill();
    // It takes over from one of the old build, with what that has read: so it runs there as well.
    const superseded = failureOf(old[0] as OperationHandle, 'Superseded');
    const successor = await cluster.moderation.unmute({ callId: oldCalls[0]?.id ?? '' });
    await superseded;
    for (const call of oldCalls) await cluster.graph.clearFaults(call.id);
    expect(await successor.result()).toMatchObject({ action: 'unmute', isMuted: false });
    for (const handle of [successor, ...old.slice(1)]) {
      expect(await handle.result()).toBeDefined();
      expect(await buildOf(handle)).toBe('a');
      expect(await beginsWithTimer(handle)).toBe(false);
    }
    await judged([...oldCalls, ...newCalls], 'a changed workflow is deployed', context);
  });

  test('would strand what runs if it were not pinned', async () => {
    const { handle } = await (old[1] as OperationHandle).run();
    const history = await handle.fetchHistory();
    const replay = async (codePath: string): Promise<void> =>
      await Worker.runReplayHistory({ workflowBundle: { codePath } }, history, handle.workflowId);
    await replay(inject('workflowBundle'));
    await expect(replay(changedBundle)).rejects.toThrow(/nondeterminism/i);
  });

  test('ends with an old build that has drained, and whose workers can go', async () => {
    const { workflowService } = cluster.client.connection;
    const deploymentVersion = { deploymentName: DEPLOYMENT, buildId: 'a' };
    const drainage = async (): Promise<unknown> => {
      const request = { namespace: 'default', deploymentVersion };
      const { workerDeploymentVersionInfo } = await workflowService.describeWorkerDeploymentVersion(request);
      return workerDeploymentVersionInfo?.drainageInfo?.status;
    };
    await expect.poll(drainage, { timeout: 60_000, interval: 500 }).toBe(DRAINED);
    for (const name of ['worker-a-1', 'worker-a-2']) await cluster.topology.part(name).stop();
    const handle = await cluster.moderation.unmute({ callId: oldCalls[1]?.id ?? '' });
    expect(await handle.result()).toMatchObject({ isMuted: false });
    expect(await buildOf(handle)).toBe('b');
    // What has ended there is told from Temporal's records, and nobody is left to tell more.
    const latest = await cluster.moderation.getLatestOperation(oldCalls[2]?.id ?? '');
    expect(latest?.record.outcome).toBe('Confirmed');
    expect(latest?.status).toBeUndefined();
  });

  test('is refused for a build that nobody runs', async () => {
    const { connection } = cluster.client;
    const nobody = { deploymentName: DEPLOYMENT, buildId: 'nobody' };
    await expect(setCurrentBuild(connection, 'default', nobody, 1_000)).rejects.toThrow(
      /Build nobody of deployment production.call-moderation-worker cannot be made the current one: .*Start a worker with this/s,
    );
  });
});

/** `temporal.api.enums.v1.VersionDrainageStatus` */
const DRAINED = 2;
