import type { ModerationErrorType } from '../client/errors.ts';
import type { OnConflict } from '../client/starter.ts';
import type { FailureDetails } from '../contract/failure.ts';
import type { Action } from '../contract/names.ts';
import type { MuteOnEntryRequest } from '../contract/mute-on-entry.ts';
import type { ModerationResult, MuteState, OthersResult, SeenState } from '../contract/operation.ts';
import type { Policy } from '../contract/policy.ts';
import type { ModerationRequest } from '../contract/request.ts';

/** The call that an activity is about, and the tenant whose token it takes. */
export interface CallTarget {
  callId: string;
  tenantId?: string;
}

/** What an operation needs to know of a call before it sends anything. */
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

/** The application's own participant as the roster has it now. */
export interface ParticipantReading {
  participantId?: string;
  self?: SeenState;
}

/** Graph's answer to a mute or unmute. */
export interface Acceptance {
  /** Graph's ID of the operation, in canonical form; empty where Graph named none. */
  operationId: string;
  /** Which attempt was accepted, from 1. */
  attempt: number;
  /** Graph's status and request ID, and ours, for the details of a failure that comes later. */
  answer: Pick<FailureDetails, 'status' | 'requestId' | 'clientRequestId'>;
}

export interface ParticipantTarget extends CallTarget {
  participantId?: string;
}

export interface ActionTarget extends CallTarget {
  clientContext: string;
}

/** One operation that a workflow wants to have run. */
export interface OperationOrder {
  action: Action;
  request: ModerationRequest;
  /** What to do while another operation runs on the call that cannot be joined; `supersede` where absent. */
  onConflict?: OnConflict;
  /** What a cancellation of the activity does to the operation; `leave` where absent. */
  onCancel?: 'leave' | 'cancel';
}

/** How an operation ended, as its starter hears it. `outcome` is `Confirmed`, also of some of several, or why there is no result. */
export type OperationOutcome =
  | { outcome: 'Confirmed'; runId: string; joined: boolean; result: ModerationResult | OthersResult }
  | { outcome: ModerationErrorType; message: string; details: FailureDetails };

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
}

/** A call that has just been established. */
export interface JoiningCall extends PolicyCall {
  labels: readonly string[];
}

/** Where a policy mutes who comes into such a call: that one, and the one that mutes the application, if one does. */
export interface EntryOnJoin {
  entry: Policy;
  join?: Policy;
}

/** A mute on entry that a policy wants on a call. */
export interface EntryOrder {
  policyId: string;
  request: MuteOnEntryRequest;
}

/**
 * What came of it: it was started, or one that ran already was given these terms; it runs, and has not read yet who is
 * there; or why it could not begin.
 */
export type EntryStart =
  | { outcome: 'Started' | 'Extended' }
  | { outcome: 'NotBegun' | ModerationErrorType; message: string };

/** How many are in a call, lobby aside. */
export interface Crowd {
  participants: number;
  /** Whether that is all of them; otherwise there are as many at least. */
  isComplete: boolean;
  /** The application's own participant, where the roster lists it. */
  self?: MuteState;
}

/** The newest operation on the application's own mute in a call. */
export interface NewestOperation {
  action: Action;
  /** As in an `OperationRecord`. */
  outcome: string;
  runId: string;
}

/** A roster is read of those who are named, or of everyone, or of everyone with those who are named among them. */
export interface RosterTarget extends CallTarget {
  /** In canonical form. */
  participantIds?: readonly string[];
  /** Those who are named, and everyone else whom the list shows. */
  andEveryone?: boolean;
  /** Only after so many ms, so that it shows those too who come together: a timer of Temporal's may be a second late. */
  afterMs?: number;
}

export interface RosterMember {
  /** In canonical form. */
  id: string;
  isInLobby: boolean;
  /** Where Graph tells it. */
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

export interface ParticipantActionTarget extends ActionTarget {
  participantId: string;
}

/** What a workflow may ask of the world. */
export interface Activities {
  /** GET the call and its roster. */
  readCall(target: CallTarget): Promise<CallReading>;
  /** GET the call, for its state in lower case and nothing else. */
  readState(target: CallTarget): Promise<{ state: string }>;
  /** GET the application's own participant. */
  readParticipant(target: ParticipantTarget): Promise<ParticipantReading>;
  /** POST …/mute. */
  postMute(target: ActionTarget): Promise<Acceptance>;
  /** POST …/unmute. */
  postUnmute(target: ActionTarget): Promise<Acceptance>;
  /** GET the call and its roster, for how many are in it. */
  readCrowd(target: CallTarget): Promise<Crowd>;
  /** What a policy does at a moment (ISO 8601). */
  actionAt(policy: Policy, at: string): Promise<Action>;
  /**
   * The policy that mutes a call as it is established; with `also`, beside it the one that mutes who comes after that, where
   * there is one. Workflows of 0.2.0 do not ask for it, and would take it for the other.
   */
  policyOnJoin(call: JoiningCall, also?: 'entry'): Promise<Policy | EntryOnJoin | undefined>;
  /** Calls that are established, page by page; `next` leads to the next one. */
  listLiveCalls(page: LivePage): Promise<{ calls: PolicyCall[]; next?: string }>;
  /** Starts or joins an operation, under the call's workflow ID, and waits for its outcome, which is always a result. */
  runOperation(order: OperationOrder): Promise<OperationOutcome>;
  /** Starts a mute on entry, or gives the one that runs these terms, and waits until it has read who is there. */
  startMuteOnEntry(order: EntryOrder): Promise<EntryStart>;
  /** What was last asked of the application's own mute in the call, if anything was. */
  readNewest(callId: string): Promise<NewestOperation | undefined>;
  /** GET the call and its participants, or those of them who are named. */
  readRoster(target: RosterTarget): Promise<RosterReading>;
  /** POST …/participants/{id}/mute; gives `left` where the call goes on without the participant. */
  postMuteParticipant(target: ParticipantActionTarget): Promise<Acceptance | 'left'>;
}
