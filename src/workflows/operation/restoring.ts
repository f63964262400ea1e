import type { Action } from '../../contract/names.ts';
import type { MuteState } from '../../contract/operation.ts';
import type { ModerationRequest } from '../../contract/request.ts';
import { REQUEST_MS, VERIFY_MS } from '../activity-proxies.ts';
import { OperationFailed, waitFor } from '../call/attempt.ts';
import type { GraphCall } from '../call/graph-call.ts';
import { delayOf } from '../call/polling.ts';
import { restoreFailed, withRestored, type Failure } from '../lib/failures.ts';
import { Superseded, type Interruptions } from './interruptions.ts';
import { isMutedByItsClient, isRestored, restoringAction } from './restoration.ts';
import type { Roster } from '../call/roster.ts';
import type { UiDetails } from './ui-details.ts';

/**
 * Undoes an operation that failed or was cancelled: POSTs the opposite action, then reads the roster until it shows
 * the earlier state. Only a successor and the end of the call cut it short; a cancellation does not, because it is a
 * reason for the restore.
 */

/** Delays between the reads that verify a restore. The last one repeats. */
const VERIFY_DELAYS_MS = [250, 500, 1_000, 2_000] as const;

/** The failure, and the state that the operation may leave. */
export interface Undoable {
  action: Action;
  request: ModerationRequest;
  clientContext: string;
  /** The state in a read before anything was sent. */
  before: MuteState | undefined;
  /** Its own POST may have taken effect. */
  hasActed: boolean;
}

export class Restoring {
  readonly #call: GraphCall;
  readonly #roster: Roster;
  readonly #interruptions: Interruptions;
  readonly #uiDetails: UiDetails;
  #isUnderWay = false;

  constructor(call: GraphCall, roster: Roster, interruptions: Interruptions, uiDetails: UiDetails) {
    this.#call = call;
    this.#roster = roster;
    this.#interruptions = interruptions;
    this.#uiDetails = uiDetails;
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** @returns what the operation fails with, which says whether the call was put back */
  async undo(failure: Failure, { action, request, clientContext, before, hasActed }: Undoable): Promise<Failure> {
    const left = (why: string): Failure => withRestored(failure, false, why);
    if (request.onUnconfirmed === 'leave') return left('The call was left as it is, as requested.');
    if (failure.type === 'Unconfirmed' && isMutedByItsClient(action, this.#roster.lastSeen)) {
      return left('The server no longer mutes it: the client itself is muted, which only the application can change.');
    }
    if (before === undefined) return left('Its earlier state is unknown.');
    const undoing = restoringAction(hasActed ? action : undefined, before);
    if (undoing === undefined) return left('There was nothing to restore.');
    this.#isUnderWay = true;
    this.#call.hurry();
    this.#uiDetails.tell(`${failure.type}: putting the call back as it was. Asked Graph to ${undoing}.`);
    try {
      const isLetGo = (): boolean => this.#interruptions.isFinal;
      await this.#call.post(undoing, clientContext, isLetGo, { why: 'to put it back' });
      this.#uiDetails.tell('Graph has answered. Reads the roster until it shows the earlier state.');
      return (await this.#verify(before))
        ? withRestored(failure, true, 'The call was put back as it was.')
        : restoreFailed(request.callId, action, failure);
    } catch (stop) {
      if (stop instanceof Superseded) return stop.failure;
      if (!(stop instanceof OperationFailed)) throw stop;
      const cause = stop.failure;
      return cause.type === 'CallEnded' ? cause : restoreFailed(request.callId, action, failure, cause);
    }
  }

  /**
   * Reads until the roster shows the earlier state, at most VERIFY_MS. That time is for Graph: if no worker has
   * answered by then, it waits for a worker, as long as for any request.
   */
  async #verify(before: MuteState): Promise<boolean> {
    let deadline = Date.now() + VERIFY_MS;
    let isExtended = false;
    const isLetGo = (): boolean => this.#interruptions.isFinal;
    for (let round = 0; ; round += 1) {
      const reading = await this.#call.readSelf(this.#roster.participantId, isLetGo, deadline);
      this.#interruptions.throwIfFinal();
      if (reading === 'unheard' && !isExtended) {
        isExtended = true;
        deadline = Date.now() + REQUEST_MS;
        continue;
      }
      if (reading !== undefined && reading !== 'unheard') {
        this.#roster.read(reading);
        if (reading.self !== undefined && isRestored(before, reading.self)) return true;
      }
      const pause = Math.min(delayOf(VERIFY_DELAYS_MS, round), deadline - Date.now());
      await waitFor(isLetGo, pause, 'Wait before the roster is read again');
      this.#interruptions.throwIfFinal();
      if (Date.now() >= deadline) return false;
    }
  }
}
