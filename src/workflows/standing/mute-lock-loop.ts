import type { OperationOutcome, OperationOrder } from '../../activities/types.ts';
import { CALL_ENDED } from '../../contract/failure.ts';
import {
  DEFAULT_AT_MOST,
  MAX_MUTES,
  type MuteLockEnd,
  type MuteLockPhase,
  type MuteLockRequest,
  type MuteLockResult,
  type MuteLockStatus,
  type MuteLockTerms,
} from '../../contract/mute-lock.ts';
import type { Action } from '../../contract/names.ts';
import type { ModerationResult, ParticipantsMuteResult } from '../../contract/operation.ts';
import { FIRST } from '../../contract/priority.ts';
import type { RosterUpdate } from '../../contract/signals.ts';
import { ofCall } from '../../contract/standing-mute.ts';
import { waitFor } from '../call/attempt.ts';
import { GraphCall } from '../call/graph-call.ts';
import { Roster } from '../call/roster.ts';
import { countMuteAgain } from '../lib/metrics.ts';
import { clampToNow } from '../lib/wish.ts';
import { Operations, type PendingOperation } from '../orders/ordered-operations.ts';
import { Lifetime } from './lifetime.ts';
import { Looks } from './looks.ts';
import {
  afterFirstMute,
  afterMuteAgain,
  failureOf,
  type AfterMute,
  type MuteLockFailure,
} from './mute-lock-outcome.ts';
import { resultOf, statusOf, type Reported } from './mute-lock-report.ts';
import { readIsMuted, readNewestOperation } from './mute-lock-reads.ts';
import {
  endOf,
  endWishedAt,
  phaseOf,
  stateAtStart,
  type MuteLockState,
  type OwnState,
  type Purpose,
} from './mute-lock-state.ts';
import { verdictOf } from './mute-lock-verdict.ts';
import type { StandingMuteOnCall, StandingMuteOutcome } from './standing-mute.ts';
import { Unmuting } from './unmuting.ts';

/**
 * Keeps the application in a call muted, until a time or until it is released.
 *
 *     muting ──▶ keeping ──▶ unmuting ──▶ ended
 *                 ▲  │ ▲         │
 *      mutes again└──┘ └─────────┘ extended meanwhile
 *
 * muting      The first mute, an operation like any other. If it fails, the mute lock fails with its type.
 * keeping     The phase `keepingMuted`: until its time, its release, or the end of the call. A roster that shows the
 *             application unmuted is a hint, because it may be old and late: the mute lock then reads the roster, and
 *             the read counts. If an operation of ours that was requested after the mute lock has unmuted the
 *             application, the mute lock is over. If anybody else has, a mute lock mutes again, and a timed mute does
 *             not.
 * unmuting    The operation that unmutes it, until it is done.
 *
 * Invariants:
 *
 * - **It only reads.** Every mute and unmute is an operation under the call's own workflow ID, so mute locks, timed
 *   mutes and single operations never interleave.
 * - **The newest wish counts.** A mute lock is wished for when it starts and whenever it is extended. Only an unmute
 *   that was wished for later ends it; an older unmute is overridden. In the same way, its own unmute at the end
 *   never overrides a mute that was wished for after that end. A signal may wait for a worker, so it contains the
 *   time of its wish. A mute of the mute lock may run late, after a newer unmute: after each mute it looks for such
 *   an unmute in the operations before, and if there is one, unmutes and ends as `unmuted`. All its mutes are as old
 *   as the mute lock's own wish, also the re-mutes.
 * - **It never fights for ever.** At most `atMost` re-mutes in a window and MAX_MUTES in all, failed attempts
 *   included. Then it gives up.
 * - **It ends with an unmute.** If it may have muted, also by a mute that failed and was not put back, it unmutes at
 *   the end, whatever happens to its starter, the worker and the webhook: the time is a durable timer. A failed
 *   unmute is retried for a day (`unmuting.ts`); a release retries at once.
 * - **Levels, not edges.** Signals only change the state, at once. One loop decides from the state what to do next.
 *   All of the state is carried when the mute lock continues as new, also an operation that it waits for. If a step
 *   leads to no decision, also an order that was superseded by an unmute, it is repeated after growing delays and
 *   never at once. Both decide by the same rule what such an unmute is worth (`EFFECTIVE`), so neither continues
 *   where the other stops.
 * - **It reads the roster by itself.** Notifications get lost, and the webhook learns of a mute lock only after a
 *   moment (`looks.ts`). A timed mute has nothing to enforce, so it reads only after its mute (the newest wish
 *   counts).
 * - **The history stays short.** In every phase the mute lock continues as new when its history is long
 *   (`limits.ts`).
 */

