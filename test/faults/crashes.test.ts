import { randomUUID } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi, type TestContext } from 'vitest';
import type { ModerationClient } from '../../src/client/moderation-client.ts';
import type { Faults, NewCall } from '../../src/simulator/index.ts';
import { Deployment } from '../support/deployment.ts';
import { failureOf } from '../support/expect.ts';
import type { Process } from '../support/process.ts';
import { untilPhase, type TestCall } from '../support/service.ts';
import { evidenceOf } from './evidence.ts';
import { judge } from './judge.ts';
import { tell } from './tried.ts';

/**
 * SIGKILL at every step, and a new process: what was begun is confirmed or put back. Temporal hears of a worker's death
 * only by its silence, so an activity that died with it is tried again after the 10 s that one attempt may take.
 */

// Nearly all of the time is spent waiting for Temporal to miss the dead.
vi.setConfig({ maxConcurrency: 4, testTimeout: 180_000 });

let service: Deployment;
beforeAll(async () => {
  service = await Deployment.start();
  await service.webhook();
});
afterAll(async () => await service.stop());

/** No roster tells of anything. */
const untold = [{ on: 'roster', drop: true, times: 'forever' }] as const satisfies Faults['notifications'];

/** A call, and a worker of its own, whose death is nobody else's. At the end the judge decides. */
class Stage {
  readonly call: TestCall;
  readonly moderation: ModerationClient;
  readonly #taskQueue: string;
  #worker: Process;
  #kills = 0;

  private constructor(call: TestCall, taskQueue: string, worker: Process) {
    this.call = call;
    this.moderation = service.moderation(taskQueue);
    this.#taskQueue = taskQueue;
    this.#worker = worker;
  }

  static async set(context: TestContext, given: Partial<NewCall>): Promise<Stage> {
    const taskQueue = `test-${randomUUID()}`;
    const worker = await service.worker({ MODERATION_TASK_QUEUE: taskQueue });
    const stage = new Stage(service.call(given), taskQueue, worker);
    context.onTestFinished(async () => {
      await stage.#judge(context);
      await stage.worker.kill();
    });
    return stage;
  }

  async #judge(context: TestContext): Promise<void> {
    const evidence = await evidenceOf(service.client, this.call);
    const { violations } = judge(evidence);
    const row = { what: 'the worker is killed', faults: this.#kills, operations: evidence.runs.length };
    tell(context, { ...row, violations: violations.length });
    expect(violations).toEqual([]);
  }

  get worker(): Process {
    return this.#worker;
  }

