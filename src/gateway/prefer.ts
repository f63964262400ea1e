/**
 * How long the caller will wait, by the header `Prefer` (RFC 7240): `respond-async` and `wait=N`, in seconds. The first of
 * each counts. What cannot be read is no preference, as the RFC has it.
 */
export interface Preference {
  isAsync: boolean;
  waitSeconds?: number;
}

export function preferenceIn(header: string | readonly string[] | undefined): Preference {
  const preferences = [header ?? []]
    .flat()
    .join(',')
    .split(',')
    .map((item) => item.split(';')[0]?.trim() ?? '');
  const isAsync = preferences.some((item) => /^respond-async$/i.test(item));
  const [, seconds] = preferences.map((item) => /^wait\s*=\s*"?(\d{1,9})"?$/i.exec(item)).find(Boolean) ?? [];
  return { isAsync, ...(seconds !== undefined && { waitSeconds: Number(seconds) }) };
}

/** The longest wait, in ms: less than what load balancers allow. */
export const MAX_WAIT_MS = 50_000;

/**
 * How long to wait for the outcome. `respond-async` alone is no wait; together with `wait`, the caller wants the outcome
 * if it is there by then, as the RFC's own example has it.
 */
export function waitMsOf({ isAsync, waitSeconds }: Preference): number {
  if (waitSeconds !== undefined) return Math.min(waitSeconds * 1000, MAX_WAIT_MS);
  return isAsync ? 0 : MAX_WAIT_MS;
}

/** The header `Preference-Applied`, if there is one to send: a longer wait than the longest is not applied. */
export function appliedOf(preference: Preference, isRunning: boolean): string | undefined {
  const { isAsync, waitSeconds } = preference;
  if (waitSeconds !== undefined) return `wait=${waitMsOf(preference) / 1000}`;
  return isAsync && isRunning ? 'respond-async' : undefined;
}
