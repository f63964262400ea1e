import { CancellationScope, sleep } from '@temporalio/workflow';
import type { CallTarget, RosterReading } from '../activities/types.ts';
import { canonicalId, sameId } from '../contract/call-id.ts';
import type { OperationStatus, OthersResult, ParticipantResult, Phase } from '../contract/operation.ts';
import { DEFAULT_CONFIRM_WITHIN_SECONDS, type OthersRequest } from '../contract/request.ts';
import type { OperationUpdate, RosterEntry, RosterUpdate } from '../contract/signals.ts';
import { MOST_PARTICIPANTS } from '../contract/target.ts';
import { ATTEMPT_MS, posts, reads } from './activities.ts';
import { attempt, waitFor } from './attempt.ts';
import {
  about,
  callEnded,
  invalidRequest,
  mayBeUnderWay,
  noneMuted,
  notAGroupCall,
  notEstablished,
  operationFailed,
  rosterIncomplete,
  superseded,
  withoutUndoing,
  type Failure,
} from './failures.ts';
import { Interruptions, Stop } from './interruptions.ts';
import { iso } from './iso.ts';
import { isHistoryFull } from './limits.ts';
import { Member } from './member.ts';
import type { HandOver, Inheritance, Outcome } from './saga.ts';
import { Story } from './story.ts';
import { delayOf } from './delays.ts';

/**
 * The mute of others in one call, as one operation under the call's workflow ID.
 *
 *     reading ──▶ requesting ──▶ confirming ──▶ confirmed
 *        └─────────────┴──────────────┴───────▶ failed
 *
 * reading     GET the call and its roster: who is in it, who waits in the lobby, who is the application? Nothing has
 *             been sent, so what goes wrong here just fails.
 * requesting  POST the mute of each, AT_ONCE at a time, also of those who show as muted: that may be their own mute.
 * confirming  Until the roster has settled everyone who was asked for (`member.ts`): by notification, and by reads where
 *             none comes.
 *
 * An incomplete roster proves nothing about who is not in it. If everyone is to be muted and the first roster is
 * incomplete, the roster is read again while the mutes are confirmed, until it is complete or the time is over, and those
 * whom it shows by then are asked for as well. A full notification that lists everyone completes the picture, too. At
 * Graph's 100 entries another look would show no more, and there is none.
 *
 * It ends well when one of them, at least, is or was muted, and its result tells of each of them. It fails where nobody
 * was, although somebody was to be, or if nobody was found and no roster was complete.
 *
 * Invariants:
 *
 * T1. Nothing is undone. Graph can mute others and never unmute them, so a failure, a cancellation and a successor leave
 *     muted who is muted; the details say who that is.
 * T2. A POST that was sent is waited for, until its answer or its time limit, before the run ends or hands over. So none
 *     arrives late, in an operation that comes after. An interruption keeps those from being sent that were not yet.
 * T3. The roster is listened to from the start. What comes before it is known who is meant counts for the order only.
 * T4. Every wait has a limit: reading and each POST that of their activities; confirming what the request says, from
 *     Graph's last answer; a complete roster the same, from the first time that everyone known was asked for.
 * T5. The application's own mute is not touched, nor what a superseded operation knew of it: that is handed on.
 * T6. No cancellation is thrown in here, as in the saga.
 * T7. If a call sends so many rosters that the history is full (`limits.ts`), the wait ends early: who is not settled by then is
 *     `notConfirmed`. At ten full rosters a second that takes some three minutes.
 */

/** POSTs that are under way at the same time. */
const AT_ONCE = 8;

/** Pauses before the reads of the roster, from Graph's last answer on. The last one repeats. */
const READ_PAUSES_MS = [2_000, 3_000, 5_000, 8_000, 12_000, 15_000] as const;

/** The last read comes so long before the deadline. */
const LAST_READ_MS = 1_000;

/** Rosters and failed operations that are kept until it is known what they are about: none is missed for long. */
const MOST_KEPT = 64;

export class Others {
  readonly interruptions: Interruptions;
  readonly #request: OthersRequest;
  readonly #clientContext: string;
  readonly #inheritance: Inheritance;
  readonly #story: Story;
  readonly #early: RosterUpdate[] = [];
  readonly #failedOperations: OperationUpdate[] = [];

