import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BodyError, notificationsIn, parseJson } from '../../src/webhook/parse/envelope.ts';
import { toNotification, type Notification } from '../../src/webhook/parse/notification.ts';
import { strictJson } from '../support/payloads.ts';
import { CALL, deltaEntry, entry, notifications, participant, rosterEntry } from '../support/notification-forms.ts';

const FOLDER = new URL('../payloads/notifications/', import.meta.url);
const EXPECTED = new URL('../payloads/expected.json', import.meta.url);
const UPPER = '57DAB8B1894C409AB240BD8BEAE78896';
const BOT = '05491616-385f-44a8-9974-18cc5f9933c1';

function project(body: unknown): Notification[] {
  return notificationsIn(parseJson(Buffer.from(JSON.stringify(body)))).map(toNotification);
}

function projectOne(body: object): Notification {
  const [notification, ...others] = project(notifications(body));
  expect(others).toEqual([]);
  return notification!;
}

describe('the published notifications', () => {
  // Reviewed by eye against each payload. A change in it is a change in what reaches the workflows.
  const expected = JSON.parse(readFileSync(EXPECTED, 'utf8')) as Record<string, Notification[]>;
  const files = readdirSync(FOLDER);

  it('are all in the table', () => {
    expect(Object.keys(expected).toSorted()).toEqual(files.toSorted());
  });

  it.each(files)('%s', (file) => {
    const body = Buffer.from(strictJson(readFileSync(new URL(file, FOLDER), 'utf8')));
    expect(notificationsIn(parseJson(body)).map(toNotification)).toEqual(expected[file]);
  });

  it('leave no name, no user ID and no message in any projection', () => {
    const told = JSON.stringify(expected);
    for (const word of ['Bob', 'John', 'Test', 'Heidi', 'tenant', '5810cede', '8A34A46B-3D17', 'Action']) {
      expect(told.toLowerCase()).not.toContain(word.toLowerCase());
    }
  });
});

describe('the envelope', () => {
  it.each([
    ['', 'not-json'],
    ['{', 'not-json'],
    ['[', 'not-json'],
    [Buffer.from([0x22, 0xff, 0x22]), 'not-utf8'],
    ['null', 'not-notifications'],
    ['"text"', 'not-notifications'],
    ['[]', 'not-notifications'],
    ['{}', 'not-notifications'],
    ['{"value":{}}', 'not-notifications'],
    ['{"value":"x"}', 'not-notifications'],
    ['{"value":null}', 'not-notifications'],
    ['{"callId":"legacy","links":{}}', 'not-notifications'],
    ['{"value":[{},null]}', 'not-an-object'],
    ['{"value":[1]}', 'not-an-object'],
    ['{"value":[[]]}', 'not-an-object'],
  ])('refuses %s', (body, code) => {
    const refused = expect(() => notificationsIn(parseJson(Buffer.from(body))));
    refused.toThrow(BodyError);
    refused.toThrow(expect.objectContaining({ code }));
  });

  it('takes an empty collection, a byte order mark and any case of its names', () => {
    expect(project({ value: [] })).toEqual([]);
    expect(notificationsIn(parseJson(Buffer.from('\uFEFF{"value":[]}')))).toEqual([]);
    expect(project({ Value: [rosterEntry(CALL)] })).toHaveLength(1);
  });

  it.each([
    ['its type', { '@odata.type': 'microsoft.graph.commsNotification', changeType: 'updated' }, 'unknown'],
    ['resourceUrl', { resourceUrl: `/communications/calls/${CALL}`, changeType: 'deleted' }, 'callEnded'],
    ['resource', { resource: `/app/calls/${CALL}`, changeType: 'deleted', value: null }, 'callEnded'],
  ])('takes a bare notification by %s', (_by, body, kind) => {
    expect(project(body)).toEqual([expect.objectContaining({ kind })]);
  });

  it('keeps the order of a batch', () => {
    const batch = notifications(
      rosterEntry(CALL, participant(BOT, true)),
      entry(`/communications/calls/${UPPER}`, { '@odata.type': '#microsoft.graph.call', state: 'hold' }),
      entry(`/communications/calls/${UPPER}`, undefined, 'deleted'),
    );
    expect(project(batch).map(({ kind, callId }) => [kind, callId])).toEqual([
      ['rosterUpdated', CALL],
      ['other', CALL],
      ['callEnded', CALL],
    ]);
  });
});

