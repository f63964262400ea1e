import type { AnyErrorDetails, ModerationErrorType } from '../client/errors.ts';
import type { GraphAnswer } from '../contract/failure.ts';
import type { ModerationEvent } from '../contract/event.ts';
import type { Action } from '../contract/names.ts';
import type { MuteOnEntryRequest } from '../contract/mute-on-entry.ts';
import type { ModerationResult, MuteState, ParticipantsMuteResult, SeenState } from '../contract/operation.ts';
import type { Policy } from '../contract/policy.ts';
import type { ModerationRequest, OnConflict } from '../contract/request.ts';

/** The call that an activity is about, and the tenant whose token it takes. */
export interface CallTarget {
  callId: string;
  tenantId?: string;
}

/** The facts that an operation needs of a call before it sends anything. */
export interface CallReading {
  /** Graph's `call.state` in lower case, so that `Established` and `established` are one. */
  state: string;
  /** False only if a complete roster shows two at most, or Graph has none to show: otherwise Graph itself decides. */
  isGroupCall: boolean;
  /** `call.myParticipantId`, in canonical form. */
  participantId?: string;
  /** The application's own participant, if the roster lists it or a single read finds it. */
  self?: SeenState;
}

/** The result of an operation's first attempt, which reads and POSTs in one activity. */
export interface FirstAttempt {
  reading: CallReading;
  /** When the POST was sent, in ms since the epoch, by the worker's clock; absent if none was. */
  requestedAt?: number;
  acceptance?: Acceptance;
}

/** The application's own participant as the roster has it now. */
export interface ParticipantReading {
  participantId?: string;
  self?: SeenState;
}

/** Graph's answer to a mute or unmute. */
export interface Acceptance {
  /** Graph's ID of the operation, in canonical form; empty if Graph returned none. */
  operationId: string;
  /** Which attempt was accepted, from 1. */
  attempt: number;
  /** Graph's status and request ID, and ours, for the details of a failure that comes later. */
  answer: Pick<GraphAnswer, 'status' | 'requestId' | 'clientRequestId'>;
}

/** A participant of a call: the application's own if none is named. */
export interface ParticipantTarget extends CallTarget {
  participantId?: string;
}

/** A mute or unmute of the application. */
export interface ActionTarget extends CallTarget {
  clientContext: string;
  /** Attempts that other activities have made at the same POST. */
  attemptsBefore?: number;
}

/** One operation that a workflow wants to have run. */
export interface OperationOrder {
  action: Action;
  request: ModerationRequest;
  /** What to do while another operation runs on the call that cannot be attached; `supersede` if absent. */
  onConflict?: OnConflict;
  /** Not to be started after this moment, because it would be wrong by then. ISO 8601, UTC. */
  notAfter?: string;
}

/** An order as it is given to the activities. All attempts at it have these in common. */
export interface GivenOrder extends OperationOrder {
  /** Names the order over all retries, so that it starts one run at most. */
  startId: string;
  /** When it was wished for, in ms since the epoch. A newer wish for the opposite is never overridden. */
  wishedAt: number;
  /** It was given before, and nobody knows whether that has started anything. */
  isRetry: boolean;
}

/** What became of an order. */
export type OperationStart =
  /** The run that carries it out, which may have been started by somebody else. */
  | { kind: 'running'; runId: string; attached: boolean }
  /** Another operation takes over from this run, which continues until Graph has answered its request. */
  | { kind: 'superseding'; runId: string }
  /** This run must end first. */
  | { kind: 'busy'; runId: string }
  /** There is nothing to wait for. */
  | { kind: 'ended'; outcome: OperationOutcome };

/** A run that a workflow waits for, and why. */
export interface OperationTarget {
  callId: string;
  action: Action;
  startId: string;
  runId: string;
  as: 'running' | 'superseding' | 'busy';
  attached: boolean;
  /** The run has announced its end, so it is read until it has closed, for at most a few seconds. */
  isEnding: boolean;
}

/** The state of a run that a workflow waits for. */
export type OperationReading =
  | { kind: 'running' }
  /** It goes on as another run, which carries the order out or, if it is busy, must end first. */
  | { kind: 'moved'; runId: string; as: OperationTarget['as']; attached: boolean }
  /** It has ended, and the order was not carried out: it is given anew. */
  | { kind: 'free' }
  | { kind: 'ended'; outcome: OperationOutcome };

