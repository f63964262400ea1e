import type { OperationOrder, OperationOutcome } from '../../activities/types.ts';
import { CALL_ENDED, CANCELLED } from '../../contract/failure.ts';
import { ofCall } from '../../contract/standing-mute.ts';
import type { MuteOnEntryEnd, MuteOnEntryRequest } from '../../contract/mute-on-entry.ts';
import type { ParticipantResult } from '../../contract/operation.ts';
import { OperationFailed } from '../call/attempt.ts';
import { delayOf } from '../call/polling.ts';
import type { Failure } from '../lib/failures.ts';
import { iso } from '../lib/iso.ts';
import type { Lifetime } from './lifetime.ts';
import { countMutedOnEntry } from '../lib/metrics.ts';
import type { NewcomerMemory } from './newcomers.ts';
import { Operations, type PendingOperation } from '../orders/ordered-operations.ts';

/**
 * Mutes newcomers: one operation at a time, for all who have come by then. The rules are those of
 * `mute-on-entry-loop.ts`.
 */

/** Before newcomers are asked for again, where nothing could be sent for them. The last one repeats. */
const RETRY_PAUSES_MS = [1_000, 5_000, 15_000, 60_000] as const;

/** The mutes of newcomers, as plain data. Times are in ms since the epoch. */
export interface NewcomerMutesState {
  /** The operation that it waits for, and who is muted by it. */
  asking?: { pending: PendingOperation; participantIds: readonly string[] };
  retryAt: number;
  retries: number;
  /** How many were ordered. */
  operations: number;
}

/** What the steps throw when it is over. */
export class StandingMuteEnded {
  readonly end: MuteOnEntryEnd;

  constructor(end: MuteOnEntryEnd) {
    this.end = end;
  }
}

type Unconfirmed = Exclude<OperationOutcome, { outcome: 'Confirmed' }>;

/** Nothing may be otherwise when it is tried again. */
const FINAL = ['PermissionDenied', 'Unauthorized', 'InvalidRequest', 'NotAGroupCall'] as const;

type Final = (typeof FINAL)[number];

/** Somebody wanted otherwise, or ended it in Temporal, and nobody can tell what was sent by then. */
const TAKEN_OVER: ReadonlySet<string> = new Set(['Superseded', 'Cancelled', 'Terminated', 'TimedOut', 'NotEnded']);

export class NewcomerMutes {
  readonly #request: MuteOnEntryRequest;
  readonly #memory: NewcomerMemory;
  readonly #life: Lifetime;
  /** There is something new to show to people. */
  readonly #tell: () => void;
  readonly #operations = new Operations();
  #now: NewcomerMutesState;

  constructor(
    request: MuteOnEntryRequest,
    memory: NewcomerMemory,
    life: Lifetime,
    tell: () => void,
    state: NewcomerMutesState = { retryAt: 0, retries: 0, operations: 0 },
  ) {
    this.#request = request;
    this.#memory = memory;
    this.#life = life;
    this.#tell = tell;
    this.#now = state;
  }

  get state(): Readonly<NewcomerMutesState> {
    return this.#now;
  }

  get isAsking(): boolean {
    return this.#now.asking !== undefined;
  }

  /** When somebody is to be muted next; infinite if nobody is. */
  get dueAt(): number {
    return this.#memory.pending.length > 0 ? this.#now.retryAt : Infinity;
  }

  /** One operation for the newcomers. */
  ask(): void {
    const participantIds = this.#memory.nextToMute();
    if (participantIds.length === 0) throw new StandingMuteEnded('gaveUp'); // **The memory is bounded.**
    const pending = this.#operations.order(this.#orderFor(participantIds));
    this.#now = { ...this.#now, operations: this.#now.operations + 1, asking: { pending, participantIds } };
  }

  /**
   * Waits for the operation, also if everything else is over (**A started operation is finished**). One that still
   * waits for its turn is dropped then.
   */
  async finish(): Promise<void> {
    if (this.#now.asking === undefined) return;
    const { pending, participantIds } = this.#now.asking;
    const isMoot = (): boolean => this.#life.isOver && isNotBegun(pending);
    const isToStart = (): boolean => pending.order.notAfter === undefined;
    if (this.#life.isOver && isToStart()) pending.order = { ...pending.order, notAfter: iso(Date.now()) };
    const isNews = (): boolean => isMoot() || (this.#life.isOver && isToStart());
    const outcome = await this.#operations.settle(pending, () => this.#life.isHistoryLong || isNews());
    if (outcome === undefined && !isMoot()) return; // It goes on, or goes along when this continues as new.
    const { asking: _, ...state } = this.#now;
    this.#now = state;
    const isDropped = outcome?.outcome === CANCELLED && !isToStart() && resultsOf(outcome) === undefined;
    if (outcome !== undefined && !isDropped) this.#settleOutcome(participantIds, outcome);
  }

  #settleOutcome(participantIds: readonly string[], outcome: OperationOutcome): void {
    const results = resultsOf(outcome);
    if (results !== undefined) this.#settle(participantIds, results);
    if (CALL_ENDED.has(outcome.outcome)) throw new StandingMuteEnded('callEnded');
    if (isFinal(outcome)) throw new OperationFailed(this.#refused(outcome));
    if (results !== undefined) return;
    if (TAKEN_OVER.has(outcome.outcome)) this.#settle(participantIds, []);
    else this.#retryLater();
  }

  #orderFor(participantIds: readonly string[]): OperationOrder {
    return { action: 'mute', request: { ...ofCall(this.#request), target: { participantIds } }, onConflict: 'queue' };
  }

  /** **A newcomer is muted once**; **Coming back is joining**. */
  #settle(participantIds: readonly string[], results: readonly ParticipantResult[]): void {
    countMutedOnEntry(this.#memory.settle(participantIds, results));
    this.#now = { ...this.#now, retries: 0, retryAt: Date.now() };
    this.#tell();
  }

  /** Nothing was sent for them. */
  #retryLater(): void {
    const { retries } = this.#now;
    const pause = delayOf(RETRY_PAUSES_MS, retries);
    this.#now = { ...this.#now, retries: retries + 1, retryAt: Date.now() + pause };
  }

  #refused({ outcome, message, details }: Unconfirmed & { outcome: Final }): Failure {
    const { callId } = this.#request;
    const sentence = `The mute on entry of call ${callId} has ended, for it could not mute who came. ${message}`;
    return { type: outcome, message: sentence, details: { callId, ...details } };
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
