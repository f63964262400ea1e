import { LRUCache } from 'lru-cache';

/**
 * The calls that this worker has read recently, with the facts that do not change during a call: that it is a group call,
 * and which participant is the application. The next operation on such a call reads only that participant.
 *
 * It is only a cache: a cached call may have ended since, which the next request shows. Then it is removed from the
 * cache, and read like an unknown call.
 */

/** About 2 MB. */
const MAX_CALLS = 10_000;

/** After this, the whole call is read again. */
const REMEMBER_MS = 15 * 60_000;

export class KnownCalls {
  readonly #participants = new LRUCache<string, string>({ max: MAX_CALLS, ttl: REMEMBER_MS });

  /** The application's participant in a group call. */
  participantOf(callId: string): string | undefined {
    return this.#participants.get(callId);
  }

  remember(callId: string, participantId: string): void {
    this.#participants.set(callId, participantId);
  }

  forget(callId: string): void {
    this.#participants.delete(callId);
  }
}
