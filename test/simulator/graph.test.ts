import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RequestEntry } from '../../src/simulator/index.ts';
import { Stage } from '../support/simulator-bot.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(async () => {
  await stage.close();
});

const MEETING = {
  '@odata.type': '#microsoft.graph.call',
  callbackUri: '',
  requestedModalities: ['audio'],
  mediaConfig: { '@odata.type': '#microsoft.graph.serviceHostedMediaConfig' },
  chatInfo: { '@odata.type': '#microsoft.graph.chatInfo', threadId: '19:meeting_x@thread.v2', messageId: '0' },
  meetingInfo: { '@odata.type': '#microsoft.graph.organizerMeetingInfo' },
};
const TARGET = {
  '@odata.type': '#microsoft.graph.invitationParticipantInfo',
  identity: { '@odata.type': '#microsoft.graph.identitySet', user: { displayName: 'John', id: 'u1' } },
};
const create = (change: object): unknown => ({ ...MEETING, callbackUri: stage.bot.url, ...change });
const CALLS = '/v1.0/communications/calls';
const newGroup = (given: object = {}) => stage.graph.createCall({ callbackUri: stage.bot.url, ...given });
const error = (code: string, message: unknown = expect.any(String)): object => ({
  error: {
    code,
    message,
    innerError: {
      '@odata.type': expect.any(String),
      date: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/),
      'request-id': expect.any(String),
      'client-request-id': expect.any(String),
    },
  },
});

describe('POST /communications/calls', () => {
  it('joins a meeting: 201, where it is, and then its state and roster to the callback', async () => {
    const { status, headers, body } = await stage.ask('POST', CALLS, create({}));
    expect(status).toBe(201);
    const { id, myParticipantId } = body as { id: string; myParticipantId: string };
    expect(headers.get('location')).toBe(`${stage.graph.url}${CALLS}/${id}`);
    expect(body).toMatchObject({ state: 'establishing', chatInfo: MEETING.chatInfo, targets: [], resultInfo: null });
    await stage.graph.waitFor(
      id,
      (item) => item.type === 'notification' && item.kind === 'roster' && item.outcome !== undefined,
    );
    const told = stage.graph.log(id).filter((entry) => entry.type === 'notification');
    expect(told.map(({ kind, state, participants }) => state ?? `${kind} of ${participants}`)).toEqual([
      'establishing',
      'established',
      'roster of 3',
    ]);
    expect(stage.graph.describe(id)).toMatchObject({ kind: 'group', myParticipantId, state: 'established' });
  });

  it('calls one (peer to peer, without rosters) and several (a group)', async () => {
    const p2p = await stage.ask('POST', CALLS, create({ chatInfo: null, meetingInfo: null, targets: [TARGET] }));
    const group = await stage.ask(
      'POST',
      CALLS,
      create({ chatInfo: null, meetingInfo: null, targets: [TARGET, TARGET] }),
    );
    expect([p2p.status, group.status]).toEqual([201, 201]);
    const ids = [p2p, group].map(({ body }) => (body as { id: string }).id);
    await stage.graph.settled();
    expect(ids.map((id) => stage.graph.describe(id).kind)).toEqual(['p2p', 'group']);
    const rosters = ids.map((id) =>
      stage.graph.log(id).filter((item) => item.type === 'notification' && item.kind === 'roster'),
    );
    expect(rosters.map(({ length }) => length)).toEqual([0, 1]);
  });

  it('honours isDeltaRosterEnabled', async () => {
    const { body } = await stage.ask('POST', CALLS, create({ callOptions: { isDeltaRosterEnabled: true } }));
    expect(stage.graph.describe((body as { id: string }).id).form.roster).toBe('delta');
  });

  it.each([
    ['nothing granted', [], {}, 403],
    ['a meeting', ['Calls.JoinGroupCalls.All'], {}, 201],
    [
      'one target, without Calls.Initiate.All',
      ['Calls.JoinGroupCall.All'],
      { chatInfo: null, meetingInfo: null, targets: [TARGET] },
      403,
    ],
    [
      'media of the app, without Calls.AccessMedia.All',
      ['Calls.Initiate.All'],
      { mediaConfig: { '@odata.type': '#microsoft.graph.appHostedMediaConfig', blob: 'x' } },
      403,
    ],
    [
      'media of the app',
      ['Calls.Initiate.All', 'Calls.AccessMedia.All'],
      { mediaConfig: { '@odata.type': '#microsoft.graph.appHostedMediaConfig', blob: 'x' } },
      201,
    ],
  ])('checks permissions: %s', async (_what, roles, change, wanted) => {
    const authorization = `Bearer ${await stage.graph.issueToken({ roles })}`;
    const { status, body } = await stage.ask('POST', CALLS, create(change), { authorization });
    expect(status).toBe(wanted);
    if (wanted === 403) expect(body).toEqual(error('7504'));
  });

  it.each([
    ['no callbackUri', { callbackUri: undefined }],
    ['a callbackUri that is none', { callbackUri: 'ftp://x' }],
    ['nobody to call', { chatInfo: null, meetingInfo: null }],
    ['no mediaConfig', { mediaConfig: undefined }],
  ])('refuses %s', async (_what, change) => {
    const { status, body } = await stage.ask('POST', CALLS, create(change));
    expect({ status, body }).toEqual({ status: 400, body: error('BadRequest') });
  });
});

