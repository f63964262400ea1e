import type { RosterReading, RosterTarget } from '../../activities/types.ts';
import { isEnded } from '../../contract/call-state.ts';
import { CALL_ENDED } from '../../contract/failure.ts';
import type {
  MuteOnEntryEnd,
  MuteOnEntryPhase,
  MuteOnEntryRequest,
  MuteOnEntryResult,
  MuteOnEntryStatus,
  MuteOnEntryTerms,
} from '../../contract/mute-on-entry.ts';
import type { RosterUpdate } from '../../contract/signals.ts';
import { MAX_PARTICIPANTS } from '../../contract/target.ts';
import { OperationFailed, waitFor } from '../call/attempt.ts';
import { GraphCall } from '../call/graph-call.ts';
import { delayOf } from '../call/polling.ts';
import { requireEstablishedGroupCall } from '../call/preconditions.ts';
import { iso } from '../lib/iso.ts';
import { Lifetime, type LifetimeState } from './lifetime.ts';
import { NewcomerMutes, StandingMuteEnded, type NewcomerMutesState } from './newcomer-mutes.ts';
import { NewcomerMemory, type Remembered } from './newcomers.ts';
import type { StandingMuteOnCall, StandingMuteOutcome } from './standing-mute.ts';

/**
 * Mutes once each participant who joins a call after a certain moment, and leaves everybody alone who was there before.
 *
 *     reading ──▶ watching ──▶ ended
 *                  │    ▲
 *       newcomers  ▼    │
 *                  muting
 *
 * reading     Until the roster was read. If Graph refuses, or does not know the call, the run fails with that type. The
 *             moment is the first complete roster: participants who are in the call then are left alone. The lobby is
 *             not in the call.
 * watching    Until its time, its release, or the end of the call. A roster with an unknown participant is a hint,
 *             because it may be old and late, and does not contain the lobby: the roster is read COLLECT_MS later, and
 *             unknown participants whom that read shows in the call are newcomers.
 * muting      One operation for all newcomers of that moment, at most 100 at a time.
 *
 * Invariants:
 *
 * - **It only reads.** Every mute is an operation under the call's own workflow ID and waits for the operation that
 *   runs there, so mute locks, policies and single operations never interleave.
 * - **Nobody is muted on a guess.** A participant is a newcomer only if the memory of who was there is complete
 *   (`newcomers.ts`): it comes from a complete roster, or from several in a row that list the application alone.
 *   Until then the roster is read again at growing intervals, nobody is muted, and everybody in any of these rosters
 *   counts as having been there. A memory that was complete once stays complete.
 * - **A newcomer is muted once.** An attempt that sent something is never repeated, whatever its outcome, and
 *   participants who unmute afterwards are left alone. If an operation has failed before it sent anything, it is
 *   repeated after RETRY_PAUSES_MS. If a worker dies, no second operation is started (`activities/operations.ts`).
 * - **Coming back is joining.** Participants who leave and come back are newcomers, because Graph gives them a new
 *   ID. Participants in the lobby are newcomers once they are admitted.
 * - **A started operation is finished.** The run ends only when none of its operations is under way, so nobody is
 *   muted after its result. An operation that still waits for its turn is dropped. If it is unknown whether Temporal
 *   has started the operation, that is read, and the operation is not started any more.
 * - **No signal is lost.** Handlers only note the signal, at once; the server does not let a run close over a signal
 *   that it has not seen; and all notes, also of hinted participants, are carried when it continues as new
 *   (`MuteOnEntryState`).
 * - **It reads the roster by itself.** The webhook learns of a mute on entry only after a moment, and notifications
 *   get lost. So the roster is read after LOOK_PAUSES_MS, and soon again after each hint.
 * - **The memory is bounded.** It stores IDs only (`newcomers.ts`), and gives up after MAX_NEWCOMERS. The history
 *   stays short: in every phase except the first read, the run continues as new when its history is long
 *   (`limits.ts`).
 */

/**
 * Newcomers who join together are muted by one operation. The activity waits, because a timer of Temporal may be a
 * second late.
 */
const COLLECT_MS = 300;

/** Between reads of the roster, counted from the last newcomer or hint. The last one repeats. */
const LOOK_PAUSES_MS = [6_000, 30_000, 60_000] as const;

/** Between reads for participants who were in the lobby or not found, and for a complete roster. */
const LOOK_AGAIN_MS = 5_000;

/** Between reads until a roster is complete (**Nobody is muted on a guess**). The last one repeats. */
const INCOMPLETE_PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000] as const;

/** The state that is carried when it continues as new. */
export interface MuteOnEntryState {
  /** The participants who were there, and the newcomers since. */
  memory: Remembered;
  life: LifetimeState;
  terms: MuteOnEntryTerms;
  mutes: NewcomerMutesState;
  /** When the roster was read first. */
  since?: number;
  /** The time of the next read, at the latest, in ms. */
  lookAt: number;
  readAt: number;
  looks: number;
  rosters: number;
}

