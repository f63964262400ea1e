import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { callIdOf, canonicalId, isCallId, sameId, workflowIdOf } from '../../src/contract/call-id.ts';
import { FAILURE_TYPES, isFailureType } from '../../src/contract/failure.ts';
import { checkRequest } from '../../src/contract/request.ts';
import { toCallEnd, toOperationUpdate, toRosterUpdate, toSuccessor } from '../../src/contract/signals.ts';

/** The names and shapes that the outside world relies on, and what becomes of input that does not have them. */

const GUID = '57dab8b1-894c-409a-b240-bd8beae78896';

/** A GUID as 32 hex digits, in lower case. */
const hex = fc.stringMatching(/^[0-9a-f]{32}$/);

/** Each letter in one case or the other. */
const anyCase = (text: string): fc.Arbitrary<string> =>
  fc.array(fc.boolean(), { minLength: text.length, maxLength: text.length }).map((upper) =>
    text
      .split('')
      .map((letter, index) => (upper[index] ? letter.toUpperCase() : letter))
      .join(''),
  );

const dashed = (digits: string): string => digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

const callIds = fc.stringMatching(/^[A-Za-z0-9_-]{1,128}$/);

describe('the ID of a call', () => {
  test.each([
    ['dashed', GUID],
    ['dashed, in upper case', GUID.toUpperCase()],
    ['as 32 hex digits', GUID.replaceAll('-', '')],
    ['as 32 hex digits in upper case', GUID.replaceAll('-', '').toUpperCase()],
  ])('that is a GUID %s becomes dashed lower case', (_, id) => {
    expect(canonicalId(id)).toBe(GUID);
    expect(workflowIdOf(id)).toBe(`call-moderation/${GUID}`);
    expect(sameId(id, GUID)).toBe(true);
  });

  test('is the same in every spelling of a GUID', () => {
    const spellings = hex.chain((digits) => fc.tuple(fc.constant(digits), anyCase(digits), anyCase(dashed(digits))));
    fc.assert(
      fc.property(spellings, ([digits, plain, withDashes]) => {
        expect([canonicalId(plain), canonicalId(withDashes)]).toEqual([dashed(digits), dashed(digits)]);
        expect(sameId(plain, withDashes)).toBe(true);
      }),
    );
  });

  test.each([
    'ABC',
    `${GUID.toUpperCase()}0`,
    `0${GUID.toUpperCase()}`,
    `${GUID.toUpperCase()}\n`,
    GUID.toUpperCase().replace('5', 'G'),
    GUID.toUpperCase().replace('-', ''),
    `{${GUID.toUpperCase()}}`,
  ])('that is no GUID stays as it is: %j', (id) => {
    expect(canonicalId(id)).toBe(id);
  });

  test('in canonical form stays so', () => {
    fc.assert(
      fc.property(fc.oneof(callIds, hex.chain(anyCase), fc.string()), (id) => {
        expect(canonicalId(canonicalId(id))).toBe(canonicalId(id));
      }),
    );
  });

  test('has 1 to 128 of the allowed characters', () => {
    fc.assert(
      fc.property(callIds, (id) => {
        expect(isCallId(id)).toBe(true);
      }),
    );
    for (const bad of ['', 'a'.repeat(129), 'a b', 'a/b', 'a.b', 'é', `${GUID}\n`, 7, null, undefined, [GUID], {}]) {
      expect(isCallId(bad)).toBe(false);
    }
  });

  test('comes back from the workflow ID', () => {
    fc.assert(
      fc.property(callIds, (id) => {
        expect(callIdOf(workflowIdOf(id))).toBe(canonicalId(id));
      }),
    );
  });

  test.each([
    ['another prefix', `call-recording/${GUID}`],
    ['a prefix of the same length', `call-moderatioN/${GUID}`],
    ['no prefix', GUID],
    ['no call', 'call-moderation/'],
    ['a call in another spelling', `call-moderation/${GUID.toUpperCase()}`],
    ['more than a call', `call-moderation/${GUID}/1`],
    ['nothing', ''],
  ])('is none where the workflow ID has %s', (_, workflowId) => {
    expect(callIdOf(workflowId)).toBeUndefined();
  });

  test('is never found in what is no workflow ID of ours', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const id = callIdOf(text);
        if (id !== undefined) expect(workflowIdOf(id)).toBe(text);
      }),
    );
  });
});

