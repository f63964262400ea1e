import { sameId } from '../contract/call-id.ts';
import type { MuteState } from '../contract/operation.ts';
import type { RosterUpdate } from '../contract/signals.ts';

/**
 * What the rosters say of the application's own participant.
 *
 * Nothing ties a roster to a request: it carries no `clientContext` and no operation ID. What counts is therefore when
 * it came, and its place in the order where it carries one:
 *
 * R1. Before the participant is known, a roster says nothing but its place in the order: any entry may be somebody else.
 * R2. A roster that came before the POST was sent confirms nothing, nor does a repetition of it: one whose sequence is
 *     not above the highest that was seen by then.
 * R3. An older roster never undoes a newer one: one whose sequence is below the highest seen is dropped. Rosters without
 *     a sequence count in the order of their arrival.
 * R4. The newest roster decides. A wanted state that a newer roster has since taken back confirms nothing.
 * R5. An entry that says `removed` tells of the past: it is dropped.
 * R6. A roster that does not tell `serverMuted` does not change what one has told since the POST, as long as `isMuted`
 *     stays: most notifications leave it out, a read tells it.
 */
export class Roster {
  #participantId: string | undefined;
  #lastSeen: MuteState | undefined;
  #asked = false;
  #highest: number | undefined;
  #highestWhenAsked: number | undefined;
  #notified: MuteState | undefined;
  #serverMuted: boolean | undefined;

  get participantId(): string | undefined {
    return this.#participantId;
  }

  get lastSeen(): MuteState | undefined {
    return this.#lastSeen;
  }

  /** Newest state that a roster notification has told since the POST was sent (R2, R4). */
  get notified(): MuteState | undefined {
    return this.#notified;
  }

  know(participantId: string): void {
    this.#participantId = participantId;
  }

  /** The POST is about to be sent: from here on a notification may confirm (R2). */
  ask(): void {
    this.#asked = true;
    this.#highestWhenAsked = this.#highest;
    this.#serverMuted = undefined;
  }

  /** Takes a roster notification in. */
  take(update: RosterUpdate): void {
    const own = this.#participantId;
    if (own === undefined) return this.#place(update); // R1
    const entry = update.participants.findLast(({ id }) => sameId(id, own));
    if (entry === undefined || entry.removed === true) return; // R5
    const sequence = entry.sequence ?? update.sequenceNumber;
    if (sequence !== undefined) {
      if (this.#highest !== undefined && sequence < this.#highest) return; // R3
      this.#highest = sequence;
    }
    this.see(entry);
    const isRepetition =
      sequence !== undefined && this.#highestWhenAsked !== undefined && sequence <= this.#highestWhenAsked;
    if (this.#asked && !isRepetition) this.#notified = this.#lastSeen;
  }

  #place({ participants, sequenceNumber }: RosterUpdate): void {
    for (const sequence of [sequenceNumber, ...participants.map((entry) => entry.sequence)]) {
      if (sequence !== undefined) this.#highest = Math.max(sequence, this.#highest ?? sequence);
    }
  }

  /** Takes in what a read of the roster has shown. */
  see({ isMuted, serverMuted }: MuteState): void {
    const told = serverMuted ?? (this.#lastSeen?.isMuted === isMuted ? this.#serverMuted : undefined); // R6
    this.#serverMuted = told;
    this.#lastSeen = { isMuted, ...(told !== undefined && { serverMuted: told }) };
  }
}
