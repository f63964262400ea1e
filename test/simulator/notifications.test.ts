import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FormChange, LogEntry, NewCall, NotificationEntry } from '../../src/simulator/index.ts';
import { Stage, type Entry } from '../support/simulator-bot.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
beforeEach(async () => {
  await stage.graph.settled();
  stage.bot.received.length = 0;
  stage.bot.statuses = [];
});
afterAll(async () => {
  await stage.close();
});

interface ParticipantInRoster {
  id: string;
  isMuted: boolean;
  mediaStreams: { mediaType: string; serverMuted?: boolean }[];
  rosterSequenceNumber?: number;
  removedState?: { reason: string };
}
interface Delta {
  '@odata.type': string;
  participants: ParticipantInRoster[];
  sequenceNumber: number;
}

const newCall = (given: Partial<NewCall> = {}): { id: string; myParticipantId: string } =>
  stage.graph.createCall({ callbackUri: stage.bot.url, ...given });
const rosterOf = (entry: Entry | undefined): ParticipantInRoster[] => entry?.resourceData as ParticipantInRoster[];
const deltaOf = (entry: Entry | undefined): Delta | undefined => (entry?.resourceData as [Delta] | undefined)?.[0];
const mute = async (id: string) => stage.ask('POST', stage.path(id, '/mute'), { clientContext: 'ctx' });
const isTold = (entry: LogEntry): entry is NotificationEntry => entry.type === 'notification' && entry.attempt > 0;

/** Mutes, and gives back the one notification that this caused. */
async function notificationOf(form: FormChange): Promise<{ id: string; own: string; body: unknown; entry: Entry }> {
  const { id, myParticipantId } = newCall({ form });
  await mute(id);
  const [received] = await stage.bot.until(1);
  const body = received?.body as unknown as Entry & { value?: Entry[] };
  return { id, own: myParticipantId, body, entry: body.value?.[0] ?? body };
}

describe('the roster', () => {
  it('lists everyone by default, with the new state', async () => {
    const { id, own, body, entry } = await notificationOf({});
    expect(body).toEqual({
      '@odata.type': '#microsoft.graph.commsNotifications',
      value: [
        {
          '@odata.type': '#microsoft.graph.commsNotification',
          changeType: 'updated',
          resourceUrl: `/communications/calls/${id}/participants`,
          resourceData: expect.any(Array),
        },
      ],
    });
    expect(rosterOf(entry)).toHaveLength(3);
    expect(rosterOf(entry).find((item) => item.id === own)).toMatchObject({
      '@odata.type': '#microsoft.graph.participant',
      isMuted: true,
      mediaStreams: [{ mediaType: 'audio', serverMuted: true }],
    });
  });

  it('lists at most 100', async () => {
    const { id, myParticipantId } = newCall({ participants: 101, appJoins: 'last' });
    await stage.graph.addParticipants(id, 1);
    expect(rosterOf(stage.bot.entries[0])).toHaveLength(100);
    expect(stage.graph.log(id).find(isTold)).not.toHaveProperty('own');
    expect(rosterOf(stage.bot.entries[0]).some((item) => item.id === myParticipantId)).toBe(false);
  });

  it('as a delta lists those who changed, in numbered order, and who left', async () => {
    const { id, myParticipantId } = newCall({ form: { roster: 'delta' } });
    const other = stage.graph.describe(id).participants.find((item) => item.id !== myParticipantId)?.id ?? '';
    await stage.graph.setParticipant(id, myParticipantId, { clientMuted: true });
    await stage.graph.removeParticipant(id, other, 'Participant has left the meeting call.');
    const [first, second] = stage.bot.entries.map(deltaOf);
    expect(first).toMatchObject({
      '@odata.type': '#microsoft.graph.deltaParticipants',
      sequenceNumber: 2,
      participants: [{ id: myParticipantId, isMuted: true, rosterSequenceNumber: 2 }],
    });
    expect(second).toMatchObject({
      sequenceNumber: 3,
      participants: [{ id: other, removedState: { reason: 'Participant has left the meeting call.' } }],
    });
    expect(first?.participants).toHaveLength(1);
    expect(second?.participants).toHaveLength(1);
  });

  it('of a peer-to-peer call is never told', async () => {
    const { id, myParticipantId } = newCall({ kind: 'p2p' });
    await stage.graph.setParticipant(id, myParticipantId, { clientMuted: true });
    await stage.graph.setCallState(id, 'hold');
    expect(stage.bot.entries.map(({ resourceData }) => resourceData)).toMatchObject([{ state: 'hold' }]);
  });

  it.each([
    ['notify', 1],
    ['silent', 0],
  ] as const)('that did not change is told as the form says: %s', async (unchanged, count) => {
    const { id } = newCall({ self: { serverMuted: true }, form: { unchanged } });
    await mute(id);
    await stage.graph.settled();
    expect(stage.bot.received).toHaveLength(count);
  });
});