  #phase: Phase = 'reading';
  #participantId: string | undefined;
  #members: Member[] | undefined;
  /** Everyone is meant, and not everyone is known yet. */
  #isGathering = false;
  /** Whom a full notification lists that lists everyone. */
  #everyone: readonly string[] | undefined;
  #isRosterComplete = false;
  #isAnyMutedAlready = false;
  #requestedAt: number | undefined;
  #acceptedAt: number | undefined;
  #confirmedAt: number | undefined;

  constructor(request: OthersRequest, runId: string, inheritance?: Inheritance) {
    this.interruptions = new Interruptions(request.callId);
    this.#request = request;
    this.#clientContext = request.clientContext ?? runId;
    this.#inheritance = { isCallKnown: false, isPosted: false, ...inheritance };
    this.#story = new Story('mute', request);
    if (inheritance !== undefined) this.#story.tell('Took over from the operation before.');
  }

  rosterUpdated(update: RosterUpdate): void {
    if (this.#members !== undefined) {
      for (const member of this.#members) member.take(update);
      if (this.#isGathering && listsEveryone(update, this.#participantId)) {
        this.#everyone = update.participants.map(({ id }) => canonicalId(id));
      }
    } else if (this.#early.push(update) > MOST_KEPT) this.#early.shift();
  }

  operationUpdated(update: OperationUpdate): void {
    if (update.status !== 'failed') return;
    if (this.#failedOperations.push(update) > MOST_KEPT) this.#failedOperations.shift();
    for (const member of this.#members ?? []) this.#settleFailed(member);
  }

  status(): OperationStatus {
    return {
      phase: this.#phase,
      action: 'mute',
      request: this.#request,
      ...(this.#participantId !== undefined && { participantId: this.#participantId }),
      attempts: this.#requestedAt === undefined ? 0 : 1,
      ...(this.#requestedAt !== undefined && { requestedAt: iso(this.#requestedAt) }),
      ...(this.#acceptedAt !== undefined && { acceptedAt: iso(this.#acceptedAt) }),
      ...(this.#confirmedAt !== undefined && { confirmedAt: iso(this.#confirmedAt) }),
      ...(this.interruptions.successor !== undefined && { supersededBy: this.interruptions.successor.action }),
      ...(this.#members !== undefined && { participants: this.#results() }),
    };
  }

  async run(): Promise<Outcome> {
    return await this.#steps();
  }

  /** Who takes over, if anybody does; asked last, whatever the operation came to. */
  handOver(): HandOver | undefined {
    const { successor } = this.interruptions;
    if (successor === undefined) return undefined;
    this.#story.tell('Superseded: another operation on the call goes on as another run.');
    return { successor, inheritance: this.#inheritance }; // T5
  }

  async #steps(): Promise<Outcome> {
    try {
      const members = await this.#read();
      await this.#ask(members);
      await this.#confirm(members);
      return { kind: 'confirmed', result: this.#result(members) };
    } catch (stop) {
      if (!(stop instanceof Stop)) throw stop;
      this.#phase = 'failed';
      const failure = this.#failureOf(stop.reason);
      if (this.interruptions.successor === undefined) this.#story.tell(`**${failure.type}**: ${failure.message}`);
      return { kind: 'failed', failure };
    }
  }

  // reading

  async #read(): Promise<readonly Member[]> {
    const { callId, target } = this.#request;
    this.interruptions.throwIfAny();
    const named = isByName(target) ? target.participantIds : undefined;
    const reading = await this.#readRoster(named, 'Read the call and its roster');
    this.interruptions.throwIfAny();
    const { state = '', isGroupCall = false, participantId } = reading ?? {};
    if (state === 'terminating' || state === 'terminated') throw new Stop(callEnded(callId));
    if (state !== 'established' && state !== 'hold') throw new Stop(notEstablished(callId, state));
    if (!isGroupCall) throw new Stop(notAGroupCall(callId));
    this.#inheritance.isCallKnown = true;
    this.#participantId = participantId;
    return this.#choose(reading);
  }

  #choose(reading: RosterReading | undefined): readonly Member[] {
    const { members: listed = [], isComplete = false, isCapped = false, isAbsenceProven = false } = reading ?? {};
    const { callId, target } = this.#request;
    const own = this.#participantId;
    const isOwn = (id: string): boolean => own !== undefined && sameId(id, own);
    this.#isRosterComplete = isComplete;
    const members: Member[] = [];
    if (isByName(target)) {
      const { participantIds } = target;
      if (participantIds.some(isOwn)) {
        const fault = `target names ${own}, which is the application itself: leave it out, and mute it with target 'self'`;
        throw new Stop(invalidRequest([fault], callId));
      }
      members.push(...participantIds.map((id) => memberOf(id, listed, isAbsenceProven)));
    } else {
      members.push(...listed.filter(({ id }) => this.#isMeant(id)).map((member) => new Member(member)));
      this.#isGathering = !isComplete && !isCapped;
    }
    this.#members = members;
    this.#isAnyMutedAlready = members.some(({ state }) => state?.isMuted === true);
    for (const update of this.#early) this.rosterUpdated(update); // T3
    return members;
  }

  /** Of a target that names nobody: everyone but the application and those who are excepted. */
  #isMeant(id: string): boolean {
    const { target } = this.#request;
    const except = typeof target === 'object' && 'others' in target ? target.others.except : [];
    return ![this.#participantId, ...except].some((other) => other !== undefined && sameId(id, other));
  }

  // requesting

  async #ask(members: readonly Member[]): Promise<void> {
    this.#phase = 'requesting';
    this.#requestedAt ??= Date.now();
    const waiting = members.filter(({ isToBeAsked }) => isToBeAsked);
    const but = this.#isGathering ? ' The roster is incomplete, so it is read again.' : '';
    this.#story.tell(`Read the call and its roster. Asks Graph to mute ${waiting.length} of ${members.length}.${but}`);
    const next = async (): Promise<void> => {
      for (let member = waiting.shift(); member !== undefined; member = waiting.shift()) {
        if (this.interruptions.any || this.#isRefusedForAll(members)) return; // T2
        await this.#post(member);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    this.interruptions.throwIfAny();
  }

  /** The application may not do it at all: what was refused of one is refused of all, and is not asked for again. */
  #isRefusedForAll(members: readonly Member[]): boolean {
    const isPermission = ({ refusal }: Member): boolean =>
      refusal?.type === 'PermissionDenied' || refusal?.type === 'Unauthorized';
    return this.#acceptedAt === undefined && members.some(isPermission);
  }

  async #post(member: Member): Promise<void> {
    const { callId, tenantId } = this.#request;
    const target = { callId, ...(tenantId !== undefined && { tenantId }) };
    const asked = { ...target, participantId: member.id, clientContext: this.#clientContext };
    const options = { summary: `Mute participant ${member.id}` };
    member.ask();
    try {
      const answer = await attempt(
        () => this.interruptions.any,
        async () => await waitingForTheLast(() => posts.postMuteParticipant.executeWithOptions(options, [asked])),
      );
      if (answer === 'left') member.leave();
      else if (answer !== undefined) {
        member.accept(answer);
        this.#acceptedAt = Date.now();
        this.#settleFailed(member);
      }
    } catch (stop) {
      const failure = this.#told(stop);
      if (failure.type === 'CallEnded') return this.interruptions.endCall({}); // For all of them.
      // Without an answer it may have been done, and the roster decides.
      if (failure.type !== 'GraphUnavailable') member.refuse(failure);
    }
  }

  // confirming

  async #confirm(members: readonly Member[]): Promise<void> {
    this.#phase = 'confirming';
    this.#story.tell('Graph has answered. Waits until the roster shows each of them.');
    const { confirmWithinSeconds = DEFAULT_CONFIRM_WITHIN_SECONDS } = this.#request;
    const gatherBy = Date.now() + confirmWithinSeconds * 1_000;
    let deadline = gatherBy;
    const isDone = (): boolean =>
      this.interruptions.any ||
      isHistoryFull() || // T7
      (!this.#isGathering && members.every(({ isSettled }) => isSettled));
    const isNews = (): boolean => isDone() || this.#everyone !== undefined;
    const pauses = this.#isAnyMutedAlready ? [0, ...READ_PAUSES_MS] : READ_PAUSES_MS;
    for (let round = 0; !isDone() && !this.#isRefusedForAll(members); round += 1) {
      const left = deadline - Date.now();
      const untilLast = left - LAST_READ_MS;
      const pause = delayOf(pauses, round);
      await waitFor(isNews, Math.min(pause, round > 0 && untilLast > 0 ? untilLast : left), 'Wait for the roster');
      if (isDone() || Date.now() >= deadline) break;
      await this.#look(members);
      if (Date.now() >= gatherBy) this.#isGathering = false;
      if (!members.some(({ isToBeAsked }) => isToBeAsked) || this.interruptions.any) continue;
      await this.#ask(members);
      this.#phase = 'confirming';
      deadline = Date.now() + confirmWithinSeconds * 1_000;
    }
    this.interruptions.throwIfAny();
  }

  /**
   * Reads those who are not settled, and everyone as long as not everyone is known. A read that Graph does not answer
   * proves nothing, and that is all.
   */
  async #look(members: readonly Member[]): Promise<void> {
    const unsettled = members.filter(({ isSettled }) => !isSettled);
    const isNew = (id: string): boolean => this.#isMeant(id) && !members.some((member) => sameId(member.id, id));
    const everyone = this.#everyone?.filter(isNew);
    const ids = [...unsettled.map(({ id }) => id), ...(everyone ?? [])].slice(0, MOST_PARTICIPANTS);
    this.#everyone = undefined;
    try {
      const reading = await this.#readRoster(ids, 'Read the roster', this.#isGathering);
      if (reading === undefined) return;
      const found = new Map(reading.members.map((member) => [member.id, member]));
      for (const member of unsettled) {
        const state = found.get(canonicalId(member.id))?.state;
        if (state !== undefined) member.see(state);
        else if (reading.isAbsenceProven && !found.has(canonicalId(member.id))) member.leave();
      }
      if (this.#isGathering) this.#gather(reading, everyone, isNew);
    } catch (stop) {
      const failure = this.#told(stop);
      if (failure.type === 'CallEnded') this.interruptions.endCall({});
    }
  }

  /** Takes in those whom the roster shows meanwhile. */
  #gather(
    { members, isComplete, isCapped, isAbsenceProven }: RosterReading,
    everyone: readonly string[] | undefined,
    isNew: (id: string) => boolean,
  ): void {
    const listed = members.filter(({ id }) => isNew(id));
    const found = new Set(members.map(({ id }) => id));
    // Who is listed by a notification, and whom no read finds: Graph is asked all the same, unless they have left.
    const unfound = isAbsenceProven ? [] : (everyone ?? []).filter((id) => !found.has(id));
    this.#members?.push(...[...listed, ...unfound.map((id) => ({ id, isInLobby: false }))].map((it) => new Member(it)));
    this.#isRosterComplete = isComplete || everyone !== undefined;
    this.#isGathering = !this.#isRosterComplete && !isCapped;
  }

  async #readRoster(
    participantIds: readonly string[] | undefined,
    summary: string,
    andEveryone = false,
  ): Promise<RosterReading | undefined> {
    const { callId, tenantId } = this.#request;
    const target: CallTarget = { callId, ...(tenantId !== undefined && { tenantId }) };
    const asked = {
      ...target,
      ...(participantIds !== undefined && { participantIds }),
      ...(andEveryone && { andEveryone }),
    };
    try {
      return await attempt(
        () => this.interruptions.any,
        () => reads.readRoster.executeWithOptions({ summary }, [asked]),
      );
    } catch (stop) {
      throw new Stop(this.#told(stop));
    }
  }

  /** A failure told of the call; one that was read before and is not found any more has ended. */
  #told(stop: unknown): Failure {
    if (!(stop instanceof Stop) || stop.reason === 'Superseded') throw stop;
    const { callId } = this.#request;
    const isGone = stop.reason.type === 'CallNotFound' && this.#inheritance.isCallKnown;
    return isGone ? callEnded(callId) : about(callId, stop.reason);
  }

  /** Graph had taken it, and has reported since that it failed. */
  #settleFailed(member: Member): void {
    const { operationId } = member;
    if (operationId === undefined || operationId === '') return;
    const update = this.#failedOperations.find((failed) => sameId(failed.operationId, operationId));
    if (update !== undefined) member.refuse(operationFailed(this.#request.callId, 'mute', update));
  }

  // the end

  #result(members: readonly Member[]): OthersResult {
    const { callId, target, confirmWithinSeconds = DEFAULT_CONFIRM_WITHIN_SECONDS } = this.#request;
    const isToBe = members.filter(({ outcome }) => outcome !== 'left' && outcome !== 'inLobby');
    const isDone = isToBe.some(({ outcome }) => outcome === 'confirmed' || outcome === 'unmutedAgain');
    if (isToBe.length > 0 && !isDone) throw new Stop(this.#noneMuted(isToBe));
    if (isToBe.length === 0 && !this.#isRosterComplete && !isByName(target)) {
      throw new Stop(rosterIncomplete(callId, confirmWithinSeconds));
    }
    this.#phase = 'confirmed';
    this.#confirmedAt = Date.now();
    const confirmed = isToBe.filter(({ outcome }) => outcome === 'confirmed');
    this.#story.tell(`**Confirmed** for ${confirmed.length} of ${members.length}; the result tells of each of them.`);
    return {
      callId: this.#request.callId,
      action: 'mute',
      target: this.#request.target,
      participants: this.#results(),
      isRosterComplete: this.#isRosterComplete,
      clientContext: this.#clientContext,
      requestedAt: iso(this.#requestedAt ?? this.#confirmedAt),
      ...(this.#acceptedAt !== undefined && { acceptedAt: iso(this.#acceptedAt) }),
      confirmedAt: iso(this.#confirmedAt),
    };
  }

  #noneMuted(members: readonly Member[]): Failure {
    const { callId, confirmWithinSeconds = DEFAULT_CONFIRM_WITHIN_SECONDS } = this.#request;
    const refusals = members.flatMap(({ refusal }) => refusal ?? []);
    const [first] = refusals;
    const isRefused = first !== undefined && (refusals.length === members.length || this.#acceptedAt === undefined);
    return isRefused ? first : noneMuted(callId, members.length, confirmWithinSeconds);
  }

  #failureOf(reason: Stop['reason']): Failure {
    const failure = reason === 'Superseded' ? superseded(this.#request.callId) : reason;
    return this.#requestedAt === undefined ? failure : withoutUndoing(failure, this.#results()); // T1
  }

  #results(): ParticipantResult[] {
    return (this.#members ?? []).map((member) => member.result());
  }
}

function isByName(target: OthersRequest['target']): target is { participantIds: readonly string[] } {
  return target !== 'others' && 'participantIds' in target;
}

/** Who is not found is asked for all the same, unless it is proven that they are not in the call. */
function memberOf(id: string, listed: RosterReading['members'], isAbsenceProven: boolean): Member {
  const found = listed.find((member) => sameId(member.id, id));
  const member = new Member(found ?? { id, isInLobby: false });
  if (found === undefined && isAbsenceProven) member.leave();
  return member;
}

/** A full roster proves who is in the call only if it lists the application, and fewer than Graph's 100 entries. */
function listsEveryone({ full, participants }: RosterUpdate, own: string | undefined): boolean {
  const isOwn = ({ id, removed }: RosterEntry): boolean => own !== undefined && removed !== true && sameId(id, own);
  return full && participants.length < MOST_PARTICIPANTS && participants.some(isOwn);
}

/** An attempt that Temporal has given up waiting for is waited for all the same (T2). */
async function waitingForTheLast<T>(post: () => Promise<T>): Promise<T> {
  try {
    return await post();
  } catch (error) {
    if (mayBeUnderWay(error)) {
      const wait = { summary: 'Wait for an attempt that may be under way' };
      await CancellationScope.nonCancellable(() => sleep(ATTEMPT_MS, wait));
    }
    throw error;
  }
}
