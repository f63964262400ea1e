import type { Fields } from '../contract/check.ts';

/**
 * Reading a foreign object. Graph's documents and its services do not agree on the case of property
 * names (`subcode`, `subCode`), so an exact name is looked for first and any other case of it after that. Only own
 * properties count, so that `__proto__` in a body is a name like any other. Nothing here recurses: the depth of a body
 * costs nothing.
 */

export function read(fields: Fields, name: string): unknown {
  if (Object.hasOwn(fields, name)) return fields[name];
  const wanted = name.toLowerCase();
  const found = Object.keys(fields).find((key) => key.toLowerCase() === wanted);
  return found === undefined ? undefined : fields[found];
}

export function readText(fields: Fields, name: string): string | undefined {
  const value = read(fields, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A value of an enumeration, in lower case: Graph spells them `deleted` and `Deleted`. */
export function readWord(fields: Fields, name: string): string | undefined {
  return readText(fields, name)?.trim().toLowerCase();
}

export function readBoolean(fields: Fields, name: string): boolean | undefined {
  const value = read(fields, name);
  if (typeof value === 'boolean') return value;
  const word = typeof value === 'string' ? value.trim().toLowerCase() : undefined;
  return word === 'true' ? true : word === 'false' ? false : undefined;
}

/** An `Edm.Int64`, which OData may write as a number or as a string. One too large to be exact is left out. */
export function readInteger(fields: Fields, name: string): number | undefined {
  const value = read(fields, name);
  const number = typeof value === 'string' && /^\s*-?\d+\s*$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) ? (number as number) : undefined;
}

export function readArray(fields: Fields, name: string): readonly unknown[] | undefined {
  const value = read(fields, name);
  return Array.isArray(value) ? (value as unknown[]) : undefined;
}
