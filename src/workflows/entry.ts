import { workflowInfo } from '@temporalio/workflow';
import type { OperationOutcome, RosterReading, RosterTarget } from '../activities/types.ts';
import { canonicalId, isCallId } from '../contract/call-id.ts';
import {
  MOST_NEWCOMERS,
  type MuteOnEntryEnd,
  type MuteOnEntryPhase,
  type MuteOnEntryRequest,
  type MuteOnEntryResult,
  type MuteOnEntryStatus,
  type MuteOnEntryTerms,
  type Newcomers,
} from '../contract/mute-on-entry.ts';
import type { ParticipantResult } from '../contract/operation.ts';
import type { RosterUpdate } from '../contract/signals.ts';
import { MOST_PARTICIPANTS } from '../contract/target.ts';
import { reads } from './activities.ts';
import { attempt, waitFor } from './attempt.ts';
import { about, notAGroupCall, notEstablished, type Failure } from './failures.ts';
import { Stop } from './interruptions.ts';
import { LONGEST_TIMER_MS, untilOf } from './lasting.ts';
import { countMutedOnEntry } from './metrics.ts';
import { Operations } from './operations.ts';
import type { LastingOnCall, LastingOutcome } from './run-lasting.ts';

/**
 * Mutes whoever joins a call after a moment, once, and leaves those alone who were there.
 *
 *     reading ──▶ watching ──▶ ended
 *                  │    ▲
 *       newcomers  ▼    │
 *                  muting
 *
 * reading     The first read of the roster, which is the moment. Who is in the call then stays as they are; the lobby is
 *             not in the call. Where Graph refuses it, or has no such call, the run fails with the type.
 * watching    Until the time has come, or the release, or the end of the call. A roster that names somebody who is not
 *             known is a hint, for it may be an old one that comes late, and it does not tell the lobby: the roster is
 *             read COLLECT_MS later, and whom that shows in the call and nobody knew is a newcomer.
 * muting      One operation for all newcomers of that moment, at most 100 at a time.
 *
 * Invariants:
 *
 * E1. Nothing is sent to Graph from here. Every mute is an operation under the call's own workflow ID, which waits for
 *     what runs there, so that holds, policies and single operations never interleave; this workflow only reads.
 * E2. Nobody is muted on a guess. Only where the memory of who was there is whole is somebody unknown a newcomer. A roster
 *     that ends at Graph's 100 entries makes no whole memory: until one lists everyone, nobody is muted, and who is in
 *     that one counts as having been there. A memory that was whole once stays whole, however many come.
 * E3. A newcomer is asked for once: an attempt that sent something is never repeated, whatever came of it, and who
 *     unmutes afterwards is left alone. One whose operation has failed before it sent anything is asked for again, after
 *     RETRY_PAUSES_MS. A worker that dies makes no second operation of it (O2 of `activities/operations.ts`).
 * E4. Who leaves and comes back is a newcomer: Graph gives them a new ID. Who waits in the lobby is one once admitted.
 * E5. What was begun is finished: it ends when no operation of it is under way, so nobody is muted after its result.
 * E6. No signal is lost to continuing as new, nor who was hinted at: handlers only take note, at once; the server lets no
 *     run close over a signal that it has not seen; and all that was noted goes along (`EntryState`).
 * E7. The webhook learns of it only after a moment, and notifications get lost: it looks by itself after LOOK_PAUSES_MS,
 *     and soon again after each hint.
 * E8. What it remembers is bounded, and holds IDs only: 99 at most who were there, MOST_NEWCOMERS who came since (then it
 *     gives up), and MOST_WAITING of each kind who are hinted at or wait. The history stays short: it continues as new
 *     after MOST_SIGNALS, or when Temporal suggests it.
 */

/** Those who come together go in one operation. The activity waits, as a timer of Temporal's may be a second late. */
const COLLECT_MS = 300;

/** Between looks at the roster, from the last newcomer or hint on. The last one repeats. */
const LOOK_PAUSES_MS = [6_000, 30_000, 60_000] as const;

/** Between looks for what was looked for before: who was in the lobby or not there, and a roster that lists everyone. */
const LOOK_AGAIN_MS = 5_000;

/** Before newcomers are asked for again, where nothing could be sent for them. The last one repeats. */
const RETRY_PAUSES_MS = [1_000, 5_000, 15_000, 60_000] as const;

const MOST_WAITING = 1_000;

/** Temporal takes 10,000 signals a run. */
const MOST_SIGNALS = 1_000;

