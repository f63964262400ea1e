import type { RosterReading } from '../../activities/types.ts';
import { canonicalId, sameId } from '../../contract/call-id.ts';
import type { ParticipantResult } from '../../contract/operation.ts';
import type { ParticipantsMuteRequest } from '../../contract/request.ts';
import type { OperationUpdate, RosterParticipant, RosterUpdate } from '../../contract/signals.ts';
import { MAX_PARTICIPANTS } from '../../contract/target.ts';
import { isAlone } from '../call/alone.ts';
import { OperationFailed } from '../call/attempt.ts';
import { invalidRequest, operationFailed } from '../lib/failures.ts';
import { ParticipantMute, type ParticipantMuteState } from './participant-mute.ts';

/** Failed operations that are kept until Graph's answers show to which participant they belong. */
const MAX_KEPT = 64;

/** The state of all participants, as plain data. */
export interface ParticipantMutesState {
  /** The application's own participant. */
  participantId?: string;
  members: readonly ParticipantMuteState[];
  /** The target is everyone, and not everyone is known yet. */
  isGathering: boolean;
  /** The participants of a full notification that lists everyone. */
  everyone?: readonly string[];
  isRosterComplete: boolean;
  isAnyMutedAlready: boolean;
  failedOperations: readonly OperationUpdate[];
}

/**
 * The participants whom a mute of others mutes.
 *
 * An incomplete roster proves nothing about who is not in it, nor does a first one that lists the application alone.
 * If everyone is to be muted and the first roster is incomplete, they are **gathered**: participants in later rosters
 * are added, until a roster is complete. A full notification that lists everyone completes the picture, too. At
 * Graph's 100 entries another look would show no more, so there is no gathering.
 */
export class ParticipantMutes {
  readonly #request: ParticipantsMuteRequest;
  readonly #members: ParticipantMute[] = [];
  readonly #failedOperations: OperationUpdate[] = [];
  readonly #now: Omit<ParticipantMutesState, 'members' | 'failedOperations'>;
  #isKnown: boolean;

  /** `state` is that of a run which this one continues. */
  constructor(request: ParticipantsMuteRequest, state?: ParticipantMutesState) {
    const { members = [], failedOperations = [], ...rest } = state ?? {};
    this.#request = request;
    this.#now = { isGathering: false, isRosterComplete: false, isAnyMutedAlready: false, ...rest };
    this.#members.push(...members.map((known) => new ParticipantMute(known)));
    this.#failedOperations.push(...failedOperations);
    this.#isKnown = state !== undefined;
  }