  async killWorker(): Promise<void> {
    this.#kills += 1;
    await this.#worker.kill();
    expect(await this.#worker.ended()).toBe('SIGKILL');
  }

  async startWorker(): Promise<void> {
    this.#worker = await service.worker({ MODERATION_TASK_QUEUE: this.#taskQueue });
  }

  /** How the latest run of the call's workflow has closed, if it has. */
  async status(): Promise<string> {
    return (await service.client.workflow.getHandle(this.call.workflowId).describe()).status.name;
  }
}

interface Step {
  requests: NonNullable<Faults['requests']>;
  isReached: (call: TestCall) => boolean;
}

/** Long enough that the worker is dead before it is over. */
const latencyMs = 2_000;

const isAsked =
  (name: string) =>
  ({ requests }: TestCall): boolean =>
    requests.some((request) => request.name === name);
const isAnswered =
  (...names: string[]) =>
  ({ requests }: TestCall): boolean =>
    names.every((name) => requests.some((request) => request.name === name && request.outcome === 'answered'));

const STEPS: [at: string, step: Step][] = [
  ['it reads the call', { requests: [{ on: 'getCall', latencyMs }], isReached: isAsked('getCall') }],
  [
    'it reads the roster',
    { requests: [{ on: 'listParticipants', latencyMs }], isReached: isAsked('listParticipants') },
  ],
  ['it has read both', { requests: [], isReached: isAnswered('getCall', 'listParticipants') }],
  ['the POST is under way and not yet done', { requests: [{ on: 'mute', latencyMs }], isReached: isAsked('mute') }],
  [
    'the POST is under way and never done',
    { requests: [{ on: 'mute', latencyMs, effect: false }], isReached: isAsked('mute') },
  ],
  [
    'the POST is done and not yet answered',
    {
      requests: [{ on: 'mute', latencyMs, effect: { afterMs: 0 } }],
      isReached: ({ log }) => log.some((entry) => entry.type === 'change' && entry.isMuted === true),
    },
  ],
  [
    'Graph is unavailable',
    { requests: [{ on: 'mute', answer: { status: 503 }, effect: true }], isReached: isAnswered('mute') },
  ],
  ['the POST is answered', { requests: [], isReached: isAnswered('mute') }],
];

describe.concurrent('a worker that is killed while', () => {
  test.for(STEPS)(
    '%s leaves an operation that its successor confirms',
    async ([, { requests, isReached }], context) => {
      const stage = await Stage.set(context, { faults: { requests } });
      const { call } = stage;
      const handle = await stage.moderation.mute({ callId: call.id });
      await call.until(() => isReached(call));
      await stage.killWorker();
      await stage.startWorker();
      expect(await handle.result()).toMatchObject({ callId: call.id, isMuted: true });
      expect(call.self).toEqual({ isMuted: true, serverMuted: true });
      expect(await stage.status()).toBe('COMPLETED');
      expect((await handle.status()).before).toEqual({ isMuted: false, serverMuted: false });
    },
  );

  // Before that, nothing has happened that would have to be put back.
  const later = STEPS.slice(STEPS.findIndex(([at]) => at === 'it has read both'));
  test.for(later)('%s leaves one that its successor puts back', async ([, { requests, isReached }], context) => {
    const stage = await Stage.set(context, { faults: { requests, notifications: [...untold] } });
    const { call } = stage;
    const handle = await stage.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    await call.until(() => isReached(call));
    await stage.killWorker();
    await stage.startWorker();
    const error = await failureOf(handle, 'Unconfirmed');
    expect(error.details.restored).toBe(true);
    expect(call.self).toEqual({ isMuted: false, serverMuted: false });
    expect(await stage.status()).toBe('FAILED');
    // Read before the POST: a worker that reads again after it would find a mute, and leave it.
    expect((await handle.status()).before).toEqual({ isMuted: false, serverMuted: false });
  });

  test('it waits for a roster that never comes leaves an operation that a read confirms', async (context) => {
    const stage = await Stage.set(context, { faults: { notifications: [...untold] } });
    const { call } = stage;
    const handle = await stage.moderation.mute({ callId: call.id });
    await call.until(() => call.rosters.some(({ outcome }) => outcome === 'dropped'));
    await untilPhase(handle, 'confirming');
    await stage.killWorker();
    await stage.startWorker();
    expect(await handle.result()).toMatchObject({ confirmedBy: 'roster-read' });
    expect(call.posts).toEqual(['mute']);
  });

  test('it waits for the roster hears, once it is back, what came meanwhile', async (context) => {
    const stage = await Stage.set(context, {
      faults: {
        requests: [{ on: 'getParticipant', answer: { status: 503 }, times: 'forever' }],
        notifications: [{ on: 'roster', hold: true }],
      },
    });
    const { call } = stage;
    const handle = await stage.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    await stage.killWorker();
    await service.graph.notify(call.id);
    expect(call.rosters.some(({ outcome }) => outcome === 'delivered')).toBe(true);
    await stage.startWorker();
    expect(await handle.result()).toMatchObject({ confirmedBy: 'notification' });
    expect(call.posts).toEqual(['mute']);
  });

  test.for([
    ['not yet done', { on: 'unmute', latencyMs }],
    ['done', { on: 'unmute', latencyMs, effect: { afterMs: 0 } }],
    ['never done', { on: 'unmute', latencyMs, effect: false }],
  ] as const)(
    'it restores, the POST under way and %s, is followed by one that restores',
    async ([, fault], context) => {
      const stage = await Stage.set(context, { faults: { requests: [fault], notifications: [...untold] } });
      const { call } = stage;
      const handle = await stage.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
      await call.untilAsked('unmute');
      await stage.killWorker();
      await stage.startWorker();
      expect((await failureOf(handle, 'Unconfirmed')).details.restored).toBe(true);
      expect(call.self.isMuted).toBe(false);
      expect(await stage.status()).toBe('FAILED');
    },
  );

  test('it verifies a restore is followed by one that verifies it', async (context) => {
    const stage = await Stage.set(context, {
      faults: { requests: [{ on: 'getParticipant', latencyMs }], notifications: [...untold] },
    });
    const { call } = stage;
    const handle = await stage.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    await call.until(() => isAsked('getParticipant')(call));
    expect(call.posts).toEqual(['mute', 'unmute']);
    await stage.killWorker();
    await stage.startWorker();
    expect((await failureOf(handle, 'Unconfirmed')).details.restored).toBe(true);
    expect(call.posts).toEqual(['mute', 'unmute']);
    expect(call.self.isMuted).toBe(false);
  });

  test('the POST is under way, twice in a row, is followed by one that confirms', async (context) => {
    const stage = await Stage.set(context, { faults: { requests: [{ on: 'mute', latencyMs, times: 2 }] } });
    const { call } = stage;
    const handle = await stage.moderation.mute({ callId: call.id });
    for (const times of [1, 2]) {
      await call.untilAsked('mute', times);
      await stage.killWorker();
      await stage.startWorker();
    }
    expect(await handle.result()).toMatchObject({ isMuted: true });
    expect(call.self.serverMuted).toBe(true);
  });

  test('it is superseded, the POST under way, is followed by one that hands over', async (context) => {
    const stage = await Stage.set(context, { faults: { requests: [{ on: 'mute', latencyMs }] } });
    const { call } = stage;
    const first = await stage.moderation.mute({ callId: call.id });
    const heard = failureOf(first, 'Superseded');
    await call.untilAsked('mute');
    const second = await stage.moderation.unmute({ callId: call.id });
    await stage.killWorker();
    await stage.startWorker();
    expect(await second.result()).toMatchObject({ action: 'unmute', isMuted: false });
    await heard;
    // Temporal may try the mute once more before a worker is there to hear of the successor.
    expect(call.posts.at(-1)).toBe('unmute');
    expect(call.self.isMuted).toBe(false);
    expect(await stage.status()).toBe('COMPLETED');
  });

  test('a successor reads the call goes back, in the end, to what was before the first', async (context) => {
    const stage = await Stage.set(context, {
      self: { serverMuted: true },
      faults: {
        requests: [
          // The successor's, which knows the call.
          { on: 'getParticipant', latencyMs },
          // Nothing is to be confirmed before it is time.
          { on: 'getParticipant', answer: { status: 503 }, times: 'forever' },
        ],
        notifications: [...untold],
      },
    });
    const { call } = stage;
    const first = await stage.moderation.unmute({ callId: call.id });
    const heard = failureOf(first, 'Superseded');
    await untilPhase(first, 'confirming');
    const second = await stage.moderation.mute({ callId: call.id, confirmWithinSeconds: 60 });
    await call.until(() => isAsked('getParticipant')(call));
    await stage.killWorker();
    await stage.startWorker();
    await heard;
    await untilPhase(second, 'confirming');
    await second.cancel();
    // To mute is what was before and what was asked for: nothing is to be put back.
    expect((await failureOf(second, 'Cancelled')).details.restored).toBe(false);
    expect((await second.status()).before).toEqual({ isMuted: true, serverMuted: true });
    expect(call.self.serverMuted).toBe(true);
  });

  test('it is cancelled, the POST under way, is followed by one that puts the call back', async (context) => {
    const stage = await Stage.set(context, { faults: { requests: [{ on: 'mute', latencyMs }] } });
    const { call } = stage;
    const handle = await stage.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    await handle.cancel();
    await stage.killWorker();
    await stage.startWorker();
    expect((await failureOf(handle, 'Cancelled')).details.restored).toBe(true);
    expect(call.self.isMuted).toBe(false);
    expect(await stage.status()).toBe('CANCELLED');
  });
});

/** No read tells anything either, so that only a notification can confirm. */
const unread = [
  { on: 'getParticipant', answer: { status: 503 }, times: 'forever' },
] as const satisfies Faults['requests'];

/** Passes everything on to `port`, and breaks the connection where the answer should be passed back. */
async function deafRelay(port: number, onAnswer: () => void): Promise<{ url: string; close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    }
    near.pipe(far);
    far.once('data', () => {
      onAnswer();
      near.destroy();
      far.destroy();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/calls`, close };
}

describe('a webhook that is killed', () => {
  let worker: Process;
  let other: Deployment;
  beforeAll(async () => {
    // A webhook of its own, and a Graph that knocks for longer than a process takes to start.
    other = await Deployment.start({}, { redelivery: { retries: 40, firstPauseMs: 100, longestPauseMs: 250 } });
    worker = await other.worker();
  });
  afterAll(async () => {
    worker.terminate();
    await worker.ended();
    await other.stop();
  });

  const judgeOver = (context: TestContext, call: TestCall): void =>
    context.onTestFinished(async () => {
      const evidence = await evidenceOf(other.client, call);
      const { violations } = judge(evidence);
      const row = { what: 'the webhook is killed', faults: 1, operations: evidence.runs.length };
      tell(context, { ...row, violations: violations.length });
      expect(violations).toEqual([]);
    });

  test('before a roster is delivered gets it when it is back', async (context) => {
    const webhook = await other.webhook();
    const call = other.call({ faults: { requests: [...unread] } });
    judgeOver(context, call);
    other.graph.setFaults(call.id, { requests: [{ on: 'mute', latencyMs: 500 }, ...unread] });
    const handle = await other.moderation().mute({ callId: call.id });
    await call.untilAsked('mute');
    await webhook.kill();
    await call.until(() => call.rosters.some(({ outcome }) => outcome === 'retrying'));
    const next = await other.webhook();
    expect(await handle.result()).toMatchObject({ confirmedBy: 'notification' });
    expect(call.posts).toEqual(['mute']);
    await next.kill();
  });

  test('with a roster in its hands gets it again when it is back', async (context) => {
    const webhook = await other.webhook();
    const call = other.call({ faults: { requests: [{ on: 'mute', latencyMs: 500 }, ...unread] } });
    judgeOver(context, call);
    const handle = await other.moderation().mute({ callId: call.id });
    await call.untilAsked('mute');
    // Frozen, it takes the connection and the request, and answers neither yes nor no.
    webhook.freeze();
    await call.until(() => call.rosters.length > 0);
    expect(call.rosters[0]?.outcome).toBeUndefined();
    await webhook.kill();
    await call.until(() => call.rosters.some(({ outcome }) => outcome === 'retrying'));
    const next = await other.webhook();
    expect(await handle.result()).toMatchObject({ confirmedBy: 'notification' });
    await next.kill();
  });

  test('after it has handed a roster over, its answer lost, gets it again to no harm', async (context) => {
    const webhook = await other.webhook();
    const relay = await deafRelay(Number(new URL(other.webhookUrl).port), () => void webhook.kill());
    const call = other.call({ callbackUri: relay.url, faults: { requests: [...unread] } });
    judgeOver(context, call);
    const handle = await other.moderation().mute({ callId: call.id });
    expect(await handle.result()).toMatchObject({ confirmedBy: 'notification' });
    expect(call.posts).toEqual(['mute']);
    await webhook.ended();
    expect(call.rosters.every(({ outcome }) => outcome !== 'delivered')).toBe(true);
    relay.close();
  });

  test('with Graph sending nothing twice costs seconds, for a read confirms', async () => {
    const silent = await Deployment.start(
      { MODERATION_TASK_QUEUE: other.env['MODERATION_TASK_QUEUE'] },
      { redelivery: { retries: 0 } },
    );
    const webhook = await silent.webhook();
    const call = silent.call({ faults: { requests: [{ on: 'mute', latencyMs: 500 }] } });
    const own = await silent.worker({ MODERATION_TASK_QUEUE: 'crashes-silent' });
    const handle = await silent.moderation('crashes-silent').mute({ callId: call.id });
    await call.untilAsked('mute');
    await webhook.kill();
    const result = await handle.result();
    expect(result.confirmedBy).toBe('roster-read');
    expect(Date.parse(result.confirmedAt) - Date.parse(result.acceptedAt)).toBeLessThan(6_000);
    expect(call.rosters).toMatchObject([{ outcome: 'givenUp' }]);
    await own.kill();
    await silent.stop();
  });
});

describe.concurrent('told to end,', () => {
  test('a worker finishes the POST that is under way, and exits with 0', async (context) => {
    const stage = await Stage.set(context, { faults: { requests: [{ on: 'mute', latencyMs }] } });
    const { call, worker } = stage;
    const handle = await stage.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    worker.terminate();
    expect(await worker.ended()).toBe(0);
    expect(call.requests.find(({ action }) => action === 'mute')).toMatchObject({ outcome: 'answered', status: 200 });
    await stage.startWorker();
    expect(await handle.result()).toMatchObject({ isMuted: true });
    expect(call.posts).toEqual(['mute']);
    expect((await handle.status()).attempts).toBe(1);
  });

  test('a webhook is not ready any more while it still answers, and exits with 0', async () => {
    const other = await Deployment.start();
    const webhook = await other.webhook();
    await expect.poll(async () => (await fetch(`${other.webhookUrl}/readyz`)).status).toBe(200);
    const call = other.call();
    webhook.terminate();
    await expect.poll(async () => (await fetch(`${other.webhookUrl}/readyz`)).status, { interval: 10 }).toBe(503);
    await other.graph.notify(call.id);
    expect(call.rosters).toMatchObject([{ outcome: 'delivered', status: 202 }]);
    expect(await webhook.ended()).toBe(0);
    await other.stop();
  });
});