/** What goes along when it continues as new. */
export interface EntryState extends Newcomers {
  startedAt: number;
  until?: number;
  terms: MuteOnEntryTerms;
  isReleased: boolean;
  hasCallEnded: boolean;
  /** When the roster was read first. */
  since?: number;
  wereThere: number;
  /** The memory is whole (E2). */
  isWhole: boolean;
  participantId?: string;
  /** Who was there, and who came since. */
  known: readonly string[];
  /** In the lobby, or not found when they were looked for. */
  waiting: readonly string[];
  /** Named by a roster, and not looked for yet. */
  hinted: readonly string[];
  /** Newcomers who are still to be asked for. */
  pending: readonly string[];
  /** When it is looked next, at the latest, in ms. */
  lookAt: number;
  readAt: number;
  looks: number;
  retryAt: number;
  retries: number;
  operations: number;
  rosters: number;
}

/** What the steps throw where it is over. */
class Over {
  readonly end: MuteOnEntryEnd;

  constructor(end: MuteOnEntryEnd) {
    this.end = end;
  }
}

type Unconfirmed = Exclude<OperationOutcome, { outcome: 'Confirmed' }>;

const ENDED: ReadonlySet<string> = new Set(['CallEnded', 'CallNotFound']);

/** Nothing may be otherwise when it is tried again. */
const FINAL = ['PermissionDenied', 'Unauthorized', 'InvalidRequest', 'NotAGroupCall'] as const;

type Final = (typeof FINAL)[number];

/** Somebody wanted otherwise, or ended it in Temporal, and nobody can tell what was sent by then. */
const TAKEN_OVER: ReadonlySet<string> = new Set(['Superseded', 'Cancelled', 'Terminated', 'TimedOut']);

/** In one run the lists of `EntryState` are sets. */
export class Entry implements LastingOnCall<MuteOnEntryTerms, EntryState, MuteOnEntryStatus, MuteOnEntryResult> {
  readonly #request: MuteOnEntryRequest;
  readonly #isContinued: boolean;
  readonly #known: Set<string>;
  readonly #waiting: Set<string>;
  readonly #hinted: Set<string>;
  /** That there is something new to show to people. */
  readonly #tell: () => void;
  readonly #operations = new Operations();
  #phase: MuteOnEntryPhase = 'reading';
  #state: EntryState;
  #signals = 0;
  #isCancelled = false;

