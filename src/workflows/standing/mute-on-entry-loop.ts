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
 * Mutes whoever joins a call after a moment, once, and leaves those alone who were there.
 *
 *     reading ──▶ watching ──▶ ended
 *                  │    ▲
 *       newcomers  ▼    │
 *                  muting
 *
 * reading     Until the roster could be read. If Graph refuses that, or has no such call, the run fails with the type. The
 *             moment is the first complete roster (E2): those who are in the call then are left alone. The lobby is not in the
 *             call.
 * watching    Until the time has come, or the release, or the end of the call. A roster that names somebody who is not
 *             known is a hint, for it may be an old one that comes late, and it does not tell the lobby: the roster is
 *             read COLLECT_MS later, and whom that shows in the call and nobody knew is a newcomer.
 * muting      One operation for all newcomers of that moment, at most 100 at a time.
 *
 * Invariants:
 *
 * E1. Nothing is sent to Graph from here. Every mute is an operation under the call's own workflow ID, which waits for
 *     what runs there, so that mute locks, policies and single operations never interleave; this workflow only reads.
 * E2. Nobody is muted on a guess. Somebody unknown is a newcomer only if the memory of who was there is whole
 *     (`newcomers.ts`): it comes from a complete roster, or from several in a row that list the application alone. Until
 *     then the roster is read again at growing intervals, nobody is muted, and whoever any of these rosters shows was there. A
 *     memory that was whole once stays whole.
 * E3. A newcomer is asked for once: an attempt that sent something is never repeated, whatever came of it, and who
 *     unmutes afterwards is left alone. One whose operation has failed before it sent anything is asked for again, after
 *     RETRY_PAUSES_MS. A worker that dies makes no second operation of it (`activities/operations.ts`).
 * E4. Who leaves and comes back is a newcomer: Graph gives them a new ID. Who waits in the lobby is one once admitted.
 * E5. What was begun is finished: it ends when no operation of it is under way, so nobody is muted after its result. An
 *     operation that still waits for its turn was not begun, and is dropped. If it is not known whether Temporal has started
 *     the operation, that is read, and the operation is not started any more.
 * E6. No signal is lost to continuing as new, nor who was hinted at: handlers only take note, at once; the server lets no
 *     run close over a signal that it has not seen; and all that was noted goes along (`MuteOnEntryState`).
 * E7. The webhook learns of it only after a moment, and notifications get lost: it looks by itself after LOOK_PAUSES_MS,
 *     and soon again after each hint.
 * E8. What it remembers is bounded (`newcomers.ts`), and is IDs only; after MAX_NEWCOMERS it gives up. The history stays
 *     short: in every phase but the first read it continues as new when its history is long (`limits.ts`).
 */

/** Those who come together go in one operation. The activity waits, as a timer of Temporal's may be a second late. */
const COLLECT_MS = 300;

/** Between looks at the roster, from the last newcomer or hint on. The last one repeats. */
const LOOK_PAUSES_MS = [6_000, 30_000, 60_000] as const;

/** Between looks for what was looked for before: who was in the lobby or not there, and a roster that lists everyone. */
const LOOK_AGAIN_MS = 5_000;

/** Between looks until a roster is complete (E2). The last one repeats. */
const INCOMPLETE_PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000] as const;

/** What goes along when it continues as new. */
export interface MuteOnEntryState {
  /** Who was there, and who came since. */
  memory: Remembered;
  life: LifetimeState;
  terms: MuteOnEntryTerms;
  mutes: NewcomerMutesState;
  /** When the roster was read first. */
  since?: number;
  /** When it is looked next, at the latest, in ms. */
  lookAt: number;
  readAt: number;
  looks: number;
  rosters: number;
}

/** What the other nouns do not keep. */
type OwnState = Omit<MuteOnEntryState, 'memory' | 'life' | 'mutes'>;

export class MuteOnEntryLoop implements StandingMuteOnCall<
  MuteOnEntryTerms,
  MuteOnEntryState,
  MuteOnEntryStatus,
  MuteOnEntryResult
> {
  readonly #request: MuteOnEntryRequest;
  readonly #memory: NewcomerMemory;
  /** That there is something new to show to people. */
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

  /** Takes in what a read has shown. */
  #see(reading: RosterReading, hinted: readonly string[]): void {
    const wasWhole = this.#memory.isWhole;
    const come = this.#memory.see(reading, hinted);
    if (!wasWhole) {
      if (this.#memory.isWhole) this.#note({ since: this.#state.readAt, looks: 0 });
      this.#tell();
    }
    if (!this.#memory.isWhole) return;
    if (this.#memory.isAnyHinted) this.#lookBy(Date.now()); // They came just after the read.
    else if (come > 0) this.#lookNext(0);
  }

  /** Looks by itself after the pause of so many looks (E2, E7). */
  #lookNext(looks: number): void {
    const pauses = this.#memory.isToGrow ? INCOMPLETE_PAUSES_MS : LOOK_PAUSES_MS;
    this.#note({ lookAt: Date.now() + delayOf(pauses, looks), looks });
  }

  // watching

  /** Until it is over, which is thrown; comes back where it is to continue as new. */
  async #watch(): Promise<StandingMuteOutcome<MuteOnEntryState, MuteOnEntryResult>> {
    for (;;) {
      if (this.#life.isHistoryLong) return this.#continued(); // E8
      const { isAsking } = this.#mutes;
      this.#phase = isAsking ? 'muting' : 'watching';
      if (isAsking) {
        await this.#mutes.finish(); // E5
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

  /** The roster, and of those who are hinted at also whom a long one does not list. Nothing where Graph does not tell. */
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
    }; // E6
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
