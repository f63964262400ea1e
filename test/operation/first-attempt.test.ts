import {
  ActivityCancelledError,
  ActivityCompletionError,
  ActivityNotFoundError,
  Client,
  Connection,
} from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createActivities } from '../../src/activities/index.ts';
import type { FirstAttempt } from '../../src/activities/types.ts';
import { GraphClient } from '../../src/graph/client.ts';
import { GraphSimulator } from '../../src/simulator/index.ts';

/**
 * The activity that reads a call and POSTs, against the simulator: nothing is POSTed before Temporal has what was read. Temporal
 * is a client here whose heartbeats end as each test wants; the crash tests use a real server.
 */

const token = 'fixed-token';
let simulator: GraphSimulator;
let graph: GraphClient;
beforeAll(async () => {
  simulator = await GraphSimulator.start({ fixedToken: token });
  graph = new GraphClient({
    url: `${simulator.url}/v1.0`,
    tokens: async () => await Promise.resolve(token),
    userAgent: 'test',
  });
});
afterAll(async () => {
  await graph.close();
  await simulator.close();
});

let callId: string;
beforeEach(() => {
  callId = simulator.createCall({ callbackUri: 'http://127.0.0.1:9/' }).id;
});
afterEach(() => vi.useRealTimers());

const isPosted = (): boolean =>
  simulator.log(callId).some((entry) => entry.type === 'request' && entry.name === 'mute');

/** Runs the activity on the call, with a heartbeat that ends like this. */
async function readAndMute(heartbeat: () => Promise<void>): Promise<FirstAttempt> {
  const client = new Client({ connection: Connection.lazy() });
  vi.spyOn(client.activity, 'heartbeat').mockImplementation(async (_, reading) => {
    expect(reading).toMatchObject({ state: 'established', self: { isMuted: false } });
    await heartbeat();
  });
  const environment = new MockActivityEnvironment({}, { client });
  const activities = createActivities({ graph });
  const attempt = async (): Promise<FirstAttempt> => await activities.readAndMute({ callId, clientContext: 'test' });
  return (await environment.run(attempt)) as FirstAttempt;
}

const acknowledged = async (): Promise<void> => await Promise.resolve();

test('is sent once Temporal has what was read', async () => {
  const { acceptance, reading } = await readAndMute(async () => {
    expect(isPosted()).toBe(false);
    await acknowledged();
  });
  expect(isPosted()).toBe(true);
  expect(acceptance).toMatchObject({ attempt: 1, answer: { status: 200 } });
  expect(reading).toMatchObject({ isGroupCall: true });
});

test.each([
  ['has given up the attempt', new ActivityNotFoundError('not found')],
  ['does not answer', new ActivityCompletionError('unavailable')],
])('is not sent if Temporal %s', async (_, error) => {
  const attempt = readAndMute(async () => await Promise.reject(error));
  await expect(attempt).rejects.toMatchObject({ type: 'GraphUnavailable', nonRetryable: false });
  expect(isPosted()).toBe(false);
});

test('is not sent if the operation was cancelled meanwhile, and what was read is kept', async () => {
  const cancelled = async (): Promise<void> => await Promise.reject(new ActivityCancelledError('cancelled'));
  expect(await readAndMute(cancelled)).toEqual({ reading: expect.objectContaining({ state: 'established' }) });
  expect(isPosted()).toBe(false);
});

test('is not sent if the heartbeat has taken most of the attempt, and what was read is kept', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const slow = async (): Promise<void> => {
    vi.advanceTimersByTime(5_000);
    await acknowledged();
  };
  expect(await readAndMute(slow)).toEqual({ reading: expect.objectContaining({ state: 'established' }) });
  expect(isPosted()).toBe(false);
});

test('ends with the attempt', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  simulator.setFaults(callId, { requests: [{ on: 'mute', answer: 'hang' }] });
  const began = Date.now();
  const slow = async (): Promise<void> => {
    vi.advanceTimersByTime(3_900);
    await acknowledged();
  };
  await expect(readAndMute(slow)).rejects.toMatchObject({
    type: 'GraphUnavailable',
    details: [expect.anything(), { reading: expect.anything(), requestedAt: expect.any(Number) }],
  });
  expect(Date.now() - began).toBeLessThan(7_000);
});

test('that Graph refuses fails with what was read', async () => {
  simulator.setFaults(callId, { requests: [{ on: 'mute', answer: { status: 400, code: 'BadRequest' } }] });
  await expect(readAndMute(acknowledged)).rejects.toMatchObject({
    type: 'OperationFailed',
    nonRetryable: true,
    details: [{ attempt: 1 }, { reading: { self: { isMuted: false } }, requestedAt: expect.any(Number) }],
  });
});

test('is not sent to a call that is not established', async () => {
  await simulator.setCallState(callId, 'terminating');
  expect(await readAndMute(acknowledged)).toMatchObject({ reading: { state: 'terminating' } });
  expect(isPosted()).toBe(false);
});
