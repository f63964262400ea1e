import { workflowInfo } from '@temporalio/workflow';
import type { OperationOrder, OperationOutcome, RosterReading, RosterTarget } from '../activities/types.ts';
import { CANCELLED } from '../contract/failure.ts';
import type {
  MuteOnEntryEnd,
  MuteOnEntryPhase,
  MuteOnEntryRequest,
  MuteOnEntryResult,
  MuteOnEntryStatus,
  MuteOnEntryTerms,
} from '../contract/mute-on-entry.ts';
import type { ParticipantResult } from '../contract/operation.ts';
import type { RosterUpdate } from '../contract/signals.ts';
import { MOST_PARTICIPANTS } from '../contract/target.ts';
import { Failed, waitFor } from './call/attempt.ts';
import { GraphCall } from './call/graph-call.ts';
import { delayOf } from './call/polling.ts';
import { isEnded, requireEstablishedGroupCall } from './call/preconditions.ts';
import type { Failure } from './failures.ts';
import { iso } from './iso.ts';
import { LONGEST_TIMER_MS, untilOf } from './lasting.ts';
import { isHistoryLong } from './limits.ts';
import { countMutedOnEntry } from './metrics.ts';
import { NewcomerMemory, type Remembered } from './newcomers.ts';
import { Operations, type PendingOperation } from './operations.ts';
import type { LastingOnCall, LastingOutcome } from './run-lasting.ts';

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
 *     what runs there, so that holds, policies and single operations never interleave; this workflow only reads.
 * E2. Nobody is muted on a guess. Somebody unknown is a newcomer only if the memory of who was there is whole
 *     (`newcomers.ts`): it comes from a complete roster, or from several that list the application alone. Until there is one it is looked again at growing intervals, nobody
 *     is muted, and whoever any of these rosters shows was there. A memory that was whole once stays whole.
 * E3. A newcomer is asked for once: an attempt that sent something is never repeated, whatever came of it, and who
 *     unmutes afterwards is left alone. One whose operation has failed before it sent anything is asked for again, after
 *     RETRY_PAUSES_MS. A worker that dies makes no second operation of it (`activities/operations.ts`).
 * E4. Who leaves and comes back is a newcomer: Graph gives them a new ID. Who waits in the lobby is one once admitted.
 * E5. What was begun is finished: it ends when no operation of it is under way, so nobody is muted after its result. An
 *     operation that still waits for its turn was not begun, and is dropped. One of which nobody knows whether Temporal has
 *     started it is asked after, and not started any more.
 * E6. No signal is lost to continuing as new, nor who was hinted at: handlers only take note, at once; the server lets no
 *     run close over a signal that it has not seen; and all that was noted goes along (`EntryState`).
 * E7. The webhook learns of it only after a moment, and notifications get lost: it looks by itself after LOOK_PAUSES_MS,
 *     and soon again after each hint.
 * E8. What it remembers is bounded (`newcomers.ts`), and is IDs only; after MOST_NEWCOMERS it gives up. The history stays
 *     short: in every phase but the first read it continues as new when its history is long (`limits.ts`).
 */

/** Those who come together go in one operation. The activity waits, as a timer of Temporal's may be a second late. */
const COLLECT_MS = 300;

/** Between looks at the roster, from the last newcomer or hint on. The last one repeats. */
const LOOK_PAUSES_MS = [6_000, 30_000, 60_000] as const;

/** Between looks for what was looked for before: who was in the lobby or not there, and a roster that lists everyone. */
const LOOK_AGAIN_MS = 5_000;

/** Before newcomers are asked for again, where nothing could be sent for them. The last one repeats. */
const RETRY_PAUSES_MS = [1_000, 5_000, 15_000, 60_000] as const;

/** Between looks until a roster is complete (E2). The last one repeats. */
const INCOMPLETE_PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000] as const;

/** What goes along when it continues as new. */
export interface EntryState {
  /** Who was there, and who came since. */
  memory: Remembered;
  startedAt: number;
  until?: number;
  terms: MuteOnEntryTerms;
  isReleased: boolean;
  isCancelled: boolean;
  hasCallEnded: boolean;
  /** The operation that it waits for, and who is muted by it. */
  asking?: { pending: PendingOperation; participantIds: readonly string[] };
  /** When the roster was read first. */
  since?: number;
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
const TAKEN_OVER: ReadonlySet<string> = new Set(['Superseded', 'Cancelled', 'Terminated', 'TimedOut', 'NotEnded']);

export class Entry implements LastingOnCall<MuteOnEntryTerms, EntryState, MuteOnEntryStatus, MuteOnEntryResult> {
  readonly #request: MuteOnEntryRequest;
  readonly #isContinued: boolean;
  readonly #memory: NewcomerMemory;
  /** That there is something new to show to people. */
  readonly #tell: () => void;
  readonly #operations = new Operations();
  readonly #call: GraphCall;
  #phase: MuteOnEntryPhase = 'reading';
  #state: Omit<EntryState, 'memory'>;
  #signals = 0;

