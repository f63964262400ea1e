import * as fc from 'fast-check';
import { IANAZone } from 'luxon';
import { describe, expect, test } from 'vitest';
import { liveCallListFilter } from '../../src/client/calls/calls.ts';
import { operationListFilter } from '../../src/client/operations/records.ts';
import { toSeconds } from '../../src/contract/duration.ts';
import { quote } from '../../src/contract/list-filter.ts';
import { checkLiveCall, toCallEstablished } from '../../src/contract/live-call.ts';
import { checkMuteLock, checkMuteLockTerms } from '../../src/contract/mute-lock.ts';
import { checkMuteOnEntry } from '../../src/contract/mute-on-entry.ts';
import { checkPolicy, noteIssues } from '../../src/contract/policy-check.ts';
import { checkRequest } from '../../src/contract/request.ts';
import { MAX_IN_ROSTER, toCallEnd, toOperationUpdate, toRosterUpdate } from '../../src/contract/signals.ts';
import { canonicalTenantId, isTenantId } from '../../src/contract/tenant.ts';
import { toDate } from '../../src/schedule/dates.ts';
import { localAt } from '../../src/schedule/wall-clock.ts';
import { CONTRACTS, ID } from './contracts.ts';

/** Which values the contracts accept, and which form they return. `hostile-forms.test.ts` tests deliberately malformed input. */

describe('what is taken', () => {
  const sampleOf = (name: string): object => CONTRACTS.find((contract) => contract.name === name)?.sample ?? {};
  const requestOf = (answer: { request: object } | object): object | undefined =>
    'request' in answer ? answer.request : undefined;
  const policyOf = (answer: { policy: object } | object): object | undefined =>
    'policy' in answer ? answer.policy : undefined;

  test.each<[string, (input: unknown) => object | undefined]>([
    ['mute', (input) => requestOf(checkRequest(input))],
    ['mute lock', (input) => requestOf(checkMuteLock(input))],
    ['mute on entry', (input) => requestOf(checkMuteOnEntry(input))],
    ['policy', (input) => policyOf(checkPolicy(input))],
  ])('of a %s is in canonical form, which is taken as it is', (name, read) => {
    const taken = read(spelledOtherwise(sampleOf(name)));
    expect(read(taken)).toStrictEqual(taken);
    expect(JSON.stringify(taken)).toContain('"tenantId":"contoso.example"');
    if (name !== 'policy') expect(taken).toMatchObject({ callId: ID });
  });

  test('by a live call and by its signal names its tenant in one form', () => {
    const dashless = ID.replaceAll('-', '').toUpperCase();
    expect(checkLiveCall({ callId: dashless, tenantId: dashless })).toEqual({ callId: ID, tenantId: ID });
    expect(toCallEstablished({ tenantId: 'Contoso.Example' })).toEqual({ tenantId: 'contoso.example' });
    expect(liveCallListFilter({ tenantId: 'Contoso.Example' }, 'q')).toContain("'contoso.example'");
    expect(operationListFilter({ tenantId: dashless, callId: dashless })).toContain(
      `ModerationCallId = '${ID}' AND ModerationTenantId = '${ID}'`,
    );
  });
});

function spelledOtherwise(sample: object): unknown {
  return JSON.parse(
    JSON.stringify(sample).replaceAll('contoso.example', 'CONTOSO.Example').replaceAll(ID, ID.toUpperCase()),
  );
}

describe('a tenant', () => {
  test.each([ID, 'contoso.com', 'a', 'a-b.c', '0', 'a'.repeat(253)])('may be %s', (tenantId) => {
    expect(isTenantId(tenantId)).toBe(true);
    expect(canonicalTenantId(tenantId.toUpperCase())).toBe(tenantId);
  });

  test.each(['', '.', '..', '-', '.a', 'a.', 'a..b', '../a', 'a/b', 'a b', 'a\n', 'é', 'a'.repeat(254), 7, null])(
    'is not %j',
    (tenantId) => {
      expect(isTenantId(tenantId)).toBe(false);
    },
  );
});

