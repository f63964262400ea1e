import type { RosterReading } from '../../activities/types.ts';
import { canonicalId, isCallId } from '../../contract/call-id.ts';
import { MAX_NEWCOMERS, type Newcomers } from '../../contract/mute-on-entry.ts';
import type { ParticipantResult } from '../../contract/operation.ts';
import type { RosterUpdate } from '../../contract/signals.ts';
import { MAX_PARTICIPANTS } from '../../contract/target.ts';
import { isAlone } from '../call/alone.ts';

/**
 * The participants who were there when a mute on entry began, the newcomers since, and their outcomes. Pure state: it
 * sends no requests.
 *
 *     hinted ──▶ waiting ──▶ known, and pending if new ──▶ counted
 *
 * - The memory is *whole* once a read has shown a complete roster. One that lists the application alone is taken for
 *   complete only when MIN_ALONE_READS in a row have shown that, because Graph may list others a moment later. Until then
 *   nobody is a newcomer, and every participant in a read or in a notification counts as having been there: an
 *   incomplete roster proves nothing about who is not in it.
 * - A memory that is whole stays whole: a later roster, empty or short, forgets nobody.
 * - The lobby is not in the call: participants who wait there at the moment are newcomers once admitted.
 * - It is bounded: MAX_WAITING of each kind, and MAX_NEWCOMERS.
 */

const MAX_WAITING = 1_000;

/** Reads in a row that list the application alone. */
const MIN_ALONE_READS = 3;

/** Plain data, which is carried when the workflow continues as new. */
export interface Remembered extends Newcomers {
  wereThere: number;
  isWhole: boolean;
  /** How many reads in a row have listed the application alone. */
  aloneLooks: number;
  /** The last read ended at Graph's 100 entries, so that another look shows no more. */
  isCapped: boolean;
  participantId?: string;
  /** The participants who were there, and the newcomers since. */
  known: readonly string[];
  /** In the lobby, or not found when they were looked for. */
  waiting: readonly string[];
  /** Named by a notification, and not looked for yet. */
  hinted: readonly string[];
  /** Newcomers who are not muted yet. */
  pending: readonly string[];
}

const NOTHING: Remembered = {
  wereThere: 0,
  isWhole: false,
  aloneLooks: 0,
  isCapped: false,
  known: [],
  waiting: [],
  hinted: [],
  pending: [],
  newcomers: 0,
  muted: 0,
  left: 0,
  refused: 0,
  notConfirmed: 0,
};

/** When the next read is due after a notification: at once, or as planned. */
export type Urgency = 'now' | 'again' | undefined;

export class NewcomerMemory {
  readonly #isExcepted: (id: string) => boolean;
  readonly #known: Set<string>;
  readonly #waiting: Set<string>;
  readonly #hinted: Set<string>;
  #now: Remembered;

  constructor(isExcepted: (id: string) => boolean, remembered: Remembered = NOTHING) {
    this.#isExcepted = isExcepted;
    this.#now = remembered;
    this.#known = new Set(remembered.known);
    this.#waiting = new Set(remembered.waiting);
    this.#hinted = new Set(remembered.hinted);
  }

  get isWhole(): boolean {
    return this.#now.isWhole;
  }

  /** Another look soon may show a complete roster. */
  get isToGrow(): boolean {
    return !this.#now.isWhole && !this.#now.isCapped;
  }

  get wereThere(): number {
    return this.#now.wereThere;
  }

