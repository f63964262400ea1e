import { workflowInfo } from '@temporalio/workflow';
import type { OperationOutcome } from '../activities/types.ts';
import {
  DEFAULT_AT_MOST,
  MOST_MUTES,
  type HoldEnd,
  type HoldPhase,
  type HoldRequest,
  type HoldResult,
  type HoldStatus,
  type HoldTerms,
} from '../contract/hold.ts';
import { PENDING, type Action } from '../contract/names.ts';
import type { ModerationResult, OthersResult } from '../contract/operation.ts';
import type { RosterUpdate } from '../contract/signals.ts';
import { lookups, operations, reads } from './activities.ts';
import { attempt, waitFor } from './attempt.ts';
import type { Failure } from './failures.ts';
import { Stop } from './interruptions.ts';
import { LONGEST_TIMER_MS, untilOf } from './lasting.ts';
import { countMuteAgain } from './metrics.ts';
import { Roster } from './roster.ts';
import type { LastingOnCall, LastingOutcome } from './run-lasting.ts';

/**
 * Keeps the application in a call muted, until a time or until it is released.
 *
 *     muting ──▶ holding ──▶ unmuting ──▶ ended
 *                 ▲  │ ▲         │
 *      mutes again└──┘ └─────────┘ extended meanwhile
 *
 * muting      The first mute, an operation like any other. Where it fails there is nothing to hold, and the hold fails
 *             with its type.
 * holding     Until the time has come, or the release, or the end of the call. A roster that shows the application
 *             unmuted is a hint, for it may be an old one that comes late: the roster is read, and what it shows counts.
 *             If it is unmuted, with an operation of ours that somebody asked for, the hold is over. If by anybody else,
 *             a hold mutes it again, and a pause lets it be.
 * unmuting    The operation that unmutes it, again and again until it is done.
 *
 * Invariants:
 *
 * H1. Nothing is sent to Graph from here. Every mute and unmute is an operation under the call's own workflow ID, so that
 *     holds, pauses and single operations never interleave; this workflow only reads.
 * H2. The last wish counts. An unmute that somebody asked for ends the hold; the first mute and a new hold supersede
 *     what runs; muting again never does, it waits.
 * H3. It never fights for ever: `atMost` in a window, MOST_MUTES in all, failed attempts counted, then it gives up.
 * H4. It ends with an unmute, whoever has muted meanwhile, and whatever becomes of its starter, the worker and the
 *     webhook: the time is a durable timer. What may pass is tried again for UNMUTE_MS.
 * H5. No signal is lost to continuing as new: handlers only take note, at once; the server lets no run close over a signal
 *     that it has not seen; and all that was noted goes along (`HoldState`).
 * H6. The webhook learns of a hold only after a moment, and notifications get lost: a hold looks by itself after
 *     LOOK_PAUSES_MS. A pause has nothing to see and does not look.
 * H7. The history stays short: it continues as new after MOST_SIGNALS, or when Temporal suggests it.
 */

/** Between looks at the roster, from the last mute on. The last one repeats. */
const LOOK_PAUSES_MS = [6_000, 30_000, 60_000] as const;

/** Before it is looked again, where an operation runs or Graph does not answer. */
const LOOK_AGAIN_MS = 1_000;

/** Pauses between attempts to unmute at the end. The last one repeats. */
const UNMUTE_PAUSES_MS = [5_000, 10_000, 20_000, 60_000, 300_000] as const;

/** From the end of the hold until it gives up to unmute. */
const UNMUTE_MS = 24 * 3_600_000;

/** An unmute that was done and does not show, as where the client itself is muted, is not tried more often than this. */
const MOST_UNCONFIRMED = 3;

/** Temporal takes 10,000 signals a run. */
const MOST_SIGNALS = 1_000;

/** What goes along when the hold continues as new. */
export interface HoldState {
  startedAt: number;
  until?: number;
  terms: HoldTerms;
  isReleased: boolean;
  isHinted: boolean;
  hasCallEnded: boolean;
  participantId?: string;
  mutesAgain: number;
  /** When it last muted again, in ms. */
  recent: readonly number[];
  rosters: number;
  looks: number;
}

