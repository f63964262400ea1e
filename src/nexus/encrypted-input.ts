import { AsyncLocalStorage } from 'node:async_hooks';
import { operationInfo } from '@temporalio/nexus';
import { HandlerError } from 'nexus-rpc';

/**
 * With `MODERATION_PAYLOAD_KEYS` results and details of failures are encrypted, and a caller whose worker has no codec cannot
 * read them: its workflow task would fail and be repeated, for ever and without a word to its code. Such a caller does not encrypt
 * its input either, so it is refused before anything begins, by an error that contains no payload.
 */

/** Set while an operation is handled. What is decoded in a Nexus task before that is its input. */
const handling = new AsyncLocalStorage<true>();

export async function handle<T>(work: () => Promise<T>): Promise<T> {
  return await handling.run(true, work);
}

/**
 * For the codec of a worker that encrypts, with each plain payload that it reads.
 *
 * @throws {HandlerError} if it is the input of a Nexus operation
 */
export function requireEncryptedInput(): void {
  if (handling.getStore() === true || !isInNexusTask()) return;
  throw new HandlerError(
    'BAD_REQUEST',
    "Nothing was done: the input is not encrypted, but this service encrypts what it returns, which the caller could not read. Give the caller's worker the keys of MODERATION_PAYLOAD_KEYS and a codec.",
  );
}

function isInNexusTask(): boolean {
  try {
    operationInfo();
    return true;
  } catch {
    return false;
  }
}
