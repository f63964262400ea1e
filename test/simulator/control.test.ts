import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GraphSimulator, type CallTruth, type LogEntry } from '../../src/simulator/index.ts';
import { Stage, type Answer } from '../support/simulator-bot.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(async () => {
  await stage.close();
});

const control = async (method: string, path: string, body?: unknown): Promise<Answer> =>
  stage.ask(method, `/simulator${path}`, body, { authorization: '' });
const newCall = async (given: object = {}): Promise<CallTruth> =>
  (await control('POST', '/calls', { callbackUri: stage.bot.url, ...given })).body as CallTruth;

describe('the API of the simulator', () => {
  it('creates, lists and shows calls', async () => {
    const { status, body } = await control('POST', '/calls', {
      callbackUri: stage.bot.url,
      id: 'my-call',
      participants: 5,
      self: { serverMuted: true },
      form: { roster: 'delta' },
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({ id: 'my-call', kind: 'group', state: 'established', self: { isMuted: true } });
    expect((body as CallTruth).participants).toHaveLength(5);
    expect((await control('GET', '/calls/my-call')).body).toEqual(body);
    expect((await control('GET', '/calls')).body).toMatchObject({ value: expect.arrayContaining([body]) });
    expect((await control('POST', '/calls', { callbackUri: stage.bot.url, id: 'my-call' })).status).toBe(409);
  });

  it('sets and clears faults, and shows what is left of them', async () => {
    const { id } = await newCall();
    const faults = { requests: [{ on: 'mute', times: 2, answer: { status: 503 } }], hideSelf: true };
    expect((await control('PUT', `/calls/${id}/faults`, faults)).body).toMatchObject({
      faults: { requests: [{ on: 'mute', times: 2, answer: { status: 503 } }], notifications: [], hideSelf: true },
    });
    expect((await stage.ask('POST', stage.path(id, '/mute'), {})).status).toBe(503);
    expect((await control('GET', `/calls/${id}`)).body).toMatchObject({ faults: { requests: [{ times: 1 }] } });
    expect((await control('DELETE', `/calls/${id}/faults`)).body).toMatchObject({ faults: { requests: [] } });
    expect((await stage.ask('POST', stage.path(id, '/mute'), {})).status).toBe(200);
  });

  it('has people wait in the lobby until they are admitted', async () => {
    const { id } = await newCall();
    const { body } = await control('POST', `/calls/${id}/participants`, { add: 1, isInLobby: true });
    const waiting = (body as CallTruth).participants.find(({ isInLobby }) => isInLobby)?.id;
    await control('POST', `/calls/${id}/participants/${waiting}`, { isInLobby: false });
    const { participants } = stage.graph.describe(id);
    expect(participants.map(({ isInLobby }) => isInLobby)).not.toContain(true);
    expect(participants.at(-1)?.id).toBe(waiting);
  });

  it('does what other people do, each with its notification', async () => {
    const { id, myParticipantId, participants } = await newCall();
    const other = participants.find((item) => item.id !== myParticipantId)?.id ?? '';
    expect((await control('POST', `/calls/${id}/participants`, { add: 2 })).body).toMatchObject({ sequence: 2 });
    await control('POST', `/calls/${id}/participants/${other}`, { clientMuted: true });
    await control('DELETE', `/calls/${id}/participants/${other}`);
    await control('POST', `/calls/${id}/state`, { state: 'hold' });
    await control('POST', `/calls/${id}/notify`);
    const ended = await control('POST', `/calls/${id}/end`, { code: 408, subcode: 8537 });
    expect(ended.body).toMatchObject({ state: 'terminated', gone: true });
    await stage.graph.settled();
    const { body } = await control('GET', `/calls/${id}/log`);
    const told = (body as { value: LogEntry[] }).value.filter((entry) => entry.type === 'notification');
    expect(told.map(({ kind, state, participants: count }) => state ?? `${kind} of ${count}`)).toEqual([
      'roster of 5',
      'roster of 5',
      'roster of 4',
      'hold',
      'roster of 4',
      'terminated',
    ]);
    expect(told.every(({ outcome, status }) => outcome === 'delivered' && status === 202)).toBe(true);
    const { seq = 0 } = told.at(-2) ?? {};
    const later = (await control('GET', `/calls/${id}/log?since=${seq}`)).body as { value: LogEntry[] };
    expect(later.value.every((entry) => entry.seq > seq)).toBe(true);
    expect(later.value.length).toBeGreaterThan(0);
  });

  it('changes the form, gives tokens, rotates keys and counts', async () => {
    const { id } = await newCall();
    expect((await control('PUT', `/calls/${id}/form`, { urlIds: 'hex' })).body).toMatchObject({
      form: { urlIds: 'hex' },
    });
    const { token } = (await control('POST', '/token', { tenantId: 't9' })).body as { token: string };
    const read = await stage.ask('GET', stage.path(id), undefined, { authorization: `Bearer ${token}` });
    expect(read.status).toBe(200);
    expect((await control('POST', '/keys/rotate')).body).toEqual({ kid: expect.any(String) });
    expect((await control('GET', '/')).body).toMatchObject({
      url: stage.graph.url,
      openIdUrl: stage.graph.openIdUrl,
      counts: { token: 0, openid: 0, jwks: 0 },
    });
  });

  it('sets faults of the service', async () => {
    await control('PUT', '/faults', { requests: [{ on: 'openid', times: 'forever', answer: { status: 500 } }] });
    expect((await fetch(stage.graph.openIdUrl)).status).toBe(500);
    await control('DELETE', '/faults');
    expect((await fetch(stage.graph.openIdUrl)).status).toBe(200);
  });

  it.each([
    ['POST', '/calls', { callbackUri: 'nowhere' }, 400, /callbackUri/],
    ['POST', '/calls', { callbackUri: 'http://x/', participant: 3 }, 400, /participant/],
    ['PUT', '/calls/{id}/faults', { requests: [{ on: 'mute', tims: 1 }] }, 400, /tims/],
    ['PUT', '/calls/{id}/form', { roster: 'half' }, 400, /roster/],
    ['POST', '/calls/{id}/state', { state: 'ringing' }, 400, /state/],
    ['POST', '/calls/{id}/participants', { add: 0 }, 400, /add/],
    ['POST', '/calls/{id}/participants/no-such', { clientMuted: true }, 404, /Participant not found/],
    ['DELETE', '/calls/{id}/participants/no-such', undefined, 404, /Participant not found/],
    ['GET', '/calls/no-such', undefined, 404, /Call not found/],
    ['POST', '/calls', '{', 400, /JSON/],
  ] as const)('%s %s with %j answers %i', async (method, path, given, wanted, message) => {
    const { id } = await newCall();
    const { status, body } = await control(method, path.replace('{id}', id), given);
    expect(status).toBe(wanted);
    expect(body).toEqual({ error: { code: expect.any(String), message: expect.stringMatching(message) } });
  });

  it('tells every entry to who started it', async () => {
    const heard: string[] = [];
    const other = await Stage.open({ onEvent: (callId, { type }) => heard.push(`${callId} ${type}`) });
    const { id } = other.graph.createCall({ id: 'heard', callbackUri: other.bot.url });
    await other.graph.addParticipants(id, 1);
    await other.ask('GET', other.path('never'));
    await other.close();
    // Each entry is told twice: when it begins and when it ends.
    expect(heard).toEqual(['heard notification', 'heard notification', ' request', ' request']);
  });
});

describe('close', () => {
  it('ends what hangs, waits, is delayed or tries again, at once', async () => {
    const graph = await GraphSimulator.start({ redelivery: { firstPauseMs: 60_000, longestPauseMs: 60_000 } });
    const { id } = graph.createCall({
      callbackUri: 'http://127.0.0.1:1/',
      faults: {
        requests: [
          { on: 'getCall', answer: 'hang' },
          { on: 'mute', effect: { afterMs: 60_000 } },
          { on: 'unmute', latencyMs: 60_000 },
        ],
        notifications: [{ delayMs: 60_000 }],
      },
    });
    const headers = { authorization: `Bearer ${await graph.issueToken()}`, 'content-type': 'application/json' };
    const call = `${graph.url}/v1.0/communications/calls/${id}`;
    await fetch(`${call}/mute`, { method: 'POST', headers, body: '{}' });
    const open = [
      fetch(call, { headers }),
      fetch(`${call}/unmute`, { method: 'POST', headers, body: '{}' }),
      graph.waitFor(id, () => false, 60_000),
    ].map(async (promise) =>
      promise.then(
        () => 'done',
        () => 'failed',
      ),
    );
    await graph.waitFor(id, (item) => item.type === 'request' && item.outcome === 'hung');
    await graph.waitFor(id, (item) => item.type === 'request' && item.name === 'unmute');
    const told = [graph.addParticipants(id, 1), graph.addParticipants(id, 1)];
    await graph.waitFor(id, (item) => item.type === 'notification' && item.outcome === 'retrying');
    const before = Date.now();
    await Promise.all([graph.close(), graph.close()]);
    await graph.close();
    expect(Date.now() - before).toBeLessThan(1000);
    await expect(Promise.all(told)).resolves.toHaveLength(2);
    await expect(Promise.all(open)).resolves.toEqual(['failed', 'failed', 'failed']);
    await expect(fetch(graph.url)).rejects.toThrow('fetch failed');
  });
});
