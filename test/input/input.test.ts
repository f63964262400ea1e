import * as fc from 'fast-check';
import { IANAZone } from 'luxon';
import { describe, expect, test } from 'vitest';
import { liveCallListFilter } from '../../src/client/calls/calls.ts';
import { toDate, toZone } from '../../src/schedule/dates.ts';
import { localAt } from '../../src/schedule/wall-clock.ts';
import { ModerationError } from '../../src/client/errors.ts';
import { readQuietHours } from '../../src/schedule/quiet-hours.ts';
import { operationListFilter } from '../../src/client/operations/records.ts';
import { quote } from '../../src/contract/list-filter.ts';
import { readDays, readTime } from '../../src/schedule/time-of-day.ts';
import { readWhen } from '../../src/schedule/spec.ts';
import { callIdOf, canonicalId, isCallId } from '../../src/contract/call-id.ts';
import { bounded } from '../../src/contract/check.ts';
import { toSeconds } from '../../src/contract/duration.ts';
import { checkMuteLock, checkMuteLockTerms } from '../../src/contract/mute-lock.ts';
import { checkLiveCall, isLabel, toCallEstablished, toLabelling } from '../../src/contract/live-call.ts';
import { checkMuteOnEntryRule, checkMuteOnEntryTerms, checkMuteOnEntry } from '../../src/contract/mute-on-entry.ts';
import { checkPolicy, noteIssues } from '../../src/contract/policy-check.ts';
import { isPolicyId, policyIdOf } from '../../src/contract/policy.ts';
import { checkRequest } from '../../src/contract/request.ts';
import {
  MAX_IN_ROSTER,
  toCallEnd,
  toOperationUpdate,
  toRosterUpdate,
  toSuccessor,
} from '../../src/contract/signals.ts';
import { code } from '../../src/contract/summary.ts';
import { canonicalTenantId, isTenantId } from '../../src/contract/tenant.ts';
import { toCarrier } from '../../src/contract/trace.ts';
import { readBoolean, readInteger, readWord } from '../../src/lib/fields.ts';
import { canonicalKey, parsePath, typeNameOf } from '../../src/webhook/parse/resource-path.ts';

/**
 * All input is read by checks that are bounded, in time and in what they answer, whatever comes. Each contract gets a
 * good sample in which one thing is hostile: everything of it, and every field that it may have.
 */

const ID = '57dab8b1-894c-409a-b240-bd8beae78896';
const MEBIBYTE = 2 ** 20;

/** One check may take so long, on a machine that is busy with other things; what is not linear takes minutes. */
const WITHIN_MS = 1_500;

/** A failure with its message and its issues is 4 MB at the most to Temporal; ours are a thousandth of that. */
const MAX_SAID = 8_000;

const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;

interface Contract {
  name: string;
  sample: object;
  /** The issues, or nothing of an input that was taken. Signals have no words. */
  faultsOf: (input: unknown) => readonly string[] | undefined;
  isSignal?: boolean;
}

type Answer = { ok: true } | { ok: false; issues: readonly string[] };

const told =
  (check: (input: unknown) => Answer) =>
  (input: unknown): readonly string[] | undefined => {
    const answer = check(input);
    return answer.ok ? undefined : answer.issues;
  };

const thrown =
  (work: (input: unknown) => unknown) =>
  (input: unknown): readonly string[] | undefined => {
    try {
      work(input);
      return undefined;
    } catch (error) {
      if (!(error instanceof ModerationError) || error.type !== 'InvalidRequest') throw error;
      return [...error.details.issues, error.message];
    }
  };

const signalled =
  (read: (input: unknown) => unknown) =>
  (input: unknown): readonly string[] | undefined =>
    read(input) === undefined ? [] : undefined;

