const UNIT_SECONDS: Readonly<Record<string, number>> = { d: 86_400, h: 3_600, m: 60, s: 1 };

/** Ten years: whatever is asked for later than that is a mistake, and Temporal's calendars end in 2100. */
const MAX_SECONDS = 3_650 * 86_400;

/** Four parts with blanks between them are shorter. */
const MAX_CHARACTERS = 64;

/** One part at a time: an expression for all of them would try each way to share out the blanks. */
const PART = /(\d{1,12})([dhms])\s*/y;

export const DURATION_RULE = 'must be a number of seconds, or such as 90s, 15m, 1h30m, 1d';

/**
 * Seconds of a duration: a number, or days, hours, minutes and seconds in this order. `undefined` if it is invalid, or
 * longer than ten years.
 */
export function toSeconds(value: unknown): number | undefined {
  const seconds = typeof value === 'string' ? secondsOf(value) : value;
  return typeof seconds === 'number' && seconds >= 0 && seconds <= MAX_SECONDS ? seconds : undefined;
}

function secondsOf(text: string): number | undefined {
  if (text === '' || text.length > MAX_CHARACTERS) return undefined;
  let seconds = 0;
  let unitBefore = Infinity;
  for (let at = 0; at < text.length; at = PART.lastIndex) {
    PART.lastIndex = at;
    const [, number, unit = ''] = PART.exec(text) ?? [];
    const unitSeconds = UNIT_SECONDS[unit] ?? Infinity;
    if (number === undefined || unitSeconds >= unitBefore) return undefined;
    seconds += Number(number) * unitSeconds;
    unitBefore = unitSeconds;
  }
  return seconds;
}
