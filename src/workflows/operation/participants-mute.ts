import type { OperationStatus, ParticipantsMuteResult, Phase } from '../../contract/operation.ts';
import { DEFAULT_CONFIRM_WITHIN_SECONDS, type ParticipantsMuteRequest } from '../../contract/request.ts';
import type { OperationUpdate, RosterUpdate } from '../../contract/signals.ts';
import { OperationFailed, waitFor } from '../call/attempt.ts';
import { GraphCall } from '../call/graph-call.ts';
import { delayUntil, ROSTER_DELAYS_MS } from '../call/polling.ts';
import { requireEstablishedGroupCall } from '../call/preconditions.ts';
import { noneMuted, rosterIncomplete, withoutUndoing, type Failure } from '../lib/failures.ts';
import type {
  ConfirmingParticipantsState,
  HandOver,
  Inheritance,
  Outcome,
  ParticipantsMuteProgress,
  Wait,
} from './inheritance.ts';
import { Interruptions, Superseded } from './interruptions.ts';
import { iso } from '../lib/iso.ts';
import { isHistoryLong } from '../lib/limits.ts';
import type { ParticipantMute } from './participant-mute.ts';
import { isByName, ParticipantMutes } from './participant-mutes.ts';
import { UiDetails } from './ui-details.ts';

/**
 * The mute of others in one call, as one operation under the call's workflow ID.
 *
 *     reading ──▶ requesting ──▶ confirming ──▶ confirmed
 *        └─────────────┴──────────────┴───────▶ failed
 *
 * reading     GET the call and its roster: who is in it, who waits in the lobby, who is the application? Nothing has
 *             been sent, so what goes wrong here just fails.
 * requesting  POST the mute of each, several at a time, also of those who show as muted: that may be their own mute.
 * confirming  Until rosters have settled everyone who was asked for (`participant-mute.ts`): by notification, or by a
 *             read if no notification arrives.
 *
 * It succeeds if at least one of them is or was muted; its result lists each of them. It fails if nobody was muted
 * although somebody should be, or if nobody was found and no roster was complete.
 *
 * Invariants:
 *
 * - **Nothing is undone.** Graph can mute others but never unmute them. So after a failure, a cancellation or a
 *   supersede, everybody who was muted stays muted; the details list them.
 * - **Wait for the last attempt.** A POST that was sent is waited for, until its answer or its time limit, before the
 *   run ends or continues as its successor. So no POST arrives late, during a later operation. After an interruption,
 *   no further POST is sent.
 * - **Listen from the start.** Rosters are taken from the first moment. Until the participants are known, a roster
 *   counts only for the order.
 * - **Every wait has a limit.** Reading and each POST are limited by their activities. Confirming is limited by the
 *   request, counted from Graph's last answer. Waiting for a complete roster has the same limit, counted from the
 *   moment when everyone known was asked for.
 * - **The application's own mute is not touched.** What a superseded operation knew of it is inherited and passed on.
 * - **No cancellation is thrown in here.** As in `self-mute.ts`, the code asks `interruptions`.
 * - **The history stays short.** While it waits for the confirmation, the run continues as new when its history is
 *   long (`limits.ts`), with everything that it knows of everyone and the same deadlines.
 */

/** POSTs that are under way at the same time. */
const MAX_CONCURRENT_PARTICIPANTS = 8;

/** Rosters that are kept until the participants are known. */
const MAX_EARLY = 64;

export class ParticipantsMute {
  readonly interruptions: Interruptions;
  readonly #request: ParticipantsMuteRequest;
  readonly #clientContext: string;
  readonly #call: GraphCall;
  /**
   * Of what a superseded operation knew of the application's own mute (**The application's own mute is not
   * touched**).
   */
  readonly #inherited: Inheritance;
  readonly #uiDetails: UiDetails;
  readonly #members: ParticipantMutes;
  readonly #progress: ParticipantsMuteProgress;
  readonly #early: RosterUpdate[] = [];

  #phase: Phase = 'reading';
  #confirmedAt: number | undefined;
  #signals = 0;

  constructor(request: ParticipantsMuteRequest, runId: string, inheritance?: Inheritance) {
    const { confirmingOthers, ...inherited } = inheritance ?? {};
    this.interruptions = new Interruptions(request.callId);
    this.#request = request;
    this.#clientContext = confirmingOthers?.clientContext ?? request.clientContext ?? runId;
    this.#inherited = { isCallKnown: false, isPosted: false, ...inherited };
    this.#call = new GraphCall(request, this.#inherited);
    this.#members = new ParticipantMutes(request, confirmingOthers?.members);
    this.#progress = { ...confirmingOthers?.progress };
    this.#uiDetails = new UiDetails('mute', request, confirmingOthers?.uiDetails);
    if (confirmingOthers !== undefined) this.#phase = 'confirming';
    else if (inheritance !== undefined) this.#uiDetails.tell('Took over from the operation before.');
  }