/** What a step throws when the mute lock has ended. */
class Ended {
  readonly end: MuteLockEnd | MuteLockFailure;

  constructor(end: MuteLockEnd | MuteLockFailure) {
    this.end = end;
  }
}

export class MuteLockLoop implements StandingMuteOnCall<MuteLockTerms, MuteLockState, MuteLockStatus, MuteLockResult> {
  readonly #request: MuteLockRequest;
  readonly #roster = new Roster();
  readonly #operations = new Operations(({ action }) => (action === 'unmute' ? FIRST : {}));
  readonly #call: GraphCall;
  readonly #life: Lifetime;
  readonly #looks: Looks;
  readonly #unmuting: Unmuting;
  #phase: MuteLockPhase;
  #state: OwnState;
  /** Incremented by every event that may change the next step. */
  #stirs = 0;

  constructor(request: MuteLockRequest, state: MuteLockState | undefined) {
    const { life, looks, unmuting, ...rest } = state ?? {};
    this.#request = request;
    // Its first operation has read the call.
    this.#call = new GraphCall(request, { isCallKnown: true, isPosted: false });
    this.#life = new Lifetime(request, life);
    this.#looks = new Looks(looks);
    this.#unmuting = new Unmuting(unmuting);
    this.#state = { ...stateAtStart(request, this.#life.state.startedAt), ...rest };
    const { participantId } = this.#state;
    if (participantId !== undefined) this.#roster.know(participantId);
    this.#phase = phaseOf(this.#state, this.#life.isOver);
  }

  get isCancelled(): boolean {
    return this.#life.state.isCancelled;
  }

  rosterUpdated(update: RosterUpdate): void {
    const before = this.#roster.lastSeen;
    this.#life.hear();
    this.#note({ rosters: this.#state.rosters + 1 });
    this.#roster.take(update);
    const isHint = this.#roster.lastSeen?.isMuted === false && before?.isMuted !== false;
    if (!isHint) return; // Nothing new.
    this.#looks.now();
    this.#stirs += 1;
  }

  callEnded(): void {
    this.#life.hear({ hasCallEnded: true });
    this.#stirs += 1;
  }

  /** While it waits to try to unmute again, it tries at once (**It ends with an unmute**). */
  release(wishedAt?: number): void {
    this.#life.hear({ releasedAt: clampToNow(wishedAt) });
    this.#unmuting.now();
    this.#stirs += 1;
  }

  /** New terms, from now on. They are a new wish, so they undo a release or a cancellation that came before them. */
  extend(terms: MuteLockTerms, wishedAt?: number): void {
    this.#life.hear();
    this.#life.extend(terms);
    this.#unmuting.renew();
    this.#looks.renew();
    const { failure: _, ...state } = this.#state;
    this.#state = { ...state, terms, wishedAt: Math.max(clampToNow(wishedAt), state.wishedAt), isOverruled: false };
    this.#stirs += 1;
  }

  cancel(): void {
    this.#life.hear({ isCancelled: true, releasedAt: Date.now() });
    this.#unmuting.now();
    this.#stirs += 1;
  }