describe('a requestId', () => {
  test.each([
    'i',
    'at once',
    'a'.repeat(128),
    ID,
    '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    'urn:uuid:1',
    'a/b+c=',
    'me@x.example~1',
  ])('may be %j', (requestId) => {
    expect(checkRequest({ callId: 'a', requestId })).toEqual({ ok: true, request: { callId: 'a', requestId } });
    expect(operationListFilter({ requestId })).toContain(`'${requestId}'`);
  });

  test.each([
    "it's",
    'a"b',
    'a\\b',
    'a\nb',
    'a\tb',
    'a\u0000b',
    'a`b',
    'a\u007f',
    '\ud800',
    'é',
    ' a',
    'a ',
    ' ',
    '%',
    ';',
  ])('may not be %j, which a list filter might misread', (requestId) => {
    expect(checkRequest({ callId: 'a', requestId })).toMatchObject({
      issues: [expect.stringMatching(/^requestId must be/)],
    });
    expect(() => operationListFilter({ requestId })).toThrow(/requestId must be/);
  });
});

describe('a list filter', () => {
  test('contains no value that could end it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          expect(quote(text)).toMatch(/^'[^'"`\\]+'$/);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
    for (const text of [`'`, '\\', '"', '\u0000', '\n', '']) expect(() => quote(text)).toThrow(RangeError);
  });

  test.each<[string, object, RegExp]>([
    ['a call that is none', { callId: "x' OR '1'='1" }, /callId must be 1 to 128/],
    ['a tenant that is none', { tenantId: "'" }, /tenantId must be the ID or a domain/],
    ['an outcome that is none', { outcome: 'Muted' }, /outcome must be one of Pending, Confirmed/],
    ['an action that is none', { action: "mute'" }, /action must be 'mute' or 'unmute'/],
    ['a misspelt field, which would list everything', { callID: ID }, /"callID" is not a field of a filter/],
  ])('is refused with %s', (_what, filter, message) => {
    expect(() => operationListFilter(filter)).toThrow(message);
  });
});

describe('text that people read', () => {
  const texts = ['requestedBy', 'clientContext', 'reason'] as const;

  test.each(['\u0000', 'a\u0007', '\u001b[31m', '\u0085', '\ud800', 'x\udfff'])('does not contain %j', (text) => {
    for (const field of texts) {
      expect(checkRequest({ callId: 'a', [field]: text })).toMatchObject({
        issues: [expect.stringContaining(`${field} must not contain control characters`)],
      });
    }
    expect(noteIssues(text)).toHaveLength(1);
  });

  test('may be of any language, and a reason of several lines', () => {
    for (const field of texts)
      expect(checkRequest({ callId: 'a', [field]: 'größer 静音 👩‍👩‍👧' })).toMatchObject({ ok: true });
    expect(checkRequest({ callId: 'a', reason: 'one\r\n\ttwo' })).toMatchObject({ ok: true });
    expect(checkRequest({ callId: 'a', requestedBy: 'one\ntwo' })).toMatchObject({ ok: false });
  });
});

describe('a roster that is signalled', () => {
  const listed = (count: number, more: object = {}) => ({
    full: true,
    participants: Array.from({ length: count }, (_, i) => ({ id: `p${i}`, isMuted: true, ...more })),
  });

  test('has as many participants as one signal may, and no more', () => {
    expect(toRosterUpdate(listed(MAX_IN_ROSTER))?.participants).toHaveLength(MAX_IN_ROSTER);
    expect(toRosterUpdate(listed(MAX_IN_ROSTER + 1))).toBeUndefined();
  });

  test.each([1e308, 0.5, 2 ** 53])('has no place in the order that is not exact: %d', (sequence) => {
    expect(toRosterUpdate(listed(1, { sequence }))).toBeUndefined();
    expect(toRosterUpdate({ ...listed(1), sequenceNumber: sequence })).toBeUndefined();
  });
});

test.each([
  ['a code', { code: 'x'.repeat(65) }],
  ['a code of two words', { code: 'see **this**' }],
  ['a subcode', { subcode: '\ud800' }],
])('%s that is no word of Graph stays out of a message', (_what, end) => {
  expect(toCallEnd(end)).toBeUndefined();
  expect(toOperationUpdate({ operationId: ID, status: 'failed', ...end })).toBeUndefined();
});

