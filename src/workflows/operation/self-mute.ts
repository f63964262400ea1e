import type { Acceptance, CallReading } from '../../activities/types.ts';
import { sameId } from '../../contract/call-id.ts';
import { wantedIsMuted, type Action } from '../../contract/names.ts';
import type { ModerationResult, MuteState, OperationStatus, Phase } from '../../contract/operation.ts';
import { DEFAULT_CONFIRM_WITHIN_SECONDS, type ModerationRequest } from '../../contract/request.ts';
import type { OperationUpdate, RosterUpdate } from '../../contract/signals.ts';
import { REQUEST_MS } from '../activity-proxies.ts';
import { OperationFailed, waitFor } from '../call/attempt.ts';
import { GraphCall } from '../call/graph-call.ts';
import { delayUntil, ROSTER_DELAYS_MS } from '../call/polling.ts';
import { requireEstablishedGroupCall } from '../call/preconditions.ts';
import { operationFailed, unconfirmed, type Failure } from '../lib/failures.ts';
import type { ConfirmingState, HandOver, Inheritance, Outcome, Progress } from './inheritance.ts';
import { Interruptions, Superseded } from './interruptions.ts';
import { iso } from '../lib/iso.ts';
import { isHistoryLong } from '../lib/limits.ts';
import { recordAcceptance, recordConfirmation } from '../lib/metrics.ts';
import { Restoring } from './restoring.ts';
import { Roster } from '../call/roster.ts';
import { UiDetails, timeOfDay } from './ui-details.ts';

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
 * S4. Every wait has a limit: reading, requesting and restoring that of their activities (`activity-proxies.ts`), one attempt
 *     more where a POST was under way at the limit; confirming what the request says; verifying VERIFY_MS, or REQUEST_MS
 *     where the worker was gone.
 * S5. A successor that was signalled is never lost: it is looked for last, whatever the saga came to, and the server lets
 *     no run close over a signal that it has not seen.
 * S6. No cancellation is thrown in here: the saga runs in a scope that cannot be cancelled, and asks `interruptions`.
 * S7. The history stays short: while it waits for the confirmation, which takes longest, it continues as new when its history
 *     is long (`limits.ts`), with all that it knows and the same deadline. The other phases end within minutes.
 * S8. The first attempt reads and POSTs in one activity, unless the operation supersedes another one. Temporal has what was read
 *     before the POST is sent, so S1 is kept. What that attempt has not done, the steps above do.
 * S9. What the saga has come to is final, because somebody may have heard of it. A successor that is signalled after that takes
 *     over the call, and leaves the outcome as it is.
 */

/** OperationFailed operations that are kept until Graph has named our own; with more than that in a call, none is missed for long. */
const MAX_FAILED_OPERATIONS = 16;

const BEGINNING: Progress = { attempts: 0, operationId: '', answer: {}, isAlreadyAsWanted: false, round: 0 };

export class Saga {
  readonly interruptions: Interruptions;
  readonly #action: Action;
  readonly #request: ModerationRequest;
  readonly #clientContext: string;
  readonly #roster: Roster;
  readonly #call: GraphCall;
  readonly #uiDetails: UiDetails;
  readonly #failedOperations: OperationUpdate[] = [];

  readonly #restoring: Restoring;
  readonly #progress: Progress;

  #phase: Phase = 'reading';
  #before: MuteState | undefined;
  /** The run that this one supersedes may have changed the call. */
  readonly #isInherited: boolean;
  /** It supersedes another operation, or continues itself. */
  readonly #isFollowing: boolean;
  #confirmedAt: number | undefined;
  #signals = 0;

  constructor(action: Action, request: ModerationRequest, runId: string, inheritance?: Inheritance) {
    this.interruptions = new Interruptions(request.callId);
    this.#action = action;
    this.#request = request;
    const confirming = inheritance?.confirming;
    this.#clientContext = confirming?.clientContext ?? request.clientContext ?? runId;
    this.#progress = { ...(confirming?.progress ?? BEGINNING) };
    this.#roster = new Roster(confirming?.roster);
    const known = { isCallKnown: false, isPosted: false, isRefused: confirming?.isRefused ?? false, ...inheritance };
    this.#call = new GraphCall(request, known);
    this.#before = inheritance?.before;
    this.#isFollowing = inheritance !== undefined;
    if (inheritance?.newest !== undefined) this.#roster.inherit(inheritance.newest);
    this.#isInherited = confirming?.isInherited ?? known.isPosted;
    this.#failedOperations.push(...(confirming?.failedOperations ?? []));
    this.#uiDetails = new UiDetails(action, request, confirming?.uiDetails);
    if (confirming !== undefined) this.#phase = 'confirming';
    else if (inheritance !== undefined) this.#uiDetails.tell('Took over from the operation before.');
    this.#restoring = new Restoring(this.#call, this.#roster, this.interruptions, this.#uiDetails);
  }

  rosterUpdated(update: RosterUpdate): void {
    this.#signals += 1;
    this.#roster.take(update);
  }

