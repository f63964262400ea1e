import { gunzipSync } from 'node:zlib';
import { HttpError } from '../http/http-error.ts';

/**
 * The body of a request as its sender had it. SDKs of Graph, such as the one for Go, compress every body with gzip. What it
 * expands to is limited as if it had been sent plain.
 *
 * @throws {HttpError} 400, 413 or 415
 */
export function decoded(bytes: Buffer, encoding: string | undefined, limit: number): Buffer {
  const name = encoding?.trim().toLowerCase() ?? '';
  if (bytes.length === 0 || name === '' || name === 'identity') return bytes;
  if (name !== 'gzip' && name !== 'x-gzip') {
    throw new HttpError(415, 'UnsupportedMediaType', 'The content encoding is unknown. Send gzip, or no encoding.', {
      headers: { 'accept-encoding': 'gzip' },
    });
  }
  try {
    return gunzipSync(bytes, { maxOutputLength: limit });
  } catch (error) {
    const isTooLarge = error instanceof RangeError;
    if (isTooLarge) throw new HttpError(413, 'RequestEntityTooLarge', 'The body is too large once it is expanded.');
    throw new HttpError(400, 'InvalidRequest', 'The body is not gzip, which its content encoding says that it is.');
  }
}
