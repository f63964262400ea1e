import { sameId } from '../../contract/call-id.ts';
import type { MuteState, SeenState } from '../../contract/operation.ts';
import type { RosterParticipant, RosterUpdate } from '../../contract/signals.ts';

/** Maximum number of rosters kept during one activity: the newest ones. */
const MAX_HELD = 256;

/** The roster has no sequence number. */
const NONE = Number.MIN_SAFE_INTEGER;

/** Everything that a roster knows, as plain data. */
export interface RosterState {
  participantId?: string | undefined;
  lastSeen?: MuteState | undefined;
  asked: boolean;
  /** The highest place in the order, of any roster. */
  newest: number;
  newestWhenAsked: number;
  /** The same, of rosters that show the participant. */
  highest: number;
  notified?: MuteState | undefined;
  serverMuted?: boolean | undefined;
}

/**
 * What the rosters prove about the application's own participant.
 *
 * Nothing ties a roster to a request: it contains no `clientContext` and no operation ID. So its time of arrival
 * counts, and its sequence number if it has one:
 *
 * - **The participant must be known.** Before that, a roster counts only for the order, because any participant in it
 *   may be somebody else.
 * - **Only a newer roster confirms.** A roster confirms the operation only if it arrived after the POST was sent and
 *   its sequence number is higher than every sequence number known at that moment: from any roster, from a read, or
 *   inherited from the superseded run. Without any known sequence number, stale and fresh rosters cannot be
 *   distinguished. The first attempt reads and POSTs in one activity. Rosters that arrive during it are processed
 *   once its reading is known; they confirm only if the call was not in the wanted state in that reading.
 * - **An older roster never undoes a newer one.** A roster with a sequence number below the participant's highest is
 *   dropped. Rosters without a sequence number count in the order of their arrival. In a read and in a full roster, 0
 *   means "no sequence number", because it is the value of a number that nobody has set.
 * - **The newest roster decides.** If a newer roster has taken the wanted state back, an older one does not confirm.
 * - **A removed participant is in the past.** A participant that is marked `removed` is dropped.
 * - **A missing `serverMuted` changes nothing.** A roster without `serverMuted` keeps the value that was reported
 *   since the POST, as long as `isMuted` stays the same: most notifications leave it out, a read contains it.
 */
export class Roster {
  readonly #now: RosterState;
  #held: RosterUpdate[] | undefined;

  /** `state` is that of a run which this one continues. */
  constructor(state: RosterState = { asked: false, newest: NONE, newestWhenAsked: NONE, highest: NONE }) {
    this.#now = { ...state };
  }

  get state(): RosterState {
    return this.#now;
  }

  get participantId(): string | undefined {
    return this.#now.participantId;
  }

  get lastSeen(): MuteState | undefined {
    return this.#now.lastSeen;
  }

  /**
   * Newest state in a roster notification since the POST was sent (**Only a newer roster confirms**, **The newest
   * roster decides**).
   */
  get notified(): MuteState | undefined {
    return this.#now.notified;
  }

  /** The place in the order that is known to be past, if any is. */
  get newest(): number | undefined {
    return this.#now.newest === NONE ? undefined : this.#now.newest;
  }

  know(participantId: string): void {
    this.#now.participantId = participantId;
  }

  /** What the run before has known to be past (**Only a newer roster confirms**). */
  inherit(newest: number): void {
    this.#pass(newest);
  }

  /** Keeps arriving rosters until `release`, because the state of the call before them is not known yet. */
  hold(): void {
    this.#held = [];
  }

  /** Processes the rosters that were kept, in their order. Some of them may be from before the POST. */
  release(mayConfirm: boolean): void {
    const held = this.#held ?? [];
    const asked = this.#now.asked;
    this.#held = undefined;
    this.#now.asked = asked && mayConfirm;
    for (const update of held) this.take(update);
    this.#now.asked = asked;
  }

  /** The POST is about to be sent: from here on a notification may confirm (**Only a newer roster confirms**). */
  ask(): void {
    this.#now.asked = true;
    this.#now.newestWhenAsked = this.#now.newest;
    this.#now.serverMuted = undefined;
  }

  /** Processes a roster notification. */
  take(update: RosterUpdate): void {
    if (this.#held !== undefined) {
      if (this.#held.push(update) > MAX_HELD) this.#held.shift();
      return;
    }
    const own = this.#now.participantId;
    const placeOf = ({ sequence }: RosterParticipant): number =>
      update.full ? setNumber(sequence) : (sequence ?? NONE);
    const place = update.sequenceNumber ?? NONE;
    this.#pass(place);
    for (const participant of update.participants) this.#pass(placeOf(participant));
    if (own === undefined) return; // **The participant must be known.**
    const entry = update.participants.findLast(({ id }) => sameId(id, own));
    if (entry === undefined || entry.removed === true) return; // **A removed participant is in the past.**
    const sequence = placeOf(entry) === NONE ? place : placeOf(entry);
    if (sequence !== NONE && sequence < this.#now.highest) return; // **An older roster never undoes a newer one.**
    this.#now.highest = Math.max(this.#now.highest, sequence);
    this.#show(entry);
    const isPast = sequence !== NONE && sequence <= this.#now.newestWhenAsked;
    if (this.#now.asked && !isPast) this.#now.notified = this.#now.lastSeen; // **Only a newer roster confirms.**
  }

  #pass(sequence: number): void {
    this.#now.newest = Math.max(this.#now.newest, sequence);
  }

  /** Processes the result of a read. */
  read({ participantId, self }: { participantId?: string; self?: SeenState } = {}): void {
    if (participantId !== undefined) this.know(participantId);
    if (self !== undefined) this.see(self);
  }

  /** Processes the state in a read of the roster. */
  see({ sequence, ...state }: SeenState): void {
    this.#pass(setNumber(sequence));
    this.#now.highest = Math.max(this.#now.highest, setNumber(sequence));
    this.#show(state);
  }

  #show({ isMuted, serverMuted }: MuteState): void {
    // **A missing `serverMuted` changes nothing.**
    const told = serverMuted ?? (this.#now.lastSeen?.isMuted === isMuted ? this.#now.serverMuted : undefined);
    this.#now.serverMuted = told;
    this.#now.lastSeen = { isMuted, ...(told !== undefined && { serverMuted: told }) };
  }
}

/** **An older roster never undoes a newer one.** */
function setNumber(sequence: number | undefined): number {
  return sequence === undefined || sequence === 0 ? NONE : sequence;
}