  get state(): ParticipantMutesState {
    const members = this.#members.map(({ known }) => known);
    return { ...this.#now, members, failedOperations: this.#failedOperations };
  }

  get participantId(): string | undefined {
    return this.#now.participantId;
  }

  /** The first roster was read. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  get isGathering(): boolean {
    return this.#now.isGathering;
  }

  /** A notification has listed everyone, and they were not looked for yet. */
  get isEveryoneListed(): boolean {
    return this.#now.everyone !== undefined;
  }

  get isRosterComplete(): boolean {
    return this.#now.isRosterComplete;
  }

  get isAnyMutedAlready(): boolean {
    return this.#now.isAnyMutedAlready;
  }

  get all(): readonly ParticipantMute[] {
    return this.#members;
  }

  get toBeAsked(): ParticipantMute[] {
    return this.#members.filter(({ isToBeAsked }) => isToBeAsked);
  }

  get areSettled(): boolean {
    return !this.#now.isGathering && this.#members.every(({ isSettled }) => isSettled);
  }

  get results(): ParticipantResult[] {
    return this.#members.map((member) => member.result());
  }

  /** @throws {OperationFailed} if the request names the application itself */
  choose(reading: RosterReading | undefined): void {
    const { participantId, members: listed = [], isComplete = false, isCapped = false } = reading ?? {};
    const { callId, target } = this.#request;
    if (participantId !== undefined) this.#now.participantId = participantId;
    this.#now.isRosterComplete = isComplete;
    if (isByName(target)) {
      if (participantId !== undefined && target.participantIds.some((id) => sameId(id, participantId))) {
        const fault = `target contains ${participantId}, which is the application itself: leave it out, and mute it with target 'self'`;
        throw new OperationFailed(invalidRequest([fault], callId));
      }
      const isAbsenceProven = reading?.isAbsenceProven === true;
      this.#members.push(...target.participantIds.map((id) => memberOf(id, listed, isAbsenceProven)));
    } else {
      this.#members.push(...listed.filter(({ id }) => this.#isMeant(id)).map((member) => ParticipantMute.of(member)));
      if (isAlone(listed)) this.#now.isRosterComplete = false;
      this.#now.isGathering = !this.#now.isRosterComplete && !isCapped;
    }
    this.#isKnown = true;
    this.#now.isAnyMutedAlready = this.#members.some(({ state }) => state?.isMuted === true);
  }

  /** For a target without IDs: everyone except the application and the participants in `except`. */
  #isMeant(id: string): boolean {
    const { target } = this.#request;
    const except = typeof target === 'object' && 'others' in target ? target.others.except : [];
    return ![this.#now.participantId, ...except].some((other) => other !== undefined && sameId(id, other));
  }

  /** Processes a roster notification. */
  take(update: RosterUpdate): void {
    for (const member of this.#members) member.take(update);
    if (this.#now.isGathering && listsEveryone(update, this.#now.participantId)) {
      this.#now.everyone = update.participants.map(({ id }) => canonicalId(id));
    }
  }

  /** Graph has reported of an operation that it failed. */
  fail(update: OperationUpdate): void {
    if (this.#failedOperations.push(update) > MAX_KEPT) this.#failedOperations.shift();
    for (const member of this.#members) this.settleFailed(member);
  }

  /** Graph had accepted it, and has reported since that it failed. */
  settleFailed(member: ParticipantMute): void {
    const { operationId } = member;
    if (operationId === undefined || operationId === '') return;
    const update = this.#failedOperations.find((failed) => sameId(failed.operationId, operationId));
    if (update !== undefined) member.refuse(operationFailed(this.#request.callId, 'mute', update));
  }

  /**
   * Takes the participants for the next read: those who are not settled, and those in a notification that listed
   * everyone.
   */
  takeWanted(): {
    unsettled: readonly ParticipantMute[];
    everyone: readonly string[] | undefined;
    ids: readonly string[];
  } {
    const unsettled = this.#members.filter(({ isSettled }) => !isSettled);
    const everyone = this.#now.everyone?.filter((id) => this.#isNew(id));
    delete this.#now.everyone;
    const ids = [...unsettled.map(({ id }) => id), ...(everyone ?? [])].slice(0, MAX_PARTICIPANTS);
    return { unsettled, everyone, ids };
  }

  /** Processes a read. */
  see(reading: RosterReading, { unsettled, everyone }: ReturnType<ParticipantMutes['takeWanted']>): void {
    const found = new Map(reading.members.map((member) => [member.id, member]));
    for (const member of unsettled) {
      const shown = found.get(canonicalId(member.id));
      if (shown?.state !== undefined) member.see(shown.state);
      else if (shown === undefined && reading.isAbsenceProven) member.leave();
    }
    if (this.#now.isGathering) this.#gather(reading, everyone);
  }

  /** Adds the participants whom the roster shows meanwhile. */
  #gather({ members, isComplete, isCapped, isAbsenceProven }: RosterReading, everyone?: readonly string[]): void {
    const listed = members.filter(({ id }) => this.#isNew(id));
    const found = new Set(members.map(({ id }) => id));
    // Who is listed by a notification, and whom no read finds: Graph is asked all the same, unless they have left.
    const unfound = isAbsenceProven ? [] : (everyone ?? []).filter((id) => !found.has(id));
    this.#members.push(
      ...[...listed, ...unfound.map((id) => ({ id, isInLobby: false }))].map((it) => ParticipantMute.of(it)),
    );
    this.#now.isRosterComplete = isComplete || everyone !== undefined;
    this.#now.isGathering = !this.#now.isRosterComplete && !isCapped;
  }

  stopGathering(): void {
    this.#now.isGathering = false;
  }

  #isNew(id: string): boolean {
    return this.#isMeant(id) && !this.#members.some((member) => sameId(member.id, id));
  }
}

export function isByName(target: ParticipantsMuteRequest['target']): target is { participantIds: readonly string[] } {
  return target !== 'others' && 'participantIds' in target;
}

/** A participant who is not found is muted all the same, unless it is proven that they are not in the call. */
function memberOf(id: string, listed: RosterReading['members'], isAbsenceProven: boolean): ParticipantMute {
  const found = listed.find((member) => sameId(member.id, id));
  const member = ParticipantMute.of(found ?? { id, isInLobby: false });
  if (found === undefined && isAbsenceProven) member.leave();
  return member;
}

/**
 * A full roster proves who is in the call only if nobody was left out, it lists the application and somebody else,
 * and it has fewer than Graph's 100 entries.
 */
function listsEveryone({ full, participants, isIncomplete }: RosterUpdate, own: string | undefined): boolean {
  const isOwn = ({ id, removed }: RosterParticipant): boolean =>
    own !== undefined && removed !== true && sameId(id, own);
  return (
    full &&
    isIncomplete !== true &&
    !isAlone(participants) &&
    participants.length < MAX_PARTICIPANTS &&
    participants.some(isOwn)
  );
}
