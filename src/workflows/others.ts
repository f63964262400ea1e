import type { RosterReading } from '../activities/types.ts';
import { canonicalId, sameId } from '../contract/call-id.ts';
import type { OperationStatus, OthersResult, ParticipantResult, Phase } from '../contract/operation.ts';
import { DEFAULT_CONFIRM_WITHIN_SECONDS, type OthersRequest } from '../contract/request.ts';
import type { OperationUpdate, RosterEntry, RosterUpdate } from '../contract/signals.ts';
import { MOST_PARTICIPANTS } from '../contract/target.ts';
import { Failed, waitFor } from './call/attempt.ts';
import { GraphCall } from './call/graph-call.ts';
import { delayUntil, ROSTER_DELAYS_MS } from './call/polling.ts';
import { requireEstablishedGroupCall } from './call/preconditions.ts';
import {
  invalidRequest,
  noneMuted,
  operationFailed,
  rosterIncomplete,
  withoutUndoing,
  type Failure,
} from './failures.ts';
import { Interruptions, Superseded } from './interruptions.ts';
import { isHistoryLong } from './limits.ts';
import { Member, type MemberState } from './member.ts';
import { iso } from './iso.ts';
import type { HandOver, Inheritance, Outcome } from './saga.ts';
import { Story } from './story.ts';

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
 * An incomplete roster proves nothing about who is not in it, nor does a first one that lists the application alone. If everyone is to be muted and the first roster is
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
 * T7. The history stays short: while it waits for the confirmation, it continues as new when its history is long
 *     (`limits.ts`), with all that it knows of everyone and the same deadlines.
 */

/** POSTs that are under way at the same time. */
const AT_ONCE = 8;

/** Rosters and failed operations that are kept until it is known what they are about: none is missed for long. */
const MOST_KEPT = 64;

/** A mute of others that waits for its confirmation, as plain data, so that it can continue as new. Times are in ms. */
export interface ConfirmingOthersState {
  clientContext: string;
  participantId?: string | undefined;
  members: readonly MemberState[];
  isGathering: boolean;
  everyone?: readonly string[] | undefined;
  isRosterComplete: boolean;
  isAnyMutedAlready: boolean;
  requestedAt?: number | undefined;
  acceptedAt?: number | undefined;
  wait: Wait;
  failedOperations: readonly OperationUpdate[];
  story: readonly string[];
}

/** How far the wait for the confirmation is. */
interface Wait {
  /** Until when those are asked for as well whom a later roster shows. */
  gatherBy: number;
  deadline: number;
  /** How often the roster was read. */
  round: number;
}

export class Others {
  readonly interruptions: Interruptions;
  readonly #request: OthersRequest;
  readonly #clientContext: string;
  readonly #call: GraphCall;
  /** Of what a superseded operation knew of the application's own mute (T5). */
  readonly #inherited: Inheritance;
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
  #wait: Wait | undefined;
  #signals = 0;

  constructor(request: OthersRequest, runId: string, inheritance?: Inheritance) {
    const { confirmingOthers, ...inherited } = inheritance ?? {};
    this.interruptions = new Interruptions(request.callId);
    this.#request = request;
    this.#clientContext = confirmingOthers?.clientContext ?? request.clientContext ?? runId;
    this.#inherited = { isCallKnown: false, isPosted: false, ...inherited };
    this.#call = new GraphCall(request, this.#inherited);
    this.#story = new Story('mute', request, confirmingOthers?.story);
    if (confirmingOthers !== undefined) this.#goOn(confirmingOthers);
    else if (inheritance !== undefined) this.#story.tell('Took over from the operation before.');
  }

