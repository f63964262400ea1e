import type { Acceptance, CallReading } from '../../activities/types.ts';
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
import { FailedOperations } from './failed-operations.ts';
import type { ConfirmingState, HandOver, Inheritance, Outcome } from './inheritance.ts';
import { Interruptions, Superseded } from './interruptions.ts';
import { iso } from '../lib/iso.ts';
import { isHistoryLong } from '../lib/limits.ts';
import { recordAcceptance, recordConfirmation } from '../lib/metrics.ts';
import { OperationProgress } from './progress.ts';
import { Restoring } from './restoring.ts';
import { Roster } from '../call/roster.ts';
import { inWords, UiDetails, timeOfDay } from './ui-details.ts';

/**
 * The saga of one operation on one call.
 *
 *     reading ──▶ requesting ──▶ confirming ──▶ confirmed
 *        │             │              │
 *        │             ├──────────────┴──▶ restoring ──▶ failed
 *        └─────────────┴──────────────┴────────────────▶ failed
 *
 * reading     GET the call and its roster: is it an established group call, which participant is the application, and
 *             is it muted? Nothing has been sent, so a failure here needs no restore.
 * requesting  POST the action, also if the roster shows the wanted state: that may be the client's own mute.
 * confirming  Graph has accepted. A roster notification of the wanted state confirms, also one that came before Graph's
 *             answer; if none comes, a read of the roster does.
 * restoring   The POST may have taken effect, and the operation has failed: POST the opposite, then read until the
 *             roster shows what was read before.
 *
 * A successor, the end of the call or a cancellation can interrupt at any moment (`interruptions.ts`). A cancelled
 * operation is undone like one that was not confirmed. If the call has ended, there is nothing to undo. A superseded
 * operation passes on what it knows, and its successor continues.
 *
 * - **Read before the POST.** A restore goes back to a state that was read before any POST of this operation, or of the
 *   one that it superseded. The history contains it before the POST is sent: the POST is scheduled only once the
 *   completion of the read is recorded.
 * - **Wait for the last attempt.** A POST that was sent is waited for, until its answer or its time limit, before
 *   anything else is sent and before the run ends or passes on its state (`graph-call.ts`). So none arrives late and
 *   undoes what came after it.
 * - **Listen before the POST.** Rosters count from before the POST is sent, so no notification comes too early.
 * - **Every wait has a limit.** Reading, requesting and restoring have those of their activities
 *   (`activity-proxies.ts`), and one attempt more if a POST was under way at the limit. The request limits confirming.
 *   Verifying takes at most VERIFY_MS, or REQUEST_MS if the worker was gone.
 * - **No successor is lost.** The saga looks for a successor last, whatever its outcome, and the server lets no run
 *   close over a signal that it has not seen.
 * - **No cancellation is thrown inside.** The saga runs in a scope that cannot be cancelled, and asks `interruptions`.
 * - **The history stays short.** While it waits for the confirmation, which takes longest, it continues as new if its
 *   history is long (`limits.ts`), with its whole state and the same deadline. The other phases end within minutes.
 * - **The first attempt is one activity.** It reads and POSTs, unless the operation supersedes another one. Temporal has
 *   the reading before the POST is sent (**Read before the POST**). The steps above do what that attempt has not done.
 * - **An outcome is final.** A successor that is signalled after it takes over the call, and leaves the outcome as it is.
 */

export class Saga {
  readonly interruptions: Interruptions;
  readonly #action: Action;
  readonly #request: ModerationRequest;
  readonly #clientContext: string;
  readonly #roster: Roster;
  readonly #call: GraphCall;
  readonly #uiDetails: UiDetails;
  readonly #failedOperations: FailedOperations;
  readonly #restoring: Restoring;
  readonly #progress: OperationProgress;
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
    this.#progress = new OperationProgress(confirming?.progress);
    this.#roster = new Roster(confirming?.roster);
    const known = { isCallKnown: false, isPosted: false, isRefused: confirming?.isRefused ?? false, ...inheritance };
    this.#call = new GraphCall(request, known);
    this.#before = inheritance?.before;
    this.#isFollowing = inheritance !== undefined;
    if (inheritance?.newest !== undefined) this.#roster.inherit(inheritance.newest);
    this.#isInherited = confirming?.isInherited ?? known.isPosted;
    this.#failedOperations = new FailedOperations(confirming?.failedOperations);
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
    if (this.#progress.begunAt !== undefined) this.#failedOperations.add(update);
  }