describe('forms', () => {
  it.each([
    ['resourceUrl', ['resourceUrl']],
    ['resource', ['resource']],
    ['both', ['resource', 'resourceUrl', 'callbackUri']],
  ] as const)('paths: %s', async (paths, wanted) => {
    const { id, entry } = await notificationOf({ paths });
    expect(Object.keys(entry).filter((key) => /^resource(Url)?$|callbackUri/.test(key))).toEqual(wanted);
    if (entry.resource !== undefined) expect(entry.resource).toBe(`/app/calls/${id}/participants`);
    if (entry.resourceUrl !== undefined) expect(entry.resourceUrl).toBe(`/communications/calls/${id}/participants`);
  });

  it('IDs as 32 hex digits in the path and in upper case within', async () => {
    const { id, own, entry } = await notificationOf({ urlIds: 'hex', entityIds: 'upper' });
    expect(entry.resourceUrl).toBe(`/communications/calls/${id.replaceAll('-', '').toUpperCase()}/participants`);
    expect(rosterOf(entry).map((item) => item.id)).toContain(own.toUpperCase());
  });

  it('types without "#"', async () => {
    const { body } = await notificationOf({ odataType: 'plain' });
    const text = JSON.stringify(body);
    expect(text).toContain('"microsoft.graph.commsNotifications"');
    expect(text).toContain('"microsoft.graph.participant"');
    expect(text).not.toContain('#microsoft');
  });

  it('an envelope without types', async () => {
    const { body, entry } = await notificationOf({ odataType: 'legacy' });
    expect(body).not.toHaveProperty('@odata.type');
    expect(entry).not.toHaveProperty('@odata.type');
    expect(rosterOf(entry)[0]).toHaveProperty('@odata.type', '#microsoft.graph.participant');
  });

  it('enumerations with a capital, in answers too', async () => {
    const { id, entry } = await notificationOf({ enumCase: 'pascal' });
    expect(entry.changeType).toBe('Updated');
    expect((await stage.ask('GET', stage.path(id))).body).toMatchObject({ state: 'Established' });
    expect((await mute(id)).body).toMatchObject({ status: 'Completed' });
  });

  it.each([
    ['reads', false, true],
    [false, false, false],
    [true, true, true],
  ] as const)('serverMuted: %s', async (serverMuted, inRoster, inRead) => {
    const { id, own, entry } = await notificationOf({ serverMuted });
    const told = rosterOf(entry).find((item) => item.id === own);
    expect('serverMuted' in (told?.mediaStreams[0] ?? {})).toBe(inRoster);
    const { body } = await stage.ask('GET', stage.path(id, `/participants/${own}`));
    expect('serverMuted' in ((body as ParticipantInRoster).mediaStreams[0] ?? {})).toBe(inRead);
  });

  it('a bare notification', async () => {
    const { body } = await notificationOf({ collection: false });
    expect(body).toMatchObject({ '@odata.type': '#microsoft.graph.commsNotification', changeType: 'updated' });
  });

  it('several notifications in one POST', async () => {
    const { id } = newCall({ form: { batch: 3 } });
    await Promise.all([1, 2, 3, 4].map(async () => stage.graph.addParticipants(id, 1)));
    expect(stage.bot.received.map(({ body }) => body.value.length)).toEqual([3, 1]);
    expect(stage.bot.entries.map((entry) => rosterOf(entry).length)).toEqual([4, 5, 6, 7]);
  });

  it('of a call change while it goes on, but not into what cannot be', () => {
    const { id } = newCall();
    stage.graph.setForm(id, { roster: 'delta' });
    expect(stage.graph.describe(id).form).toMatchObject({ roster: 'delta', paths: 'resourceUrl' });
    expect(() => {
      stage.graph.setForm(id, { collection: false, batch: 2 });
    }).toThrow(/bare notification cannot hold a batch/);
  });
});

