import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readQuietHours } from '../../src/schedule/quiet-hours.ts';
import { toDate, toZone } from '../../src/schedule/dates.ts';
import { readWhen } from '../../src/schedule/spec.ts';
import { readDays, readTime } from '../../src/schedule/time-of-day.ts';
import { callIdOf, canonicalId, isCallId } from '../../src/contract/call-id.ts';
import { toSeconds } from '../../src/contract/duration.ts';
import { checkMuteLockTerms } from '../../src/contract/mute-lock.ts';
import { isLabel } from '../../src/contract/live-call.ts';
import { isPolicyId, policyIdOf } from '../../src/contract/policy.ts';
import { checkRequest } from '../../src/contract/request.ts';
import { code } from '../../src/contract/summary.ts';
import { isTenantId } from '../../src/contract/tenant.ts';
import { toCarrier } from '../../src/contract/trace.ts';
import { readBoolean, readInteger, readWord } from '../../src/lib/fields.ts';
import { canonicalKey, parsePath, typeNameOf } from '../../src/webhook/parse/resource-path.ts';
import { CONTRACTS, ID, type Contract } from './contracts.ts';

/**
 * All input is read by checks that are bounded, in time and in the length of their answer, whatever comes. Each contract
 * gets a valid sample in which one thing is hostile: everything of it, and every field that it may have.
 */

const MEBIBYTE = 2 ** 20;

/** One check may take so long, on a machine that is busy with other things; what is not linear takes minutes. */
const WITHIN_MS = 1_500;

/** A failure with its message and its issues is 4 MB at the most to Temporal; ours are a thousandth of that. */
const MAX_SAID = 8_000;

const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;

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
