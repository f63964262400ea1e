import { describe, expect, test } from 'vitest';
import { fieldOf, fromAnswer } from '../../src/graph/errors.ts';
import { toCall, toMuteState, toOperation, toParticipants } from '../../src/graph/resources.ts';
import { payloadsOf, strictJson } from '../support/payloads.ts';

/** Every published call, participant and operation is read for what an operation needs of it. */

const P2P = '499ff390-7a72-40e8-83a0-8fac6295ae7e';
const GROUP = '05491616-385f-44a8-9974-18cc5f9933c1';

/** By the number that the file's name begins with: state, own participant, marks of a group call. */
const CALLS: Record<string, [string, string | undefined, boolean]> = {
  '001': ['establishing', P2P, false],
  '005': ['establishing', P2P, false],
  '006': ['establishing', GROUP, true],
  '011': ['establishing', GROUP, true],
  '012': ['establishing', P2P, false],
  '015': ['establishing', P2P, false],
  '017': ['establishing', P2P, false],
  '021': ['incoming', 'myParticipantId-value', true],
  '022': ['incoming', 'myParticipantId-value', true],
  '024': ['incoming', 'myParticipantId-value', true],
  '028': ['established', P2P, false],
  '030': ['incoming', 'myParticipantId-value', true],
  '034': ['established', undefined, true],
  '035': ['established', undefined, true],
  '036': ['incoming', 'myParticipantId-value', true],
  '039': ['establishing', P2P, false],
  '041': ['establishing', P2P, false],
  '048': ['establishing', P2P, false],
  '050': ['establishing', GROUP, true],
  '053': ['establishing', GROUP, true],
  '064': ['established', P2P, false],
  '068': ['established', GROUP, true],
  '073': ['established', GROUP, true],
};

const MUTE_STATES: Record<string, object | undefined> = {
  '003': { isMuted: true, serverMuted: false },
  '005': { isMuted: true, serverMuted: false },
  '007': { isMuted: false, serverMuted: false },
  '008': undefined,
  '015': { isMuted: true, serverMuted: false },
};

const parse = (text: string): unknown => JSON.parse(strictJson(text)) as unknown;
const numberOf = (name: string): string => name.slice(0, 3);

describe('every published call', () => {
  const calls = payloadsOf('calls');

  test('is one that is expected', () => {
    expect(calls.map(([name]) => numberOf(name))).toEqual(Object.keys(CALLS).toSorted());
  });

  test.each(calls)('%s', (name, text) => {
    const [state, participantId, hasGroupMarks] = CALLS[numberOf(name)] ?? [];
    expect(toCall(parse(text))).toEqual({ state, participantId, hasGroupMarks });
  });
});

describe('every published participant', () => {
  const participants = payloadsOf('participants');

  test('is one that is expected', () => {
    expect(participants.map(([name]) => numberOf(name))).toEqual(Object.keys(MUTE_STATES).toSorted());
  });

  test.each(participants)('%s', (name, text) => {
    const body = parse(text);
    const [first = body] = toParticipants(body) ?? [];
    const state = toMuteState(first);
    expect(state).toEqual(MUTE_STATES[numberOf(name)]);
  });
});

test.each(payloadsOf('errors'))('the published error %s', (_, text) => {
  const error = fromAnswer('do it', { status: 400, clientRequestId: 'ours', headers: {}, body: parse(text) });
  expect(error).toMatchObject({ type: 'OperationFailed', isRetryable: false });
  expect(error.details).toMatchObject({ code: 'invalidRange', requestId: 'request-id', clientRequestId: 'ours' });
});

describe('every published operation', () => {
  test.each(payloadsOf('operations'))('%s', (_, text) => {
    const body = parse(text);
    const { id, status } = toOperation(body, undefined);
    const said = fieldOf(body, 'id');
    expect(id.replaceAll('-', '')).toBe(typeof said === 'string' ? said.replaceAll('-', '').toLowerCase() : '');
    expect(status).toBe(String(fieldOf(body, 'status')).toLowerCase());
    expect(['running', 'completed']).toContain(status);
  });

  test('without an ID is known by its Location', () => {
    const location =
      'https://graph.microsoft.com/v1.0/communications/calls/x/operations/17E3B46CF61D4F4D9635C626EF18E6AD';
    expect(toOperation({ status: 'completed' }, location).id).toBe('17e3b46c-f61d-4f4d-9635-c626ef18e6ad');
  });
});