  operationUpdated(update: OperationUpdate): void {
    const mayBeOurs = this.#progress.begunAt !== undefined && this.#failedOperations.length < MAX_FAILED_OPERATIONS;
    if (update.status === 'failed' && mayBeOurs) this.#failedOperations.push(update);
  }

  status(): OperationStatus {
    const { participantId, lastSeen } = this.#roster;
    const { attempts, requestedAt, acceptedAt } = this.#progress;
    const { successor } = this.interruptions;
    return {
      phase: this.#restoring.isUnderWay && this.#phase !== 'failed' ? 'restoring' : this.#phase,
      action: this.#action,
      request: this.#request,
      ...(participantId !== undefined && { participantId }),
      ...(this.#before !== undefined && { before: this.#before }),
      ...(lastSeen !== undefined && { lastSeen }),
      attempts,
      ...(requestedAt !== undefined && { requestedAt: iso(requestedAt) }),
      ...(acceptedAt !== undefined && { acceptedAt: iso(acceptedAt) }),
      ...(this.#confirmedAt !== undefined && { confirmedAt: iso(this.#confirmedAt) }),
      ...(successor !== undefined && { supersededBy: successor.action }),
    };
  }

  /** Runs the saga to its end, in a scope that cannot be cancelled (S6). */
  async run(): Promise<Outcome> {
    try {
      if (this.#progress.deadline === undefined) {
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
      if (this.interruptions.successor === undefined) this.#uiDetails.tell(`**${failure.type}**: ${failure.message}`);
      return { kind: 'failed', failure };
    }
  }

  /**
   * Who takes over, if anybody does; asked last, whatever the saga came to (S5). `isAfterEnd` if the saga had ended when it was
   * asked to: then the successor begins on its own, and restores the call as this operation has left it (S9).
   */
  handOver(isAfterEnd: boolean): HandOver | undefined {
    const { successor } = this.interruptions;
    if (successor === undefined) return undefined;
    const how = isAfterEnd ? 'After that' : 'Superseded';
    this.#uiDetails.tell(`${how}: the call is to be ${successor.action}d instead, and goes on as another run.`);
    const { before: _, ...inheritance } = this.#inheritance();
    return { successor, inheritance: isAfterEnd ? { ...inheritance, isPosted: false } : this.#inheritance() };
  }

  // reading and requesting in one activity (S8)

  /** How far it has come: Graph has accepted, or the call is read, or neither. */
  async #readAndAsk(): Promise<'accepted' | 'read' | 'nothing'> {
    this.interruptions.throwIfAny();
    this.#progress.begunAt = Date.now();
    this.#roster.hold(); // S3
    const first = await this.#call.readAndPost(this.#action, this.#clientContext, () => this.interruptions.any);
    const { reading, isPosted, acceptance, failure } = first;
    if (reading !== undefined) this.#take(reading, false);
    if (isPosted) this.#asked(first.requestedAt ?? this.#progress.begunAt);
    this.#roster.release(isPosted && !this.#progress.isAlreadyAsWanted);
    if (acceptance !== undefined) this.#accept(acceptance);
    this.interruptions.throwIfAny();
    if (failure !== undefined) throw new OperationFailed(failure);
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
    this.#progress.isAlreadyAsWanted = reading.self?.isMuted === wantedIsMuted(this.#action);
    this.#uiDetails.tell(`Read the call and its roster, which ${shown(reading.self)}.`);
  }

  // requesting

  async #ask(): Promise<void> {
    const attemptsBefore = this.#progress.attempts;
    if (attemptsBefore === 0) this.#asked();
    const isLetGo = (): boolean => this.interruptions.any;
    // The time of the first attempt counts.
    const deadline = (this.#progress.requestedAt ?? Date.now()) + REQUEST_MS;
    const options = { attemptsBefore, deadline };
    const acceptance = await this.#call.post(this.#action, this.#clientContext, isLetGo, options);
    if (acceptance !== undefined) this.#accept(acceptance);
    this.interruptions.throwIfAny();
  }

  #asked(requestedAt = Date.now()): void {
    this.#phase = 'requesting';
    this.#progress.begunAt ??= requestedAt;
    this.#progress.requestedAt = requestedAt;
    this.#progress.attempts = 1;
    this.#roster.ask(); // S3
    this.#uiDetails.tell(`Asked Graph to ${this.#action}.`);
  }

  #accept({ attempt, answer, operationId }: Acceptance): void {
    this.#progress.attempts = attempt;
    this.#progress.answer = answer;
    this.#progress.operationId = operationId;
    // The clocks of two machines: an answer never comes before its request.
    this.#progress.acceptedAt = Math.max(Date.now(), this.#progress.requestedAt ?? 0);
    recordAcceptance(
      this.#action,
      this.#progress.acceptedAt - (this.#progress.requestedAt ?? this.#progress.acceptedAt),
    );
  }

  // confirming

  #accepted(): void {
    this.#phase = 'confirming';
    const deadline = Date.now() + this.#confirmSeconds * 1_000;
    this.#progress.deadline = deadline;
    const tries = this.#progress.attempts === 1 ? '' : ` at attempt ${this.#progress.attempts}`;
    const { requestId } = this.#progress.answer;
    const named = requestId === undefined ? '' : ` (request ID ${requestId})`;
    this.#uiDetails.tell(`Accepted by Graph${tries}${named}. The roster has until ${timeOfDay(deadline)} to show it.`);
  }

