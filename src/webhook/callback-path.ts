/**
 * The path of Graph's notifications: the configured path, with or without a slash at its end, and paths below it,
 * because bots of several instances give each call the callback of one of them, such as `/api/calls/0`.
 */

const MAX_SEGMENTS = 8;
const MAX_OF_A_SEGMENT = 128;

/** What a path has below the configured one, as it was requested: empty, a slash, or segments such as `/0`. */
export type Below = string;

/** `undefined` if `pathname` is not at or below `path`, or too far below. */
export function belowOf(path: string, pathname: string): Below | undefined {
  const root = path === '/' ? '' : path;
  if (pathname !== path && !pathname.startsWith(`${root}/`)) return undefined;
  const below = pathname.slice(root.length);
  const segments = below.replace(/^\//, '').replace(/\/$/, '').split('/');
  const isFine = (segment: string): boolean =>
    segment !== '' && segment.length <= MAX_OF_A_SEGMENT && !/^(\.|%2e){1,2}$/i.test(segment);
  if (below === '' || below === '/') return below;
  return segments.length <= MAX_SEGMENTS && segments.every(isFine) ? below : undefined;
}

export function canonicalPath(path: string): string {
  return path.replace(/\/$/, '') || '/';
}

export function pathnameOf(url: string): string {
  return url.split(/[?#]/, 1)[0] ?? '';
}
