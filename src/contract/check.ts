import { canonicalId, isCallId } from './call-id.ts';
import { canonicalTenantId, isTenantId } from './tenant.ts';

/**
 * The check of all input: of each contract, whoever sends it, in a workflow and in the client alike. A contract is a
 * table of rules, one for each of its fields, and a rule reads one value: it returns the value in canonical form, or
 * adds an issue and returns `undefined`.
 *
 * An input may be anything that Temporal takes: a mebibyte of text, 60,000 fields, a list without end, the deepest
 * nesting. So each check is bounded:
 *
 * - Time is linear in the input, and nothing recurses deeper than the tables do.
 * - A failure that was larger than Temporal takes would never be recorded, and its workflow task would be tried again
 *   for ever. So at most MAX_ISSUES issues are reported, each with at most MAX_ISSUE_LENGTH characters, and an issue
 *   quotes only the start of a value (`shown`).
 * - Text goes on to messages, Markdown, logs, headers and search attributes. So it contains no control characters and
 *   no half of a surrogate pair: protobuf cannot carry the one, and PostgreSQL cannot store NUL.
 */

/** Maximum number of issues that are reported; beyond that, only that there are more. */
const MAX_ISSUES = 16;
const AND_MORE = 'and more';

/** The longest message of ours lists the fields of a policy. */
const MAX_ISSUE_LENGTH = 400;

/** Maximum number of characters of the input that an issue quotes. */
const MAX_SHOWN = 64;

const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;

/** Tab and the ends of lines are part of a text that people write. */
const UNPRINTABLE_IN_LINES = /[\p{Cs}]|[^\P{Cc}\t\n\r]/u;

/** The issues of one input. */
export class Issues {
  readonly #reported: string[] = [];
  #isFull = false;

