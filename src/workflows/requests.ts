import { CancellationScope, sleep } from '@temporalio/workflow';
import type { Acceptance, CallReading, CallTarget } from '../activities/types.ts';
import type { Action } from '../contract/names.ts';
import type { MuteState, SeenState } from '../contract/operation.ts';
import type { ModerationRequest } from '../contract/request.ts';
import { ATTEMPT_MS, posts, reads } from './activities.ts';
import { attempt } from './attempt.ts';
import { about, callEnded, isRefusedAtOnce, mayBeUnderWay } from './failures.ts';
import { Stop } from './interruptions.ts';
import type { Roster } from './roster.ts';

/** What is known of a call's requests when a run begins. */
export interface Known {
  isCallKnown: boolean;
  isPosted: boolean;
  /** Graph refused the last POST at its first attempt. */
  isRefused?: boolean;
}

/**
 * What a saga asks of Graph about its call. What the reads show goes into the roster. Each request is let go of once
 * `isLetGo` holds, and then gives nothing, or what it had given by then.
 *
 * @throws {Stop} with the failure of a request that was not let go
 */
export class Requests {
  readonly #roster: Roster;
  readonly #target: CallTarget;
  readonly #clientContext: string;
  #isCallKnown: boolean;
  #isPosted: boolean;
  #isRefused: boolean;

  constructor(request: ModerationRequest, clientContext: string, roster: Roster, known: Known) {
    const { callId, tenantId } = request;
    this.#target = { callId, ...(tenantId !== undefined && { tenantId }) };
    this.#clientContext = clientContext;
    this.#roster = roster;
    this.#isCallKnown = known.isCallKnown;
    this.#isPosted = known.isPosted;
    this.#isRefused = known.isRefused ?? false;
  }

  /** The call was read: where it is not found any more, it has ended. */
  get isCallKnown(): boolean {
    return this.#isCallKnown;
  }

  /** A POST may have been sent, by this run or by one that it superseded. */
  get isPosted(): boolean {
    return this.#isPosted;
  }

  /** Graph refused the last POST at its first attempt: nothing has taken effect. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  async readCall(isLetGo: () => boolean): Promise<CallReading | undefined> {
    const options = { summary: `Read call ${this.#target.callId}` };
    const reading = await this.#attempt(isLetGo, () => reads.readCall.executeWithOptions(options, [this.#target]));
    if (reading !== undefined) this.#isCallKnown = true;
    this.#see(reading);
    return reading;
  }

  /**
   * Reads the own participant, with Temporal's retries, at most until `deadline`. A read that Graph does not answer tells
   * nothing, and that is all; a call that is gone is gone.
   *
   * @returns the state where it was told, or `unheard` where no worker has answered
   */
  async readSelf(isLetGo: () => boolean, deadline: number): Promise<MuteState | 'unheard' | undefined> {
    const { participantId } = this.#roster;
    const target = { ...this.#target, ...(participantId !== undefined && { participantId }) };
    const options = { summary: 'Read the roster', scheduleToCloseTimeout: Math.max(1, deadline - Date.now()) };
    try {
      const reading = await this.#attempt(isLetGo, () => reads.readParticipant.executeWithOptions(options, [target]));
      this.#see(reading);
      return reading?.self;
    } catch (stop) {
      if (!(stop instanceof Stop) || stop.reason === 'Superseded' || stop.reason.type === 'CallEnded') throw stop;
      return stop.reason.isUnheard === true ? 'unheard' : undefined;
    }
  }

  /**
   * POSTs an action; `why` stands behind it on the UI's timeline. An attempt that Temporal has given up waiting for is
   * waited for all the same (S2 of the saga).
   */
  async post(action: Action, isLetGo: () => boolean, why = ''): Promise<Acceptance | undefined> {
    this.#isPosted = true;
    const activity = action === 'mute' ? posts.postMute : posts.postUnmute;
    const options = { summary: `${action === 'mute' ? 'Mute' : 'Unmute'} call ${this.#target.callId} ${why}`.trim() };
    return await this.#attempt(isLetGo, async () => {
      try {
        return await activity.executeWithOptions(options, [{ ...this.#target, clientContext: this.#clientContext }]);
      } catch (error) {
        if (mayBeUnderWay(error)) {
          // Never cut short: an interruption has cancelled, or may cancel, the scope in which this runs.
          const wait = { summary: 'Wait for an attempt that may be under way' };
          await CancellationScope.nonCancellable(() => sleep(ATTEMPT_MS, wait));
        }
        this.#isRefused = isRefusedAtOnce(error);
        throw error;
      }
    });
  }

  #see(reading: { participantId?: string; self?: SeenState } | undefined): void {
    if (reading?.participantId !== undefined) this.#roster.know(reading.participantId);
    if (reading?.self !== undefined) this.#roster.see(reading.self);
  }

  /** Failures are told of the call; one that was read before and is not found any more has ended. */
  async #attempt<T>(isLetGo: () => boolean, activity: () => Promise<T>): Promise<T | undefined> {
    try {
      return await attempt(isLetGo, activity);
    } catch (stop) {
      if (!(stop instanceof Stop) || stop.reason === 'Superseded') throw stop;
      const { callId } = this.#target;
      if (stop.reason.type !== 'CallNotFound' || !this.#isCallKnown) throw new Stop(about(callId, stop.reason));
      const ended = callEnded(callId);
      throw new Stop({ ...ended, details: { ...stop.reason.details, ...ended.details } });
    }
  }
}
