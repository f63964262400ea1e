import { CANCELLED, FAILURE_TYPES } from '../contract/failure.ts';
import { PENDING } from '../contract/names.ts';

/** Values of flags. What is thrown here is told with the flag's name, and the exit code is 2. */

export const OUTCOMES: readonly string[] = [
  PENDING,
  'Confirmed',
  CANCELLED,
  ...FAILURE_TYPES,
  'Terminated',
  'TimedOut',
];

export function outcome(value: string): string {
  if (OUTCOMES.includes(value)) return value;
  throw new TypeError(`it must be one of ${OUTCOMES.join(', ')}`);
}

export function count(value: string): number {
  return whole(value, 1, Number.MAX_SAFE_INTEGER, 'it must be a whole number, 1 or more');
}

export function port(value: string): number {
  return whole(value, 0, 65_535, 'it must be a port, 0 to 65535');
}

/** As a browser sends it. */
export function origin(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url.origin;
  throw new TypeError('it must be a URL, such as http://localhost:8233');
}

function whole(value: string, least: number, most: number, rule: string): number {
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new RangeError(rule);
}
