import type { Acceptance, CallReading } from '../activities/types.ts';
import { sameId } from '../contract/call-id.ts';
import type { FailureDetails } from '../contract/failure.ts';
import { wantedIsMuted, type Action } from '../contract/names.ts';
import type { ModerationResult, MuteState, OperationStatus, OthersResult, Phase } from '../contract/operation.ts';
import { DEFAULT_CONFIRM_WITHIN_SECONDS, type ModerationRequest } from '../contract/request.ts';
import type { OperationUpdate, RosterUpdate, Successor } from '../contract/signals.ts';
import { REQUEST_MS, VERIFY_MS } from './activities.ts';
import { Failed, waitFor } from './call/attempt.ts';
import { GraphCall, type KnownCall } from './call/graph-call.ts';
import { delayOf, delayUntil, ROSTER_DELAYS_MS } from './call/polling.ts';
import { requireEstablishedGroupCall } from './call/preconditions.ts';
import { operationFailed, restoreFailed, unconfirmed, withRestored, type Failure } from './failures.ts';
import { Interruptions, Superseded } from './interruptions.ts';
import { iso } from './iso.ts';
import { isHistoryLong } from './limits.ts';
import { recordAcceptance, recordConfirmation } from './metrics.ts';
import type { ConfirmingOthersState } from './others.ts';
import { isMutedByItsClient, isRestored, restoringAction } from './restoration.ts';
import { Roster, type RosterState } from './roster.ts';
import { Story, timeOfDay } from './story.ts';

/**
 * The saga of one operation on one call.
 *
 *     reading ──▶ requesting ──▶ confirming ──▶ confirmed
 *        │             │              │
 *        │             ├──────────────┴──▶ restoring ──▶ failed
 *        └─────────────┴──────────────┴────────────────▶ failed
 *
 * reading     GET the call and its roster: is it a group call that goes on, which participant is the application, how
 *             does it stand? Nothing has been sent, so what goes wrong here just fails.
 * requesting  POST the action. Always, also where the roster shows the wanted state: that may be the client's own mute.
 * confirming  Graph has accepted. A roster notification of the wanted state confirms, also one that came before Graph's
 *             answer; where none comes, a read of the roster does.
 * restoring   The POST may have taken effect and the operation is not to stand: POST what undoes it, then read until the
 *             roster shows what was read before.
 *
 * A successor, the end of the call or a cancellation can interrupt at any moment (`interruptions.ts`). A cancelled
 * operation is undone like one that was not confirmed; one whose call has ended has nothing to undo; one that is
 * superseded hands over what it knows, and its successor goes on.
 *
 * Invariants:
 *
 * S1. What a restore goes back to was read before any POST of this operation, or of the one that it superseded, and it
 *     stands in the history before the POST is sent: the POST is scheduled only once the read's completion is recorded.
 * S2. A POST that was sent is waited for, until its answer or its time limit, before anything else is sent and before the
 *     run ends or hands over. So none arrives late and undoes what came after it.
 * S3. The roster is listened to from before the POST is sent, so no notification can come too early.
 * S4. Every wait has a limit: reading, requesting and restoring that of their activities (`activities.ts`), one attempt
 *     more where a POST was under way at the limit; confirming what the request says; verifying VERIFY_MS, or REQUEST_MS
 *     where the worker was gone.
 * S5. A successor that was signalled is never lost: it is looked for last, whatever the saga came to, and the server lets
 *     no run close over a signal that it has not seen.
 * S6. No cancellation is thrown in here: the saga runs in a scope that cannot be cancelled, and asks `interruptions`.
 * S7. The history stays short: while it waits for the confirmation, which takes longest, it continues as new when its history
 *     is long (`limits.ts`), with all that it knows and the same deadline. The other phases end within minutes.
 * S8. The first attempt reads and POSTs in one activity, unless the operation supersedes another one. Temporal holds what was read
 *     before the POST is sent, so S1 is kept. Whatever that attempt has not done, the steps above do.
 */

