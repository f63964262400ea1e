import { CANCELLED, FAILURE_TYPES } from '../contract/failure.ts';
import { toSeconds } from '../contract/duration.ts';
import { PARTIAL, PENDING } from '../contract/names.ts';
import { ENDPOINT_NAME_FAULT, isEndpointName } from '../contract/nexus-endpoint.ts';

/** Values of flags. An error here is printed with the flag's name, and the exit code is 2. */

export const OUTCOMES: readonly string[] = [
  PENDING,
  'Confirmed',
  PARTIAL,
  CANCELLED,
  ...FAILURE_TYPES,
  'Terminated',
  'TimedOut',
];

export function outcome(value: string): string {
  if (OUTCOMES.includes(value)) return value;
  throw new TypeError(`it must be one of ${OUTCOMES.join(', ')}`);
}

/** Its range is checked with the rest of the request. */
export function number(value: string): number {
  const parsed = value.trim() === '' ? Number.NaN : Number(value);
  if (Number.isFinite(parsed)) return parsed;
  throw new TypeError('it must be a number');
}

export function count(value: string): number {
  return whole(value, 1, Number.MAX_SAFE_INTEGER, 'it must be a whole number, 1 or more');
}

/** A duration, such as 90s, 10m or 1h30m, in seconds. */
export function seconds(value: string): number {
  const total = toSeconds(value) ?? 0;
  if (total > 0) return total;
  throw new RangeError('it must be a duration, as in 90s, 10m or 1h30m');
}

export function port(value: string): number {
  return whole(value, 0, 65_535, 'it must be a port, 0 to 65535');
}

export function url(value: string): string {
  if (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) return value;
  throw new TypeError('it must be an absolute URL, such as https://bot.example.com/api/calls');
}

/** The name of a Nexus endpoint. */
export function endpoint(value: string): string {
  if (isEndpointName(value)) return value;
  throw new TypeError(`it ${ENDPOINT_NAME_FAULT}`);
}

/** As a browser sends it. */
export function origin(value: string): string {
  return new URL(url(value)).origin;
}

function whole(value: string, min: number, max: number, rule: string): number {
  const parsed = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (parsed >= min && parsed <= max) return parsed;
  throw new RangeError(rule);
}
