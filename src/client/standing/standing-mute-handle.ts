import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { STANDING_MUTE_SIGNAL } from '../../contract/names.ts';
import type { StandingMuteDefinition } from '../../contract/standing-mute.ts';
import { invalid } from '../errors.ts';
import { toModerationError } from '../operations/failed-operation.ts';

/**
 * A standing mute on a call: a mute lock, a timed mute or a mute on entry. It continues without this handle, and ends
 * by itself.
 *
 * @example
 * const lock = await moderation.keepMuted({ callId, forSeconds: 600 });
 * await lock.extend({ forSeconds: 1_200 });
 * await lock.release();
 * const { endedBy } = await lock.result();
 */
export class StandingMuteHandle<Terms extends object, Status, Result> {
  /** In canonical form. */
  readonly callId: string;
  readonly workflowId: string;
  /** Whether it was already running, and got the new terms. */
  readonly attached: boolean;
  readonly #handle: WorkflowHandle;
  readonly #kind: Pick<StandingMuteDefinition<never, Terms>, 'query' | 'checkTerms'>;
  readonly #wish: () => Promise<number>;

  /** @internal */
  constructor(
    { callId, handle, wish }: { callId: string; handle: WorkflowHandle; wish: () => Promise<number> },
    attached: boolean,
    kind: Pick<StandingMuteDefinition<never, Terms>, 'query' | 'checkTerms'>,
  ) {
    this.callId = callId;
    this.workflowId = handle.workflowId;
    this.attached = attached;
    this.#handle = handle;
    this.#kind = kind;
    this.#wish = wish;
  }

  /**
   * Ends it; `result()` resolves when that is done. The end of a mute lock unmutes the application. After the end of
   * a mute on entry nobody else is muted; participants who were muted stay muted until they unmute themselves.
   *
   * A release is the newest wish for the call. So if this one has ended and another one was started since, it ends that one.
   */
  async release(): Promise<void> {
    await this.#handle.signal(STANDING_MUTE_SIGNAL.release, { wishedAt: await this.#wish() });
  }

  /**
   * Other terms, from now on. They replace the earlier ones: a field that is left out has its default again.
   *
   * @throws {ModerationError} `InvalidRequest` if a term is invalid
   */
  async extend(terms: Terms): Promise<void> {
    const checked = this.#kind.checkTerms(terms);
    if (!checked.ok) throw invalid(checked.issues);
    await this.#handle.signal(STANDING_MUTE_SIGNAL.extend, { ...checked.request, wishedAt: await this.#wish() });
  }

  /** Its state. A worker answers, also after its end; without a worker the query fails. */
  async status(): Promise<Status> {
    return await this.#handle.query<Status>(this.#kind.query);
  }

  /**
   * Waits until it has ended.
   *
   * @throws {ModerationError} with the type of the failure: of a mute lock, if its first mute, or the unmute at its end,
   *   has failed; of a mute on entry, if the call could not be read at its start, or nobody may be muted
   */
  async result(): Promise<Result> {
    try {
      return (await this.#handle.result()) as Result;
    } catch (error) {
      throw error instanceof WorkflowFailedError ? await toModerationError(error, this.callId, this.#handle) : error;
    }
  }
}