const ofCall = { callId: ID, tenantId: 'contoso.example', requestedBy: 'r', reason: 'why' };
const lasting = { until: '2036-01-01T00:00:00Z' };
const when = {
  at: ['18:00'],
  days: ['mon'],
  every: '1h',
  cron: ['0 18 * * *'],
  once: 'in 2h',
  timeZone: 'Europe/Berlin',
  start: 'now',
  end: '2099-01-01',
  jitter: '1m',
  quietHours: { from: '22:00', to: '06:00', days: ['fri'] },
};
const request = {
  ...ofCall,
  clientContext: 'c',
  confirmWithinSeconds: 5,
  onUnconfirmed: 'leave',
  requestId: 'i',
  target: { others: { except: ['a'] } },
};
const roster = {
  participants: [{ id: ID, isMuted: true, serverMuted: true, sequence: 1, removed: true }],
  full: true,
  sequenceNumber: 1,
};
const reason = { code: 1, subcode: 'x', message: 'm' };

const CONTRACTS: Contract[] = [
  { name: 'mute', sample: request, faultsOf: told((input) => checkRequest(input)) },
  {
    name: 'mute of participants',
    sample: { callId: ID, target: { participantIds: ['a'] } },
    faultsOf: told((input) => checkRequest(input)),
  },
  { name: 'unmute', sample: ofCall, faultsOf: told((input) => checkRequest(input, 'unmute')) },
  {
    name: 'mute lock',
    sample: { ...ofCall, ...lasting, enforce: true, atMost: { mutes: 3, withinSeconds: 60 } },
    faultsOf: told(checkMuteLock),
  },
  { name: 'timed mute', sample: { ...ofCall, forSeconds: 5, enforce: false }, faultsOf: told(checkMuteLock) },
  {
    name: 'terms of a mute lock',
    sample: { forSeconds: 5, atMost: { mutes: 3, withinSeconds: 60 } },
    faultsOf: told(checkMuteLockTerms),
  },
  { name: 'mute on entry', sample: { ...ofCall, forSeconds: 5, except: ['a'] }, faultsOf: told(checkMuteOnEntry) },
  { name: 'terms of a mute on entry', sample: { ...lasting, except: ['a'] }, faultsOf: told(checkMuteOnEntryTerms) },
  { name: 'rule of mute on entry', sample: { forSeconds: 5, except: ['a'] }, faultsOf: told(checkMuteOnEntryRule) },
  {
    name: 'policy',
    sample: {
      id: 'nightly',
      action: 'mute',
      target: { live: { tenantId: 'contoso.example', label: 'l' } },
      when: { at: '18:00' },
      overlap: 'skip',
      catchupWindow: '15m',
      rules: { minParticipants: 4 },
      request: { reason: 'r', target: { others: { except: ['a'] } } },
      onConflict: 'queue',
      concurrency: 1,
      perSecond: 1,
    },
    faultsOf: told(checkPolicy),
  },
  {
    name: 'policy on entry',
    sample: {
      id: 'entry',
      action: 'mute',
      target: { calls: [ID] },
      when: {},
      rules: { onEntry: { forSeconds: 5, except: ['a'] } },
    },
    faultsOf: told(checkPolicy),
  },
  {
    name: 'times of a policy',
    sample: when,
    faultsOf: (input) => {
      const read = readWhen(input);
      return read.ok ? undefined : bounded(read.issues);
    },
  },
  { name: 'note of a policy', sample: { note: 'n' }, faultsOf: (input) => [...noteIssues(input)] },
  {
    name: 'live call',
    sample: { callId: ID, tenantId: 'contoso.example' },
    faultsOf: (input) => {
      const checked = checkLiveCall(input);
      return typeof checked === 'string' ? [checked] : undefined;
    },
  },
  {
    name: 'filter of calls',
    sample: { tenantId: 'contoso.example', label: 'l', state: 'established' },
    faultsOf: thrown((input) => liveCallListFilter(input as object, 'queue')),
  },
  {
    name: 'filter of operations',
    sample: { callId: ID, action: 'mute', outcome: 'Confirmed', tenantId: 'contoso.example', requestId: 'i' },
    faultsOf: thrown((input) => operationListFilter(input as object)),
  },
  { name: 'rosterUpdated', sample: roster, faultsOf: signalled(toRosterUpdate), isSignal: true },
  { name: 'callEnded', sample: reason, faultsOf: signalled(toCallEnd), isSignal: true },
  {
    name: 'operationUpdated',
    sample: { operationId: ID, clientContext: 'c', status: 'failed', ...reason },
    faultsOf: signalled(toOperationUpdate),
    isSignal: true,
  },
  {
    name: 'supersede',
    sample: { action: 'mute', request, id: 'i' },
    faultsOf: signalled(toSuccessor),
    isSignal: true,
  },
  { name: 'callEstablished', sample: { tenantId: 'x' }, faultsOf: signalled(toCallEstablished), isSignal: true },
  { name: 'label', sample: { add: ['a'], remove: ['b'] }, faultsOf: signalled(toLabelling), isSignal: true },
  { name: 'trace', sample: { traceparent: 'x', tracestate: 'y' }, faultsOf: signalled(toCarrier), isSignal: true },
];