describe('reading', () => {
  it.each([
    ['dashed', (id: string) => id],
    ['upper', (id: string) => id.toUpperCase()],
    ['hex', (id: string) => id.replaceAll('-', '').toUpperCase()],
  ])('takes IDs spelled %s', async (_how, spelled) => {
    const { id, myParticipantId } = newGroup();
    const call = await stage.ask('GET', stage.path(spelled(id)));
    expect(call.body).toMatchObject({ id, myParticipantId, state: 'established' });
    const own = await stage.ask('GET', stage.path(spelled(id), `/participants/${spelled(myParticipantId)}`));
    expect(own.body).toMatchObject({ id: myParticipantId, isMuted: false });
  });

  it('lists at most 100 participants, and gives the others one by one', async () => {
    const { id, myParticipantId } = newGroup({ participants: 130, appJoins: 'last' });
    const list = await stage.ask('GET', stage.path(id, '/participants'));
    const { value } = list.body as { value: { id: string }[] };
    expect(value).toHaveLength(100);
    expect(value.some((participant) => participant.id === myParticipantId)).toBe(false);
    expect((await stage.ask('GET', stage.path(id, `/participants/${myParticipantId}`))).status).toBe(200);
  });

  it('tells the two mutes apart only by serverMuted of the audio', async () => {
    const { id, myParticipantId } = newGroup({ self: { clientMuted: true } });
    const { body } = await stage.ask('GET', stage.path(id, `/participants/${myParticipantId}`));
    expect(body).toMatchObject({ isMuted: true, mediaStreams: [{ mediaType: 'audio', serverMuted: false }] });
    stage.graph.setForm(id, { serverMuted: false });
    const without = await stage.ask('GET', stage.path(id, `/participants/${myParticipantId}`));
    expect(without.body).not.toHaveProperty('mediaStreams.0.serverMuted');
  });

  it.each(['/participants/no-such', '/operations/no-such'])('does not find %s', async (within) => {
    const { id } = newGroup();
    const { status, body } = await stage.ask('GET', stage.path(id, within));
    expect({ status, body }).toEqual({ status: 404, body: error('ResourceNotFound') });
  });

  it.each(['v1.0/communications', 'beta/communications', 'beta/app'])('answers under /%s', async (root) => {
    const { id } = newGroup();
    const { body } = await stage.ask('GET', `/${root}/calls/${id}`);
    const version = root.split('/')[0];
    expect(body).toMatchObject({
      '@odata.context': `${stage.graph.url}/${version}/$metadata#communications/calls/$entity`,
    });
  });

  it('does not find a call that never was, nor one that has ended', async () => {
    const { id } = newGroup();
    await stage.graph.endCall(id);
    for (const path of [
      stage.path('never'),
      stage.path(id),
      stage.path(id, '/participants'),
      stage.path(id, '/operations'),
    ]) {
      const { status, body } = await stage.ask('GET', path);
      expect({ status, body }).toEqual({ status: 404, body: error('8522', 'Call not found.') });
    }
    expect((await stage.ask('POST', stage.path(id, '/keepAlive'))).status).toBe(404);
    expect((await stage.ask('POST', stage.path(id, '/mute'), {})).status).toBe(404);
  });
});