describe('the call and its operations', () => {
  it('ends as deleted, with the reason, and is told of no more', async () => {
    const { id, myParticipantId } = newCall();
    await stage.graph.setCallState(id, 'terminating');
    await stage.graph.endCall(id, { code: 408, subcode: 8537, message: 'No keepAlive.' });
    await stage.graph.endCall(id);
    await stage.graph.setParticipant(id, myParticipantId, { clientMuted: true });
    expect(stage.bot.entries).toMatchObject([
      { changeType: 'updated', resourceUrl: `/communications/calls/${id}`, resourceData: { state: 'terminating' } },
      {
        changeType: 'deleted',
        resourceUrl: `/communications/calls/${id}`,
        resourceData: {
          '@odata.type': '#microsoft.graph.call',
          id,
          state: 'terminated',
          resultInfo: { code: 408, subcode: 8537, message: 'No keepAlive.' },
        },
      },
    ]);
    expect(stage.bot.entries).toHaveLength(2);
  });

  it.each([
    ['completed', true],
    ['failed', false],
  ] as const)('an operation that was running ends %s', async (status, done) => {
    const { id } = newCall({ form: { urlIds: 'hex' } });
    stage.graph.setFaults(id, {
      requests: [
        {
          on: 'mute',
          operation: { status: 'running', ends: { status, afterMs: 5 }, result: { code: 400, subcode: 8508 } },
        },
      ],
    });
    const { body } = await mute(id);
    const operationId = (body as { id: string }).id;
    expect(body).toMatchObject({ status: 'running' });
    await stage.graph.settled();
    const ended = stage.bot.entries.find(({ changeType }) => changeType === 'deleted');
    expect(ended?.resourceUrl).toMatch(/\/operations\/[0-9A-F]{32}$/);
    expect(ended?.resourceData).toEqual({
      '@odata.type': '#microsoft.graph.muteParticipantOperation',
      id: operationId,
      status,
      clientContext: 'ctx',
      ...(status === 'failed' && {
        resultInfo: { '@odata.type': '#microsoft.graph.resultInfo', code: 400, subcode: 8508, message: '' },
      }),
    });
    expect(stage.graph.describe(id).self.isMuted).toBe(done);
    expect(stage.bot.entries).toHaveLength(done ? 2 : 1);
  });

  it('can be told although nothing happened, or told anything', async () => {
    const { id } = newCall();
    await stage.graph.notify(id);
    await stage.graph.notify(id, { kind: 'call' });
    await stage.graph.notify(id, { kind: 'other', body: { changeType: 'created', resourceData: { tone: 1 } } });
    expect(rosterOf(stage.bot.entries[0])).toHaveLength(3);
    expect(stage.bot.entries[1]).toMatchObject({ resourceData: { state: 'established' } });
    expect(stage.bot.entries[2]).toEqual({ changeType: 'created', resourceData: { tone: 1 } });
  });
});

