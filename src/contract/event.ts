import { isFields } from './check.ts';
import type { MuteOnEntryResult } from './mute-on-entry.ts';
import type { MuteLockResult } from './mute-lock.ts';
import type { Action } from './names.ts';
import type { ModerationResult } from './operation.ts';

/**
 * Events for the outside world: CloudEvents 1.0 (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md), of
 * operations that end and of standing mutes that begin and end. They contain IDs of the call, the tenant and the run, and no
 * name, user, participant, token or reason.
 */

/** Set in the sandbox of the workflows by a worker that sends events (`workflow-bundle.ts`). */
export const EVENTS_FLAG = 'moderationEvents';

/** The patch marker by which a history records that its run sends events (`workflows/events.ts`). */
export const EVENTS_PATCH = 'events';

/** The pauses between attempts to deliver an event: they double up to the longest. In ms. */
export const EVENT_RETRY = { initialInterval: 5_000, backoffCoefficient: 2, maximumInterval: 15 * 60_000 };

export const OPERATION_EVENTS = ['confirmed', 'partial', 'failed', 'cancelled', 'superseded'] as const;
export const STANDING_MUTE_EVENTS = ['begun', 'ended', 'gave-up', 'failed'] as const;

/** `type` of the event of an operation. */
export type OperationEventType = `call-moderation.operation.${(typeof OPERATION_EVENTS)[number]}`;
/** `type` of the event of a standing mute. */
export type StandingMuteEventType = `call-moderation.standing-mute.${(typeof STANDING_MUTE_EVENTS)[number]}`;

/** The run that an event is about. */
export interface OfRun {
  workflowId: string;
  runId: string;
  tenantId?: string;
  /** As the caller gave it: the ID of a service or an object. */
  requestedBy?: string;
}

/** Data of the event of an operation, as it ends. */
export interface OperationEvent extends OfRun {
  action: Action;
  /** Absent if the request was invalid. */
  target?: 'self' | 'others' | 'participants';
  /** `ModerationOutcome`: `Confirmed`, `Partial`, `Cancelled` or the failure's type. */
  outcome: string;
  confirmedBy?: ModerationResult['confirmedBy'];
  /** Of a mute of others: how many were confirmed, of how many. */
  participants?: { confirmed: number; all: number };
  /** Whether the call was put back as it was read before, if that was in question. */
  restored?: boolean;
  /** The action of the operation that took over. */
  supersededBy?: Action;
}

/** Data of the event of a standing mute, as it begins or ends. */
export interface StandingMuteEvent extends OfRun {
  kind: 'keepMuted' | 'muteFor' | 'muteOnEntry';
  startedAt: string;
  /** When it ends by itself. */
  until?: string;
  /** `ModerationOutcome`, such as `Released`, `GaveUp` or the failure's type; absent as it begins. */
  outcome?: string;
  /** As the workflow returns it, but for the call ID. */
  result?: Omit<MuteLockResult, 'callId'> | Omit<MuteOnEntryResult, 'callId'>;
}

/** One event, as it is POSTed to its receiver: CloudEvents 1.0 in structured mode. */
export interface ModerationEvent {
  specversion: '1.0';
  /** The same in all attempts. */
  id: string;
  /** Namespace and task queue: the deployment. */
  source: string;
  type: OperationEventType | StandingMuteEventType;
  /** The call ID; absent if the request named no valid one. */
  subject?: string;
  /** When it happened. ISO 8601, UTC. */
  time: string;
  datacontenttype: 'application/json';
  data: OperationEvent | StandingMuteEvent;
}

export function eventWorkflowIdOf(id: string): string {
  return `call-moderation-event/${id}`;
}

/** Whether the input of `publishEvent` is an event. Only runs of ours start that workflow, so its form is checked and no more. */
export function isEvent(input: unknown): input is ModerationEvent {
  if (!isFields(input) || input['specversion'] !== '1.0' || !isFields(input['data'])) return false;
  return ['id', 'source', 'type', 'time'].every((name) => typeof input[name] === 'string' && input[name] !== '');
}

/** What has become of an event: `ModerationOutcome` of the workflow, and a label of the metric. */
export const DELIVERIES = ['Delivered', 'Gone', 'GaveUp', 'Cancelled'] as const;
export type Delivery = (typeof DELIVERIES)[number];

/** The failure's type of a receiver that answered 410: it wants no events. */
export const GONE = 'Gone';
