import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import {
  HOLD_QUERY,
  HOLD_SIGNAL,
  checkTerms,
  type HoldResult,
  type HoldStatus,
  type HoldTerms,
} from '../contract/hold.ts';
import { invalid } from './errors.ts';
import { toModerationError } from './failure.ts';

/** A hold or a pause of a call. It goes on without this handle, and ends by itself. */
export class HoldHandle {
  readonly callId: string;
  readonly workflowId: string;
  /** Whether it was running already, and has taken the terms that were asked for. */
  readonly joined: boolean;
  readonly #handle: WorkflowHandle;

  constructor(callId: string, handle: WorkflowHandle, joined: boolean) {
    this.callId = callId;
    this.workflowId = handle.workflowId;
    this.joined = joined;
    this.#handle = handle;
  }

  /** Unmutes the application, and ends the hold; `result()` tells when that is done. */
  async release(): Promise<void> {
    await this.#handle.signal(HOLD_SIGNAL.release);
  }

  /**
   * Other terms, from now on.
   *
   * @throws {ModerationError} `InvalidRequest`
   */
  async extend(terms: HoldTerms): Promise<void> {
    const checked = checkTerms(terms);
    if (!checked.ok) throw invalid(checked.faults);
    await this.#handle.signal(HOLD_SIGNAL.extend, checked.request);
  }

  /** Where it stands; answered by a worker. */
  async status(): Promise<HoldStatus> {
    return await this.#handle.query<HoldStatus>(HOLD_QUERY);
  }

  /**
   * Waits until it has ended.
   *
   * @throws {ModerationError} where the first mute, or the unmute at the end, has failed: with the type of that failure
   */
  async result(): Promise<HoldResult> {
    try {
      return (await this.#handle.result()) as HoldResult;
    } catch (error) {
      throw error instanceof WorkflowFailedError ? await toModerationError(error, this.callId, this.#handle) : error;
    }
  }
}