describe('the call', () => {
  const ended = { kind: 'callEnded', callId: CALL, payload: {} };

  it.each([
    `/communications/calls/${CALL}`,
    `/app/calls/${UPPER}`,
    `communications/calls/${CALL.toUpperCase()}/`,
    `/Communications/Calls/${CALL}?tenant=a/b`,
    `https://graph.microsoft.com/v1.0/communications/calls/${CALL}#x`,
    `HTTPS://graph.microsoft.us/beta/app/calls/${UPPER}/`,
    `/communications/calls('${CALL}')`,
    `/communications/calls(${UPPER})`,
    `/communications/calls(id='${CALL}')`,
    `/communications/calls(%27${CALL}%27)`,
    `/communications/%63alls/${CALL}`,
    `//communications//calls//${CALL}`,
  ])('is found in %s', (path) => {
    expect(projectOne(entry(path, undefined, 'deleted'))).toEqual(ended);
    expect(projectOne({ changeType: 'Deleted', resource: path })).toEqual(ended);
    expect(projectOne({ CHANGETYPE: 'DELETED', resourceData: { '@odata.id': path } })).toEqual(ended);
  });

  it('is taken from the path that leads to one', () => {
    const misleading = { changeType: 'deleted', resourceUrl: '/subscriptions/1', resource: `/app/calls/${CALL}` };
    expect(projectOne(misleading)).toEqual(ended);
    const both = { ...misleading, resourceUrl: `/communications/calls/${CALL}`, resource: '/app/calls/another' };
    expect(projectOne(both)).toEqual(ended);
  });

  it('keeps an ID that is no GUID as it is', () => {
    expect(projectOne(entry('/app/calls/Abc_9-x', {}, 'deleted'))).toEqual({ ...ended, callId: 'Abc_9-x' });
  });

  it.each([
    '/communications/calls',
    '/communications/calls/',
    '/communications/calls/a b',
    '/communications/calls/a%2Fb',
    '/communications/calls/%E0%A4%A',
    `/communications/calls/${'a'.repeat(129)}`,
    `/communications/onlineMeetings/${CALL}`,
    `/users/calls/${CALL}`,
    'x'.repeat(100_000),
    '',
  ])('is unknown in %.60s', (path) => {
    expect(projectOne(entry(path, { '@odata.type': '#microsoft.graph.call' }, 'deleted'))).toEqual({ kind: 'unknown' });
  });
});

describe('the end of a call', () => {
  const at = `/communications/calls/${CALL}`;

  it.each([
    ['#microsoft.graph.call', { state: 'terminated' }],
    ['microsoft.graph.call', { State: 'Terminated' }],
    ['#Microsoft.Graph.Call', { callState: 'TERMINATED' }],
    ['https://graph.microsoft.com/v1.0/$metadata#microsoft.graph.call', { state: 'terminated' }],
    [undefined, { state: 'terminated' }],
  ])('by type %s and state %j', (type, state) => {
    expect(projectOne(entry(at, { '@odata.type': type, ...state }))).toMatchObject({ kind: 'callEnded' });
  });

  it.each([
    [
      { code: 200, subcode: 5855, message: 'Bob left' },
      { code: 200, subcode: 5855 },
    ],
    [
      { code: '200', subCode: '5001' },
      { code: '200', subcode: '5001' },
    ],
    [
      { Code: 0, SubCode: 0 },
      { code: 0, subcode: 0 },
    ],
    [{ code: null, subcode: 'Bob has left the call' }, {}],
    ['Bob', {}],
    [null, {}],
  ])('with the reason %j', (resultInfo, payload) => {
    expect(projectOne(entry(at, { state: 'terminated', resultInfo, terminationReason: 'AppInitiated' }))).toEqual({
      kind: 'callEnded',
      callId: CALL,
      payload,
    });
  });

  it.each(['terminating', 'hold', 'somethingNew'])('is not %s', (state) => {
    expect(projectOne(entry(at, { '@odata.type': '#microsoft.graph.call', state }))).toEqual({
      kind: 'other',
      callId: CALL,
    });
  });
});