  rosterUpdated(update: RosterUpdate): void {
    this.#signals += 1;
    if (this.#members.isKnown) this.#members.take(update);
    else if (this.#early.push(update) > MAX_EARLY) this.#early.shift();
  }

  operationUpdated(update: OperationUpdate): void {
    if (update.status === 'failed') this.#members.fail(update);
  }

  status(): OperationStatus {
    const { participantId, isKnown, results } = this.#members;
    const { requestedAt, acceptedAt } = this.#progress;
    const { successor } = this.interruptions;
    return {
      phase: this.#phase,
      action: 'mute',
      request: this.#request,
      ...(participantId !== undefined && { participantId }),
      attempts: requestedAt === undefined ? 0 : 1,
      ...(requestedAt !== undefined && { requestedAt: iso(requestedAt) }),
      ...(acceptedAt !== undefined && { acceptedAt: iso(acceptedAt) }),
      ...(this.#confirmedAt !== undefined && { confirmedAt: iso(this.#confirmedAt) }),
      ...(successor !== undefined && { supersededBy: successor.action }),
      ...(isKnown && { participants: results }),
    };
  }

  async run(): Promise<Outcome> {
    try {
      if (!this.#members.isKnown) await this.#read();
      if (this.#progress.wait === undefined) await this.#ask();
      const isConfirmed = await this.#confirm();
      if (!isConfirmed) return { kind: 'continued', inheritance: this.#continuation() }; // **The history stays short.**
      return { kind: 'confirmed', result: this.#result() };
    } catch (stop) {
      const failure = this.#failureOf(stop);
      this.#phase = 'failed';
      if (this.interruptions.successor === undefined) this.#uiDetails.tell(`**${failure.type}**: ${failure.message}`);
      return { kind: 'failed', failure };
    }
  }

  /**
   * The successor, if there is one; looked for last, whatever the outcome. `isAfterEnd` if it was signalled after that: then it
   * begins on its own.
   */
  handOver(isAfterEnd: boolean): HandOver | undefined {
    const { successor } = this.interruptions;
    if (successor === undefined) return undefined;
    const how = isAfterEnd ? 'After that' : 'Superseded';
    this.#uiDetails.tell(`${how}: another operation on the call continues in another run.`);
    const { before: _, ...inheritance } = this.#inheritance();
    return { successor, inheritance: isAfterEnd ? { ...inheritance, isPosted: false } : this.#inheritance() };
  }

  // reading

  async #read(): Promise<void> {
    const { callId, target } = this.#request;
    this.interruptions.throwIfAny();
    const whom = isByName(target) ? { participantIds: target.participantIds } : {};
    const options = { summary: 'Read the call and its roster' };
    const reading = await this.#call.readRoster(whom, () => this.interruptions.any, options);
    this.interruptions.throwIfAny();
    requireEstablishedGroupCall(callId, reading);
    this.#members.choose(reading);
    for (const update of this.#early) this.rosterUpdated(update); // **Listen from the start.**
  }

  // requesting

  async #ask(): Promise<void> {
    this.#phase = 'requesting';
    this.#progress.requestedAt ??= Date.now();
    const waiting = this.#members.toBeAsked;
    const { all, isGathering } = this.#members;
    const but = isGathering ? ' The roster is incomplete, so it is read again.' : '';
    this.#uiDetails.tell(`Read the call and its roster. Asks Graph to mute ${waiting.length} of ${all.length}.${but}`);
    const next = async (): Promise<void> => {
      for (let member = waiting.shift(); member !== undefined; member = waiting.shift()) {
        if (this.interruptions.any || this.#isRefusedForAll) return; // **Wait for the last attempt.**
        await this.#post(member);
      }
    };
    await Promise.all(Array.from({ length: MAX_CONCURRENT_PARTICIPANTS }, next));
    this.interruptions.throwIfAny();
  }

  /** The application lacks the permission: a refusal for one is a refusal for all, and is not retried. */
  get #isRefusedForAll(): boolean {
    const isPermission = ({ refusal }: ParticipantMute): boolean =>
      refusal?.type === 'PermissionDenied' || refusal?.type === 'Unauthorized';
    return this.#progress.acceptedAt === undefined && this.#members.all.some(isPermission);
  }

  async #post(member: ParticipantMute): Promise<void> {
    member.ask();
    try {
      const answer = await this.#call.muteParticipant(member.id, this.#clientContext, () => this.interruptions.any);
      if (answer === 'left') member.leave();
      else if (answer !== undefined) {
        member.accept(answer);
        this.#progress.acceptedAt = Date.now();
        this.#members.settleFailed(member);
      }
    } catch (stop) {
      if (!(stop instanceof OperationFailed)) throw stop;
      const { failure } = stop;
      if (failure.type === 'CallEnded') return this.interruptions.endCall({}); // For all of them.
      // Without an answer it may have been done, and the roster decides.
      if (failure.type !== 'GraphUnavailable') member.refuse(failure);
    }
  }

  // confirming

  /** @returns `false` if the history has become long before the end */
  async #confirm(): Promise<boolean> {
    const members = this.#members;
    const wait = (this.#progress.wait ??= this.#beginWait());
    const isLong = (): boolean => isHistoryLong(this.#signals);
    const isDone = (): boolean => this.interruptions.any || members.areSettled;
    const isNews = (): boolean => isDone() || members.isEveryoneNew || isLong();
    const delays = members.isAnyMutedAlready ? [0, ...ROSTER_DELAYS_MS] : ROSTER_DELAYS_MS;
    for (; !isDone() && !this.#isRefusedForAll; wait.round += 1) {
      await waitFor(isNews, delayUntil(wait.deadline, delays, wait.round), 'Wait for the roster');
      if (isDone() || Date.now() >= wait.deadline) break;
      if (isLong()) return false;
      await this.#look(wait.deadline);
      if (Date.now() >= wait.gatherBy) members.stopGathering();
      if (members.toBeAsked.length === 0 || this.interruptions.any) continue;
      await this.#ask();
      this.#phase = 'confirming';
      wait.deadline = Date.now() + this.#confirmMs;
    }
    this.interruptions.throwIfAny();
    return true;
  }

  get #confirmMs(): number {
    return (this.#request.confirmWithinSeconds ?? DEFAULT_CONFIRM_WITHIN_SECONDS) * 1_000;
  }

  #beginWait(): Wait {
    this.#phase = 'confirming';
    this.#uiDetails.tell('Graph has answered. Waits until the roster shows each of them.');
    const deadline = Date.now() + this.#confirmMs;
    return { gatherBy: deadline, deadline, round: 0 };
  }

  /**
   * Reads the participants who are not settled, and the whole roster as long as it was never complete. If Graph does
   * not answer in time, that proves nothing.
   */
  async #look(deadline: number): Promise<void> {
    const { isGathering } = this.#members;
    const wanted = this.#members.takeWanted();
    try {
      const whom = { participantIds: wanted.ids, ...(isGathering && { andEveryone: true }) };
      const reading = await this.#call.readRoster(whom, () => this.interruptions.any, { deadline });
      if (reading !== undefined) this.#members.see(reading, wanted);
    } catch (stop) {
      if (!(stop instanceof OperationFailed)) throw stop;
      if (stop.failure.type === 'CallEnded') this.interruptions.endCall({});
    }
  }

  // the end

  #result(): ParticipantsMuteResult {
    const { callId, target, confirmWithinSeconds = DEFAULT_CONFIRM_WITHIN_SECONDS } = this.#request;
    const { all, results, isRosterComplete } = this.#members;
    const isToBe = all.filter(({ outcome }) => outcome !== 'left' && outcome !== 'inLobby');
    const isDone = isToBe.some(({ outcome }) => outcome === 'confirmed' || outcome === 'unmutedAgain');
    if (isToBe.length > 0 && !isDone) throw new OperationFailed(this.#noneMuted(isToBe));
    if (isToBe.length === 0 && !isRosterComplete && !isByName(target)) {
      throw new OperationFailed(rosterIncomplete(callId, confirmWithinSeconds));
    }
    const confirmedAt = Date.now();
    const { requestedAt = confirmedAt, acceptedAt } = this.#progress;
    this.#phase = 'confirmed';
    this.#confirmedAt = confirmedAt;
    const confirmed = isToBe.filter(({ outcome }) => outcome === 'confirmed');
    this.#uiDetails.tell(`**Confirmed** for ${confirmed.length} of ${all.length}; the result lists each of them.`);
    return {
      callId,
      action: 'mute',
      target,
      participants: results,
      isRosterComplete,
      clientContext: this.#clientContext,
      requestedAt: iso(requestedAt),
      ...(acceptedAt !== undefined && { acceptedAt: iso(acceptedAt) }),
      confirmedAt: iso(confirmedAt),
    };
  }

  #noneMuted(members: readonly ParticipantMute[]): Failure {
    const { callId, confirmWithinSeconds = DEFAULT_CONFIRM_WITHIN_SECONDS } = this.#request;
    const refusals = members.flatMap(({ refusal }) => refusal ?? []);
    const [first] = refusals;
    const isNothingAccepted = this.#progress.acceptedAt === undefined;
    const isRefused = first !== undefined && (refusals.length === members.length || isNothingAccepted);
    return isRefused ? first : noneMuted(callId, members.length, confirmWithinSeconds);
  }

  #failureOf(stop: unknown): Failure {
    if (!(stop instanceof OperationFailed || stop instanceof Superseded)) throw stop;
    const { failure } = stop;
    // **Nothing is undone.**
    return this.#progress.requestedAt === undefined ? failure : withoutUndoing(failure, this.#members.results);
  }

  #inheritance(): Inheritance {
    return { ...this.#inherited, isCallKnown: this.#call.known.isCallKnown };
  }

  /** The state with which the same operation continues in another run. */
  #continuation(): Inheritance {
    const confirmingOthers: ConfirmingParticipantsState = {
      clientContext: this.#clientContext,
      progress: this.#progress,
      members: this.#members.state,
      uiDetails: this.#uiDetails.lines,
    };
    return { ...this.#inheritance(), confirmingOthers };
  }
}
