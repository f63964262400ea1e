import { sameId } from '../../contract/call-id.ts';
import type { MuteState, SeenState } from '../../contract/operation.ts';
import type { RosterParticipant, RosterUpdate } from '../../contract/signals.ts';

/** Of rosters that come during one activity, the newest. */
const MAX_HELD = 256;

/** No place in the order. */
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
 * What the rosters say of the application's own participant.
 *
 * Nothing ties a roster to a request: it carries no `clientContext` and no operation ID. What counts is therefore when
 * it came, and its place in the order where it carries one:
 *
 * R1. Before the participant is known, a roster says nothing but its place in the order: any entry may be somebody else.
 * R2. A roster that came before the POST was sent confirms nothing, nor does one that is no newer: whose sequence is not
 *     above the highest that was known by then, from any roster, a read, or the run that was superseded. Where none of these
 *     told a sequence, one from before the operation cannot be told from a new one.
 *     The first attempt at an operation reads and POSTs in one activity. The rosters that come during it are taken in once
 *     it is known what it has read. They confirm only if the call was not as wanted then.
 * R3. An older roster never undoes a newer one: one whose sequence is below the participant's highest is dropped. Rosters
 *     without a sequence count in the order of their arrival. In a read and in a full roster 0 is none: it is what a
 *     number that nobody has set is.
 * R4. The newest roster decides. A wanted state that a newer roster has since taken back confirms nothing.
 * R5. An entry that says `removed` tells of the past: it is dropped.
 * R6. A roster that does not tell `serverMuted` does not change what one has told since the POST, as long as `isMuted`
 *     stays: most notifications leave it out, a read tells it.
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

  /** Newest state that a roster notification has told since the POST was sent (R2, R4). */
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

  /** What the run before has known to be past (R2). */
  inherit(newest: number): void {
    this.#pass(newest);
  }

  /** Keeps the rosters that come for `release`, because it is not known yet what the call showed before they did. */
  hold(): void {
    this.#held = [];
  }

  /** Takes in, in their order, the rosters that were kept. Those of before the POST are among them. */
  release(mayConfirm: boolean): void {
    const held = this.#held ?? [];
    const asked = this.#now.asked;
    this.#held = undefined;
    this.#now.asked = asked && mayConfirm;
    for (const update of held) this.take(update);
    this.#now.asked = asked;
  }

  /** The POST is about to be sent: from here on a notification may confirm (R2). */
  ask(): void {
    this.#now.asked = true;
    this.#now.newestWhenAsked = this.#now.newest;
    this.#now.serverMuted = undefined;
  }

  /** Takes a roster notification in. */
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
    if (own === undefined) return; // R1
    const entry = update.participants.findLast(({ id }) => sameId(id, own));
    if (entry === undefined || entry.removed === true) return; // R5
    const sequence = placeOf(entry) === NONE ? place : placeOf(entry);
    if (sequence !== NONE && sequence < this.#now.highest) return; // R3
    this.#now.highest = Math.max(this.#now.highest, sequence);
    this.#show(entry);
    const isPast = sequence !== NONE && sequence <= this.#now.newestWhenAsked;
    if (this.#now.asked && !isPast) this.#now.notified = this.#now.lastSeen; // R2
  }

  #pass(sequence: number): void {
    this.#now.newest = Math.max(this.#now.newest, sequence);
  }

  /** Takes in what a read has come to. */
  read({ participantId, self }: { participantId?: string; self?: SeenState } = {}): void {
    if (participantId !== undefined) this.know(participantId);
    if (self !== undefined) this.see(self);
  }

  /** Takes in what a read of the roster has shown. */
  see({ sequence, ...state }: SeenState): void {
    this.#pass(setNumber(sequence));
    this.#now.highest = Math.max(this.#now.highest, setNumber(sequence));
    this.#show(state);
  }

  #show({ isMuted, serverMuted }: MuteState): void {
    const told = serverMuted ?? (this.#now.lastSeen?.isMuted === isMuted ? this.#now.serverMuted : undefined); // R6
    this.#now.serverMuted = told;
    this.#now.lastSeen = { isMuted, ...(told !== undefined && { serverMuted: told }) };
  }
}

/** R3. */
function setNumber(sequence: number | undefined): number {
  return sequence === undefined || sequence === 0 ? NONE : sequence;
}
