import { isFields, type Fields } from '../../contract/check.ts';
import { read, readText } from '../../lib/fields.ts';
import { typeNameOf } from './resource-path.ts';
import { OperatorError } from '../../lib/operator-error.ts';

/**
 * The envelope: from body bytes to a list of notifications. Lenient about spelling, strict about shape: a body is
 * accepted as a whole or not at all.
 */

const FAULTS = {
  'not-utf8': 'The body is not UTF-8. Send commsNotifications as UTF-8 JSON.',
  'not-json': 'The body is not JSON. Send commsNotifications as JSON.',
  'not-notifications': 'The body is not commsNotifications: an object whose `value` is an array of commsNotification.',
  'not-an-object': 'An item of `value` is not an object. Every item is one commsNotification.',
} as const;

export class BodyError extends OperatorError {
  readonly code: keyof typeof FAULTS;

  constructor(code: keyof typeof FAULTS) {
    super(FAULTS[code]);
    this.name = 'BodyError';
    this.code = code;
  }
}

/** JSON of any shape. The parser is not recursive, and makes `__proto__` a plain property. */
export function parseJson(body: Uint8Array): unknown {
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new BodyError('not-utf8');
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new BodyError('not-json');
  }
}

/**
 * The notifications in `commsNotifications`; a bare `commsNotification`, as some of Graph's pages show, is a list of
 * one.
 */
export function notificationsIn(json: unknown): readonly Fields[] {
  if (!isFields(json)) throw new BodyError('not-notifications');
  const value = read(json, 'value') ?? undefined;
  if (value === undefined && isBareNotification(json)) return [json];
  if (!Array.isArray(value)) throw new BodyError('not-notifications');
  if (!value.every(isFields)) throw new BodyError('not-an-object');
  return value;
}

function isBareNotification(json: Fields): boolean {
  return (
    typeNameOf(json) === 'commsnotification' ||
    readText(json, 'resourceUrl') !== undefined ||
    readText(json, 'resource') !== undefined
  );
}