/** Between the reads that verify a restore. The last one repeats. */
const VERIFY_DELAYS_MS = [250, 500, 1_000, 2_000] as const;

/** Failed operations that are kept until Graph has named our own; with more than that in a call, none is missed for long. */
const MOST_FAILED_OPERATIONS = 16;

/** An operation that waits for its confirmation, as plain data, so that it can continue as new. Times are in ms. */
export interface ConfirmingState {
  clientContext: string;
  roster: RosterState;
  isRefused: boolean;
  isInherited: boolean;
  isAlreadyAsWanted: boolean;
  operationId: string;
  answer: FailureDetails;
  attempts: number;
  requestedAt?: number | undefined;
  acceptedAt?: number | undefined;
  deadline: number;
  round: number;
  failedOperations: readonly OperationUpdate[];
  story: readonly string[];
}

/** What a run leaves to the one that supersedes it, or that continues it. */
export interface Inheritance extends KnownCall {
  /** Who hears when the run ends that inherits this. */
  watchers?: readonly string[];
  /** What the first run of the chain read, if it read anything (S1). */
  before?: MuteState;
  /** The place in the order of rosters that is known to be past (R2 of `roster.ts`). */
  newest?: number;
  /** Set if the run continues the same operation, because the history of the run before it became long. */
  confirming?: ConfirmingState;
  /** The same, of a mute of others. */
  confirmingOthers?: ConfirmingOthersState;
}

export type Outcome =
  | { kind: 'confirmed'; result: ModerationResult | OthersResult }
  | { kind: 'failed'; failure: Failure }
  /** The history is long, and the operation goes on in another run. */
  | { kind: 'continued'; inheritance: Inheritance };

/** The operation goes on as another run, which knows what this one knew. */
export interface HandOver {
  successor: Successor;
  inheritance: Inheritance;
}

export class Saga {
  readonly interruptions: Interruptions;
  readonly #action: Action;
  readonly #request: ModerationRequest;
  readonly #clientContext: string;
  readonly #roster: Roster;
  readonly #call: GraphCall;
  readonly #story: Story;
  readonly #failedOperations: OperationUpdate[] = [];

  #phase: Phase = 'reading';
  #before: MuteState | undefined;
  /** The run that this one supersedes may have changed the call. */
  readonly #isInherited: boolean;
  /** It supersedes another operation, or continues itself. */
  readonly #isFollowing: boolean;
  #isAlreadyAsWanted = false;
  /** From when on Graph may have been asked, so that its notifications of failed operations may be about this one. */
  #begunAt: number | undefined;
  #operationId = '';
  #answer: FailureDetails = {};
  #attempts = 0;
  #requestedAt: number | undefined;
  #acceptedAt: number | undefined;
  #confirmedAt: number | undefined;
  /** Until when it waits for the confirmation, and how often it has read. */
  #deadline: number | undefined;
  #round = 0;
  #signals = 0;

  constructor(action: Action, request: ModerationRequest, runId: string, inheritance?: Inheritance) {
    this.interruptions = new Interruptions(request.callId);
    this.#action = action;
    this.#request = request;
    const confirming = inheritance?.confirming;
    this.#clientContext = confirming?.clientContext ?? request.clientContext ?? runId;
    this.#roster = confirming === undefined ? new Roster() : Roster.from(confirming.roster);
    const known = { isCallKnown: false, isPosted: false, isRefused: confirming?.isRefused ?? false, ...inheritance };
    this.#call = new GraphCall(request, known);
    this.#before = inheritance?.before;
    this.#isFollowing = inheritance !== undefined;
    if (inheritance?.newest !== undefined) this.#roster.inherit(inheritance.newest);
    this.#isInherited = confirming?.isInherited ?? known.isPosted;
    this.#story = new Story(action, request, confirming?.story);
    if (confirming !== undefined) this.#goOn(confirming);
    else if (inheritance !== undefined) this.#story.tell('Took over from the operation before.');
  }