describe('that a call is established', () => {
  const established = (more: object): unknown =>
    projectOne(entry(`/app/calls/${UPPER}`, { '@odata.type': '#microsoft.graph.call', state: 'Established', ...more }));

  it('is told with nothing else', () => {
    const more = { tenantId: 'aa67bd4c-8475-432d-bd41-39f255720e0a', subject: 'Bob & Co' };
    expect(established(more)).toEqual({ kind: 'callEstablished', callId: CALL, payload: {} });
  });

  it('is not told by a tone', () => {
    const toneInfo = { '@odata.type': '#microsoft.graph.toneInfo', sequenceId: 1, tone: 'tone1' };
    expect(established({ toneInfo })).toEqual({ kind: 'other', callId: CALL });
  });
});

describe('a full roster', () => {
  const path = `/communications/calls/${CALL}/participants`;

  function rosterOf(data: unknown, { url = path, changeType = 'updated' } = {}): unknown {
    const notification = projectOne(entry(url, data, changeType));
    expect(notification).toMatchObject({ kind: 'rosterUpdated', callId: CALL });
    return (notification as { payload: unknown }).payload;
  }

  it('is known by type under any path, and by path without a type', () => {
    const typed = participant(BOT, true);
    const untyped = { ID: BOT.toUpperCase(), IsMuted: true };
    const payload = { participants: [{ id: BOT, isMuted: true }], full: true };
    expect(rosterOf([typed], { url: `/app/calls/${CALL}/operations/participants` })).toEqual(payload);
    expect(rosterOf([untyped], { url: `/app/calls/${CALL}/operations/participants` })).toEqual(payload);
    expect(rosterOf([untyped], { url: `/app/calls/${CALL}/Participants/` })).toEqual(payload);
    expect(rosterOf([{ ...typed, '@odata.type': 'microsoft.graph.Participant' }])).toEqual(payload);
    expect(rosterOf({ value: [typed] })).toEqual(payload);
    expect(rosterOf([])).toEqual({ participants: [], full: true });
  });

  it('leaves out whom it says nothing usable of, and then says that it is incomplete', () => {
    const unusable = [
      participant(BOT, true, { id: null }),
      participant('', true),
      participant('x'.repeat(257), true),
      participant('a', true, { isMuted: undefined }),
      participant('b', true, { isMuted: null }),
      participant('c', true, { isMuted: 'perhaps' }),
      participant('d', true, { isMuted: 1 }),
      'Bob',
      null,
      [],
    ];
    expect(rosterOf([...unusable, participant('e', false)])).toEqual({
      participants: [{ id: 'e', isMuted: false }],
      full: true,
      isIncomplete: true,
    });
    for (const one of unusable) {
      expect(rosterOf([one, participant('e', false)])).toMatchObject({ full: true, isIncomplete: true });
    }
    expect(rosterOf([participant('e', false), participant('e', false)])).not.toHaveProperty('isIncomplete');
  });

  it('reads booleans, sequences and IDs in their other spellings', () => {
    const spelt = [
      participant('05491616385F44A8997418CC5F9933C1', true, { isMuted: 'True', rosterSequenceNumber: '12' }),
      participant('b', true, { rosterSequenceNumber: 13 }),
      participant('c', true, { rosterSequenceNumber: '9223372036854775807' }),
      participant('ignored', true, { id: undefined, '@odata.id': `/app/calls/${UPPER}/participants/D` }),
    ];
    expect(rosterOf(spelt)).toMatchObject({
      participants: [
        { id: BOT, isMuted: true, sequence: 12 },
        { id: 'b', sequence: 13 },
        { id: 'c', isMuted: true },
        { id: 'D', isMuted: true },
      ],
    });
    expect(rosterOf(spelt)).not.toHaveProperty('participants[2].sequence');
  });

  it.each([
    [[{ mediaType: 'audio', serverMuted: true }], true],
    [[{ mediaType: 'Audio', serverMuted: 'false' }], false],
    [
      [
        { mediaType: 'video', serverMuted: true },
        { mediaType: 'AUDIO', ServerMuted: false },
      ],
      false,
    ],
    [
      [
        { mediaType: 'audio', serverMuted: false },
        { mediaType: 'audio', serverMuted: true },
      ],
      true,
    ],
    [[{ mediaType: 'audio' }, { mediaType: 'video', serverMuted: true }], undefined],
    [[{ mediaType: 'audio', serverMuted: null }], undefined],
    [[], undefined],
    [undefined, undefined],
    ['audio', undefined],
  ])('takes serverMuted from the audio streams of %j', (mediaStreams, serverMuted) => {
    const told = serverMuted === undefined ? {} : { serverMuted };
    expect(rosterOf([participant(BOT, true, { mediaStreams })])).toEqual({
      participants: [{ id: BOT, isMuted: true, ...told }],
      full: true,
    });
  });

  it('is not full where it lists one participant or those who left', () => {
    const one = { participants: [{ id: BOT, isMuted: true }], full: false };
    const { id: _id, ...nameless } = participant(BOT, true) as { id: string };
    expect(rosterOf(participant(BOT, true))).toEqual(one);
    expect(rosterOf([participant(BOT, true)], { url: `${path}/${BOT}` })).toEqual(one);
    expect(rosterOf(nameless, { url: `${path}('${BOT}')` })).toEqual(one);
    expect(rosterOf([participant(BOT, true)], { changeType: 'deleted' })).toEqual({
      participants: [{ id: BOT, isMuted: true, removed: true }],
      full: false,
    });
  });

  it('tells removal only by an object', () => {
    const removed = participant('a', true, { removedState: { reason: 'Removed from roster' } });
    expect(rosterOf([removed, participant('b', true, { removedState: null })])).toEqual({
      participants: [
        { id: 'a', isMuted: true, removed: true },
        { id: 'b', isMuted: true },
      ],
      full: true,
    });
  });
});