function deep(opening: () => object, close: (outer: object, inner: unknown) => void): unknown {
  const root = opening();
  let at = root;
  for (let depth = 0; depth < 50_000; depth += 1) {
    const next = opening();
    close(at, next);
    at = next;
  }
  return root;
}

const MANY = 60_000;

const HOSTILE: readonly [string, unknown][] = [
  ['fields without end', Object.fromEntries(Array.from({ length: MANY }, (_, i) => [`f${i}`, 1]))],
  ['a field of a mebibyte', { ['k'.repeat(MEBIBYTE)]: 1 }],
  ['a list without end', Array.from({ length: MANY }, () => 'x')],
  ['a list of bad objects without end', Array.from({ length: MANY }, () => ({ toString: 1, id: 1 }))],
  ['a text of a mebibyte', 'x'.repeat(MEBIBYTE)],
  ['blanks of a mebibyte', `1d${' '.repeat(MEBIBYTE)}x`],
  ['digits of a mebibyte', '9'.repeat(MEBIBYTE)],
  [
    'the deepest list',
    deep(
      () => [],
      (outer, inner) => (outer as unknown[]).push(inner),
    ),
  ],
  [
    'the deepest object',
    deep(
      () => ({}),
      (outer, inner) => Object.assign(outer, { a: inner }),
    ),
  ],
  ['NUL', 'a\u0000b'],
  ['half of a surrogate pair', '\ud800'],
  ['half of a surrogate pair as a field', { '\ud800': 1, 'a\u0000b\n': 1 }],
  ['an escape', '\u001b[31m\r\nx'],
  ['quotes', `'"\`\\`],
  ['a prototype', JSON.parse('{"__proto__":{"callId":"x"},"constructor":1,"toString":1,"length":1e9}')],
  ['a number out of all bounds', 1e308],
  ['no number', Number.NaN],
  ['infinity', -Infinity],
  ['less than nothing', -1],
  ['a fraction', 1e-7],
  ['nothing', null],
  ['true', true],
];

/** The sample with `value` in place of each thing in it, and beside it in each object. */
function* hostileForms(sample: unknown, value: unknown): Generator {
  yield value;
  if (typeof sample !== 'object' || sample === null) return;
  for (const [field, given] of Object.entries(sample)) {
    for (const form of hostileForms(given, value)) {
      yield Array.isArray(sample)
        ? sample.map((item: unknown, at) => (String(at) === field ? form : item))
        : { ...sample, [field]: form };
    }
  }
  if (Array.isArray(sample)) yield [...(sample as unknown[]), value];
  else if (typeof value === 'object' && value !== null && !Array.isArray(value)) yield { ...value, ...sample };
  else yield { ...sample, unknown: value };
}

function judge({ faultsOf, name }: Contract, input: unknown, what: string): void {
  // Processor time, so that a busy machine fails no input.
  const began = process.cpuUsage();
  const issues = faultsOf(input);
  const took = process.cpuUsage(began).user / 1_000;
  expect(took, `${name}, ${what}`).toBeLessThan(WITHIN_MS);
  if (issues === undefined) return;
  const said = issues.join('; ');
  expect(issues.length, `${name}, ${what}`).toBeLessThanOrEqual(18);
  expect(said.length, `${name}, ${what}`).toBeLessThan(MAX_SAID);
  expect(UNPRINTABLE.test(said), `${name}, ${what}: ${JSON.stringify(said)}`).toBe(false);
}

