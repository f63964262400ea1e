import { CancellationScope, sleep } from '@temporalio/workflow';
import type {
  Acceptance,
  CallReading,
  CallTarget,
  ParticipantReading,
  RosterReading,
  RosterTarget,
} from '../../activities/types.ts';
import type { Action } from '../../contract/names.ts';
import { ATTEMPT_MS, posts, reads } from '../activities.ts';
import { attempt, Failed } from './attempt.ts';
import { about, callEnded, isRefusedAtOnce, mayBeUnderWay } from '../failures.ts';

/** What is known of a call when a run begins. */
export interface KnownCall {
  /** It was read before. */
  isCallKnown: boolean;
  /** A POST may have been sent, by this run or by one before it. */
  isPosted: boolean;
  /** Graph refused the last POST at its first attempt, so nothing has taken effect. */
  isRefused?: boolean;
}

/**
 * Asks Graph about one call, by activities. Every workflow that talks to Graph about a call does it through this class, because
 * two laws are here:
 *
 * **A known call that is not found has ended.** Graph forgets a call when it ends, so a 404 means `CallEnded` if the call was
 * read before, and `CallNotFound` if it never was.
 *
 * **The last attempt is waited for.** Temporal may give up on a POST that is still under way, in a worker that is slow or has
 * lost its connection. It could arrive late and undo what came after it. So the workflow waits for one attempt more before it
 * does anything else, also if it was interrupted meanwhile.
 *
 * A request is let go once `isLetGo` returns true. It then returns `undefined`, or what it had come to by then.
 *
 * @throws {Failed} from every method, with the reason why Graph did not do it
 */
export class GraphCall {
  readonly #target: CallTarget;
  #known: Required<KnownCall>;

  constructor({ callId, tenantId }: CallTarget, known: KnownCall = { isCallKnown: false, isPosted: false }) {
    this.#target = { callId, ...(tenantId !== undefined && { tenantId }) };
    const { isCallKnown, isPosted, isRefused = false } = known;
    this.#known = { isCallKnown, isPosted, isRefused };
  }

  get known(): Readonly<Required<KnownCall>> {
    return this.#known;
  }

  /** GET the call and its participants. */
  async read(isLetGo: () => boolean): Promise<CallReading | undefined> {
    const options = { summary: `Read call ${this.#target.callId}` };
    const reading = await this.#attempt(isLetGo, () => reads.readCall.executeWithOptions(options, [this.#target]));
    if (reading !== undefined) this.#known.isCallKnown = true;
    return reading;
  }

  /** GET the participants: everyone, or those who are named; at most until `deadline`. */
  async readRoster(
    whom: Omit<RosterTarget, keyof CallTarget>,
    isLetGo: () => boolean,
    { summary = 'Read the roster', deadline }: { summary?: string; deadline?: number } = {},
  ): Promise<RosterReading | undefined> {
    const target = { ...this.#target, ...whom };
    const options = { summary, ...limitOf(deadline) };
    const reading = await this.#attempt(isLetGo, () => reads.readRoster.executeWithOptions(options, [target]));
    if (reading !== undefined) this.#known.isCallKnown = true;
    return reading;
  }

  /**
   * GET the application's own participant, at most until `deadline`. If Graph does not answer, that proves nothing, so it is
   * no failure.
   *
   * @returns `undefined` if Graph did not answer, `unheard` if no worker did
   * @throws {Failed} only if the call has ended
   */
  async readSelf(
    participantId: string | undefined,
    isLetGo: () => boolean,
    deadline?: number,
  ): Promise<ParticipantReading | 'unheard' | undefined> {
    const target = { ...this.#target, ...(participantId !== undefined && { participantId }) };
    const options = { summary: 'Read the roster', ...limitOf(deadline) };
    try {
      return await this.#attempt(isLetGo, () => reads.readParticipant.executeWithOptions(options, [target]));
    } catch (stop) {
      if (!(stop instanceof Failed) || stop.failure.type === 'CallEnded') throw stop;
      return stop.failure.isUnheard === true ? 'unheard' : undefined;
    }
  }

  /** POST a mute or unmute of the application. `why` stands behind it on the UI's timeline. */
  async post(action: Action, clientContext: string, isLetGo: () => boolean, why = ''): Promise<Acceptance | undefined> {
    this.#known = { ...this.#known, isPosted: true };
    const activity = action === 'mute' ? posts.postMute : posts.postUnmute;
    const options = { summary: `${action === 'mute' ? 'Mute' : 'Unmute'} call ${this.#target.callId} ${why}`.trim() };
    return await this.#attempt(isLetGo, async () => {
      try {
        return await waitingForTheLast(() =>
          activity.executeWithOptions(options, [{ ...this.#target, clientContext }]),
        );
      } catch (error) {
        this.#known.isRefused = isRefusedAtOnce(error);
        throw error;
      }
    });
  }

  /** POST a mute of somebody else. */
  async muteParticipant(
    participantId: string,
    clientContext: string,
    isLetGo: () => boolean,
  ): Promise<Acceptance | 'left' | undefined> {
    const target = { ...this.#target, participantId, clientContext };
    const options = { summary: `Mute participant ${participantId}` };
    return await this.#attempt(isLetGo, () =>
      waitingForTheLast(() => posts.postMuteParticipant.executeWithOptions(options, [target])),
    );
  }

  /** Failures name the call. */
  async #attempt<T>(isLetGo: () => boolean, activity: () => Promise<T>): Promise<T | undefined> {
    try {
      return await attempt(isLetGo, activity);
    } catch (stop) {
      if (!(stop instanceof Failed)) throw stop;
      const { callId } = this.#target;
      const { failure } = stop;
      if (failure.type !== 'CallNotFound' || !this.#known.isCallKnown) throw new Failed(about(callId, failure));
      const ended = callEnded(callId);
      throw new Failed({ ...ended, details: { ...failure.details, ...ended.details } });
    }
  }
}

function limitOf(deadline: number | undefined): { scheduleToCloseTimeout?: number } {
  return deadline === undefined ? {} : { scheduleToCloseTimeout: Math.max(1, deadline - Date.now()) };
}

async function waitingForTheLast<T>(post: () => Promise<T>): Promise<T> {
  try {
    return await post();
  } catch (error) {
    if (mayBeUnderWay(error)) {
      const wait = { summary: 'Wait for an attempt that may be under way' };
      // Never cut short: an interruption has cancelled, or may cancel, the scope in which this runs.
      await CancellationScope.nonCancellable(() => sleep(ATTEMPT_MS, wait));
    }
    throw error;
  }
}
