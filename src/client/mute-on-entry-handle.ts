import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import {
  checkEntryTerms,
  MUTE_ON_ENTRY_QUERY,
  MUTE_ON_ENTRY_SIGNAL,
  type MuteOnEntryResult,
  type MuteOnEntryStatus,
  type MuteOnEntryTerms,
} from '../contract/mute-on-entry.ts';
import { invalid } from './errors.ts';
import { toModerationError } from './failure.ts';

/** The mute of whoever comes into a call. It goes on without this handle, and ends by itself. */
export class MuteOnEntryHandle {
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

  /** Mutes nobody more; `result()` tells when it has ended. Who is muted stays so, until they unmute themselves. */
  async release(): Promise<void> {
    await this.#handle.signal(MUTE_ON_ENTRY_SIGNAL.release);
  }

  /**
   * Other terms, from now on.
   *
   * @throws {ModerationError} `InvalidRequest`
   */
  async extend(terms: MuteOnEntryTerms): Promise<void> {
    const checked = checkEntryTerms(terms);
    if (!checked.ok) throw invalid(checked.faults);
    await this.#handle.signal(MUTE_ON_ENTRY_SIGNAL.extend, checked.request);
  }

  /** Where it stands; answered by a worker. */
  async status(): Promise<MuteOnEntryStatus> {
    return await this.#handle.query<MuteOnEntryStatus>(MUTE_ON_ENTRY_QUERY);
  }

  /**
   * Waits until it has ended.
   *
   * @throws {ModerationError} where the call could not be read at its start, or nobody may be muted: with that type
   */
  async result(): Promise<MuteOnEntryResult> {
    try {
      return (await this.#handle.result()) as MuteOnEntryResult;
    } catch (error) {
      throw error instanceof WorkflowFailedError ? await toModerationError(error, this.callId, this.#handle) : error;
    }
  }
}
