import type { Given } from '../lib/environment.ts';

/** The fault if one variable of a pair is set without the other. `otherwise` says what to do if neither is wanted. */
export function bothOrNeither(given: Given, names: readonly [string, string], otherwise: string): string[] {
  const [present, ...more] = names.filter((name) => name in given);
  if (present === undefined || more.length > 0) return [];
  const absent = names.find((name) => name !== present);
  return [`${absent}: required beside ${present}; set both, or neither ${otherwise}`];
}
