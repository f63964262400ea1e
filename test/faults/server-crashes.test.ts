import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test, type TestContext } from 'vitest';
import { freePort } from '../../src/lib/free-port.ts';
import type { Faults, NewCall } from '../../src/simulator/index.ts';
import { startDevServer, type DevServer } from '../../src/temporal/dev-server.ts';
import { Deployment } from '../support/deployment.ts';
import { failureOf } from '../support/expect.ts';
import { Service, untilPhase, type TestCall } from '../support/service.ts';
import { evidenceOf } from './evidence.ts';
import { judge } from './judge.ts';
import { tell } from './tried.ts';

/**
 * SIGKILL for the Temporal server at every step of the saga, and a new one over the same file and at the same address. The
 * worker, the webhook and the client live on and find it again; what had been begun is confirmed or put back.
 */

class Server {
  readonly #folder: string;
  readonly #port: number;
  #running: DevServer;

  private constructor(folder: string, port: number, running: DevServer) {
    this.#folder = folder;
    this.#port = port;
    this.#running = running;
  }

  static async start(): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), 'call-moderation-server-'));
    const port = await freePort();
    return new Server(folder, port, await startIn(folder, port));
  }

  get address(): string {
    return this.#running.address;
  }

  async kill(): Promise<void> {
    process.kill(this.#running.pid, 'SIGKILL');
    await this.#running.stop();
  }

  async startAgain(): Promise<void> {
    this.#running = await startIn(this.#folder, this.#port);
  }

  async stop(): Promise<void> {
    await this.#running.stop();
    await rm(this.#folder, { recursive: true });
  }
}

async function startIn(folder: string, port: number): Promise<DevServer> {
  return await startDevServer({ cli: inject('temporalCli'), port, uiPort: 0, dbFilename: join(folder, 'temporal.db') });
}

describe.concurrent('told to end', () => {
  // With one that is gone, Core knows at once; with one that is frozen, it waits for an answer to its goodbye.
  test.for([
    ['gone', 'SIGKILL', 0],
    ['frozen', 'SIGSTOP', 1],
  ] as const)('while its server is %s, an idle worker ends', async ([, signal, code], context) => {
    const own = await startDevServer({ cli: inject('temporalCli'), port: 0, uiPort: 0 });
    context.onTestFinished(async () => {
      if (signal === 'SIGSTOP') process.kill(own.pid, 'SIGCONT');
      await own.stop();
    });
    const deployment = await Deployment.start({ TEMPORAL_ADDRESS: own.address });
    context.onTestFinished(async () => await deployment.stop());
    const worker = await deployment.worker();
    process.kill(own.pid, signal);
    if (signal === 'SIGKILL') await own.stop();
    const began = Date.now();
    worker.terminate();
    expect(await worker.ended()).toBe(code);
    // Less than the 30 s that Kubernetes waits.
    expect(Date.now() - began).toBeLessThan(28_000);
    if (code === 1) expect(worker.stderr).toContain('Temporal does not answer');
  });
});

let server: Server;
let service: Service;
beforeAll(async () => {
  server = await Server.start();
  const patience = { redelivery: { retries: 60, firstPauseMs: 100, longestPauseMs: 500 } };
  service = await Service.start({ TEMPORAL_ADDRESS: server.address }, patience);
});
afterAll(async () => {
  await service.stop();
  await server.stop();
});

const latencyMs = 1_500;
const untold = { on: 'roster', drop: true, times: 'forever' } as const satisfies NonNullable<
  Faults['notifications']
>[0];

/** A server that is killed now, and one that is there again a little later. At the end the judge decides. */
async function crash(context: TestContext, call: TestCall, meanwhile?: () => Promise<unknown>): Promise<void> {
  const began = Date.now();
  await server.kill();
  await meanwhile?.();
  await server.startAgain();
  const outageMs = Date.now() - began + 20_000;
  context.onTestFinished(async () => {
    const evidence = await evidenceOf(service.client, call);
    const { violations } = judge({ ...evidence, outageMs });
    const row = { what: 'the Temporal server is killed', faults: 1, operations: evidence.runs.length };
    tell(context, { ...row, violations: violations.length });
    expect(violations).toEqual([]);
  });
}

const isAsked = (name: string) => (call: TestCall) => call.requests.some((request) => request.name === name);
const isAnswered = (name: string) => (call: TestCall) =>
  call.requests.some((request) => request.name === name && request.outcome === 'answered');

const STEPS: [at: string, requests: NonNullable<Faults['requests']>, isReached: (call: TestCall) => boolean][] = [
  ['the call is read', [{ on: 'getCall', latencyMs }], isAsked('getCall')],
  ['call and roster have been read', [], isAnswered('listParticipants')],
  ['the POST is under way and not yet done', [{ on: 'mute', latencyMs }], isAsked('mute')],
  [
    'the POST is done and not yet answered',
    [{ on: 'mute', latencyMs, effect: { afterMs: 0 } }],
    ({ log }) => log.some((entry) => entry.type === 'change' && entry.isMuted === true),
  ],
  ['the POST is answered', [], isAnswered('mute')],
];

describe('a Temporal server that is killed while', () => {
  test.for(STEPS)('%s: the operation is confirmed', async ([, requests, isReached], context) => {
    const call = service.call({ faults: { requests } });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.until(() => isReached(call));
    await crash(context, call);
    expect(await handle.result()).toMatchObject({ isMuted: true });
    expect(call.self.serverMuted).toBe(true);
    expect((await handle.status()).before).toEqual({ isMuted: false, serverMuted: false });
  });

  test('a roster is handed over: it is sent again, and confirms', async (context) => {
    const unread = { on: 'getParticipant', answer: { status: 503 }, times: 'forever' } as const;
    const given: Partial<NewCall> = {
      faults: { requests: [unread], notifications: [{ on: 'roster', hold: true }] },
    };
    const call = service.call(given);
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    const delivered: Promise<void>[] = [];
    await crash(context, call, async () => {
      delivered.push(service.graph.notify(call.id));
      await call.until(() => call.rosters.some(({ outcome }) => outcome === 'retrying'));
    });
    expect(await handle.result()).toMatchObject({ confirmedBy: 'notification' });
    await Promise.all(delivered);
    expect(call.posts).toEqual(['mute']);
  });

  test('the roster is waited for, which never comes: a read confirms', async (context) => {
    const call = service.call({ faults: { notifications: [untold] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    await crash(context, call);
    expect(await handle.result()).toMatchObject({ confirmedBy: 'roster-read' });
    expect(call.posts).toEqual(['mute']);
  });

  test.for([
    ['the POST that restores is under way', [{ on: 'unmute', latencyMs }], isAsked('unmute')],
    ['the restore is verified', [{ on: 'getParticipant', latencyMs }], isAsked('getParticipant')],
  ] as typeof STEPS)('%s: the call is put back', async ([, requests, isReached], context) => {
    const call = service.call({ faults: { requests, notifications: [untold] } });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    await call.until(() => isReached(call));
    await crash(context, call);
    expect((await failureOf(handle, 'Unconfirmed')).details.restored).toBe(true);
    expect(call.self.isMuted).toBe(false);
  });

  test('an operation is cancelled, its POST under way: the call is put back', async (context) => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    await handle.cancel();
    await crash(context, call);
    expect((await failureOf(handle, 'Cancelled')).details.restored).toBe(true);
    expect(call.self.isMuted).toBe(false);
  });

  test('one operation hands over to another: the other is confirmed', async (context) => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs }] } });
    const first = await service.moderation.mute({ callId: call.id });
    const heard = failureOf(first, 'Superseded');
    await call.untilAsked('mute');
    const second = await service.moderation.unmute({ callId: call.id });
    await crash(context, call);
    expect(await second.result()).toMatchObject({ action: 'unmute', isMuted: false });
    await heard;
    expect(call.posts.at(-1)).toBe('unmute');
    expect(call.self.isMuted).toBe(false);
  });
});