describe('a delta roster', () => {
  it('orders its participants by its own number', () => {
    const delta = deltaEntry(CALL, 7, participant('a', true, { rosterSequenceNumber: 3 }), participant('b', false));
    expect(projectOne(delta)).toEqual({
      kind: 'rosterUpdated',
      callId: CALL,
      payload: {
        participants: [
          { id: 'a', isMuted: true, sequence: 7 },
          { id: 'b', isMuted: false, sequence: 7 },
        ],
        sequenceNumber: 7,
        full: false,
      },
    });
  });

  it.each([
    ['alone', { '@odata.type': 'microsoft.graph.deltaParticipants', participants: [participant('a', true)] }],
    ['without a type', { participants: [participant('a', true)] }],
    ['in an array, without a type', [{ Participants: [participant('a', true)] }]],
  ])('is taken %s', (_how, data) => {
    expect(projectOne(entry(`/app/calls/${CALL}/participants`, data))).toMatchObject({
      kind: 'rosterUpdated',
      payload: { participants: [{ id: 'a', isMuted: true }], full: false },
    });
  });

  it('falls back on the numbers of the participants', () => {
    const data = { participants: [participant('a', true, { rosterSequenceNumber: '5' })], sequenceNumber: null };
    expect(projectOne(entry(`/app/calls/${CALL}/participants`, data))).toMatchObject({
      payload: { participants: [{ id: 'a', sequence: 5 }], full: false },
    });
  });

  it('merges several of its kind by number and tells the highest', () => {
    const type = '#microsoft.graph.deltaParticipants';
    const data = [
      { '@odata.type': type, sequenceNumber: '9', participants: [participant('a', true)] },
      { '@odata.type': type, sequenceNumber: 8, participants: [participant('a', false)] },
    ];
    expect(projectOne(entry(`/app/calls/${CALL}/participants`, data))).toMatchObject({
      payload: { participants: [{ id: 'a', isMuted: true, sequence: 9 }], sequenceNumber: 9, full: false },
    });
  });
});