/** What the steps throw where the hold is over. */
class Over {
  readonly end: HoldEnd;

  constructor(end: HoldEnd) {
    this.end = end;
  }
}

class Failed {
  readonly failure: { type: string; message: string; details: Failure['details'] };

  constructor({ outcome, message, details }: Exclude<OperationOutcome, { outcome: 'Confirmed' }>) {
    this.failure = { type: outcome, message, details };
  }
}

/** Nothing to mute, or to unmute, any more. */
const ENDED: ReadonlySet<string> = new Set(['CallEnded', 'CallNotFound']);

/** What may be otherwise when it is tried again. */
const PASSING: ReadonlySet<string> = new Set([
  'GraphUnavailable',
  'Unconfirmed',
  'RestoreFailed',
  'Cancelled',
  'Terminated',
  'TimedOut',
]);

export class Holding implements LastingOnCall<HoldTerms, HoldState, HoldStatus, HoldResult> {
  readonly #request: HoldRequest;
  readonly #roster = new Roster();
  readonly #isContinued: boolean;
  #phase: HoldPhase = 'muting';
  #state: HoldState;
  #signals = 0;
  #isCancelled = false;

  constructor(request: HoldRequest, state: HoldState | undefined) {
    this.#request = request;
    this.#isContinued = state !== undefined;
    const startedAt = Date.now();
    this.#state = state ?? {
      startedAt,
      ...untilOf(request, startedAt),
      terms: request,
      isReleased: false,
      isHinted: false,
      hasCallEnded: false,
      mutesAgain: 0,
      recent: [],
      rosters: 0,
      looks: 0,
    };
    const { participantId } = this.#state;
    if (participantId !== undefined) this.#roster.know(participantId);
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  rosterUpdated(update: RosterUpdate): void {
    const before = this.#roster.lastSeen;
    this.#roster.take(update);
    const { lastSeen } = this.#roster;
    const isHint = lastSeen?.isMuted === false && before?.isMuted !== false;
    this.#note({ rosters: this.#state.rosters + 1, ...(isHint && { isHinted: true }) });
  }

  callEnded(): void {
    this.#note({ hasCallEnded: true });
  }

  release(): void {
    this.#note({ isReleased: true });
  }

  /** New terms, from now on; they undo a release that came before them. */
  extend(terms: HoldTerms): void {
    const { until: _, ...state } = this.#state;
    this.#state = state;
    this.#note({ terms, isReleased: false, ...untilOf(terms, Date.now()) });
  }

  cancel(): void {
    this.#isCancelled = true;
  }

  status(): HoldStatus {
    const { startedAt, until, mutesAgain, rosters } = this.#state;
    const { participantId, lastSeen } = this.#roster;
    return {
      phase: this.#phase,
      request: this.#request,
      startedAt: iso(startedAt),
      ...(until !== undefined && { until: iso(until) }),
      enforce: this.#isEnforced,
      mutesAgain,
      rosters,
      ...(participantId !== undefined && { participantId }),
      ...(lastSeen !== undefined && { lastSeen }),
    };
  }

