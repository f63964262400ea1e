const UNIT_SECONDS: Readonly<Record<string, number>> = { d: 86_400, h: 3_600, m: 60, s: 1 };

export const DURATION_RULE = 'must be a number of seconds, or such as 90s, 15m, 1h30m, 1d';

/** Seconds of a duration: a number, or days, hours, minutes and seconds in this order. Nothing where it is none. */
export function toSeconds(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string' || !/^(?=\d)(\d+d)?\s*(\d+h)?\s*(\d+m)?\s*(\d+s)?$/.test(value)) return undefined;
  const parts = [...value.matchAll(/(\d+)([dhms])/g)];
  return parts.reduce((sum, [, number, unit = '']) => sum + Number(number) * (UNIT_SECONDS[unit] ?? 0), 0);
}