/** The issues of a request that must have some. */
function faultsOf(input: unknown): readonly string[] {
  const checked = checkRequest(input);
  if (checked.ok) throw new Error(`taken for good: ${JSON.stringify(input)}`);
  return checked.issues;
}

describe('a request', () => {
  test('with every field is taken as it is', () => {
    const request = {
      callId: GUID,
      clientContext: 'c'.repeat(256),
      tenantId: 'contoso.onmicrosoft.com',
      confirmWithinSeconds: 300,
      onUnconfirmed: 'leave',
      requestedBy: 'r'.repeat(128),
      reason: 'w'.repeat(256),
      requestId: 'i'.repeat(128),
    };
    expect(checkRequest(request)).toEqual({ ok: true, request });
  });

  test('comes back with its call ID in canonical form', () => {
    const callId = GUID.replaceAll('-', '').toUpperCase();
    expect(checkRequest({ callId })).toEqual({ ok: true, request: { callId: GUID } });
  });

  test('comes back without fields that are undefined', () => {
    const checked = checkRequest({ callId: 'a', reason: undefined, confirmWithinSeconds: undefined, other: undefined });
    expect(checked).toStrictEqual({ ok: true, request: { callId: 'a' } });
  });

  test.each<[string, unknown[]]>([
    ['clientContext', ['', 'c'.repeat(256)]],
    ['tenantId', [GUID, 'a', 'contoso.com', 'a'.repeat(253)]],
    ['confirmWithinSeconds', [1, 1.5, 300]],
    ['onUnconfirmed', ['restore', 'leave']],
    ['requestedBy', ['', 'r'.repeat(128)]],
    ['reason', ['', 'w'.repeat(256)]],
    ['requestId', ['i', 'i'.repeat(128)]],
  ])('may have %s at its limits', (field, values) => {
    for (const value of values) {
      expect(checkRequest({ callId: GUID, [field]: value })).toEqual({
        ok: true,
        request: { callId: GUID, [field]: value },
      });
    }
  });

  test.each<[string, unknown[], RegExp]>([
    ['callId', ['', 'a'.repeat(129), 'a.b', 'a/b', 'a b', 7, {}, [GUID]], /1 to 128 of .*that Graph returned/],
    ['clientContext', ['c'.repeat(257), 7, {}], /at most 256 characters; shorten it or leave it out/],
    ['tenantId', ['', 'a'.repeat(254), 'a b', 'a/b', '../b', 7], /ID or a domain of a tenant; .* leave it out/],
    [
      'confirmWithinSeconds',
      [0, 0.99, 300.01, -1, Number.NaN, Infinity, '30', true],
      /number of seconds from 1 to 300; leave it out for 30/,
    ],
    ['onUnconfirmed', ['Restore', '', 'undo', true], /'restore' or 'leave'; leave it out/],
    ['requestedBy', ['r'.repeat(129), 7, []], /at most 128 characters; shorten it or leave it out/],
    ['reason', ['w'.repeat(257), 7], /at most 256 characters; shorten it or leave it out/],
  ])('with a bad %s is refused, with the field and the remedy', (field, values, remedy) => {
    for (const value of [...values, null]) {
      const issues = faultsOf({ callId: GUID, [field]: value });
      expect(issues).toHaveLength(1);
      expect(issues[0]).toMatch(new RegExp(`^${field} `));
      expect(issues[0]).toMatch(remedy);
    }
  });

  test.each(['callID', 'confirmWithinSecond', 'constructor', 'toString', 'hasOwnProperty', '__proto__'])(
    'with a field %j is refused, for it may be a misspelt one',
    (field) => {
      // As it comes from the wire; there, __proto__ is a field like any other.
      const input: unknown = JSON.parse(`{"callId":"${GUID}","${field}":"restore"}`);
      const [fault, ...others] = faultsOf(input);
      expect(others).toEqual([]);
      expect(fault).toContain(`"${field}" is not a field of a request`);
      expect(fault).toContain('confirmWithinSeconds');
    },
  );

  test('does not take over fields from its prototype', () => {
    expect(faultsOf(Object.create({ callId: GUID }))).toEqual(['callId is required']);
  });

  test('cuts an unknown field that is too long to be shown', () => {
    const [fault = ''] = faultsOf({ callId: GUID, ['x'.repeat(10_000)]: 1 });
    expect(fault.length).toBeLessThan(300);
  });

  test('are told up to a number, however many there are: what tells all would be too large for Temporal', () => {
    const fields = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`f${index}`, 0]));
    const issues = faultsOf(fields);
    expect(issues).toHaveLength(17);
    expect(issues[0]).toBe('callId is required');
    expect(issues.at(-1)).toBe('and more');
  });

  test('hears of every fault at once', () => {
    const issues = faultsOf({ clientContext: 7, confirmWithinSeconds: 0, onUnconfirmed: 'undo', typo: true });
    expect(issues).toHaveLength(5);
    expect(issues[0]).toBe('callId is required');
    for (const [index, field] of ['clientContext', 'confirmWithinSeconds', 'onUnconfirmed', '"typo"'].entries()) {
      expect(issues[index + 1]).toContain(field);
    }
  });

  test.each([[undefined], [null], ['mute'], [7], [[{ callId: GUID }]], [true]])('is refused that is %j', (input) => {
    expect(faultsOf(input)).toEqual(['the input must be one object with at least the field callId']);
  });

  test('is checked whatever it is, and is valid again in its canonical form', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.record({ callId: callIds, reason: fc.anything() })), (input) => {
        const checked = checkRequest(input);
        if (checked.ok) expect(checkRequest(checked.request)).toEqual(checked);
        else expect(checked.issues.length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('rosterUpdated', () => {
  const entry = { id: GUID, isMuted: true };

  test('is taken with all its fields', () => {
    const participants = [{ ...entry, serverMuted: false, sequence: 7, removed: true }, entry];
    const update = { participants, full: true, sequenceNumber: 3 };
    expect(toRosterUpdate(update)).toStrictEqual(update);
  });

  test('is taken without the optional ones, and where they are null', () => {
    const nothing = { serverMuted: null, sequence: null, removed: null };
    const update = { participants: [{ ...entry, ...nothing }], full: false, sequenceNumber: null };
    expect(toRosterUpdate(update)).toStrictEqual({ participants: [entry], full: false });
    expect(toRosterUpdate({ participants: [], full: true })).toStrictEqual({ participants: [], full: true });
  });

  test('lets nothing through that it does not know, such as names', () => {
    const update = { participants: [{ ...entry, displayName: 'Adele' }], full: true, tenant: 'contoso' };
    expect(toRosterUpdate(update)).toStrictEqual({ participants: [entry], full: true });
  });

  test.each<[string, unknown]>([
    ['no roster', {}],
    ['nothing', undefined],
    ['null', null],
    ['a list', [entry]],
    ['no full', { participants: [entry] }],
    ['a full that is no boolean', { participants: [entry], full: 'true' }],
    ['participants that are no list', { participants: entry, full: true }],
    ['a sequence number that is none', { participants: [], full: true, sequenceNumber: '3' }],
    ['a participant that is none', { participants: [entry, null], full: true }],
    ['a participant without an ID', { participants: [entry, { isMuted: true }], full: true }],
    ['a participant with an empty ID', { participants: [{ id: '', isMuted: true }], full: true }],
    ['a participant with an endless ID', { participants: [{ id: 'x'.repeat(257), isMuted: true }], full: true }],
    ['a participant without isMuted', { participants: [{ id: GUID }], full: true }],
    ['a participant whose isMuted is null', { participants: [{ id: GUID, isMuted: null }], full: true }],
    ['a serverMuted that is no boolean', { participants: [{ ...entry, serverMuted: 1 }], full: true }],
    ['a sequence that is no number', { participants: [{ ...entry, sequence: '1' }], full: true }],
    ['a removed that is no boolean', { participants: [{ ...entry, removed: 'no' }], full: true }],
  ])('is refused as a whole with %s', (_, value) => {
    expect(toRosterUpdate(value)).toBeUndefined();
  });
});

describe('callEnded', () => {
  test('is taken with its reason, in part or in full, and without', () => {
    const reason = { code: 410, subcode: '560000', message: 'The call is over.' };
    expect(toCallEnd(reason)).toStrictEqual(reason);
    expect(toCallEnd({ ...reason, code: null, other: 1 })).toStrictEqual({
      subcode: '560000',
      message: reason.message,
    });
    for (const nothing of [undefined, null, {}]) expect(toCallEnd(nothing)).toStrictEqual({});
  });

  test.each<[string, unknown]>([
    ['a text', 'over'],
    ['a list', []],
    ['a code that is none', { code: {} }],
    ['a subcode that is none', { subcode: true }],
    ['a message that is no text', { message: 7 }],
  ])('is refused that is or has %s', (_, value) => {
    expect(toCallEnd(value)).toBeUndefined();
  });
});

describe('operationUpdated', () => {
  test('is taken with all its fields, the status in lower case', () => {
    const update = { operationId: GUID, clientContext: 'c', status: 'Failed', code: 500, subcode: 1, message: 'm' };
    expect(toOperationUpdate(update)).toStrictEqual({ ...update, status: 'failed' });
    expect(toOperationUpdate({ operationId: GUID, status: 'running', clientContext: null, more: 1 })).toStrictEqual({
      operationId: GUID,
      status: 'running',
    });
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['no operation', { status: 'failed' }],
    ['an endless operation ID', { operationId: 'x'.repeat(257), status: 'failed' }],
    ['no status', { operationId: GUID }],
    ['a status that is none', { operationId: GUID, status: 3 }],
    ['a client context that is none', { operationId: GUID, status: 'failed', clientContext: {} }],
    ['a code that is none', { operationId: GUID, status: 'failed', code: [] }],
  ])('is refused with %s', (_, value) => {
    expect(toOperationUpdate(value)).toBeUndefined();
  });
});

describe('supersede', () => {
  test('is accepted with a valid request, in canonical form', () => {
    const request = { callId: GUID.toUpperCase(), reason: 'why' };
    expect(toSuccessor({ action: 'unmute', request })).toStrictEqual({
      action: 'unmute',
      request: { callId: GUID, reason: 'why' },
    });
  });

  test('keeps an ID of the starter, cut where it is too long for a memo', () => {
    const successor = { action: 'mute', request: { callId: GUID } };
    expect(toSuccessor({ ...successor, id: 'one' })?.id).toBe('one');
    expect(toSuccessor({ ...successor, id: 'i'.repeat(1_000) })?.id).toHaveLength(128);
    expect(toSuccessor({ ...successor, id: null })).toStrictEqual(successor);
  });

  test.each<[string, unknown]>([
    ['nothing', null],
    ['no action', { request: { callId: GUID } }],
    ['another action', { action: 'restore', request: { callId: GUID } }],
    ['no request', { action: 'mute' }],
    ['a bad request', { action: 'mute', request: { callId: GUID, typo: 1 } }],
    ['an ID that is none', { action: 'mute', request: { callId: GUID }, id: 7 }],
  ])('is refused with %s', (_, value) => {
    expect(toSuccessor(value)).toBeUndefined();
  });
});

describe.each([
  ['rosterUpdated', toRosterUpdate],
  ['callEnded', toCallEnd],
  ['operationUpdated', toOperationUpdate],
  ['supersede', toSuccessor],
] as [string, (value: unknown) => unknown][])('any payload of %s', (_, parse) => {
  const fields = ['participants', 'full', 'sequenceNumber', 'operationId', 'status', 'code', 'message', 'action'];

  test('is read or refused, and what is read is read the same way again', () => {
    const near = fc.dictionary(fc.constantFrom(...fields), fc.anything());
    fc.assert(
      fc.property(fc.oneof(fc.anything(), near), (value) => {
        const read = parse(value);
        if (read !== undefined) expect(parse(read)).toStrictEqual(read);
      }),
      { numRuns: 500 },
    );
  });
});

test('the types of failures are told from anything else', () => {
  for (const type of FAILURE_TYPES) expect(isFailureType(type)).toBe(true);
  for (const other of ['Cancelled', 'unconfirmed', '', 'constructor', undefined, null, 7]) {
    expect(isFailureType(other)).toBe(false);
  }
});