describe.each(CONTRACTS)('$name', (contract) => {
  test('takes its sample, or says why not', () => {
    judge(contract, contract.sample, 'the sample');
  });

  test.each(HOSTILE)('answers within bounds where something is %s', (what, value) => {
    for (const form of hostileForms(contract.sample, value)) judge(contract, form, what);
  });

  test('answers any JSON within bounds, deep and wide', () => {
    const fields = fieldsOf(contract.sample);
    const keys = fc.oneof(fc.constantFrom(...fields), fc.string({ unit: 'binary' }));
    const { value: near } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.constantFrom(null, true, '18:00', 'mute', 'self', ID)),
        fc.dictionary(keys, tie('value'), { maxKeys: 40 }),
        fc.array(tie('value'), { maxLength: 40 }),
      ),
    }));
    fc.assert(
      fc.property(near, fc.boolean(), (value, isMixed) => {
        const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
        judge(contract, isMixed && isObject ? { ...contract.sample, ...value } : value, 'any JSON');
      }),
      { numRuns: 300 },
    );
  });
});

function fieldsOf(sample: unknown): string[] {
  if (typeof sample !== 'object' || sample === null) return [];
  return Object.entries(sample).flatMap(([field, value]) => [field, ...fieldsOf(value)]);
}

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

describe('every parser takes any text in no time', () => {
  const PARSERS: Record<string, (text: string) => unknown> = {
    duration: toSeconds,
    date: (text) => toDate(text),
    'relative date': (text) => toDate(`in ${text}`),
    zone: toZone,
    'time of day': (text) => readTime('at', text, []),
    days: (text) => readDays('days', text, []),
    'quiet hours': (text) => readQuietHours({ from: text, to: text, days: [text] }, []),
    cron: (text) => readWhen({ cron: text }),
    'canonical ID': canonicalId,
    'call ID': isCallId,
    'workflow ID': callIdOf,
    tenant: isTenantId,
    label: isLabel,
    'policy ID': isPolicyId,
    'schedule ID': policyIdOf,
    'request ID': (text) => checkRequest({ callId: 'a', requestId: text }),
    until: (text) => checkMuteLockTerms({ until: text }),
    markdown: code,
    'trace context': (text) => toCarrier({ traceparent: text, tracestate: text }),
    'path of a resource': parsePath,
    'key of a resource': canonicalKey,
    'type of a resource': (text) => typeNameOf({ '@odata.type': text }),
    'number of a notification': (text) => readInteger({ n: text }, 'n'),
    'word of a notification': (text) => readWord({ n: text }, 'n'),
    'boolean of a notification': (text) => readBoolean({ n: text }, 'n'),
  };
  const SEEDS = [
    '1d',
    '9',
    ' ',
    '\t',
    '1d ',
    '1s1s',
    'a',
    'A-',
    '.',
    '..',
    'a.',
    '(',
    ')',
    'w(',
    "'",
    '/',
    'calls/',
    '%',
    '%2',
    '+',
    '00:',
    'in ',
    'Z',
    '2026-',
    '-',
    '=',
    ',',
    '\n',
    'é',
    '\ud800',
  ];
  const ENDS = ['', 'x', ' x', ')', '!', '1d', '\n'];

  test.each(Object.keys(PARSERS))('%s', (name) => {
    const parse = PARSERS[name]!;
    for (const seed of SEEDS) {
      const body = seed.repeat(Math.ceil(100_000 / seed.length));
      for (const text of ENDS.flatMap((end) => [`${body}${end}`, `1d${body}${end}`, `bearer ${body}${end}`])) {
        const began = performance.now();
        parse(text);
        expect(performance.now() - began, JSON.stringify(text.slice(0, 40))).toBeLessThan(500);
      }
    }
  });

  test('a duration with blanks of every number', () => {
    for (const blanks of [0, 1, 10, 50, 500, 2_000]) {
      const began = performance.now();
      expect(toSeconds(`1d${' '.repeat(blanks)}x`)).toBeUndefined();
      expect(performance.now() - began).toBeLessThan(50);
    }
  });
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
