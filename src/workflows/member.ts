import type { Acceptance, RosterMember } from '../activities/types.ts';
import { sameId } from '../contract/call-id.ts';
import type {
  ModerationResult,
  MuteState,
  ParticipantOutcome,
  ParticipantResult,
  SeenState,
} from '../contract/operation.ts';
import type { RosterUpdate } from '../contract/signals.ts';
import type { Failure } from './failures.ts';
import { Roster, type RosterState } from './roster.ts';

/** Everything that is known of a member, as plain data. */
export interface MemberState {
  id: string;
  isInLobby: boolean;
  roster: RosterState;
  isAsked: boolean;
  isShownMuted?: boolean | undefined;
  confirmedBy?: ModerationResult['confirmedBy'] | undefined;
  acceptance?: Acceptance | undefined;
  refusal?: Failure | undefined;
  hasLeft: boolean;
}

/**
 * One participant who is to be muted.
 *
 *     waiting ──▶ asked ──▶ shown muted ◀──▶ shown unmuted
 *        │          └────▶ refused
 *        └──────────────── in the lobby (never asked)          left: from anywhere, for good
 *
 * What a roster proves of it is what `roster.ts` says of the application (R1 to R6). One whose POST had no answer may be
 * muted all the same, so the roster decides of it, too. The newest of notifications and reads counts.
 */
export class Member {
  readonly id: string;
  readonly isInLobby: boolean;
  readonly #roster: Roster;
  #isAsked = false;
  #isShownMuted: boolean | undefined;
  #confirmedBy: ModerationResult['confirmedBy'] | undefined;
  #acceptance: Acceptance | undefined;
  #refusal: Failure | undefined;
  #hasLeft = false;

  private constructor(id: string, isInLobby: boolean, roster: Roster) {
    this.id = id;
    this.isInLobby = isInLobby;
    this.#roster = roster;
  }

  /** Somebody whom a roster lists, or who was named. */
  static of({ id, isInLobby, state }: RosterMember): Member {
    const member = new Member(id, isInLobby, new Roster());
    member.#roster.know(id);
    if (state !== undefined) member.#roster.see(state);
    return member;
  }

  /** A member of a run that continues another one. */
  static from(known: MemberState): Member {
    const member = new Member(known.id, known.isInLobby, Roster.from(known.roster));
    member.#isAsked = known.isAsked;
    member.#isShownMuted = known.isShownMuted;
    member.#confirmedBy = known.confirmedBy;
    member.#acceptance = known.acceptance;
    member.#refusal = known.refusal;
    member.#hasLeft = known.hasLeft;
    return member;
  }

  get known(): MemberState {
    return {
      id: this.id,
      isInLobby: this.isInLobby,
      roster: this.#roster.state,
      isAsked: this.#isAsked,
      isShownMuted: this.#isShownMuted,
      confirmedBy: this.#confirmedBy,
      acceptance: this.#acceptance,
      refusal: this.#refusal,
      hasLeft: this.#hasLeft,
    };
  }

  get state(): MuteState | undefined {
    return this.#roster.lastSeen;
  }

  get operationId(): string | undefined {
    return this.#acceptance?.operationId;
  }

  /** Nothing was asked for it yet, and something is to be. */
  get isToBeAsked(): boolean {
    return !this.#isAsked && !this.isSettled;
  }

  get refusal(): Failure | undefined {
    return this.#refusal;
  }

  /** Graph has answered for it, or it is known that there is nothing to ask for. */
  get isSettled(): boolean {
    return this.outcome !== 'notConfirmed';
  }

  get outcome(): ParticipantOutcome {
    if (this.#hasLeft) return 'left';
    if (this.isInLobby) return 'inLobby';
    if (this.#refusal !== undefined) return 'refused';
    if (!this.#isAsked || this.#confirmedBy === undefined) return 'notConfirmed';
    return this.#isShownMuted === true ? 'confirmed' : 'unmutedAgain';
  }

  ask(): void {
    this.#isAsked = true;
    this.#roster.ask();
  }

  accept(acceptance: Acceptance): void {
    this.#acceptance = acceptance;
  }

  refuse(failure: Failure): void {
    this.#refusal ??= failure;
  }

  leave(): void {
    this.#hasLeft = true;
  }

  /** Takes a roster notification in. */
  take(update: RosterUpdate): void {
    if (update.participants.some(({ id, removed }) => removed === true && sameId(id, this.id))) return this.leave();
    const before = this.#roster.notified;
    this.#roster.take(update);
    const { notified } = this.#roster;
    if (notified !== undefined && notified !== before) this.#show(notified, 'notification');
  }

  /** Takes in what a read of the roster has shown. */
  see(state: SeenState): void {
    this.#roster.see(state);
    this.#show(state, 'roster-read');
  }

  result(): ParticipantResult {
    const { outcome } = this;
    const { status, code } = this.#refusal?.details ?? {};
    const isShown = outcome === 'confirmed' || outcome === 'unmutedAgain';
    return {
      participantId: this.id,
      outcome,
      ...(isShown && this.#confirmedBy !== undefined && { confirmedBy: this.#confirmedBy }),
      ...(this.#acceptance !== undefined && { operationId: this.#acceptance.operationId }),
      ...(status !== undefined && { status }),
      ...(code !== undefined && { code }),
    };
  }

  #show({ isMuted }: MuteState, by: ModerationResult['confirmedBy']): void {
    if (!this.#isAsked) return;
    this.#isShownMuted = isMuted;
    if (isMuted) this.#confirmedBy ??= by;
  }
}