/**
 * How an operation ended, as its starter hears it. `outcome` is `Confirmed`, also of some of several, or why there is
 * no result.
 */
export type OperationOutcome =
  | { outcome: 'Confirmed'; runId: string; attached: boolean; result: ModerationResult | ParticipantsMuteResult }
  | { outcome: ModerationErrorType; message: string; details: AnyErrorDetails };

/** A call that a policy addresses. */
export interface PolicyCall {
  callId: string;
  tenantId?: string;
}

/** A page of the calls that are alive. */
export interface LivePage {
  tenantId?: string;
  label?: string;
  pageSize: number;
  /** Of the page before. */
  pageToken?: string;
  /** Only calls whose workflow's run has started then or later. ISO 8601. */
  startedAfter?: string;
}

/** A call that is alive. */
export interface ListedCall extends PolicyCall {
  /** When its workflow's run started, in ms: a call that continues as new has a new run. */
  startedAt: number;
}

/** A call that has just been established. */
export interface EstablishedCall extends PolicyCall {
  labels: readonly string[];
}

/** What policies want of such a call. */
export interface WantedOnEstablished {
  /** The policy that mutes the application. */
  join?: Policy;
  /** The policy that mutes who comes after that. */
  entry?: Policy;
  /** If `join` does so because of its quiet hours: when they end. ISO 8601, UTC. */
  until?: string;
  /** The quiet hours that the call was established in, which may be over by now; of several, those that end last. */
  quiet?: { policy: Policy; until: string };
}

/**
 * What a policy with quiet hours does at a moment, and until when that is right (ISO 8601, UTC; absent if for good);
 * or why the run does nothing.
 */
export type PolicyLevel =
  | {
      action: Action;
      until?: string;
      /** Of a closing run: what was asked for since is not its concern. */ since?: string;
    }
  | { stop: 'changed' | 'notDue' }
  /** The schedule has fired early: what to do is to be asked then (ISO 8601). */
  | { waitUntil: string };

/** When a level is asked for. */
export interface LevelAt {
  /** ISO 8601, UTC. */
  at: string;
  /** If the policy's schedule started the run: when it was due. */
  scheduledAt?: string;
  /** The run closes these terms. */
  isClosing?: true;
}

/** A call that quiet hours have muted, after their end. */
export interface QuietCall {
  callId: string;
  /** The end of the hours. ISO 8601, UTC. */
  until: string;
  /** The mute, if it was confirmed. */
  runId?: string;
}

/** A mute on entry that a policy starts on a call. */
export interface MuteOnEntryOrder {
  policyId: string;
  request: MuteOnEntryRequest;
}

/** An order as it is given to the activity; all attempts have the same `startId`. */
export type GivenMuteOnEntryOrder = MuteOnEntryOrder & { startId: string };

/** Whether a mute on entry has read who is in the call, from which moment on it mutes those who come. */
export type MuteOnEntryReading =
  | { kind: 'begun' }
  | { kind: 'notBegun' }
  | { kind: 'ended'; outcome: MuteOnEntryStart | undefined };

/**
 * The outcome: it was started, or a running one got these terms; it is running, but has not yet read who is there; or
 * the failure that prevented its begin.
 */
export type MuteOnEntryStart =
  | { outcome: 'Started' | 'Extended' }
  | { outcome: 'NotBegun' | ModerationErrorType; message: string };

/** How many are in a call, lobby aside. */
export interface Headcount {
  participants: number;
  /** Whether that is all of them; otherwise there are as many at least. */
  isComplete: boolean;
  /** The application's own participant, if the roster lists it. */
  self?: MuteState;
}

/** The newest operation on the application's own mute in a call. */
export interface LatestOperation {
  action: Action;
  /** As in an `OperationRecord`. */
  outcome: string;
  runId: string;
  /** When it was wished for, in ms since the epoch. */
  wishedAt: number;
  /** No other one has run after it. */
  isLast: boolean;
}

/** A roster is read of those who are named, or of everyone, or of everyone with those who are named among them. */
export interface RosterTarget extends CallTarget {
  /** In canonical form. */
  participantIds?: readonly string[];
  /** Those who are named, and everyone else whom the list shows. */
  andEveryone?: boolean;
  /**
   * Only after so many ms, so that it shows those too who come together: a timer of Temporal's may be a second late.
   */
  afterMs?: number;
}