describe('delivery', () => {
  it('carries a token that is valid by the OpenID document, and the headers of real ones', async () => {
    await notificationOf({});
    const headers = stage.bot.received[0]?.headers ?? {};
    expect(headers).toMatchObject({
      'user-agent': expect.stringMatching(/^Microsoft-Skype\/3\.0/),
      'scenario-id': expect.any(String),
      'x-microsoft-skype-chain-id': expect.any(String),
      'x-microsoft-skype-message-id': expect.any(String),
    });
    const token = headers.authorization?.replace('Bearer ', '') ?? '';
    const openId = (await (await fetch(stage.graph.openIdUrl)).json()) as { issuer: string; jwks_uri: string };
    const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(openId.jwks_uri)), {
      issuer: openId.issuer,
      audience: stage.graph.addresses.appId,
      algorithms: ['RS256'],
    });
    expect(payload).toEqual({
      iss: 'https://api.botframework.com',
      aud: stage.graph.addresses.appId,
      tid: stage.graph.addresses.tenantId,
      appid: '26a18ebc-cdf7-4a6a-91cb-beb352805e81',
      nbf: expect.any(Number),
      exp: (payload.nbf ?? 0) + 300,
    });
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'RS256', typ: 'JWT', kid: expect.any(String) });
    expect(stage.graph.counts).toMatchObject({ openid: 1, jwks: 1 });
  });

  it('tries again after 503, with the same Message-ID, until it is taken', async () => {
    const { id } = newCall();
    stage.bot.statuses = [503, 503];
    await stage.graph.addParticipants(id, 1);
    const told = stage.graph.log(id).filter(isTold);
    expect(told.map(({ attempt, status, outcome }) => [attempt, status, outcome])).toEqual([
      [1, 503, 'retrying'],
      [2, 503, 'retrying'],
      [3, 202, 'delivered'],
    ]);
    expect(new Set(told.map(({ messageId }) => messageId)).size).toBe(1);
    expect(new Set(stage.bot.received.map(({ headers }) => headers['x-microsoft-skype-message-id'])).size).toBe(1);
  });

  it('drops what is refused, and gives up after so many tries', async () => {
    const { id } = newCall();
    stage.bot.statuses = [401, 503, 503, 503, 503, 503];
    await stage.graph.addParticipants(id, 1);
    await stage.graph.addParticipants(id, 1);
    expect(
      stage.graph
        .log(id)
        .filter(isTold)
        .map(({ outcome }) => outcome),
    ).toEqual(['refused', ...Array.from({ length: 4 }, () => 'retrying'), 'givenUp']);
  });

  it('tries again where nobody listens', async () => {
    const { id } = newCall({ callbackUri: 'http://127.0.0.1:1/api/calls' });
    await stage.graph.addParticipants(id, 1);
    const told = stage.graph.log(id).filter(isTold);
    expect(told).toHaveLength(5);
    expect(told.at(-1)).toMatchObject({ outcome: 'givenUp', error: expect.stringContaining('ECONNREFUSED') });
  });

  it.each([true, false])('in order: %s, as the form says', async (inOrder) => {
    const { id } = newCall({ form: { inOrder } });
    stage.bot.statuses = [503];
    await Promise.all([stage.graph.addParticipants(id, 1), stage.graph.addParticipants(id, 1)]);
    const told = stage.graph.log(id).filter(isTold);
    const retried = told.find(({ outcome }) => outcome === 'retrying')?.participants;
    // In order, the second waits for the first to be taken; else whichever was met with 503 comes last.
    const delivered = stage.bot.entries.map((entry) => rosterOf(entry).length);
    expect(delivered).toHaveLength(3);
    expect(delivered.at(0)).toBe(retried);
    expect(delivered.at(-1)).toBe(inOrder ? 5 : retried);
    if (inOrder) expect(delivered).toEqual([4, 4, 5]);
  });
});