  /** Runs in a scope that cannot be cancelled; a cancellation releases. */
  async run(): Promise<LastingOutcome<HoldState, HoldResult>> {
    try {
      if (!this.#isContinued) await this.#muteFirst();
      for (;;) {
        this.#phase = 'holding';
        const end = await this.#hold();
        if (end === undefined) return { kind: 'continued', state: this.#state };
        if (await this.#unmute()) throw new Over(end);
        await this.#muteFirst(); // Extended meanwhile.
      }
    } catch (stop) {
      this.#phase = 'ended';
      if (stop instanceof Failed) return { kind: 'failed', failure: stop.failure };
      if (stop instanceof Over) return { kind: 'ended', result: this.#result(stop.end) };
      throw stop;
    }
  }

  // muting

  async #muteFirst(): Promise<void> {
    this.#phase = 'muting';
    if (this.#isDue()) return; // Nobody could run it before its time was over.
    const outcome = await this.#operate('mute', 'supersede');
    if (outcome.outcome === 'Confirmed') this.#muted(outcome.result);
    else if (ENDED.has(outcome.outcome)) throw new Over('callEnded');
    else if (outcome.outcome === 'Superseded') this.#note({ isHinted: true }); // H2: by whom shows when it is looked at.
    else throw new Failed(outcome);
  }

  #muted(result: ModerationResult | OthersResult): void {
    if ('participants' in result) return; // Of others, and nothing here mutes them.
    const { participantId } = result;
    this.#roster.know(participantId);
    this.#roster.see({ isMuted: true });
    this.#note({ participantId, looks: 0 });
  }

  // holding

  /** Until the hold is over; gives why, or nothing where it is to continue as new. */
  async #hold(): Promise<'released' | 'expired' | undefined> {
    for (;;) {
      if (this.#state.hasCallEnded) throw new Over('callEnded');
      if (this.#state.isReleased || this.#isCancelled) return 'released';
      if (this.#isDue()) return 'expired';
      if (this.#state.isHinted) await this.#lookUnlessExtended();
      else if (this.#signals >= MOST_SIGNALS || workflowInfo().continueAsNewSuggested) return undefined; // H7
      else await this.#wait();
    }
  }

  async #wait(): Promise<void> {
    const { until, looks } = this.#state;
    const look = this.#isEnforced ? (LOOK_PAUSES_MS[Math.min(looks, LOOK_PAUSES_MS.length - 1)] ?? 0) : Infinity;
    const left = until === undefined ? Infinity : until - Date.now();
    const asSeen = this.#state;
    const isDisturbed = (): boolean =>
      this.#state.isHinted ||
      this.#state.isReleased ||
      this.#state.hasCallEnded ||
      this.#state.terms !== asSeen.terms ||
      this.#isCancelled ||
      this.#signals >= MOST_SIGNALS;
    await waitFor(isDisturbed, Math.min(look, left, LONGEST_TIMER_MS), 'Hold');
    if (look <= left && !isDisturbed()) this.#note({ isHinted: true, looks: looks + 1 }); // H6
  }

  /** New terms that came while it looked are the newer wish (H2), and nobody hears of them but this run (H5). */
  async #lookUnlessExtended(): Promise<void> {
    const { terms } = this.#state;
    try {
      await this.#look();
    } catch (stop) {
      const isMeant = stop instanceof Over && stop.end !== 'callEnded' && this.#state.terms !== terms;
      if (!isMeant) throw stop;
      await this.#muteFirst();
      this.#phase = 'holding';
    }
  }

  /** Whether it is unmuted at all, and who has done it. */
  async #look(): Promise<void> {
    this.#note({ isHinted: false });
    const isMuted = await this.#isShownMuted();
    if (isMuted !== false) return; // What Graph does not tell is looked at again by and by (H6).
    const newest = await lookups.readNewest.executeWithOptions({ summary: 'Who has unmuted it?' }, [
      this.#request.callId,
    ]);
    if (newest?.action === 'unmute' && newest.outcome === 'Confirmed') throw new Over('unmuted'); // H2
    if (newest?.outcome === PENDING) return await this.#lookAgain();
    if (this.#isEnforced) await this.#muteAgain();
  }

  async #lookAgain(): Promise<void> {
    await waitFor(() => this.#isOver(), LOOK_AGAIN_MS, 'Wait before it is looked at again');
    this.#note({ isHinted: true });
  }

  /** Nothing where Graph does not tell. */
  async #isShownMuted(): Promise<boolean | undefined> {
    const { callId, tenantId } = this.#request;
    const { participantId } = this.#state;
    const target = {
      callId,
      ...(tenantId !== undefined && { tenantId }),
      ...(participantId !== undefined && { participantId }),
    };
    try {
      const options = { summary: 'Read the roster' };
      const reading = await attempt(
        () => this.#isOver(),
        () => reads.readParticipant.executeWithOptions(options, [target]),
      );
      if (reading?.participantId !== undefined) this.#roster.know(reading.participantId);
      if (reading?.self !== undefined) this.#roster.see(reading.self);
      return reading?.self?.isMuted;
    } catch (stop) {
      if (!(stop instanceof Stop) || stop.reason === 'Superseded') throw stop;
      if (ENDED.has(stop.reason.type)) throw new Over('callEnded');
      return undefined;
    }
  }

  async #muteAgain(): Promise<void> {
    const { mutes, withinSeconds } = this.#state.terms.atMost ?? DEFAULT_AT_MOST;
    const recent = this.#state.recent.filter((time) => time > Date.now() - withinSeconds * 1_000);
    if (recent.length >= mutes || this.#state.mutesAgain >= MOST_MUTES) throw new Over('gaveUp'); // H3
    const outcome = await this.#operate('mute', 'reject');
    if (outcome.outcome === 'OperationInProgress') return await this.#lookAgain();
    countMuteAgain();
    this.#note({ recent: [...recent, Date.now()], mutesAgain: this.#state.mutesAgain + 1 });
    if (outcome.outcome === 'Confirmed') return this.#muted(outcome.result);
    if (ENDED.has(outcome.outcome)) throw new Over('callEnded');
    if (outcome.outcome !== 'Superseded' && !PASSING.has(outcome.outcome)) throw new Failed(outcome);
    await this.#lookAgain();
  }

  // unmuting

  /** Whether it is done; not so where new terms came meanwhile. */
  async #unmute(): Promise<boolean> {
    this.#phase = 'unmuting';
    const deadline = Date.now() + UNMUTE_MS;
    let unconfirmed = 0;
    for (let round = 0; ; round += 1) {
      const outcome = await this.#operate('unmute', 'queue');
      if (ENDED.has(outcome.outcome)) throw new Over('callEnded');
      if (!this.#isOver()) return false;
      // A mute that somebody asked for while this ran has superseded it: the last wish (H2).
      if (outcome.outcome === 'Confirmed' || outcome.outcome === 'Superseded') return true;
      if (outcome.outcome === 'Unconfirmed') unconfirmed += 1;
      if (unconfirmed >= MOST_UNCONFIRMED || Date.now() >= deadline) throw new Failed(outcome);
      const pause = UNMUTE_PAUSES_MS[Math.min(round, UNMUTE_PAUSES_MS.length - 1)] ?? 0;
      await waitFor(() => !this.#isOver(), pause, 'Wait before it is unmuted once more');
      if (!this.#isOver()) return false;
    }
  }

  async #operate(action: Action, onConflict: 'supersede' | 'queue' | 'reject'): Promise<OperationOutcome> {
    const { callId, tenantId, requestedBy, reason } = this.#request;
    const request = {
      callId,
      ...(tenantId !== undefined && { tenantId }),
      ...(requestedBy !== undefined && { requestedBy }),
      ...(reason !== undefined && { reason }),
    };
    const summary = `${action === 'mute' ? 'Mute' : 'Unmute'} call ${callId}`;
    return await operations.runOperation.executeWithOptions({ summary }, [{ action, request, onConflict }]);
  }

  get #isEnforced(): boolean {
    return this.#state.terms.enforce ?? true;
  }

  #isDue(): boolean {
    const { until } = this.#state;
    return until !== undefined && Date.now() >= until;
  }

  #isOver(): boolean {
    return this.#state.isReleased || this.#state.hasCallEnded || this.#isCancelled || this.#isDue();
  }

  #note(change: Partial<HoldState>): void {
    this.#signals += 1;
    this.#state = { ...this.#state, ...change };
  }

  #result(endedBy: HoldEnd): HoldResult {
    const { startedAt, mutesAgain } = this.#state;
    return {
      callId: this.#request.callId,
      endedBy,
      mutesAgain,
      startedAt: iso(startedAt),
      endedAt: iso(Date.now()),
    };
  }
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