  constructor(request: MuteOnEntryRequest, state: EntryState | undefined, tell: (status: MuteOnEntryStatus) => void) {
    this.#request = request;
    this.#call = new GraphCall(request, { isCallKnown: state?.since !== undefined, isPosted: false });
    this.#tell = () => tell(this.status());
    this.#isContinued = state !== undefined;
    const now = Date.now();
    // Not when the first task ran: workers may have been away since.
    const startedAt = workflowInfo().startTime.getTime();
    this.#state = state ?? {
      startedAt,
      ...untilOf(request, startedAt),
      terms: request,
      isReleased: false,
      isCancelled: false,
      hasCallEnded: false,
      lookAt: now,
      readAt: now,
      looks: 0,
      retryAt: now,
      retries: 0,
      operations: 0,
      rosters: 0,
    };
    const isExcepted = (id: string): boolean => this.#state.terms.except?.includes(id) === true;
    this.#memory = new NewcomerMemory(isExcepted, state?.memory);
    this.#tell();
  }

  get isCancelled(): boolean {
    return this.#state.isCancelled;
  }

  rosterUpdated(update: RosterUpdate): void {
    this.#take({ rosters: this.#state.rosters + 1 });
    const urgency = this.#memory.hear(update);
    if (urgency === 'now') this.#lookBy(Date.now());
    else if (urgency === 'again' && this.#state.since !== undefined) this.#lookBy(this.#state.readAt + LOOK_AGAIN_MS);
  }

  callEnded(): void {
    this.#take({ hasCallEnded: true });
  }

  release(): void {
    this.#take({ isReleased: true });
  }

  /** New terms, from now on. They undo a release or a cancellation that came before them. */
  extend(terms: MuteOnEntryTerms): void {
    const { until: _, ...state } = this.#state;
    this.#state = state;
    this.#take({ terms, isReleased: false, isCancelled: false, ...untilOf(terms, Date.now()) });
    this.#tell();
  }

  cancel(): void {
    this.#take({ isCancelled: true });
  }

  status(): MuteOnEntryStatus {
    const { startedAt, since, until, rosters, operations: asked, terms } = this.#state;
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
      if (stop instanceof Failed) return { kind: 'failed', failure: stop.failure };
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
    if (isEnded(reading.state)) throw new Over('callEnded');
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
  async #watch(): Promise<LastingOutcome<EntryState, MuteOnEntryResult>> {
    for (;;) {
      if (this.#isLong()) return this.#continued(); // E8
      const { asking } = this.#state;
      this.#phase = asking === undefined ? 'watching' : 'muting';
      if (asking !== undefined) {
        await this.#finish(asking); // E5
        continue;
      }
      this.#throwIfOver();
      const now = Date.now();
      if (this.#memory.pending.length > 0 && now >= this.#state.retryAt) this.#mute();
      else if (now >= this.#state.lookAt) await this.#look();
      else await this.#wait();
    }
  }

  #throwIfOver(): void {
    if (this.#state.hasCallEnded) throw new Over('callEnded');
    if (this.#state.isReleased || this.#state.isCancelled) throw new Over('released');
    if (this.#isDue()) throw new Over('expired');
  }

  async #wait(): Promise<void> {
    const { until = Infinity, lookAt, retryAt, terms } = this.#state;
    const isDisturbed = (): boolean =>
      this.#isOver() || this.#state.lookAt !== lookAt || this.#state.terms !== terms || this.#isLong();
    const next = Math.min(lookAt, until, this.#memory.pending.length > 0 ? retryAt : Infinity);
    await waitFor(isDisturbed, Math.min(next - Date.now(), LONGEST_TIMER_MS), 'Watch who comes');
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
    if (isEnded(reading.state)) throw new Over('callEnded');
    this.#see(reading, hinted);
  }

  /** The roster, and of those who are hinted at also whom a long one does not list. Nothing where Graph does not tell. */
  async #read(hinted: readonly string[] = [], afterMs?: number): Promise<RosterReading | undefined> {
    const reading = await this.#readRoster(afterMs === undefined ? {} : { afterMs });
    if (reading === undefined || reading.isComplete || !this.#memory.isWhole) return reading;
    const listed = new Set(reading.members.map(({ id }) => id));
    const unlisted = [...hinted, ...this.#memory.waiting].filter((id) => !listed.has(id)).slice(0, MOST_PARTICIPANTS);
    const more = unlisted.length === 0 ? undefined : await this.#readRoster({ participantIds: unlisted });
    return { ...reading, members: [...reading.members, ...(more?.members ?? [])] };
  }

  async #readRoster(whom: Pick<RosterTarget, 'participantIds' | 'afterMs'>): Promise<RosterReading | undefined> {
    try {
      const reading = await this.#call.readRoster(whom, () => this.#isOver());
      if (reading?.participantId !== undefined) this.#memory.know(reading.participantId);
      return reading;
    } catch (stop) {
      if (!(stop instanceof Failed) || this.#state.since === undefined) throw stop;
      if (ENDED.has(stop.failure.type)) throw new Over('callEnded');
      return undefined;
    }
  }

  // muting

  /** One operation for those who came (E1). */
  #mute(): void {
    const participantIds = this.#memory.nextToMute();
    if (participantIds.length === 0) throw new Over('gaveUp'); // E8
    const pending = this.#operations.order(this.#orderFor(participantIds));
    this.#note({ operations: this.#state.operations + 1, asking: { pending, participantIds } });
  }

  /** Waits for the operation, also if everything else is over (E5). One that still waits for its turn is dropped then. */
  async #finish({ pending, participantIds }: NonNullable<EntryState['asking']>): Promise<void> {
    const isMoot = (): boolean => this.#isOver() && isNotBegun(pending);
    const isToStart = (): boolean => pending.order.notAfter === undefined;
    if (this.#isOver() && isToStart()) pending.order = { ...pending.order, notAfter: iso(Date.now()) };
    const isNews = (): boolean => isMoot() || (this.#isOver() && isToStart());
    const outcome = await this.#operations.settle(pending, () => this.#isLong() || isNews());
    if (outcome === undefined && !isMoot()) return; // It goes on, or goes along when this continues as new.
    const { asking: _, ...state } = this.#state;
    this.#state = state;
    const isDropped = outcome?.outcome === CANCELLED && !isToStart() && resultsOf(outcome) === undefined;
    if (outcome !== undefined && !isDropped) this.#settleOutcome(participantIds, outcome);
  }

  #settleOutcome(participantIds: readonly string[], outcome: OperationOutcome): void {
    const results = resultsOf(outcome);
    if (results !== undefined) this.#settle(participantIds, results);
    if (ENDED.has(outcome.outcome)) throw new Over('callEnded');
    if (isFinal(outcome)) throw new Failed(this.#refused(outcome));
    if (results !== undefined) return;
    if (TAKEN_OVER.has(outcome.outcome)) this.#settle(participantIds, []);
    else this.#retryLater();
  }

  #orderFor(participantIds: readonly string[]): OperationOrder {
    const { callId, tenantId, requestedBy, reason } = this.#request;
    const request = {
      callId,
      target: { participantIds },
      ...(tenantId !== undefined && { tenantId }),
      ...(requestedBy !== undefined && { requestedBy }),
      ...(reason !== undefined && { reason }),
    };
    return { action: 'mute', request, onConflict: 'queue' };
  }

  /** E3, E4 */
  #settle(participantIds: readonly string[], results: readonly ParticipantResult[]): void {
    countMutedOnEntry(this.#memory.settle(participantIds, results));
    this.#note({ retries: 0, retryAt: Date.now() });
    this.#tell();
  }

  /** Nothing was sent for them. */
  #retryLater(): void {
    const { retries } = this.#state;
    const pause = delayOf(RETRY_PAUSES_MS, retries);
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

  /** E8. */
  #isLong(): boolean {
    return isHistoryLong(this.#signals);
  }

  #isOver(): boolean {
    return this.#state.isReleased || this.#state.hasCallEnded || this.#state.isCancelled || this.#isDue();
  }

  #take(change: Partial<Omit<EntryState, keyof Remembered>>): void {
    this.#signals += 1;
    this.#note(change);
  }

  #note(change: Partial<Omit<EntryState, keyof Remembered>>): void {
    this.#state = { ...this.#state, ...change };
  }

  #continued(): LastingOutcome<EntryState, MuteOnEntryResult> {
    return { kind: 'continued', state: { ...this.#state, memory: this.#memory.remembered } }; // E6
  }

  #result(endedBy: MuteOnEntryEnd): MuteOnEntryResult {
    const { startedAt } = this.#state;
    return {
      callId: this.#request.callId,
      endedBy,
      wereThere: this.#memory.wereThere,
      isRosterComplete: this.#memory.isWhole,
      ...this.#memory.counts,
      startedAt: iso(startedAt),
      endedAt: iso(Date.now()),
    };
  }
}

/** It waits for its turn, or its turn has just come. */
function isNotBegun({ at, isRetry }: PendingOperation): boolean {
  return at === 'busy' || (at === 'starting' && !isRetry);
}

function isFinal(outcome: OperationOutcome): outcome is Unconfirmed & { outcome: Final } {
  return FINAL.some((type) => type === outcome.outcome);
}

/** Of each of them, where the operation has sent anything. */
function resultsOf(outcome: OperationOutcome): readonly ParticipantResult[] | undefined {
  if (outcome.outcome !== 'Confirmed') return outcome.details.participants;
  return 'participants' in outcome.result ? outcome.result.participants : [];
}