  /** `at` is the path of the field, or empty for the whole input. */
  add(at: string, fault: string): void {
    if (this.#reported.length >= MAX_ISSUES) this.#isFull = true;
    else this.#reported.push(at === '' ? fault : `${at} ${fault}`);
  }

  /** There are more issues than are reported, so no further check is needed. */
  get isFull(): boolean {
    return this.#isFull;
  }

  get isEmpty(): boolean {
    return this.#reported.length === 0;
  }

  list(): string[] {
    const reported = this.#reported.map((fault) => cut(fault, MAX_ISSUE_LENGTH));
    return this.#isFull ? [...reported, AND_MORE] : reported;
  }
}

/** Issues that fit into a message: each once, and limited in number and length. */
export function bounded(issues: Iterable<string>): string[] {
  const kept = new Set<string>();
  for (const fault of issues) {
    if (kept.size >= MAX_ISSUES) return [...kept, AND_MORE];
    kept.add(cut(fault, MAX_ISSUE_LENGTH));
  }
  return [...kept];
}

/** A value of the input, as an issue may quote it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(cut(value, MAX_SHOWN));
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' || typeof value === 'symbol' ? `a ${typeof value}` : String(value);
}

function cut(given: string, most: number): string {
  const start = given.length <= most ? given : `${given.slice(0, most)}…`;
  return start.replaceAll(/[\p{Cc}\p{Cs}]/gu, '\uFFFD');
}

/** Reads one value: returns it in canonical form, or adds an issue to `issues`. */
export type Rule<T> = (value: unknown, at: string, issues: Issues) => T | undefined;

/** A rule for each field. */
export type Rules<T> = { readonly [Field in keyof T]-?: Rule<Exclude<T[Field], undefined>> };

export type Checked<T> = { ok: true; value: T } | { ok: false; issues: readonly string[] };

/** Applies the rule of a contract to an input from anywhere. */
export function check<T>(rule: Rule<T>, input: unknown): Checked<T> {
  const issues = new Issues();
  const value = rule(input, '', issues);
  return issues.isEmpty && value !== undefined ? { ok: true, value } : { ok: false, issues: issues.list() };
}

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export interface ObjectRules<T> {
  rules: Rules<T>;
  required?: readonly (keyof T & string)[];
  /** The issue of a value that is not an object. */
  otherwise: string;
  /** The owner of these fields in an issue, such as `of a request`. */
  of: string;
}

/** One object with these fields and no others: a misspelt field must not be ignored. `undefined` counts as absent. */
export function object<T extends object>({ rules, required = [], otherwise, of }: ObjectRules<T>): Rule<T> {
  const known = Object.keys(rules) as (keyof T & string)[];
  return (value, at, issues) => {
    if (!isFields(value)) {
      issues.add(at, otherwise);
      return undefined;
    }
    for (const field of required) {
      if (own(value, field) === undefined) issues.add(pathOf(at, field), 'is required');
    }
    const read: Partial<T> = {};
    for (const field of known) {
      const given = own(value, field);
      const result = given === undefined ? undefined : rules[field](given, pathOf(at, field), issues);
      if (result !== undefined) read[field] = result;
    }
    for (const field of Object.keys(value)) {
      if (issues.isFull) break;
      if (Object.hasOwn(rules, field) || value[field] === undefined) continue;
      issues.add(nameOf(at, field), `is not a field ${of}; the fields are ${known.join(', ')}`);
    }
    return read as T;
  };
}

/** Only own fields count: `__proto__` and `constructor` are fields like any other. */
function own(fields: Fields, field: string): unknown {
  return Object.hasOwn(fields, field) ? fields[field] : undefined;
}

function pathOf(at: string, field: string): string {
  return at === '' ? field : `${at}.${field}`;
}

/** The path of an unknown field, whose name may be anything. */
function nameOf(at: string, field: string): string {
  return at !== '' && /^\w{1,64}$/.test(field) ? `${at}.${field}` : pathOf(at, shown(field));
}

/** A value that `is` accepts; `canonical` returns its canonical form. */
export function matching<T>(is: (given: unknown) => given is T, fault: string, canonical?: (given: T) => T): Rule<T> {
  return (given, at, issues) => {
    if (is(given)) return canonical === undefined ? given : canonical(given);
    issues.add(at, fault);
    return undefined;
  };
}

export function oneOf<const T extends string>(words: readonly T[], fault: string): Rule<T> {
  return matching((given): given is T => words.some((word) => word === given), fault);
}

export function flag(fault: string): Rule<boolean> {
  return matching((given) => typeof given === 'boolean', fault);
}

export function isWithin(given: unknown, least: number, most: number): given is number {
  return typeof given === 'number' && given >= least && given <= most;
}

export function number(least: number, most: number, fault: string): Rule<number> {
  return matching((given) => isWithin(given, least, most), fault);
}

export function integer(least: number, most: number, fault: string): Rule<number> {
  return matching((given): given is number => isWithin(given, least, most) && Number.isInteger(given), fault);
}

/** Text of at most `most` characters. With `lines` it may have several lines. */
export function text(most: number, { lines = false }: { lines?: boolean } = {}): Rule<string> {
  const unprintable = lines ? UNPRINTABLE_IN_LINES : UNPRINTABLE;
  return (given, at, issues) => {
    if (typeof given !== 'string' || given.length > most) {
      issues.add(at, `must be a string of at most ${most} characters; shorten it or leave it out`);
    } else if (unprintable.test(given)) {
      issues.add(at, 'must not contain control characters, nor half of a surrogate pair; remove them');
    } else return given;
    return undefined;
  };
}

/** A list of at most `most` values that `is` accepts. */
export function isListOf<T>(given: unknown, most: number, is: (item: unknown) => item is T): given is readonly T[] {
  return Array.isArray(given) && given.length <= most && given.every((item) => is(item));
}

export const CALL_ID: Rule<string> = matching(
  isCallId,
  'must be 1 to 128 of A-Z a-z 0-9 _ -; pass the id that Graph returned for the call',
  canonicalId,
);

export const TENANT_ID: Rule<string> = matching(
  isTenantId,
  'must be the ID or a domain of a tenant; correct it or leave it out for the home tenant',
  canonicalTenantId,
);

/** Values and characters of what is read later, by whoever makes the schedule of a policy. */
const MAX_VALUES = 500;
const MAX_CHARACTERS = 16_384;

/** Whether a value of any shape is small: it may be stored and passed on before it is read. */
export function isSmall(given: unknown): boolean {
  const left = [given];
  let values = 0;
  let characters = 0;
  while (left.length > 0) {
    const next = left.pop();
    values += 1;
    if (typeof next === 'string') characters += next.length;
    else if (typeof next === 'object' && next !== null) {
      const entries = Object.entries(next as Fields);
      if (values + left.length + entries.length > MAX_VALUES) return false;
      for (const [field, item] of entries) {
        characters += field.length;
        left.push(item);
      }
    }
    if (values > MAX_VALUES || characters > MAX_CHARACTERS) return false;
  }
  return true;
}