describe('an operation', () => {
  const path = `/communications/calls/${CALL}/operations/0FE0623FD62842EDB4BD8AC290072CC5`;
  const operationId = '0fe0623f-d628-42ed-b4bd-8ac290072cc5';

  it.each([
    '#microsoft.graph.muteParticipantOperation',
    'microsoft.graph.unmuteParticipantOperation',
    '#microsoft.graph.unMuteOperation',
    '#microsoft.graph.commsOperation',
    '#microsoft.graph.callOperation',
    undefined,
  ])('of type %s is handed on', (type) => {
    const resultInfo = { code: 500, subCode: '7000', message: 'Bob refused' };
    const data = { '@odata.type': type, id: operationId, status: 'Failed', clientContext: 'ctx', resultInfo };
    expect(projectOne(entry(path, data, 'deleted'))).toEqual({
      kind: 'operationUpdated',
      callId: CALL,
      payload: { operationId, clientContext: 'ctx', status: 'failed', code: 500, subcode: '7000' },
    });
  });

  it.each([
    [path, { status: 'running' }],
    [`/app/calls/${CALL}/operations`, { status: 'Running', id: operationId.toUpperCase() }],
    [`/app/calls/${CALL}/operations`, { status: 'running', '@odata.id': path }],
  ])('has its ID from %s or %j', (url, data) => {
    const typed = { '@odata.type': '#microsoft.graph.commsOperation', ...data };
    expect(projectOne(entry(url, typed))).toMatchObject({ payload: { operationId, status: 'running' } });
  });

  it.each([
    ['recordOperation', { status: 'completed', clientContext: 'theirs' }],
    ['playPromptOperation', { status: 'completed' }],
    ['muteParticipantOperation', { status: null }],
    ['muteParticipantOperation', {}],
  ])('of type %s with %j stays here', (type, data) => {
    const typed = { '@odata.type': `#microsoft.graph.${type}`, ...data };
    expect(projectOne(entry(path, typed))).toEqual({ kind: 'unknown', callId: CALL });
  });

  it('keeps no context that is longer than Graph allows', () => {
    const data = { status: 'completed', clientContext: 'x'.repeat(257) };
    expect(projectOne(entry(path, data))).not.toHaveProperty('payload.clientContext');
  });
});

describe('hostile input', () => {
  it('poisons nothing', () => {
    const text = `{"__proto__":{"polluted":1},"value":[{"__proto__":{"resourceUrl":"/app/calls/x"},"constructor":{},
      "resourceUrl":"/communications/calls/${CALL}/participants","changeType":"updated",
      "resourceData":[{"__proto__":{"isMuted":true},"id":"__proto__"},{"id":"__proto__","isMuted":true}]}]}`;
    expect(notificationsIn(parseJson(Buffer.from(text))).map(toNotification)).toEqual([
      {
        kind: 'rosterUpdated',
        callId: CALL,
        payload: { participants: [{ id: '__proto__', isMuted: true }], full: true, isIncomplete: true },
      },
    ]);
    expect({}).not.toHaveProperty('polluted');
    expect(
      notificationsIn(parseJson(Buffer.from('{"value":[{"__proto__":{"resourceUrl":"/app/calls/x"}}]}'))),
    ).toHaveLength(1);
  });
});
