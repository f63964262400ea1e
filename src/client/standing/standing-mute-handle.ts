import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { STANDING_MUTE_SIGNAL, type CheckedFields } from '../../contract/standing-mute.ts';
import { invalid } from '../errors.ts';
import { toModerationError } from '../operations/failed-operation.ts';

/** How a mute lock, or a mute on entry, is spoken to. */
export interface Spoken<Terms> {
  query: string;
  checkTerms: (input: unknown) => CheckedFields<Terms>;
}

/** What lasts on a call: a mute lock, a pause or a mute on entry. It goes on without this handle, and ends by itself. */
export class StandingMuteHandle<Terms extends object, Status, Result> {
  readonly callId: string;
  readonly workflowId: string;
  /** Whether it was running already, and has taken the terms that were asked for. */
  readonly attached: boolean;
  readonly #handle: WorkflowHandle;
  readonly #spoken: Spoken<Terms>;
  readonly #wish: () => Promise<number>;

  constructor(
    { callId, handle, wish }: { callId: string; handle: WorkflowHandle; wish: () => Promise<number> },
    attached: boolean,
    spoken: Spoken<Terms>,
  ) {
    this.callId = callId;
    this.workflowId = handle.workflowId;
    this.attached = attached;
    this.#handle = handle;
    this.#spoken = spoken;
    this.#wish = wish;
  }

  /**
   * Ends it; `result()` tells when that is done. The end of a mute lock unmutes the application; after that of a mute on entry
   * nobody more is muted, and who is stays so until they unmute themselves.
   */
  async release(): Promise<void> {
    await this.#handle.signal(STANDING_MUTE_SIGNAL.release, { wishedAt: await this.#wish() });
  }

  /**
   * Other terms, from now on.
   *
   * @throws {ModerationError} `InvalidRequest`
   */
  async extend(terms: Terms): Promise<void> {
    const checked = this.#spoken.checkTerms(terms);
    if (!checked.ok) throw invalid(checked.issues);
    await this.#handle.signal(STANDING_MUTE_SIGNAL.extend, { ...checked.request, wishedAt: await this.#wish() });
  }

  /** Where it stands; answered by a worker. */
  async status(): Promise<Status> {
    return await this.#handle.query<Status>(this.#spoken.query);
  }

  /**
   * Waits until it has ended.
   *
   * @throws {ModerationError} of a mute lock, where the first mute, or the unmute at the end, has failed; of a mute on entry, where
   *   the call could not be read at its start, or nobody may be muted: with the type of that failure
   */
  async result(): Promise<Result> {
    try {
      return (await this.#handle.result()) as Result;
    } catch (error) {
      throw error instanceof WorkflowFailedError ? await toModerationError(error, this.callId, this.#handle) : error;
    }
  }
}