  get waiting(): readonly string[] {
    return [...this.#waiting];
  }

  get isAnyHinted(): boolean {
    return this.#hinted.size > 0;
  }

  get pending(): readonly string[] {
    return this.#now.pending;
  }

  get counts(): Newcomers {
    const { newcomers, muted, left, refused, notConfirmed } = this.#now;
    return { newcomers, muted, left, refused, notConfirmed };
  }

  get remembered(): Remembered {
    return { ...this.#now, known: [...this.#known], waiting: [...this.#waiting], hinted: [...this.#hinted] };
  }

  /** Which participant is the application. */
  know(participantId: string): void {
    this.#now = { ...this.#now, participantId };
  }

  /** A notification contains participants. It may be old, and does not contain the lobby, so it is a hint. */
  hear({ participants, full }: RosterUpdate): Urgency {
    const heard = participants.map(({ id, removed }) => this.#hearOf(canonicalId(id), removed === true));
    if (!this.isWhole)
      return !this.#now.isCapped || (full && participants.length < MAX_PARTICIPANTS) ? 'again' : undefined;
    return heard.includes('now') ? 'now' : heard.find((urgency) => urgency !== undefined);
  }

  #hearOf(id: string, isRemoved: boolean): Urgency {
    const isNews = !isRemoved && !this.#isSettled(id);
    if (!isNews) {
      this.#waiting.delete(id);
      if (isRemoved) this.#hinted.delete(id);
      return undefined;
    }
    if (this.#waiting.has(id)) return 'again';
    if (this.#hinted.has(id) || this.#hinted.size >= MAX_WAITING) return undefined;
    this.#hinted.add(id);
    return 'now';
  }

  /** Takes the hints for a read that is about to be made. */
  takeHints(): readonly string[] {
    const hinted = [...this.#hinted];
    this.#hinted.clear();
    return hinted;
  }

  /** A read without an answer: the hinted participants are read again later. */
  putBack(hinted: readonly string[]): void {
    for (const id of hinted) this.#hinted.add(id);
  }

  /** Processes a read that was made for `hinted`, and returns the number of newcomers in it. */
  see(reading: RosterReading, hinted: readonly string[]): number {
    this.#now = { ...this.#now, isCapped: reading.isCapped };
    if (!this.isWhole) {
      this.#remember(reading, hinted);
      return 0;
    }
    return this.#now.participantId === undefined ? 0 : this.#welcome(reading, hinted);
  }

  #remember({ members, isComplete }: RosterReading, hinted: readonly string[]): void {
    const there = members.filter(({ isInLobby }) => !isInLobby).map(({ id }) => id);
    for (const id of there) {
      this.#waiting.delete(id);
      this.#known.add(id);
    }
    for (const { id, isInLobby } of members) {
      if (isInLobby && !this.#isSettled(id)) this.#waiting.add(id);
    }
    const isOnlyOurs = isComplete && isAlone(members);
    const aloneLooks = isOnlyOurs ? this.#now.aloneLooks + 1 : 0;
    const isWhole = isComplete && (!isOnlyOurs || aloneLooks >= MIN_ALONE_READS);
    if (isWhole) {
      // Hinted before the read, and neither in the call now nor in its lobby: they were there before.
      for (const id of hinted) if (!this.#waiting.has(id) && isCallId(id)) this.#known.add(id);
    } else this.putBack(hinted);
    const people = new Set(there.filter((id) => id !== this.#now.participantId));
    this.#now = { ...this.#now, isWhole, aloneLooks, wereThere: people.size };
    if (!isWhole) forget(this.#known, MAX_WAITING);
    this.#tidy();
  }

  #welcome({ members }: RosterReading, hinted: readonly string[]): number {
    const unknown = members.filter(({ id }) => !this.#isSettled(id));
    const come = unknown.filter(({ isInLobby }) => !isInLobby).map(({ id }) => id);
    for (const id of come) {
      this.#known.add(id);
      this.#waiting.delete(id);
    }
    const inLobby = unknown.filter(({ isInLobby }) => isInLobby).map(({ id }) => id);
    for (const id of [...inLobby, ...hinted]) if (!this.#isSettled(id)) this.#waiting.add(id);
    this.#tidy();
    const { pending, newcomers } = this.#now;
    this.#now = { ...this.#now, pending: [...pending, ...come], newcomers: newcomers + come.length };
    return come.length;
  }

  #tidy(): void {
    forget(this.#waiting, MAX_WAITING);
    for (const id of [...this.#hinted]) if (this.#isSettled(id)) this.#hinted.delete(id);
  }

  /** The newcomers for one operation; none if MAX_NEWCOMERS were muted. */
  nextToMute(): readonly string[] {
    const { pending, newcomers } = this.#now;
    const room = MAX_NEWCOMERS - (newcomers - pending.length);
    return pending.slice(0, Math.min(MAX_PARTICIPANTS, room));
  }

  /** Records the final outcome of each of them, except those who wait in the lobby. Returns how many are muted. */
  settle(participantIds: readonly string[], results: readonly ParticipantResult[]): number {
    const outcomes = new Map(results.map(({ participantId, outcome }) => [canonicalId(participantId), outcome]));
    const asked = new Set(participantIds);
    const { counts } = this;
    for (const id of participantIds) {
      const outcome = outcomes.get(id) ?? 'notConfirmed';
      if (outcome === 'inLobby') {
        this.#known.delete(id);
        this.#waiting.add(id);
        counts.newcomers -= 1;
      } else counts[outcome === 'confirmed' || outcome === 'unmutedAgain' ? 'muted' : outcome] += 1;
    }
    const muted = counts.muted - this.#now.muted;
    const pending = this.#now.pending.filter((id) => !asked.has(id));
    this.#now = { ...this.#now, ...counts, pending };
    return muted;
  }

  /** Already handled: known, excepted, the application itself, or not a valid participant ID. */
  #isSettled(id: string): boolean {
    return !isCallId(id) || this.#known.has(id) || this.#isExcepted(id) || id === this.#now.participantId;
  }
}

/** The oldest beyond `most`. */
function forget(ids: Set<string>, most: number): void {
  for (const id of [...ids].slice(0, Math.max(0, ids.size - most))) ids.delete(id);
}