  #goOn(confirming: ConfirmingState): void {
    this.#phase = 'confirming';
    this.#begunAt = confirming.requestedAt;
    this.#isAlreadyAsWanted = confirming.isAlreadyAsWanted;
    this.#operationId = confirming.operationId;
    this.#answer = confirming.answer;
    this.#attempts = confirming.attempts;
    this.#requestedAt = confirming.requestedAt;
    this.#acceptedAt = confirming.acceptedAt;
    this.#deadline = confirming.deadline;
    this.#round = confirming.round;
    this.#failedOperations.push(...confirming.failedOperations);
  }

  rosterUpdated(update: RosterUpdate): void {
    this.#signals += 1;
    this.#roster.take(update);
  }

  operationUpdated(update: OperationUpdate): void {
    const mayBeOurs = this.#begunAt !== undefined && this.#failedOperations.length < MOST_FAILED_OPERATIONS;
    if (update.status === 'failed' && mayBeOurs) this.#failedOperations.push(update);
  }

  status(): OperationStatus {
    const { participantId, lastSeen } = this.#roster;
    return {
      phase: this.#phase,
      action: this.#action,
      request: this.#request,
      ...(participantId !== undefined && { participantId }),
      ...(this.#before !== undefined && { before: this.#before }),
      ...(lastSeen !== undefined && { lastSeen }),
      attempts: this.#attempts,
      ...(this.#requestedAt !== undefined && { requestedAt: iso(this.#requestedAt) }),
      ...(this.#acceptedAt !== undefined && { acceptedAt: iso(this.#acceptedAt) }),
      ...(this.#confirmedAt !== undefined && { confirmedAt: iso(this.#confirmedAt) }),
      ...(this.interruptions.successor !== undefined && { supersededBy: this.interruptions.successor.action }),
    };
  }

  /** Runs the saga to its end, in a scope that cannot be cancelled (S6). */
  async run(): Promise<Outcome> {
    return await this.#steps();
  }

  /** Who takes over, if anybody does; asked last, whatever the saga came to (S5). */
  handOver(): HandOver | undefined {
    const { successor } = this.interruptions;
    if (successor === undefined) return undefined;
    this.#story.tell(`Superseded: the call is to be ${successor.action}d instead, and goes on as another run.`);
    return { successor, inheritance: this.#inheritance() };
  }

  async #steps(): Promise<Outcome> {
    try {
      if (this.#deadline === undefined) {
        const done = this.#isFollowing ? 'nothing' : await this.#readAndAsk();
        if (done === 'nothing') await this.#read();
        if (done !== 'accepted') await this.#ask();
        this.#accepted();
      }
      const confirmedBy = await this.#confirm();
      if (confirmedBy === undefined) return { kind: 'continued', inheritance: this.#continuation() }; // S7
      return { kind: 'confirmed', result: this.#result(confirmedBy) };
    } catch (stop) {
      const failure = await this.#restore(stop);
      this.#phase = 'failed';
      if (this.interruptions.successor === undefined) this.#story.tell(`**${failure.type}**: ${failure.message}`);
      return { kind: 'failed', failure };
    }
  }

  // reading and requesting in one activity (S8)

  /** How far it has come: Graph has accepted, or the call is read, or neither. */
  async #readAndAsk(): Promise<'accepted' | 'read' | 'nothing'> {
    this.interruptions.throwIfAny();
    this.#begunAt = Date.now();
    this.#roster.hold(); // S3
    const first = await this.#call.readAndPost(this.#action, this.#clientContext, () => this.interruptions.any);
    const { reading, isPosted, acceptance, failure } = first;
    if (reading !== undefined) this.#take(reading, false);
    if (isPosted) this.#asked(first.requestedAt ?? this.#begunAt);
    this.#roster.release(isPosted && !this.#isAlreadyAsWanted);
    if (acceptance !== undefined) this.#accept(acceptance);
    this.interruptions.throwIfAny();
    if (failure !== undefined) throw new Failed(failure);
    if (reading !== undefined) requireEstablishedGroupCall(this.#request.callId, reading);
    if (acceptance !== undefined) return 'accepted';
    await waitFor(() => this.interruptions.any, first.retryMs, 'Wait before Graph is asked again');
    this.interruptions.throwIfAny();
    return reading === undefined ? 'nothing' : 'read';
  }

  // reading

  async #read(): Promise<void> {
    this.interruptions.throwIfAny();
    const reading = await this.#call.read(() => this.interruptions.any);
    this.interruptions.throwIfAny();
    requireEstablishedGroupCall(this.#request.callId, reading);
    if (reading !== undefined) this.#take(reading, this.#call.known.isPosted);
  }

  /** Takes in a reading. It shows what was there before if nothing was sent by then (S1). */
  #take(reading: CallReading, isPosted: boolean): void {
    this.#roster.read(reading);
    if (!isPosted && reading.self !== undefined) this.#before ??= this.#roster.lastSeen;
    this.#isAlreadyAsWanted = reading.self?.isMuted === wantedIsMuted(this.#action);
    this.#story.tell(`Read the call and its roster, which ${shown(reading.self)}.`);
  }

  // requesting

  async #ask(): Promise<void> {
    const attemptsBefore = this.#attempts;
    if (attemptsBefore === 0) this.#asked();
    const isLetGo = (): boolean => this.interruptions.any;
    // The time of the first attempt counts.
    const deadline = (this.#requestedAt ?? Date.now()) + REQUEST_MS;
    const options = { attemptsBefore, deadline };
    const acceptance = await this.#call.post(this.#action, this.#clientContext, isLetGo, options);
    if (acceptance !== undefined) this.#accept(acceptance);
    this.interruptions.throwIfAny();
  }

  #asked(requestedAt = Date.now()): void {
    this.#phase = 'requesting';
    this.#begunAt ??= requestedAt;
    this.#requestedAt = requestedAt;
    this.#attempts = 1;
    this.#roster.ask(); // S3
    this.#story.tell(`Asked Graph to ${this.#action}.`);
  }

  #accept({ attempt, answer, operationId }: Acceptance): void {
    this.#attempts = attempt;
    this.#answer = answer;
    this.#operationId = operationId;
    // The clocks of two machines: an answer never comes before its request.
    this.#acceptedAt = Math.max(Date.now(), this.#requestedAt ?? 0);
    recordAcceptance(this.#action, this.#acceptedAt - (this.#requestedAt ?? this.#acceptedAt));
  }

  // confirming

  #accepted(): void {
    this.#phase = 'confirming';
    const deadline = Date.now() + this.#confirmSeconds * 1_000;
    this.#deadline = deadline;
    const tries = this.#attempts === 1 ? '' : ` at attempt ${this.#attempts}`;
    const { requestId } = this.#answer;
    const named = requestId === undefined ? '' : ` (request ID ${requestId})`;
    this.#story.tell(`Accepted by Graph${tries}${named}. The roster has until ${timeOfDay(deadline)} to show it.`);
  }

  get #confirmSeconds(): number {
    return this.#request.confirmWithinSeconds ?? DEFAULT_CONFIRM_WITHIN_SECONDS;
  }

  /** What has confirmed it; `undefined` if the history has become long before that. */
  async #confirm(): Promise<ModerationResult['confirmedBy'] | undefined> {
    const deadline = this.#deadline ?? Date.now();
    const isLong = (): boolean => isHistoryLong(this.#signals);
    const isSettled = (): boolean =>
      this.#isNotified() || this.interruptions.any || this.#failedOperation() !== undefined;
    const delays = this.#isAlreadyAsWanted ? [0, ...ROSTER_DELAYS_MS] : ROSTER_DELAYS_MS;
    for (; ; this.#round += 1) {
      const delay = delayUntil(deadline, delays, this.#round);
      await waitFor(() => isSettled() || isLong(), delay, 'Wait for the roster');
      if (this.#isNotified()) return 'notification';
      this.#throwIfFailed();
      this.interruptions.throwIfAny();
      if (Date.now() >= deadline) throw this.#unconfirmed(this.#confirmSeconds);
      if (isLong()) return undefined; // S7
      const self = await this.#readSelf(isSettled, deadline);
      if (this.#isNotified() || self === undefined || self === 'unheard') continue;
      if (self.isMuted === wantedIsMuted(this.#action)) return 'roster-read';
    }
  }

  async #readSelf(isLetGo: () => boolean, deadline: number): Promise<MuteState | 'unheard' | undefined> {
    const reading = await this.#call.readSelf(this.#roster.participantId, isLetGo, deadline);
    if (reading === undefined || reading === 'unheard') return reading;
    this.#roster.read(reading);
    return reading.self;
  }

  #isNotified(): boolean {
    return this.#roster.notified?.isMuted === wantedIsMuted(this.#action);
  }

  /** Once Graph has named the operation only its ID tells; `clientContext` may be the same in many. */
  #failedOperation(): OperationUpdate | undefined {
    return this.#failedOperations.find(({ operationId, clientContext }) =>
      this.#operationId === '' ? clientContext === this.#clientContext : sameId(operationId, this.#operationId),
    );
  }

  #throwIfFailed(): void {
    const update = this.#failedOperation();
    if (update !== undefined) throw new Failed(operationFailed(this.#request.callId, this.#action, update));
  }

  #unconfirmed(seconds: number): Failed {
    return new Failed(unconfirmed(this.#request.callId, this.#action, seconds, this.#roster.lastSeen));
  }

  #result(confirmedBy: ModerationResult['confirmedBy']): ModerationResult {
    const confirmedAt = Date.now();
    this.#phase = 'confirmed';
    this.#confirmedAt = confirmedAt;
    recordConfirmation(this.#action, confirmedBy, confirmedAt - (this.#acceptedAt ?? confirmedAt));
    const by = confirmedBy === 'notification' ? 'a roster notification' : 'a read of the roster';
    this.#story.tell(`**Confirmed** by ${by}: isMuted is ${wantedIsMuted(this.#action)}.`);
    return {
      callId: this.#request.callId,
      participantId: this.#roster.participantId ?? '',
      action: this.#action,
      isMuted: wantedIsMuted(this.#action),
      confirmedBy,
      clientContext: this.#clientContext,
      operationId: this.#operationId,
      requestedAt: iso(this.#requestedAt ?? confirmedAt),
      acceptedAt: iso(this.#acceptedAt ?? confirmedAt),
      confirmedAt: iso(confirmedAt),
    };
  }

  // restoring

  /** Undoes what the POST may have done, and tells what the operation fails with. */
  async #restore(stop: unknown): Promise<Failure> {
    const { callId, onUnconfirmed } = this.#request;
    if (stop instanceof Superseded) return stop.failure;
    if (!(stop instanceof Failed)) throw stop;
    const failure = { ...stop.failure, details: { ...this.#answer, ...stop.failure.details } };
    this.#attempts = Math.max(this.#attempts, failure.details.attempt ?? 0);
    const hasActed = this.#mayHaveActed(failure);
    if (failure.type === 'CallEnded' || !(hasActed || this.#isInherited)) return failure;
    if (onUnconfirmed === 'leave') return withRestored(failure, false, 'The call was left as it is, as asked.');
    if (failure.type === 'Unconfirmed' && isMutedByItsClient(this.#action, this.#roster.lastSeen)) {
      const sentence =
        'The server mutes it no longer: the client itself is muted, which only the application can change.';
      return withRestored(failure, false, sentence);
    }
    if (this.#before === undefined) return withRestored(failure, false, 'What was there before is not known.');
    const action = restoringAction(hasActed ? this.#action : undefined, this.#before);
    if (action === undefined) return withRestored(failure, false, 'There was nothing to put back.');
    this.#phase = 'restoring';
    this.#story.tell(`${failure.type}: putting the call back as it was. Asked Graph to ${action}.`);
    try {
      const isLetGo = (): boolean => this.interruptions.isFinal;
      await this.#call.post(action, this.#clientContext, isLetGo, { why: 'to put it back' });
      this.#story.tell('Graph has answered. Reading the roster until it shows it.');
      return (await this.#verify(this.#before))
        ? withRestored(failure, true, 'The call was put back as it was.')
        : restoreFailed(callId, this.#action, failure);
    } catch (again) {
      if (again instanceof Superseded) return again.failure;
      if (!(again instanceof Failed)) throw again;
      const cause = again.failure;
      return cause.type === 'CallEnded' ? cause : restoreFailed(callId, this.#action, failure, cause);
    }
  }

  /**
   * Whether this operation's own POST may have taken effect. One that Graph refused, or reported as failed, at the first
   * attempt has not; at a later one, an earlier attempt had no answer and may have.
   */
  #mayHaveActed({ type }: Failure): boolean {
    if (this.#requestedAt === undefined || this.#call.known.isRefused) return false;
    return type !== 'OperationFailed' || this.#attempts > 1;
  }

  /**
   * Reads until the roster shows what was read before, at most VERIFY_MS. That time is Graph's: where no worker has
   * answered by then, one that comes back is waited for, as long as for any request.
   */
  async #verify(before: MuteState): Promise<boolean> {
    let deadline = Date.now() + VERIFY_MS;
    let isExtended = false;
    const isLetGo = (): boolean => this.interruptions.isFinal;
    for (let round = 0; ; round += 1) {
      const self = await this.#readSelf(isLetGo, deadline);
      this.interruptions.throwIfFinal();
      if (self === 'unheard' && !isExtended) {
        isExtended = true;
        deadline = Date.now() + REQUEST_MS;
        continue;
      }
      if (self !== undefined && self !== 'unheard' && isRestored(before, self)) return true;
      const pause = Math.min(delayOf(VERIFY_DELAYS_MS, round), deadline - Date.now());
      await waitFor(isLetGo, pause, 'Wait before the roster is read again');
      this.interruptions.throwIfFinal();
      if (Date.now() >= deadline) return false;
    }
  }

  /** What the same operation goes on with in another run. */
  #confirmingState(): ConfirmingState | undefined {
    if (this.#deadline === undefined) return undefined;
    return {
      clientContext: this.#clientContext,
      roster: this.#roster.state,
      isRefused: this.#call.known.isRefused,
      isInherited: this.#isInherited,
      isAlreadyAsWanted: this.#isAlreadyAsWanted,
      operationId: this.#operationId,
      answer: this.#answer,
      attempts: this.#attempts,
      requestedAt: this.#requestedAt,
      acceptedAt: this.#acceptedAt,
      deadline: this.#deadline,
      round: this.#round,
      failedOperations: this.#failedOperations,
      story: this.#story.lines,
    };
  }

  #continuation(): Inheritance {
    const confirming = this.#confirmingState();
    return { ...this.#inheritance(), ...(confirming !== undefined && { confirming }) };
  }

  #inheritance(): Inheritance {
    const { newest } = this.#roster;
    return {
      isCallKnown: this.#call.known.isCallKnown,
      isPosted: this.#call.known.isPosted,
      ...(this.#before !== undefined && { before: this.#before }),
      ...(newest !== undefined && { newest }),
    };
  }
}

function shown(state: MuteState | undefined): string {
  if (state === undefined) return 'does not list the application yet';
  const server = state.serverMuted === undefined ? '' : `, serverMuted ${state.serverMuted}`;
  return `shows isMuted ${state.isMuted}${server}`;
}
