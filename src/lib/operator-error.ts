import { UnreadablePayload } from '../contract/unreadable.ts';

/**
 * An error whose message was written here, for people: what happened, and what to do. It quotes no secret and no
 * words of another library's error. So it may be printed, logged and answered as it is; `reasonOf` says what may
 * leave of any other error.
 */
export class OperatorError extends Error {
  override name = 'OperatorError';
}

/** Whether the message of an error is one of ours. The contract imports nothing, so its error is named here. */
export function isForPeople(error: unknown): error is Error {
  return error instanceof OperatorError || error instanceof UnreadablePayload;
}