/** State that the other objects do not keep. */
type OwnState = Omit<MuteOnEntryState, 'memory' | 'life' | 'mutes'>;

export class MuteOnEntryLoop implements StandingMuteOnCall<
  MuteOnEntryTerms,
  MuteOnEntryState,
  MuteOnEntryStatus,
  MuteOnEntryResult
> {
  readonly #request: MuteOnEntryRequest;
  readonly #memory: NewcomerMemory;
  /** The details in Temporal's UI are out of date. */
  readonly #tell: () => void;
  readonly #call: GraphCall;
  #phase: MuteOnEntryPhase = 'reading';
  readonly #life: Lifetime;
  readonly #mutes: NewcomerMutes;
  #state: OwnState;

  constructor(
    request: MuteOnEntryRequest,
    state: MuteOnEntryState | undefined,
    tell: (status: MuteOnEntryStatus) => void,
  ) {
    this.#request = request;
    this.#call = new GraphCall(request, { isCallKnown: state?.since !== undefined, isPosted: false });
    this.#tell = () => tell(this.status());
    const now = Date.now();
    const { memory, life, mutes, ...rest } = state ?? {};
    this.#life = new Lifetime(request, life);
    this.#state = {
      terms: request,
      lookAt: now,
      readAt: now,
      looks: 0,
      rosters: 0,
      ...rest,
    };
    const isExcepted = (id: string): boolean => this.#state.terms.except?.includes(id) === true;
    this.#memory = new NewcomerMemory(isExcepted, memory);
    this.#mutes = new NewcomerMutes(request, this.#memory, this.#life, () => this.#tell(), mutes);
    this.#tell();
  }

  get isCancelled(): boolean {
    return this.#life.state.isCancelled;
  }

  rosterUpdated(update: RosterUpdate): void {
    this.#life.hear();
    this.#note({ rosters: this.#state.rosters + 1 });
    const urgency = this.#memory.hear(update);
    if (urgency === 'now') this.#lookBy(Date.now());
    else if (urgency === 'again' && this.#state.since !== undefined) this.#lookBy(this.#state.readAt + LOOK_AGAIN_MS);
  }

  callEnded(): void {
    this.#life.hear({ hasCallEnded: true });
  }

  release(): void {
    this.#life.hear({ releasedAt: Date.now() });
  }

  /** New terms, from now on. They undo a release or a cancellation that came before them. */
  extend(terms: MuteOnEntryTerms): void {
    this.#life.hear();
    this.#life.extend(terms);
    this.#note({ terms });
    this.#tell();
  }

  cancel(): void {
    this.#life.hear({ isCancelled: true, releasedAt: Date.now() });
  }

  status(): MuteOnEntryStatus {
    const { startedAt, until } = this.#life.state;
    const { since, rosters, terms } = this.#state;
    return {
      phase: this.#phase,
      request: this.#request,
      ...(since !== undefined && { since: iso(since) }),
      startedAt: iso(startedAt),
      ...(until !== undefined && { until: iso(until) }),
      except: terms.except ?? [],
      wereThere: this.#memory.wereThere,
      isRosterComplete: this.#memory.isWhole,
      waiting: this.#memory.waiting.length,
      ...this.#memory.counts,
      operations: this.#mutes.state.operations,
      rosters,
    };
  }

  /** Runs in a scope that cannot be cancelled; a cancellation releases. */
  async run(): Promise<StandingMuteOutcome<MuteOnEntryState, MuteOnEntryResult>> {
    try {
      if (this.#state.since === undefined) await this.#begin();
      return await this.#watch();
    } catch (stop) {
      this.#phase = 'ended';
      if (stop instanceof StandingMuteEnded) return { kind: 'ended', result: this.#result(stop.end) };
      if (stop instanceof OperationFailed) return { kind: 'failed', failure: stop.failure };
      throw stop;
    }
  }

  // reading

  async #begin(): Promise<void> {
    let reading: RosterReading | undefined;
    const hinted = this.#memory.takeHints();
    while (reading === undefined) {
      this.#throwIfOver();
      reading = await this.#read();
    }
    if (isEnded(reading.state)) throw new StandingMuteEnded('callEnded');
    requireEstablishedGroupCall(this.#request.callId, reading);
    const now = Date.now();
    this.#note({ since: now, readAt: now });
    this.#see(reading, hinted);
    if (!this.#memory.isWhole || !this.#memory.isAnyHinted) this.#lookNext(0);
  }

  /** Processes the result of a read. */
  #see(reading: RosterReading, hinted: readonly string[]): void {
    const wasWhole = this.#memory.isWhole;
    const come = this.#memory.see(reading, hinted);
    if (!wasWhole) {
      if (this.#memory.isWhole) this.#note({ since: this.#state.readAt, looks: 0 });
      this.#tell();
    }
    if (!this.#memory.isWhole) return;
    if (this.#memory.isAnyHinted) this.#lookBy(Date.now()); // They joined just after the read.
    else if (come > 0) this.#lookNext(0);
  }

  /** Schedules the next read, after the delay that belongs to so many reads (**It reads the roster by itself**). */
  #lookNext(looks: number): void {
    const pauses = this.#memory.isToGrow ? INCOMPLETE_PAUSES_MS : LOOK_PAUSES_MS;
    this.#note({ lookAt: Date.now() + delayOf(pauses, looks), looks });
  }

  // watching

  /** Runs until the end, which it throws; returns if it must continue as new. */
  async #watch(): Promise<StandingMuteOutcome<MuteOnEntryState, MuteOnEntryResult>> {
    for (;;) {
      if (this.#life.isHistoryLong) return this.#continued(); // **The memory is bounded.**
      const { isAsking } = this.#mutes;
      this.#phase = isAsking ? 'muting' : 'watching';
      if (isAsking) {
        await this.#mutes.finish(); // **A started operation is finished.**
        continue;
      }
      this.#throwIfOver();
      if (Date.now() >= this.#mutes.dueAt) this.#mutes.ask();
      else if (Date.now() >= this.#state.lookAt) await this.#look();
      else await this.#wait();
    }
  }

  #throwIfOver(): void {
    const { end } = this.#life;
    if (end !== undefined) throw new StandingMuteEnded(end);
  }

  async #wait(): Promise<void> {
    const { lookAt, terms } = this.#state;
    const isDisturbed = (): boolean =>
      this.#life.isOver || this.#state.lookAt !== lookAt || this.#state.terms !== terms || this.#life.isHistoryLong;
    const next = Math.min(lookAt, this.#mutes.dueAt);
    await waitFor(isDisturbed, this.#life.msUntil(next), 'Watch who comes');
  }

  #lookBy(time: number): void {
    if (time < this.#state.lookAt) this.#note({ lookAt: time });
  }

  async #look(): Promise<void> {
    const hinted = this.#memory.takeHints();
    const isHint = hinted.length > 0 && this.#memory.isWhole;
    this.#note({ readAt: Date.now() });
    this.#lookNext(isHint ? 0 : this.#state.looks + 1);
    const reading = await this.#read(hinted, isHint ? COLLECT_MS : undefined);
    if (reading === undefined) return this.#memory.putBack(hinted);
    if (isEnded(reading.state)) throw new StandingMuteEnded('callEnded');
    this.#see(reading, hinted);
  }

  /** The roster, with hinted participants whom a long roster does not list. `undefined` if Graph does not answer. */
  async #read(hinted: readonly string[] = [], afterMs?: number): Promise<RosterReading | undefined> {
    const reading = await this.#readRoster(afterMs === undefined ? {} : { afterMs });
    if (reading === undefined || reading.isComplete || !this.#memory.isWhole) return reading;
    const listed = new Set(reading.members.map(({ id }) => id));
    const unlisted = [...hinted, ...this.#memory.waiting].filter((id) => !listed.has(id)).slice(0, MAX_PARTICIPANTS);
    const more = unlisted.length === 0 ? undefined : await this.#readRoster({ participantIds: unlisted });
    return { ...reading, members: [...reading.members, ...(more?.members ?? [])] };
  }

  async #readRoster(whom: Pick<RosterTarget, 'participantIds' | 'afterMs'>): Promise<RosterReading | undefined> {
    try {
      const reading = await this.#call.readRoster(whom, () => this.#life.isOver);
      if (reading?.participantId !== undefined) this.#memory.know(reading.participantId);
      return reading;
    } catch (stop) {
      if (!(stop instanceof OperationFailed) || this.#state.since === undefined) throw stop;
      if (CALL_ENDED.has(stop.failure.type)) throw new StandingMuteEnded('callEnded');
      return undefined;
    }
  }

  // the end

  #note(change: Partial<OwnState>): void {
    this.#state = { ...this.#state, ...change };
  }

  #continued(): StandingMuteOutcome<MuteOnEntryState, MuteOnEntryResult> {
    return {
      kind: 'continued',
      state: { ...this.#state, life: this.#life.state, memory: this.#memory.remembered, mutes: this.#mutes.state },
    }; // **No signal is lost.**
  }

  #result(endedBy: MuteOnEntryEnd): MuteOnEntryResult {
    return {
      callId: this.#request.callId,
      endedBy,
      wereThere: this.#memory.wereThere,
      isRosterComplete: this.#memory.isWhole,
      ...this.#memory.counts,
      startedAt: iso(this.#life.state.startedAt),
      endedAt: iso(Date.now()),
    };
  }
}