describe('a duration', () => {
  test.each<[unknown, number]>([
    ['90s', 90],
    ['1h30m', 5_400],
    ['1d 2h  3m 4s', 93_784],
    ['1d ', 86_400],
    ['007m', 420],
    ['3650d', 315_360_000],
    [1.5, 1.5],
    [0, 0],
  ])('%j is %d seconds', (given, seconds) => {
    expect(toSeconds(given)).toBe(seconds);
  });

  test.each<unknown>([
    '',
    ' ',
    's',
    '1',
    '1 s',
    '1s1m',
    '1m1m',
    ' 1s',
    '-1s',
    '1.5h',
    '1e3s',
    '3651d',
    `${'9'.repeat(12)}d`,
    1e308,
    -1,
    Infinity,
    Number.NaN,
    null,
    [],
    {},
  ])('%j is none', (given) => {
    expect(toSeconds(given)).toBeUndefined();
  });
});

test('the clocks of all continents show the time that luxon knows', () => {
  // Not all zones, because each gets a table of decades.
  const some = Intl.supportedValuesOf('timeZone').filter((_, i) => i % 8 === 0);
  const zones = [...some, 'UTC', 'EST', 'Etc/GMT+12', 'Etc/GMT-14'];
  expect(zones.length).toBeGreaterThan(50);
  const wrong = zones.flatMap((zone) =>
    // The summer and the winter of both halves of the Earth, in the years of the tables and around them.
    Array.from({ length: 30 }, (_, i) => Date.UTC(2000 + i * 3, (i * 5) % 12, 15, 12)).filter(
      (instant) => localAt(instant, zone) - instant !== Math.round(IANAZone.create(zone).offset(instant) * 60_000),
    ),
  );
  expect(wrong).toEqual([]);
});

describe('a date', () => {
  test.each([
    'in 999999999999d',
    'in 3650d 1s',
    '+275760-09-13T00:00',
    '-271821-04-20',
    '9999-12-31',
    '2100-01-01',
    '1999-12-31T23:59:59Z',
    'in',
    '2026-02-30',
    'today 25:00',
    '2026-12-24T18:60',
    '2026-12-24T24:01',
    '2026-12-24T18:00+25:00',
    '2026-12-24T18:00+12:99',
    '2026-12-24 18:00',
    '24.12.2026',
  ])('%j is none that Temporal knows', (text) => {
    expect(toDate(text)).toBeUndefined();
  });

  test.each([
    ['2024-02-29', 'UTC', '2024-02-29T00:00:00.000Z'],
    ['2026-12-24T24:00', 'UTC', '2026-12-25T00:00:00.000Z'],
    ['2026-12-24t18:00:59.123456z', 'Europe/Berlin', '2026-12-24T18:00:59.123Z'],
    ['2026-12-24T18:00+0530', 'UTC', '2026-12-24T12:30:00.000Z'],
    ['2026-12-24T18:00-05', 'UTC', '2026-12-24T23:00:00.000Z'],
    ['2026-12-24T18:00', 'Asia/Kathmandu', '2026-12-24T12:15:00.000Z'],
    // As times of day in docs/policies.md: at the end of the gap, and the second time.
    ['2026-03-29T02:30', 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
    ['2026-10-25T02:30', 'Europe/Berlin', '2026-10-25T01:30:00.000Z'],
  ])('%s in %s is %s', (text, zone, expected) => {
    expect(toDate(text, zone)?.toISOString()).toBe(expected);
  });

  test('needs a zone that exists', () => {
    expect(toDate('2026-12-24T18:00', 'Europe/Atlantis')).toBeUndefined();
  });

  test('in ten years is one', () => {
    const now = new Date('2026-01-01T00:00:00Z');
    expect(toDate('in 3650d', 'UTC', now)?.toISOString()).toBe('2035-12-30T00:00:00.000Z');
  });

  test.each([
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T25:00:00Z',
    '+275760-09-13T00:00:00Z',
    `2026-01-01T00:00:00.${'1'.repeat(99)}Z`,
  ])('on which something ends is not %j', (until) => {
    expect(checkMuteLockTerms({ until })).toMatchObject({ ok: false });
  });
});