  constructor(request: MuteOnEntryRequest, state: EntryState | undefined, tell: (status: MuteOnEntryStatus) => void) {
    this.#request = request;
    this.#tell = () => tell(this.status());
    this.#isContinued = state !== undefined;
    const now = Date.now();
    this.#state = state ?? {
      startedAt: now,
      ...untilOf(request, now),
      terms: request,
      isReleased: false,
      hasCallEnded: false,
      wereThere: 0,
      isWhole: false,
      known: [],
      waiting: [],
      hinted: [],
      pending: [],
      lookAt: now,
      readAt: now,
      looks: 0,
      retryAt: now,
      retries: 0,
      operations: 0,
      rosters: 0,
      newcomers: 0,
      muted: 0,
      left: 0,
      refused: 0,
      notConfirmed: 0,
    };
    this.#known = new Set(this.#state.known);
    this.#waiting = new Set(this.#state.waiting);
    this.#hinted = new Set(this.#state.hinted);
    this.#tell();
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  rosterUpdated({ participants, full }: RosterUpdate): void {
    this.#take({ rosters: this.#state.rosters + 1 });
    const isShort = full && participants.length < MOST_PARTICIPANTS;
    if (isShort && this.#state.since !== undefined && !this.#state.isWhole) this.#lookAgain(); // E2
    for (const { id, removed } of participants) this.#hear(canonicalId(id), removed === true);
  }

  callEnded(): void {
    this.#take({ hasCallEnded: true });
  }

  release(): void {
    this.#take({ isReleased: true });
  }

  /** New terms, from now on; they undo a release that came before them. */
  extend(terms: MuteOnEntryTerms): void {
    const { until: _, ...state } = this.#state;
    this.#state = state;
    this.#take({ terms, isReleased: false, ...untilOf(terms, Date.now()) });
    this.#tell();
  }

  cancel(): void {
    this.#isCancelled = true;
  }

  status(): MuteOnEntryStatus {
    const { startedAt, since, until, wereThere, isWhole, rosters, operations: asked, terms } = this.#state;
    return {
      phase: this.#phase,
      request: this.#request,
      ...(since !== undefined && { since: iso(since) }),
      startedAt: iso(startedAt),
      ...(until !== undefined && { until: iso(until) }),
      except: terms.except ?? [],
      wereThere,
      isRosterComplete: isWhole,
      waiting: this.#waiting.size,
      ...this.#newcomers(),
      operations: asked,
      rosters,
    };
  }

  /** Runs in a scope that cannot be cancelled; a cancellation releases. */
  async run(): Promise<LastingOutcome<EntryState, MuteOnEntryResult>> {
    try {
      if (!this.#isContinued) await this.#begin();
      return await this.#watch();
    } catch (stop) {
      this.#phase = 'ended';
      if (stop instanceof Over) return { kind: 'ended', result: this.#result(stop.end) };
      if (stop instanceof Stop && stop.reason !== 'Superseded') return { kind: 'failed', failure: stop.reason };
      throw stop;
    }
  }

  // reading

  async #begin(): Promise<void> {
    const { callId } = this.#request;
    let reading: RosterReading | undefined;
    while (reading === undefined) {
      this.#throwIfOver();
      reading = await this.#read();
    }
    const { state, isGroupCall } = reading;
    if (isOver(reading)) throw new Over('callEnded');
    if (state !== 'established' && state !== 'hold') throw new Stop(notEstablished(callId, state));
    if (!isGroupCall) throw new Stop(notAGroupCall(callId));
    const now = Date.now();
    this.#note({ since: now, readAt: now, lookAt: now + LOOK_PAUSES_MS[0] });
    this.#remember(reading);
  }

  /** The memory of who was there, whole where the roster lists everyone (E2). */
  #remember({ members, participantId, isComplete }: RosterReading): void {
    this.#known.clear();
    this.#waiting.clear();
    for (const { id, isInLobby } of members) {
      if (!isInLobby) this.#known.add(id);
      else if (!this.#isSettled(id)) this.#waiting.add(id);
    }
    for (const id of [...this.#hinted]) if (this.#isSettled(id)) this.#hinted.delete(id);
    const people = [...this.#known].filter((id) => id !== participantId);
    this.#note({ isWhole: isComplete, wereThere: people.length });
    this.#tell();
    if (isComplete && this.#hinted.size > 0) this.#lookBy(Date.now()); // They came just after the read.
  }

  // watching

  /** Until it is over, which is thrown; comes back where it is to continue as new. */
  async #watch(): Promise<LastingOutcome<EntryState, MuteOnEntryResult>> {
    for (;;) {
      this.#phase = 'watching';
      this.#throwIfOver();
      const now = Date.now();
      if (this.#state.pending.length > 0 && now >= this.#state.retryAt) await this.#mute();
      else if (this.#signals >= MOST_SIGNALS || workflowInfo().continueAsNewSuggested) return this.#continued(); // E8
      else if (now >= this.#state.lookAt) await this.#look();
      else await this.#wait();
    }
  }

  #throwIfOver(): void {
    if (this.#state.hasCallEnded) throw new Over('callEnded');
    if (this.#state.isReleased || this.#isCancelled) throw new Over('released');
    if (this.#isDue()) throw new Over('expired');
  }

  async #wait(): Promise<void> {
    const { until = Infinity, lookAt, pending, retryAt, terms } = this.#state;
    const isDisturbed = (): boolean =>
      this.#isOver() || this.#state.lookAt !== lookAt || this.#state.terms !== terms || this.#signals >= MOST_SIGNALS;
    const next = Math.min(lookAt, until, pending.length > 0 ? retryAt : Infinity);
    await waitFor(isDisturbed, Math.min(next - Date.now(), LONGEST_TIMER_MS), 'Watch who comes');
  }

  /** A roster names somebody: whoever is known is no news, and a roster that has everybody known costs nothing more. */
  #hear(id: string, isRemoved: boolean): void {
    const isNews = !isRemoved && !this.#isSettled(id);
    if (!isNews) {
      this.#waiting.delete(id);
      if (isRemoved) this.#hinted.delete(id);
    } else if (this.#waiting.has(id) && this.#state.isWhole) this.#lookAgain();
    else if (!this.#hinted.has(id) && this.#hinted.size < MOST_WAITING) {
      this.#hinted.add(id);
      // Where nobody can be told (E2) it is looked as ever, for a roster that lists everyone.
      if (this.#state.isWhole) this.#lookBy(Date.now());
    }
  }

  /** There is nothing to do for it: it is known, or excepted, or the application's, or none that an operation takes. */
  #isSettled(id: string): boolean {
    if (!isCallId(id)) return true;
    return this.#known.has(id) || this.#isExcepted(id) || id === this.#state.participantId;
  }

  #isExcepted(id: string): boolean {
    return this.#state.terms.except?.includes(id) === true;
  }

  /** For what was looked for before. */
  #lookAgain(): void {
    this.#lookBy(this.#state.readAt + LOOK_AGAIN_MS);
  }

  #lookBy(time: number): void {
    if (time < this.#state.lookAt) this.#note({ lookAt: time });
  }

  async #look(): Promise<void> {
    const hinted = [...this.#hinted];
    this.#hinted.clear();
    const isHint = hinted.length > 0 && this.#state.isWhole;
    const looks = isHint ? 0 : this.#state.looks + 1; // E7
    const pause = LOOK_PAUSES_MS[Math.min(looks, LOOK_PAUSES_MS.length - 1)] ?? 0;
    this.#note({ readAt: Date.now(), lookAt: Date.now() + pause, looks });
    const reading = await this.#read(hinted, isHint ? COLLECT_MS : undefined);
    if (reading !== undefined && isOver(reading)) throw new Over('callEnded');
    if (reading !== undefined && !this.#state.isWhole) this.#remember(reading);
    else if (reading !== undefined && this.#state.participantId !== undefined) this.#welcome(reading, hinted);
    else for (const id of hinted) this.#hinted.add(id); // What Graph does not tell is looked at again by and by.
  }

  /** Who of those in the call is new, and who is not in it yet (E2, E4). */
  #welcome({ members }: RosterReading, hinted: readonly string[]): void {
    const unknown = members.filter(({ id }) => !this.#isSettled(id));
    const come = unknown.filter(({ isInLobby }) => !isInLobby).map(({ id }) => id);
    for (const id of come) {
      this.#known.add(id);
      this.#waiting.delete(id);
    }
    const inLobby = unknown.filter(({ isInLobby }) => isInLobby).map(({ id }) => id);
    for (const id of [...inLobby, ...hinted]) if (!this.#isSettled(id)) this.#waiting.add(id);
    for (const id of [...this.#waiting].slice(0, Math.max(0, this.#waiting.size - MOST_WAITING))) {
      this.#waiting.delete(id);
    }
    for (const id of [...this.#hinted]) if (this.#isSettled(id)) this.#hinted.delete(id);
    if (come.length === 0) return;
    const { pending, newcomers } = this.#state;
    const lookAt = Date.now() + (this.#hinted.size > 0 ? 0 : LOOK_PAUSES_MS[0]);
    this.#note({ pending: [...pending, ...come], newcomers: newcomers + come.length, lookAt, looks: 0 });
  }

  /** The roster, and of those who are hinted at also whom a long one does not list. Nothing where Graph does not tell. */
  async #read(hinted: readonly string[] = [], afterMs?: number): Promise<RosterReading | undefined> {
    const reading = await this.#readRoster(afterMs === undefined ? {} : { afterMs });
    if (reading === undefined || reading.isComplete || !this.#state.isWhole) return reading;
    const listed = new Set(reading.members.map(({ id }) => id));
    const unlisted = [...hinted, ...this.#waiting].filter((id) => !listed.has(id)).slice(0, MOST_PARTICIPANTS);
    const more = unlisted.length === 0 ? undefined : await this.#readRoster({ participantIds: unlisted });
    return { ...reading, members: [...reading.members, ...(more?.members ?? [])] };
  }

  async #readRoster(whom: Pick<RosterTarget, 'participantIds' | 'afterMs'>): Promise<RosterReading | undefined> {
    const { callId, tenantId } = this.#request;
    const asked = { callId, ...(tenantId !== undefined && { tenantId }), ...whom };
    try {
      const reading = await attempt(
        () => this.#isOver(),
        () => reads.readRoster.executeWithOptions({ summary: 'Read the roster' }, [asked]),
      );
      if (reading?.participantId !== undefined) this.#note({ participantId: reading.participantId });
      return reading;
    } catch (stop) {
      if (!(stop instanceof Stop) || stop.reason === 'Superseded') throw stop;
      if (this.#state.since === undefined) throw new Stop(about(callId, stop.reason));
      if (ENDED.has(stop.reason.type)) throw new Over('callEnded');
      return undefined;
    }
  }

  // muting

  /** One operation (E1). It is waited for, whatever else happens meanwhile (E5). */
  async #mute(): Promise<void> {
    const { pending, newcomers } = this.#state;
    const room = MOST_NEWCOMERS - (newcomers - pending.length);
    const participantIds = pending.slice(0, Math.min(MOST_PARTICIPANTS, room));
    if (participantIds.length === 0) throw new Over('gaveUp'); // E8
    this.#phase = 'muting';
    const outcome = await this.#operate(participantIds);
    const results = resultsOf(outcome);
    if (results !== undefined) this.#settle(participantIds, results);
    if (ENDED.has(outcome.outcome)) throw new Over('callEnded');
    if (isFinal(outcome)) throw new Stop(this.#refused(outcome));
    if (results !== undefined) return;
    if (TAKEN_OVER.has(outcome.outcome)) this.#settle(participantIds, []);
    else this.#retryLater();
  }

  async #operate(participantIds: readonly string[]): Promise<OperationOutcome> {
    const { callId, tenantId, requestedBy, reason } = this.#request;
    const request = {
      callId,
      target: { participantIds },
      ...(tenantId !== undefined && { tenantId }),
      ...(requestedBy !== undefined && { requestedBy }),
      ...(reason !== undefined && { reason }),
    };
    this.#note({ operations: this.#state.operations + 1 });
    const order = { action: 'mute', request, onConflict: 'queue' } as const;
    return await this.#operations.run(order);
  }

  /** What became of each of them, once and for all, but for those who wait in the lobby (E3, E4). */
  #settle(participantIds: readonly string[], results: readonly ParticipantResult[]): void {
    const told = new Map(results.map(({ participantId, outcome }) => [canonicalId(participantId), outcome]));
    const asked = new Set(participantIds);
    const counts = this.#newcomers();
    for (const id of participantIds) {
      const outcome = told.get(id) ?? 'notConfirmed';
      if (outcome === 'inLobby') {
        this.#known.delete(id);
        this.#waiting.add(id);
        counts.newcomers -= 1;
      } else counts[outcome === 'confirmed' || outcome === 'unmutedAgain' ? 'muted' : outcome] += 1;
    }
    countMutedOnEntry(counts.muted - this.#state.muted);
    const pending = this.#state.pending.filter((id) => !asked.has(id));
    this.#note({ ...counts, pending, retries: 0, retryAt: Date.now() });
    this.#tell();
  }

  /** Nothing was sent for them. */
  #retryLater(): void {
    const { retries } = this.#state;
    const pause = RETRY_PAUSES_MS[Math.min(retries, RETRY_PAUSES_MS.length - 1)] ?? 0;
    this.#note({ retries: retries + 1, retryAt: Date.now() + pause });
  }

  #refused({ outcome, message, details }: Unconfirmed & { outcome: Final }): Failure {
    const { callId } = this.#request;
    const sentence = `The mute on entry of call ${callId} has ended, for it could not mute who came. ${message}`;
    return { type: outcome, message: sentence, details: { callId, ...details } };
  }

  // the end

  #isDue(): boolean {
    const { until } = this.#state;
    return until !== undefined && Date.now() >= until;
  }

  #isOver(): boolean {
    return this.#state.isReleased || this.#state.hasCallEnded || this.#isCancelled || this.#isDue();
  }

  #take(change: Partial<EntryState>): void {
    this.#signals += 1;
    this.#note(change);
  }

  #note(change: Partial<EntryState>): void {
    this.#state = { ...this.#state, ...change };
  }

  #continued(): LastingOutcome<EntryState, MuteOnEntryResult> {
    const [known, waiting, hinted] = [[...this.#known], [...this.#waiting], [...this.#hinted]];
    return { kind: 'continued', state: { ...this.#state, known, waiting, hinted } }; // E6
  }

  #newcomers(): Newcomers {
    const { newcomers, muted, left, refused, notConfirmed } = this.#state;
    return { newcomers, muted, left, refused, notConfirmed };
  }

  #result(endedBy: MuteOnEntryEnd): MuteOnEntryResult {
    const { startedAt, wereThere, isWhole } = this.#state;
    return {
      callId: this.#request.callId,
      endedBy,
      wereThere,
      isRosterComplete: isWhole,
      ...this.#newcomers(),
      startedAt: iso(startedAt),
      endedAt: iso(Date.now()),
    };
  }
}

function isOver({ state }: RosterReading): boolean {
  return state === 'terminating' || state === 'terminated';
}

function isFinal(outcome: OperationOutcome): outcome is Unconfirmed & { outcome: Final } {
  return FINAL.some((type) => type === outcome.outcome);
}

/** Of each of them, where the operation has sent anything. */
function resultsOf(outcome: OperationOutcome): readonly ParticipantResult[] | undefined {
  if (outcome.outcome !== 'Confirmed') return outcome.details.participants;
  return 'participants' in outcome.result ? outcome.result.participants : [];
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
