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
import { FIRST, type Priority } from '../../contract/priority.ts';
import { ATTEMPT_MS, firstAttempts, posts, reads } from '../activity-proxies.ts';
import { about, callEnded, fromActivity, isRefusedAtOnce, mayBeUnderWay, type Failure } from '../lib/failures.ts';
import { attempt, OperationFailed } from './attempt.ts';
import { failed, succeeded, type FirstOutcome } from './first-attempt.ts';

/** The known facts of a call when a run begins. */
export interface KnownCall {
  /** It was read before. */
  isCallKnown: boolean;
  /** A POST may have been sent, by this run or by one before it. */
  isPosted: boolean;
  /** Graph refused the last POST at its first attempt, so nothing has taken effect. */
  isRefused?: boolean;
}

export interface PostOptions {
  /** Shown behind the activity on the UI's timeline. */
  why?: string;
  /** Attempts at the same POST that another activity has made. */
  attemptsBefore?: number;
  /** When no further attempt begins. One attempt is made in any case. */
  deadline?: number;
}

/**
 * Asks Graph about one call, by activities. Every workflow that talks to Graph about a call does it through this
 * class, because it has two rules:
 *
 * **A known call that is not found has ended.** Graph forgets a call when it ends, so a 404 means `CallEnded` if the
 * call was read before, and `CallNotFound` if it never was.
 *
 * **The last attempt is waited for.** Temporal may give up on a POST that is still under way, in a worker that is
 * slow or has lost its connection. It could arrive late and undo what came after it. So the workflow waits for one
 * attempt more before it does anything else, also if it was interrupted meanwhile.
 *
 * A request is abandoned once `isLetGo` returns true. It then returns `undefined`, or its result so far.
 *
 * @throws {OperationFailed} from every method, with the reason why Graph did not do it
 */
export class GraphCall {
  readonly #target: CallTarget;
  #known: Required<KnownCall>;
  /** Where it is not the workflow's own. */
  #priority: Priority = {};

  constructor({ callId, tenantId }: CallTarget, known: KnownCall = { isCallKnown: false, isPosted: false }) {
    this.#target = { callId, ...(tenantId !== undefined && { tenantId }) };
    const { isCallKnown, isPosted, isRefused = false } = known;
    this.#known = { isCallKnown, isPosted, isRefused };
  }

  get known(): Readonly<Required<KnownCall>> {
    return this.#known;
  }

  /** From now on its requests go before others, because they put back what a mute has changed, however urgent that was. */
  hurry(): void {
    this.#priority = FIRST;
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
   * GET the application's own participant, at most until `deadline`. If Graph does not answer, that proves nothing,
   * so it is no failure.
   *
   * @returns `undefined` if Graph did not answer, `unheard` if no worker did
   * @throws {OperationFailed} only if the call has ended
   */
  async readSelf(
    participantId: string | undefined,
    isLetGo: () => boolean,
    deadline?: number,
  ): Promise<ParticipantReading | 'unheard' | undefined> {
    const target = { ...this.#target, ...(participantId !== undefined && { participantId }) };
    const options = { summary: 'Read the roster', priority: this.#priority, ...limitOf(deadline) };
    try {
      return await this.#attempt(isLetGo, () => reads.readParticipant.executeWithOptions(options, [target]));
    } catch (stop) {
      if (!(stop instanceof OperationFailed) || stop.failure.type === 'CallEnded') throw stop;
      return stop.failure.isUnheard === true ? 'unheard' : undefined;
    }
  }

  /**
   * Reads the call and POSTs, in one activity. It never throws: the outcome is in its result.
   */
  async readAndPost(action: Action, clientContext: string, isLetGo: () => boolean): Promise<FirstOutcome> {
    const activity = action === 'mute' ? firstAttempts.readAndMute : firstAttempts.readAndUnmute;
    const options = { summary: summaryOf(action, this.#target.callId) };
    let first: FirstOutcome = { isPosted: false, retryMs: 0 };
    await attempt(isLetGo, async () => {
      try {
        first = succeeded(await activity.executeWithOptions(options, [{ ...this.#target, clientContext }]));
      } catch (error) {
        first = failed(error);
        // The saga goes on with the same POST, which may overtake this one. If it is to stop, this one is waited for.
        if (first.isPosted && isLetGo()) await waitForTheLast(error);
      }
    });
    const { reading, isPosted, failure } = first;
    if (reading !== undefined) this.#known.isCallKnown = true;
    if (isPosted)
      this.#known = { ...this.#known, isPosted, isRefused: failure !== undefined && isRefusedAtOnce(failure) };
    return failure === undefined ? first : { ...first, failure: this.#told(failure) };
  }

  /** POST a mute or unmute of the application. */
  async post(
    action: Action,
    clientContext: string,
    isLetGo: () => boolean,
    { why = '', attemptsBefore = 0, deadline }: PostOptions = {},
  ): Promise<Acceptance | undefined> {
    this.#known = { ...this.#known, isPosted: true };
    const activity = action === 'mute' ? posts.postMute : posts.postUnmute;
    const limit = deadline === undefined ? {} : { scheduleToCloseTimeout: Math.max(ATTEMPT_MS, deadline - Date.now()) };
    const summary = `${summaryOf(action, this.#target.callId)} ${why}`.trim();
    const options = { summary, priority: this.#priority, ...limit };
    const target = { ...this.#target, clientContext, ...(attemptsBefore > 0 && { attemptsBefore }) };
    return await this.#attempt(isLetGo, async () => {
      try {
        return await waitingForTheLast(() => activity.executeWithOptions(options, [target]));
      } catch (error) {
        this.#known.isRefused = isRefusedAtOnce(fromActivity(error));
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
      if (!(stop instanceof OperationFailed)) throw stop;
      throw new OperationFailed(this.#told(stop.failure));
    }
  }

  #told(failure: Failure): Failure {
    const { callId } = this.#target;
    if (failure.type !== 'CallNotFound' || !this.#known.isCallKnown) return about(callId, failure);
    const ended = callEnded(callId);
    return { ...ended, details: { ...failure.details, ...ended.details } };
  }
}

function summaryOf(action: Action, callId: string): string {
  return `${action === 'mute' ? 'Mute' : 'Unmute'} call ${callId}`;
}

function limitOf(deadline: number | undefined): { scheduleToCloseTimeout?: number } {
  return deadline === undefined ? {} : { scheduleToCloseTimeout: Math.max(1, deadline - Date.now()) };
}

async function waitingForTheLast<T>(post: () => Promise<T>): Promise<T> {
  try {
    return await post();
  } catch (error) {
    await waitForTheLast(error);
    throw error;
  }
}

/** Never cut short: an interruption has cancelled, or may cancel, the scope in which this runs. */
async function waitForTheLast(error: unknown): Promise<void> {
  if (!mayBeUnderWay(error)) return;
  const wait = { summary: 'Wait for an attempt that may be under way' };
  await CancellationScope.nonCancellable(() => sleep(ATTEMPT_MS, wait));
}
