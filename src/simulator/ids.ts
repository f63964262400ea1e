import { randomUUID } from 'node:crypto';

/**
 * Graph shows one and the same ID as a GUID in dashed lower case (URLs), in dashed upper case and as 32 upper-case hex
 * digits (notifications), and takes any of them. The simulator keeps the first and writes the others on demand.
 */
export const ID_SPELLINGS = ['dashed', 'upper', 'hex'] as const;
export type IdSpelling = (typeof ID_SPELLINGS)[number];

const GUID = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/i;

export function newId(): string {
  return randomUUID();
}

/** Any spelling of a GUID in dashed lower case; what is no GUID stays as it is. */
export function plainId(id: string): string {
  return GUID.test(id) ? id.replace(GUID, '$1-$2-$3-$4-$5').toLowerCase() : id;
}

export function spellId(id: string, spelling: IdSpelling): string {
  if (spelling === 'dashed' || !GUID.test(id)) return id;
  return spelling === 'upper' ? id.toUpperCase() : id.replaceAll('-', '').toUpperCase();
}