  status(): MuteLockStatus {
    return statusOf(this.#reported, this.#phase, this.#roster);
  }

  /** Runs in a scope that cannot be cancelled; a cancellation is a release. */
  async run(): Promise<StandingMuteOutcome<MuteLockState, MuteLockResult>> {
    try {
      while (!this.#life.isHistoryLong) await this.#step(); // **The history stays short.**
      return { kind: 'continued', state: this.#carried() };
    } catch (ended) {
      if (!(ended instanceof Ended)) throw ended;
      this.#phase = 'ended';
      const { end } = ended;
      return typeof end === 'string'
        ? { kind: 'ended', result: resultOf(this.#reported, end) }
        : { kind: 'failed', failure: end };
    }
  }

  /** The next thing to do, as the state has it now (**Levels, not edges**). */
  async #step(): Promise<void> {
    this.#phase = phaseOf(this.#state, this.#life.isOver);
    const { pending, wishedAt } = this.#state;
    if (pending !== undefined) return await this.#settle(pending);
    if (this.#life.end === 'callEnded') throw new Ended('callEnded');
    if (this.#phase === 'unmuting') {
      const { isDue, state } = this.#unmuting;
      return isDue ? this.#unmute() : await this.#wait(state.at, 'Wait before the next attempt to unmute');
    }
    if (this.#phase === 'muting') return this.#order('first', 'mute', 'supersede', wishedAt);
    return this.#looks.isDue ? await this.#look() : await this.#wait(this.#looks.state.at, 'Mute lock');
  }

  /** Waits until a time, until the end of the mute lock, or until a signal changes something. */
  async #wait(time: number, summary: string): Promise<void> {
    const stirs = this.#stirs;
    const isDisturbed = (): boolean => this.#stirs !== stirs || this.#life.isHistoryLong;
    await waitFor(isDisturbed, this.#life.msUntil(time), summary);
  }

  // operations

  #order(purpose: Purpose, action: Action, onConflict: OperationOrder['onConflict'], wishedAt: number): void {
    const request = ofCall(this.#request);
    const order: OperationOrder = { action, request, ...(onConflict !== undefined && { onConflict }) };
    this.#note({ pending: { ...this.#operations.order(order, wishedAt), purpose } });
  }

  async #settle(pending: NonNullable<MuteLockState['pending']>): Promise<void> {
    const outcome = await this.#operations.settle(pending, () => this.#life.isHistoryLong);
    if (outcome === undefined) return;
    const { pending: _, ...state } = this.#state;
    this.#state = state;
    if (CALL_ENDED.has(outcome.outcome)) throw new Ended('callEnded');
    if (pending.purpose === 'first') this.#mutedFirst(outcome, pending);
    else if (pending.purpose === 'again') this.#mutedAgain(outcome);
    else this.#unmuted(outcome, pending);
  }

  #mutedFirst(outcome: OperationOutcome, { wishedAt }: PendingOperation): void {
    const next = afterFirstMute(outcome, this.#state.mayHaveMuted);
    // There was a newer wish since then; the next look shows whose.
    if (outcome.outcome === 'Superseded') this.#note({ mayHaveMuted: true });
    this.#follow(next, outcome, wishedAt);
  }

  #mutedAgain(outcome: OperationOutcome): void {
    if (outcome.outcome === 'OperationInProgress') return this.#lookAgain();
    countMuteAgain();
    this.#note({ recent: [...this.#state.recent, Date.now()], mutesAgain: this.#state.mutesAgain + 1 });
    this.#follow(afterMuteAgain(outcome), outcome, this.#state.wishedAt);
  }

  #follow(next: AfterMute, outcome: OperationOutcome, wishedAt: number): void {
    if (outcome.outcome === 'Confirmed') return this.#confirmed(outcome.result, wishedAt);
    if (next === 'look again') return this.#lookAgain();
    if (next === 'end') throw new Ended(failureOf(outcome));
    // **It ends with an unmute.**
    this.#note({ mayHaveMuted: true, failure: failureOf(outcome) });
    this.#life.release(Date.now());
    this.#unmuting.now();
  }

  #confirmed(result: ModerationResult | ParticipantsMuteResult, wishedAt: number): void {
    if ('participants' in result) return; // A mute of others, which a mute lock never starts.
    const { participantId } = result;
    this.#roster.know(participantId);
    this.#roster.see({ isMuted: true });
    this.#looks.confirmed(wishedAt >= this.#state.wishedAt, this.#isEnforced);
    this.#note({ participantId, mayHaveMuted: true });
  }

  // keeping muted

  /** Whether the application is really unmuted, and by whom. */
  async #look(): Promise<void> {
    this.#looks.begin(this.#isEnforced);
    const isMuted = await readIsMuted(this.#call, this.#roster, this.#state.participantId, () => this.#life.isOver);
    if (isMuted === 'callEnded') throw new Ended('callEnded');
    const { terms, wishedAt } = this.#state;
    if (this.#life.isOver || !this.#looks.isToAsk(isMuted)) return;
    const { isMet } = this.#looks.state;
    // The last operation has unmuted it; before a mute of its own there may be a newer wish.
    const newest = await readNewestOperation(this.#request.callId, isMuted === false ? undefined : wishedAt);
    // A signal arrived meanwhile, so the loop decides again.
    if (this.#life.isOver || this.#state.terms !== terms) return;
    if (newest === 'unknown') return this.#lookAgain(isMuted);
    const verdict = verdictOf({ isMuted, newest, isMet, isEnforced: this.#isEnforced, wishedAt });
    if (verdict === 'ask again') this.#lookAgain(isMuted);
    else if (verdict === 'overruled') this.#overruled(newest?.wishedAt ?? wishedAt);
    else if (verdict === 'unmuted') throw new Ended('unmuted');
    else if (verdict === 'mute') this.#order('first', 'mute', 'supersede', wishedAt);
    else if (verdict === 'mute again') this.#muteAgain();
    else this.#looks.settled(this.#isEnforced);
  }

  #overruled(wishedAt: number): void {
    this.#note({ isOverruled: true });
    this.#life.release(wishedAt);
    this.#unmuting.now();
  }

  #lookAgain(isMuted?: boolean): void {
    this.#looks.again(isMuted, this.#isEnforced);
  }

  #muteAgain(): void {
    const { mutes, withinSeconds } = this.#state.terms.atMost ?? DEFAULT_AT_MOST;
    const recent = this.#state.recent.filter((time) => time > Date.now() - withinSeconds * 1_000);
    // **It never fights for ever.**
    if (recent.length >= mutes || this.#state.mutesAgain >= MAX_MUTES) throw new Ended('gaveUp');
    this.#note({ recent });
    this.#order('again', 'mute', 'reject', this.#state.wishedAt); // **The newest wish counts.**
  }

  // unmuting

  #unmute(): void {
    if (!this.#state.mayHaveMuted) throw new Ended(endOf(this.#state, this.#life.state)); // **It ends with an unmute.**
    this.#unmuting.begin();
    this.#order('unmute', 'unmute', 'queue', endWishedAt(this.#state, this.#life.state));
  }

  #unmuted(outcome: OperationOutcome, { wishedAt }: PendingOperation): void {
    const isDone = outcome.outcome === 'Confirmed';
    // Extended meanwhile: it mutes again, or looks. It still ends with an unmute (**It ends with an unmute**).
    if (!this.#life.isOver) {
      this.#looks.renew();
      if (isDone) this.#order('first', 'mute', 'supersede', this.#state.wishedAt);
      return;
    }
    // Extended and then ended again: operations in between are older than that end, and may have muted.
    if (wishedAt < endWishedAt(this.#state, this.#life.state)) return this.#unmuting.now();
    if (isDone || outcome.outcome === 'Superseded') throw new Ended(endOf(this.#state, this.#life.state));
    if (!this.#unmuting.fail(outcome.outcome)) throw new Ended(failureOf(outcome));
  }

  // the state

  get #isEnforced(): boolean {
    return this.#state.terms.enforce ?? true;
  }

  #carried(): MuteLockState {
    return {
      ...this.#state,
      life: this.#life.state,
      looks: this.#looks.state,
      unmuting: this.#unmuting.state,
    };
  }

  #note(change: Partial<OwnState>): void {
    this.#state = { ...this.#state, ...change };
  }

  get #reported(): Reported {
    return { request: this.#request, life: this.#life.state, state: this.#state };
  }
}