  get #confirmSeconds(): number {
    return this.#request.confirmWithinSeconds ?? DEFAULT_CONFIRM_WITHIN_SECONDS;
  }

  /** What has confirmed it; `undefined` if the history has become long before that. */
  async #confirm(): Promise<ModerationResult['confirmedBy'] | undefined> {
    const deadline = this.#progress.deadline ?? Date.now();
    const isLong = (): boolean => isHistoryLong(this.#signals);
    const isSettled = (): boolean =>
      this.#isNotified() || this.interruptions.any || this.#failedOperation() !== undefined;
    const delays = this.#progress.isAlreadyAsWanted ? [0, ...ROSTER_DELAYS_MS] : ROSTER_DELAYS_MS;
    for (; ; this.#progress.round += 1) {
      const delay = delayUntil(deadline, delays, this.#progress.round);
      await waitFor(() => isSettled() || isLong(), delay, 'Wait for the roster');
      if (this.#isNotified()) return 'notification';
      this.#throwIfFailed();
      this.interruptions.throwIfAny();
      if (Date.now() >= deadline) throw this.#unconfirmed(this.#confirmSeconds);
      if (isLong()) return undefined; // S7
      const self = await this.#readSelf(() => isSettled() || isLong(), deadline);
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
      this.#progress.operationId === ''
        ? clientContext === this.#clientContext
        : sameId(operationId, this.#progress.operationId),
    );
  }

  #throwIfFailed(): void {
    const update = this.#failedOperation();
    if (update !== undefined) throw new OperationFailed(operationFailed(this.#request.callId, this.#action, update));
  }

  #unconfirmed(seconds: number): OperationFailed {
    return new OperationFailed(unconfirmed(this.#request.callId, this.#action, seconds, this.#roster.lastSeen));
  }

  #result(confirmedBy: ModerationResult['confirmedBy']): ModerationResult {
    const confirmedAt = Date.now();
    this.#phase = 'confirmed';
    this.#confirmedAt = confirmedAt;
    recordConfirmation(this.#action, confirmedBy, confirmedAt - (this.#progress.acceptedAt ?? confirmedAt));
    const by = confirmedBy === 'notification' ? 'a roster notification' : 'a read of the roster';
    this.#uiDetails.tell(`**Confirmed** by ${by}: isMuted is ${wantedIsMuted(this.#action)}.`);
    return {
      callId: this.#request.callId,
      participantId: this.#roster.participantId ?? '',
      action: this.#action,
      isMuted: wantedIsMuted(this.#action),
      confirmedBy,
      clientContext: this.#clientContext,
      operationId: this.#progress.operationId,
      requestedAt: iso(this.#progress.requestedAt ?? confirmedAt),
      acceptedAt: iso(this.#progress.acceptedAt ?? confirmedAt),
      confirmedAt: iso(confirmedAt),
    };
  }

  // restoring

  /** Undoes what the POST may have done, and tells what the operation fails with. */
  async #restore(stop: unknown): Promise<Failure> {
    if (stop instanceof Superseded) return stop.failure;
    if (!(stop instanceof OperationFailed)) throw stop;
    const failure = { ...stop.failure, details: { ...this.#progress.answer, ...stop.failure.details } };
    this.#progress.attempts = Math.max(this.#progress.attempts, failure.details.attempt ?? 0);
    const hasActed = this.#mayHaveActed(failure);
    if (failure.type === 'CallEnded' || !(hasActed || this.#isInherited)) return failure;
    return await this.#restoring.undo(failure, {
      action: this.#action,
      request: this.#request,
      clientContext: this.#clientContext,
      before: this.#before,
      hasActed,
    });
  }

  /**
   * Whether this operation's own POST may have taken effect. One that Graph refused, or reported as failed, at the first
   * attempt has not; at a later one, an earlier attempt had no answer and may have.
   */
  #mayHaveActed({ type }: Failure): boolean {
    if (this.#progress.requestedAt === undefined || this.#call.known.isRefused) return false;
    return type !== 'OperationFailed' || this.#progress.attempts > 1;
  }

  /** What the same operation goes on with in another run. */
  #continuation(): Inheritance {
    const confirming: ConfirmingState = {
      clientContext: this.#clientContext,
      progress: this.#progress,
      roster: this.#roster.state,
      isRefused: this.#call.known.isRefused,
      isInherited: this.#isInherited,
      failedOperations: this.#failedOperations,
      uiDetails: this.#uiDetails.lines,
    };
    return { ...this.#inheritance(), confirming };
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
