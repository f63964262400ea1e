import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { CallEstablished, Labelling, LiveCallStatus } from '../contract/live-call.ts';
import type { MuteLockStatus, MuteLockTerms } from '../contract/mute-lock.ts';
import type { MuteOnEntryStatus, MuteOnEntryTerms } from '../contract/mute-on-entry.ts';
import {
  LIVE_CALL_SIGNAL,
  OPERATION_ENDED,
  POLICY_CHANGED,
  QUERY,
  SIGNAL,
  STANDING_MUTE_SIGNAL,
} from '../contract/names.ts';
import type { OperationStatus } from '../contract/operation.ts';
import type { PolicyReport } from '../contract/policy.ts';
import type { CallEnd, OperationEnded, OperationUpdate, RosterUpdate, Successor, Watch } from '../contract/signals.ts';
import type { Wish } from '../contract/wish.ts';

/**
 * The signals and queries of all workflows, with the types of their payloads and answers. The workflows set their
 * handlers by them, and a client of Temporal sends and asks by them:
 *
 * @example
 * const lock = client.workflow.getHandle(muteLockIdOf(callId));
 * const { phase, until } = await lock.query(keepMutedQuery);
 * await lock.signal(releaseSignal);
 */

// operations: the workflows `mute` and `unmute`

/** The roster of the call has changed. The webhook sends it, also to `keepMuted` and `muteOnEntry`. */
export const rosterUpdatedSignal = defineSignal<[RosterUpdate]>(SIGNAL.rosterUpdated);

/** The call has ended. The webhook sends it, also to `keepMuted`, `muteOnEntry` and `liveCall`. */
export const callEndedSignal = defineSignal<[CallEnd?]>(SIGNAL.callEnded);

/** A mute or unmute has continued after Graph had answered the request. The webhook sends it. */
export const operationUpdatedSignal = defineSignal<[OperationUpdate]>(SIGNAL.operationUpdated);

/** Another operation on the call replaces this one, which continues as new with that request. */
export const supersedeSignal = defineSignal<[Successor]>(SIGNAL.supersede);

/** Somebody attaches to the operation, or a workflow wants the signal `operationEnded` when it ends. */
export const watchSignal = defineSignal<[Watch]>(SIGNAL.watch);

/** State of the operation, and what it has seen. */
export const operationQuery = defineQuery<OperationStatus>(QUERY.operation);

/** Sent by an operation to the workflows that watch it. */
export const operationEndedSignal = defineSignal<[OperationEnded]>(OPERATION_ENDED);

// standing mutes: the workflows `keepMuted` and `muteOnEntry`

/** End now. A mute lock unmutes the application. */
export const releaseSignal = defineSignal<[Wish?]>(STANDING_MUTE_SIGNAL.release);

/** New terms of a mute lock or a timed mute, from now on. They replace all earlier ones. */
export const extendMuteLockSignal = defineSignal<[MuteLockTerms & Wish]>(STANDING_MUTE_SIGNAL.extend);

/** New terms of a mute on entry, from now on. They replace all earlier ones. */
export const extendMuteOnEntrySignal = defineSignal<[MuteOnEntryTerms & Wish]>(STANDING_MUTE_SIGNAL.extend);

/** State of a mute lock or a timed mute, and what it has seen. */
export const keepMutedQuery = defineQuery<MuteLockStatus>(QUERY.keepMuted);

/** State of a mute on entry, and how many newcomers it has muted. */
export const muteOnEntryQuery = defineQuery<MuteOnEntryStatus>(QUERY.muteOnEntry);

// active calls: the workflow `liveCall`

/** The call is established. The webhook sends it. */
export const callEstablishedSignal = defineSignal<[CallEstablished?]>(LIVE_CALL_SIGNAL.callEstablished);

/** Adds and removes labels, by which policies address calls. */
export const labelSignal = defineSignal<[Partial<Labelling>]>(LIVE_CALL_SIGNAL.label);

/** What is known about the call. */
export const liveCallQuery = defineQuery<LiveCallStatus>(QUERY.liveCall);

// policies: the workflow `applyPolicy`

/** The policy has been changed. The client sends it to the run that unmutes what the old terms have muted. */
export const policyChangedSignal = defineSignal(POLICY_CHANGED);

/** Report of the run so far. */
export const policyQuery = defineQuery<PolicyReport>(QUERY.policy);