  #goOn(state: ConfirmingOthersState): void {
    this.#phase = 'confirming';
    this.#participantId = state.participantId;
    this.#members = state.members.map((known) => Member.from(known));
    this.#isGathering = state.isGathering;
    this.#everyone = state.everyone;
    this.#isRosterComplete = state.isRosterComplete;
    this.#isAnyMutedAlready = state.isAnyMutedAlready;
    this.#requestedAt = state.requestedAt;
    this.#acceptedAt = state.acceptedAt;
    this.#wait = state.wait;
    this.#failedOperations.push(...state.failedOperations);
  }

  rosterUpdated(update: RosterUpdate): void {
    this.#signals += 1;
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
    return { successor, inheritance: this.#inheritance() };
  }

  async #steps(): Promise<Outcome> {
    try {
      const members = this.#members ?? (await this.#read());
      if (this.#wait === undefined) await this.#ask(members);
      const wait = await this.#confirm(members);
      if (wait !== undefined) return { kind: 'continued', inheritance: this.#continuation(members, wait) }; // T7
      return { kind: 'confirmed', result: this.#result(members) };
    } catch (stop) {
      const failure = this.#failureOf(stop);
      this.#phase = 'failed';
      if (this.interruptions.successor === undefined) this.#story.tell(`**${failure.type}**: ${failure.message}`);
      return { kind: 'failed', failure };
    }
  }

  // reading

  async #read(): Promise<readonly Member[]> {
    const { callId, target } = this.#request;
    this.interruptions.throwIfAny();
    const named = isByName(target) ? target.participantIds : undefined;
    const whom = named === undefined ? {} : { participantIds: named };
    const reading = await this.#call.readRoster(whom, () => this.interruptions.any, {
      summary: 'Read the call and its roster',
    });
    this.interruptions.throwIfAny();
    requireEstablishedGroupCall(callId, reading);
    this.#participantId = reading?.participantId;
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
        throw new Failed(invalidRequest([fault], callId));
      }
      members.push(...participantIds.map((id) => memberOf(id, listed, isAbsenceProven)));
    } else {
      members.push(...listed.filter(({ id }) => this.#isMeant(id)).map((member) => Member.of(member)));
      if (listed.length === 1) this.#isRosterComplete = false; // The application alone: Graph may list others a moment later.
      this.#isGathering = !this.#isRosterComplete && !isCapped;
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
    member.ask();
    try {
      const answer = await this.#call.muteParticipant(member.id, this.#clientContext, () => this.interruptions.any);
      if (answer === 'left') member.leave();
      else if (answer !== undefined) {
        member.accept(answer);
        this.#acceptedAt = Date.now();
        this.#settleFailed(member);
      }
    } catch (stop) {
      if (!(stop instanceof Failed)) throw stop;
      const { failure } = stop;
      if (failure.type === 'CallEnded') return this.interruptions.endCall({}); // For all of them.
      // Without an answer it may have been done, and the roster decides.
      if (failure.type !== 'GraphUnavailable') member.refuse(failure);
    }
  }

  // confirming

  /** How far it is, if the history has become long before the end. */
  async #confirm(members: readonly Member[]): Promise<Wait | undefined> {
    const wait = this.#wait ?? this.#beginWait();
    const isLong = (): boolean => isHistoryLong(this.#signals);
    const isDone = (): boolean =>
      this.interruptions.any || (!this.#isGathering && members.every(({ isSettled }) => isSettled));
    const isNews = (): boolean => isDone() || this.#everyone !== undefined || isLong();
    const delays = this.#isAnyMutedAlready ? [0, ...ROSTER_DELAYS_MS] : ROSTER_DELAYS_MS;
    for (; !isDone() && !this.#isRefusedForAll(members); wait.round += 1) {
      await waitFor(isNews, delayUntil(wait.deadline, delays, wait.round), 'Wait for the roster');
      if (isDone() || Date.now() >= wait.deadline) break;
      if (isLong()) return wait;
      await this.#look(members, wait.deadline);
      if (Date.now() >= wait.gatherBy) this.#isGathering = false;
      if (!members.some(({ isToBeAsked }) => isToBeAsked) || this.interruptions.any) continue;
      await this.#ask(members);
      this.#phase = 'confirming';
      wait.deadline = Date.now() + this.#confirmMs;
    }
    this.interruptions.throwIfAny();
    return undefined;
  }

  get #confirmMs(): number {
    return (this.#request.confirmWithinSeconds ?? DEFAULT_CONFIRM_WITHIN_SECONDS) * 1_000;
  }

  #beginWait(): Wait {
    this.#phase = 'confirming';
    this.#story.tell('Graph has answered. Waits until the roster shows each of them.');
    const deadline = Date.now() + this.#confirmMs;
    return { gatherBy: deadline, deadline, round: 0 };
  }

  /**
   * Reads those who are not settled, and everyone as long as not everyone is known. A read that Graph does not answer in time
   * proves nothing, and that is all.
   */
  async #look(members: readonly Member[], deadline: number): Promise<void> {
    const unsettled = members.filter(({ isSettled }) => !isSettled);
    const isNew = (id: string): boolean => this.#isMeant(id) && !members.some((member) => sameId(member.id, id));
    const everyone = this.#everyone?.filter(isNew);
    const ids = [...unsettled.map(({ id }) => id), ...(everyone ?? [])].slice(0, MOST_PARTICIPANTS);
    this.#everyone = undefined;
    try {
      const whom = { participantIds: ids, ...(this.#isGathering && { andEveryone: true }) };
      const reading = await this.#call.readRoster(whom, () => this.interruptions.any, { deadline });
      if (reading === undefined) return;
      const found = new Map(reading.members.map((member) => [member.id, member]));
      for (const member of unsettled) {
        const state = found.get(canonicalId(member.id))?.state;
        if (state !== undefined) member.see(state);
        else if (reading.isAbsenceProven && !found.has(canonicalId(member.id))) member.leave();
      }
      if (this.#isGathering) this.#gather(reading, everyone, isNew);
    } catch (stop) {
      if (!(stop instanceof Failed)) throw stop;
      if (stop.failure.type === 'CallEnded') this.interruptions.endCall({});
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
    this.#members?.push(...[...listed, ...unfound.map((id) => ({ id, isInLobby: false }))].map((it) => Member.of(it)));
    this.#isRosterComplete = isComplete || everyone !== undefined;
    this.#isGathering = !this.#isRosterComplete && !isCapped;
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
    if (isToBe.length > 0 && !isDone) throw new Failed(this.#noneMuted(isToBe));
    if (isToBe.length === 0 && !this.#isRosterComplete && !isByName(target)) {
      throw new Failed(rosterIncomplete(callId, confirmWithinSeconds));
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

  #failureOf(stop: unknown): Failure {
    if (!(stop instanceof Failed || stop instanceof Superseded)) throw stop;
    const { failure } = stop;
    return this.#requestedAt === undefined ? failure : withoutUndoing(failure, this.#results()); // T1
  }

  #inheritance(): Inheritance {
    return { ...this.#inherited, isCallKnown: this.#call.known.isCallKnown };
  }

  /** What the same operation goes on with in another run. */
  #continuation(members: readonly Member[], wait: Wait): Inheritance {
    const confirmingOthers: ConfirmingOthersState = {
      clientContext: this.#clientContext,
      participantId: this.#participantId,
      members: members.map(({ known }) => known),
      isGathering: this.#isGathering,
      everyone: this.#everyone,
      isRosterComplete: this.#isRosterComplete,
      isAnyMutedAlready: this.#isAnyMutedAlready,
      requestedAt: this.#requestedAt,
      acceptedAt: this.#acceptedAt,
      wait,
      failedOperations: this.#failedOperations,
      story: this.#story.lines,
    };
    return { ...this.#inheritance(), confirmingOthers };
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
  const member = Member.of(found ?? { id, isInLobby: false });
  if (found === undefined && isAbsenceProven) member.leave();
  return member;
}

/**
 * A full roster proves who is in the call only if nobody was left out, it lists the application and somebody else, and it has
 * fewer than Graph's 100 entries.
 */
function listsEveryone({ full, participants, isIncomplete }: RosterUpdate, own: string | undefined): boolean {
  const isOwn = ({ id, removed }: RosterEntry): boolean => own !== undefined && removed !== true && sameId(id, own);
  const isAlone = participants.length === 1;
  return (
    full && isIncomplete !== true && !isAlone && participants.length < MOST_PARTICIPANTS && participants.some(isOwn)
  );
}
