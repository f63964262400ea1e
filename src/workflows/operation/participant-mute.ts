import type { Acceptance, RosterMember } from '../../activities/types.ts';
import { sameId } from '../../contract/call-id.ts';
import type {
  ModerationResult,
  MuteState,
  ParticipantOutcome,
  ParticipantResult,
  SeenState,
} from '../../contract/operation.ts';
import type { RosterUpdate } from '../../contract/signals.ts';
import type { Failure } from '../lib/failures.ts';
import { Roster, type RosterState } from '../call/roster.ts';

/** The state of a participant's mute, as plain data. */
export interface ParticipantMuteState {
  id: string;
  isInLobby: boolean;
  /** Absent before any roster contained it. */
  roster?: RosterState;
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
 * The rules of `roster.ts` for the application apply to it, too. If a POST had no answer, the participant may be
 * muted all the same, so the roster decides. The newest of notifications and reads counts.
 */
export class ParticipantMute {
  readonly #roster: Roster;
  readonly #now: Omit<ParticipantMuteState, 'roster'>;

  /** `known` is of a run which this one continues. */
  constructor({ roster, ...known }: ParticipantMuteState) {
    this.#roster = new Roster(roster);
    this.#now = { ...known };
  }

  /** A participant in a roster, or in the target. */
  static of({ id, isInLobby, state }: RosterMember): ParticipantMute {
    const member = new ParticipantMute({ id, isInLobby, isAsked: false, hasLeft: false });
    member.#roster.know(id);
    if (state !== undefined) member.#roster.see(state);
    return member;
  }

  get known(): ParticipantMuteState {
    return { ...this.#now, roster: this.#roster.state };
  }

  get id(): string {
    return this.#now.id;
  }

  get state(): MuteState | undefined {
    return this.#roster.lastSeen;
  }

  get operationId(): string | undefined {
    return this.#now.acceptance?.operationId;
  }

  /** Its mute was not requested yet, but must be. */
  get isToBeAsked(): boolean {
    return !this.#now.isAsked && !this.isSettled;
  }

  get refusal(): Failure | undefined {
    return this.#now.refusal;
  }

  /** Graph has answered for it, or no request is needed. */
  get isSettled(): boolean {
    return this.outcome !== 'notConfirmed';
  }

  get outcome(): ParticipantOutcome {
    if (this.#now.hasLeft) return 'left';
    if (this.#now.isInLobby) return 'inLobby';
    if (this.#now.refusal !== undefined) return 'refused';
    if (!this.#now.isAsked || this.#now.confirmedBy === undefined) return 'notConfirmed';
    return this.#now.isShownMuted === true ? 'confirmed' : 'unmutedAgain';
  }

  ask(): void {
    this.#now.isAsked = true;
    this.#roster.ask();
  }

  accept(acceptance: Acceptance): void {
    this.#now.acceptance = acceptance;
  }

  refuse(failure: Failure): void {
    this.#now.refusal ??= failure;
  }

  leave(): void {
    this.#now.hasLeft = true;
  }

  /** Processes a roster notification. */
  take(update: RosterUpdate): void {
    if (update.participants.some(({ id, removed }) => removed === true && sameId(id, this.id))) return this.leave();
    const before = this.#roster.notified;
    this.#roster.take(update);
    const { notified } = this.#roster;
    if (notified !== undefined && notified !== before) this.#show(notified, 'notification');
  }

  /** Processes a read of the roster. */
  see(state: SeenState): void {
    this.#roster.see(state);
    this.#show(state, 'roster-read');
  }

  result(): ParticipantResult {
    const { outcome } = this;
    const { status, code } = this.#now.refusal?.details ?? {};
    const isShown = outcome === 'confirmed' || outcome === 'unmutedAgain';
    return {
      participantId: this.id,
      outcome,
      ...(isShown && this.#now.confirmedBy !== undefined && { confirmedBy: this.#now.confirmedBy }),
      ...(this.#now.acceptance !== undefined && { operationId: this.#now.acceptance.operationId }),
      ...(status !== undefined && { status }),
      ...(code !== undefined && { code }),
    };
  }

  #show({ isMuted }: MuteState, by: ModerationResult['confirmedBy']): void {
    if (!this.#now.isAsked) return;
    this.#now.isShownMuted = isMuted;
    if (isMuted) this.#now.confirmedBy ??= by;
  }
}