/** One participant of a roster, as much of it as a mute of others needs. */
export interface RosterMember {
  /** In canonical form. */
  id: string;
  isInLobby: boolean;
  /** If Graph returns it. */
  state?: SeenState;
}

/** A call and those in it. */
export interface RosterReading extends Omit<CallReading, 'self'> {
  members: readonly RosterMember[];
  /** Whether the list shows everyone who is in the call (`graph/participant-list.ts`). */
  isComplete: boolean;
  /** The list ended at Graph's 100 entries, so that another look shows no more. */
  isCapped: boolean;
  /** Whether those who are named and not among the members are not in the call; never guessed. */
  isAbsenceProven: boolean;
}

/** A mute of one participant. */
export interface ParticipantActionTarget extends ActionTarget {
  participantId: string;
}

/** The activities of workflows. */
export interface Activities {
  /** GET the call and its roster. */
  readCall(target: CallTarget): Promise<CallReading>;
  /** GET the call, for its state in lower case and nothing else. */
  readState(target: CallTarget): Promise<{ state: string }>;
  /** GET the application's own participant. */
  readParticipant(target: ParticipantTarget): Promise<ParticipantReading>;
  /** GET the call and its roster, and POST …/mute. */
  readAndMute(target: ActionTarget): Promise<FirstAttempt>;
  /** GET the call and its roster, and POST …/unmute. */
  readAndUnmute(target: ActionTarget): Promise<FirstAttempt>;
  /** POST …/mute. */
  postMute(target: ActionTarget): Promise<Acceptance>;
  /** POST …/unmute. */
  postUnmute(target: ActionTarget): Promise<Acceptance>;
  /** GET the call and its roster, for how many are in it. */
  readParticipantCount(target: CallTarget): Promise<Headcount>;
  /** The task of a policy with quiet hours at a moment. */
  policyLevel(policy: Policy, when: LevelAt): Promise<PolicyLevel>;
  /** The policies that act on a call that was established after `since` (ISO 8601), perhaps long ago. */
  policyOnEstablished(call: EstablishedCall, since: string): Promise<WantedOnEstablished>;
  /**
   * Those of the calls that some policy's quiet hours keep muted at a moment (ISO 8601). A policy that is paused
   * keeps none, but for the one that is named.
   */
  quietCalls(calls: readonly PolicyCall[], at: string, pausedToo?: string): Promise<string[]>;
  /** When the quiet hours end that keep an established call muted at a moment (both ISO 8601), if any do. */
  quietUntil(call: EstablishedCall, at: string): Promise<string | undefined>;
  /**
   * Whether a call that quiet hours have muted is still muted because of them; `wait` if an operation on it is under
   * way.
   */
  isLeftMuted(call: QuietCall): Promise<'yes' | 'no' | 'wait'>;
  /** Calls that are established, page by page; `next` leads to the next one. */
  listLiveCalls(page: LivePage): Promise<{ calls: ListedCall[]; next?: string }>;
  /** Starts, attaches to or supersedes an operation, under the call's workflow ID. Waits for nothing. */
  startOperation(order: GivenOrder): Promise<OperationStart>;
  /** The state of a run that a workflow waits for. */
  readOperation(target: OperationTarget): Promise<OperationReading>;
  /** Starts a mute on entry, or gives the running one these terms. Waits for nothing. */
  startMuteOnEntry(order: GivenMuteOnEntryOrder): Promise<MuteOnEntryStart>;
  /** Whether the mute on entry of a call has begun. */
  readMuteOnEntry(callId: string): Promise<MuteOnEntryReading>;
  /**
   * The newest request for the application's own mute in the call, if there is one; for `since` see
   * `latestSelfOperation`.
   */
  readLatestOperation(callId: string, since?: number): Promise<LatestOperation | undefined>;
  /** GET the call and its participants, or those of them who are named. */
  readRoster(target: RosterTarget): Promise<RosterReading>;
  /** POST …/participants/{id}/mute; returns `left` if the call continues without the participant. */
  postMuteParticipant(target: ParticipantActionTarget): Promise<Acceptance | 'left'>;
  /** One attempt to deliver an event to its receiver. */
  postEvent(event: ModerationEvent): Promise<void>;
}