  status(): OperationStatus {
    const { participantId, lastSeen } = this.#roster;
    const { successor } = this.interruptions;
    return {
      phase: this.#restoring.isUnderWay && this.#phase !== 'failed' ? 'restoring' : this.#phase,
      action: this.#action,
      request: this.#request,
      ...(participantId !== undefined && { participantId }),
      ...(this.#before !== undefined && { before: this.#before }),
      ...(lastSeen !== undefined && { lastSeen }),
      ...this.#progress.status(),
      ...(this.#confirmedAt !== undefined && { confirmedAt: iso(this.#confirmedAt) }),
      ...(successor !== undefined && { supersededBy: successor.action }),
    };
  }

  /** Runs the saga to its end, in a scope that cannot be cancelled (**No cancellation is thrown inside**). */
  async run(): Promise<Outcome> {
    try {
      if (this.#progress.deadline === undefined) {
        const done = this.#isFollowing ? 'nothing' : await this.#readAndAsk();
        if (done === 'nothing') await this.#read();
        if (done !== 'accepted') await this.#ask();
        this.#accepted();
      }
      const confirmedBy = await this.#confirm();
      if (confirmedBy === undefined) return { kind: 'continued', inheritance: this.#continuation() }; // **The history stays short.**
      return { kind: 'confirmed', result: this.#result(confirmedBy) };
    } catch (stop) {
      const failure = await this.#restore(stop);
      this.#phase = 'failed';
      if (this.interruptions.successor === undefined) this.#uiDetails.tell(`**${failure.type}**: ${failure.message}`);
      return { kind: 'failed', failure };
    }
  }

  /** The successor, if any; one from after the end begins on its own, and restores the call as this operation has left it. */
  handOver(isAfterEnd: boolean): HandOver | undefined {
    const { successor } = this.interruptions;
    if (successor === undefined) return undefined;
    const how = isAfterEnd ? 'After that' : 'Superseded';
    this.#uiDetails.tell(`${how}: the call is to be ${successor.action}d instead, and goes on as another run.`);
    const { before: _, ...anew } = this.#inheritance();
    return { successor, inheritance: isAfterEnd ? { ...anew, isPosted: false } : this.#inheritance() };
  }

  // reading and requesting in one activity (**The first attempt is one activity**)

  /** How far it has come: Graph has accepted, or the call is read, or neither. */
  async #readAndAsk(): Promise<'accepted' | 'read' | 'nothing'> {
    this.interruptions.throwIfAny();
    this.#progress.begunAt = Date.now();
    this.#roster.hold(); // **Listen before the POST.**
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

  /** Takes in a reading. It shows the state before if nothing was sent by then (**Read before the POST**). */
  #take(reading: CallReading, isPosted: boolean): void {
    this.#roster.read(reading);
    if (!isPosted && reading.self !== undefined) this.#before ??= this.#roster.lastSeen;
    this.#progress.isAlreadyAsWanted = reading.self?.isMuted === wantedIsMuted(this.#action);
    this.#uiDetails.tell(`Read the call and its roster, which ${inWords(reading.self)}.`);
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
    this.#progress.asked(requestedAt);
    this.#roster.ask(); // **Listen before the POST.**
    this.#uiDetails.tell(`Asked Graph to ${this.#action}.`);
  }

  #accept(acceptance: Acceptance): void {
    this.#progress.accept(acceptance);
    const { requestedAt, acceptedAt = Date.now() } = this.#progress;
    recordAcceptance(this.#action, acceptedAt - (requestedAt ?? acceptedAt));
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

  /** What has confirmed it; `undefined` if the history became long before that. */
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
      if (Date.now() >= deadline) {
        const { lastSeen } = this.#roster;
        throw new OperationFailed(unconfirmed(this.#request.callId, this.#action, this.#confirmSeconds, lastSeen));
      }
      if (isLong()) return undefined; // **The history stays short.**
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

  #failedOperation(): OperationUpdate | undefined {
    return this.#failedOperations.find(this.#progress.operationId, this.#clientContext);
  }

  #throwIfFailed(): void {
    const update = this.#failedOperation();
    if (update !== undefined) throw new OperationFailed(operationFailed(this.#request.callId, this.#action, update));
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

  /** Undoes what the POST may have done, and returns the failure of the operation. */
  async #restore(stop: unknown): Promise<Failure> {
    if (stop instanceof Superseded) return stop.failure;
    if (!(stop instanceof OperationFailed)) throw stop;
    const failure = { ...stop.failure, details: { ...this.#progress.answer, ...stop.failure.details } };
    this.#progress.attempts = Math.max(this.#progress.attempts, failure.details.attempt ?? 0);
    const hasActed = this.#progress.mayHaveActed(failure, this.#call.known.isRefused);
    if (failure.type === 'CallEnded' || !(hasActed || this.#isInherited)) return failure;
    return await this.#restoring.undo(failure, {
      action: this.#action,
      request: this.#request,
      clientContext: this.#clientContext,
      before: this.#before,
      hasActed,
    });
  }

  /** The state with which the same operation continues in another run. */
  #continuation(): Inheritance {
    const confirming: ConfirmingState = {
      clientContext: this.#clientContext,
      progress: this.#progress,
      roster: this.#roster.state,
      isRefused: this.#call.known.isRefused,
      isInherited: this.#isInherited,
      failedOperations: this.#failedOperations.updates,
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