describe('mute and unmute', () => {
  it.each(['v1.0', 'beta'])('changes the server mute and answers with a completed operation (%s)', async (version) => {
    const { id } = newGroup();
    for (const action of ['mute', 'unmute'] as const) {
      const { status, headers, body } = await stage.ask('POST', `/${version}/communications/calls/${id}/${action}`, {
        clientContext: 'ctx',
      });
      expect(status).toBe(200);
      const operationId = (body as { id: string }).id;
      expect(body).toEqual({
        '@odata.type': `#microsoft.graph.${action}ParticipantOperation`,
        '@odata.context': `${stage.graph.url}/${version}/$metadata#${action}ParticipantOperation`,
        id: operationId,
        status: 'completed',
        clientContext: 'ctx',
      });
      const location = `${stage.graph.url}/${version}/communications/calls/${id}/operations/${operationId}`;
      expect(headers.get('location')).toBe(location);
      expect(stage.graph.describe(id).self).toMatchObject({
        isMuted: action === 'mute',
        serverMuted: action === 'mute',
      });
      const again = await stage.ask('GET', new URL(location).pathname);
      expect(again.body).toEqual(body);
    }
    const { body } = await stage.ask('GET', stage.path(id, '/operations'));
    expect(body).toMatchObject({ value: [{ status: 'completed' }, { status: 'completed' }] });
  });

  it('leaves the client mute alone: an unmute may not show', async () => {
    const { id } = newGroup({ self: { clientMuted: true, serverMuted: true } });
    await stage.ask('POST', stage.path(id, '/unmute'), {});
    expect(stage.graph.describe(id).self).toMatchObject({ isMuted: true, clientMuted: true, serverMuted: false });
  });

  it('mutes another participant, with a permission that is asked for then', async () => {
    const { id, myParticipantId } = newGroup();
    const other = stage.graph.describe(id).participants.find((participant) => participant.id !== myParticipantId);
    const path = stage.path(id, `/participants/${other?.id}/mute`);
    const authorization = `Bearer ${await stage.graph.issueToken({ roles: ['Calls.Initiate.All'] })}`;
    expect((await stage.ask('POST', path, {}, { authorization })).status).toBe(403);
    expect((await stage.ask('POST', path, {})).status).toBe(200);
    expect(stage.graph.participant(id, other?.id ?? '')).toMatchObject({ serverMuted: true });
    expect(stage.graph.describe(id).self.isMuted).toBe(false);
  });

  it('asks for no permission again for the app itself', async () => {
    const { id } = newGroup();
    const authorization = `Bearer ${await stage.graph.issueToken({ roles: [] })}`;
    expect((await stage.ask('POST', stage.path(id, '/mute'), {}, { authorization })).status).toBe(200);
  });

  it.each([
    ['not JSON by its content type', '{}', { 'content-type': 'text/plain' }, 415],
    ['not JSON', '{', {}, 400],
    ['a clientContext of 257 characters', { clientContext: 'x'.repeat(257) }, {}, 400],
    ['a clientContext that is no text', { clientContext: 7 }, {}, 400],
    ['an unknown field', { clientContxt: 'x' }, {}, 400],
  ])('refuses a body that is %s, and does nothing', async (_what, body, headers, wanted) => {
    const { id } = newGroup();
    expect((await stage.ask('POST', stage.path(id, '/mute'), body, headers)).status).toBe(wanted);
    expect(stage.graph.describe(id).self.isMuted).toBe(false);
  });

  it('takes a clientContext of 256 characters, and none', async () => {
    const { id } = newGroup();
    expect((await stage.ask('POST', stage.path(id, '/mute'), { clientContext: 'x'.repeat(256) })).status).toBe(200);
    expect((await stage.ask('POST', stage.path(id, '/mute'), {})).body).toMatchObject({ clientContext: null });
  });

  it('is for group calls only, as is the list of participants', async () => {
    const { id } = newGroup({ kind: 'p2p' });
    const call = await stage.ask('GET', stage.path(id));
    expect(call.body).toMatchObject({ chatInfo: null, meetingInfo: null, targets: [expect.any(Object)] });
    for (const [method, within] of [
      ['POST', '/mute'],
      ['POST', '/unmute'],
      ['GET', '/participants'],
    ] as const) {
      const { status, body } = await stage.ask(method, stage.path(id, within), method === 'POST' ? {} : undefined);
      expect({ status, body }).toEqual({
        status: 400,
        body: error('BadRequest', 'This is only supported for group calls.'),
      });
    }
  });

  it.each([
    ['establishing', 409],
    ['hold', 200],
    ['terminating', 404],
  ] as const)('of a call that is %s answers %i', async (state, wanted) => {
    const { id } = newGroup({ state });
    expect((await stage.ask('POST', stage.path(id, '/mute'), {})).status).toBe(wanted);
  });

  it.each(['/participants/x/unmute', '/participants/muteAll', '/playPrompt'])('has no %s', async (within) => {
    const { id } = newGroup();
    const { status, body } = await stage.ask('POST', stage.path(id, within), {});
    const segment = within.split('/').at(-1);
    expect({ status, body }).toEqual({
      status: 400,
      body: error('BadRequest', `Resource not found for the segment '${segment}'.`),
    });
  });
});

