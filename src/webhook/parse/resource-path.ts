import { canonicalId, isCallId } from '../../contract/call-id.ts';
import { readText } from '../../lib/fields.ts';
import type { Fields } from '../../contract/check.ts';

/**
 * The resource of a notification. Two fields contain it, and Graph spells both in several ways: the type of the data
 * (`#microsoft.graph.call`, without `#`, in any case, as a whole `…/$metadata#microsoft.graph.call`, or missing) and
 * the path (`/app/calls/{id}/…`, `/communications/calls/{id}/…`, absolute, `calls('{id}')`, in any case).
 */

export interface Resource {
  /** In canonical form. */
  callId: string;
  /** The rest of the path after the call: collections in lower case, keys as they are. */
  rest: readonly string[];
}

/** The last part of `@odata.type` in lower case: `call`, `participant`, `muteparticipantoperation`. */
export function typeNameOf(fields: Fields): string | undefined {
  const name = readText(fields, '@odata.type')
    ?.slice(-256)
    .replace(/\)\s*$/, '')
    .split(/[.#(/]/)
    .at(-1);
  return name === undefined || name === '' ? undefined : name.trim().toLowerCase();
}

/** The call and what of it a path means; `undefined` if it is not the path of a call with a usable ID. */
export function parsePath(path: string): Resource | undefined {
  if (path.length > 2048) return undefined;
  const segments = path
    .replace(/[?#].*$/s, '')
    .replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '')
    .split('/')
    .map(decode)
    .flatMap(splitKey)
    .filter((segment) => segment !== '');
  const at = segments.findIndex((segment) => segment.toLowerCase() === 'calls');
  const root = segments[at - 1]?.toLowerCase();
  const callId = segments[at + 1];
  if (at < 0 || (root !== undefined && root !== 'app' && root !== 'communications')) return undefined;
  if (!isCallId(callId)) return undefined;
  const rest = segments.slice(at + 2).map((segment, i) => (i % 2 === 0 ? segment.toLowerCase() : segment));
  return { callId: canonicalId(callId), rest };
}

/** The first of the paths that leads to a call. */
export function resourceOf(paths: readonly (string | undefined)[]): Resource | undefined {
  for (const path of paths) {
    const resource = path === undefined ? undefined : parsePath(path);
    if (resource !== undefined) return resource;
  }
  return undefined;
}

/** The ID of a participant or an operation in canonical form, if it is valid. */
export function canonicalKey(value: unknown): string | undefined {
  const id = typeof value === 'string' ? value.trim() : '';
  return id !== '' && id.length <= 256 ? canonicalId(id) : undefined;
}

/** `calls('id')`, `calls(id)` and `calls(id='id')` are `calls/id`. */
function splitKey(segment: string): string[] {
  const [, collection, key] = /^(\w+)\((?:\w+=)?(['"]?[^'"()]*['"]?)\)$/.exec(segment) ?? [];
  return collection === undefined || key === undefined ? [segment] : [collection, key.replace(/^['"]|['"]$/g, '')];
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