describe('the rest', () => {
  it('keeps a call alive', async () => {
    const { id } = newGroup();
    const { status, body } = await stage.ask('POST', stage.path(id, '/keepAlive'));
    expect({ status, body }).toEqual({ status: 200, body: '' });
  });

  it('ends a call: 204, then its last notification', async () => {
    const { id } = newGroup();
    expect((await stage.ask('DELETE', stage.path(id))).status).toBe(204);
    await stage.graph.waitFor(
      id,
      (item) => item.type === 'notification' && item.state === 'terminated' && item.status === 202,
    );
    expect((await stage.ask('DELETE', stage.path(id))).status).toBe(404);
  });

  it('names every request, by the name the client gave it too', async () => {
    const { id } = newGroup();
    const named = await stage.ask('GET', stage.path(id), undefined, { 'client-request-id': 'mine' });
    expect(named.headers.get('client-request-id')).toBe('mine');
    const missing = await stage.ask('GET', stage.path('never'), undefined, { 'client-request-id': 'mine' });
    expect(missing.body).toMatchObject({
      error: { innerError: { 'client-request-id': 'mine', 'request-id': missing.headers.get('request-id') } },
    });
  });

  it('asks for a good token before anything else', async () => {
    const { id } = newGroup();
    const tokens = {
      'no token': '',
      'no bearer': 'Basic abc',
      rubbish: 'Bearer abc',
      expired: `Bearer ${await stage.graph.issueToken({ expiresInSeconds: -10 })}`,
      'for another': `Bearer ${await stage.graph.issueToken({ audience: 'https://other.example' })}`,
      "a notification's": `Bearer ${await stage.graph.signNotification()}`,
    };
    for (const authorization of Object.values(tokens)) {
      const { status, body, headers } = await stage.ask('POST', stage.path(id, '/mute'), '{', { authorization });
      expect({ status, body }).toEqual({ status: 401, body: error('InvalidAuthenticationToken') });
      expect(headers.get('www-authenticate')).toContain('Bearer');
    }
    expect(stage.graph.describe(id).self.isMuted).toBe(false);
  });

  it('takes a fixed token where one was agreed on', async () => {
    const other = await Stage.open({ fixedToken: 'dev' });
    const { id } = other.graph.createCall({ callbackUri: other.bot.url });
    const { status } = await other.ask('POST', other.path(id, '/mute'), {}, { authorization: 'Bearer dev' });
    await other.close();
    expect(status).toBe(200);
  });

  it('logs each request, without its token', async () => {
    const { id } = newGroup({ tenantId: 'the-calls' });
    const authorization = `Bearer ${await stage.graph.issueToken({ tenantId: 'tenant-7' })}`;
    await stage.ask(
      'POST',
      stage.path(id, '/mute'),
      { clientContext: 'why' },
      { authorization, 'client-request-id': 'c1' },
    );
    const entry = await stage.graph.waitFor(
      id,
      (item): item is RequestEntry => item.type === 'request' && item.outcome !== undefined,
    );
    expect(entry).toEqual({
      type: 'request',
      seq: 1,
      name: 'mute',
      action: 'mute',
      method: 'POST',
      path: stage.path(id, '/mute'),
      clientContext: 'why',
      clientRequestId: 'c1',
      requestId: expect.any(String),
      tenantId: 'tenant-7',
      effect: 'done',
      outcome: 'answered',
      status: 200,
      startedAt: expect.any(Number),
      endedAt: expect.any(Number),
    });
    expect(JSON.stringify(stage.graph.log(id))).not.toContain('Bearer');
  });

  it('reports the content of the log if a wait is in vain', async () => {
    const { id } = newGroup();
    await stage.ask('GET', stage.path(id));
    await expect(stage.graph.waitFor(id, () => false, 20)).rejects.toThrow(/no such entry within 20 ms.*getCall/);
  });
});
