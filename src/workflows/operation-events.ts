import { workflowInfo } from '@temporalio/workflow';
import { callIdOf } from '../contract/call-id.ts';
import type { OPERATION_EVENTS, OperationEvent, OperationEventType } from '../contract/event.ts';
import { CANCELLED } from '../contract/failure.ts';
import { PARTIAL, type Action } from '../contract/names.ts';
import { isEveryoneMuted, type ModerationResult, type ParticipantsMuteResult } from '../contract/operation.ts';
import type { ModerationRequest } from '../contract/request.ts';
import type { Successor } from '../contract/signals.ts';
import { targetKind } from '../contract/target.ts';
import type { Failure } from './lib/failures.ts';
import type { Outcome } from './operation/inheritance.ts';

/** What an operation has come to, as an event. */

export interface OperationEnd {
  type: OperationEventType;
  subject?: string;
  data: OperationEvent;
}

/** `undefined` if the operation goes on in another run. `successor` is what takes over, whatever the operation came to. */
export function endOf(
  action: Action,
  request: ModerationRequest,
  came: Outcome,
  successor: Successor | undefined,
): OperationEnd | undefined {
  if (successor !== undefined) {
    return eventOf('superseded', action, request, { outcome: 'Superseded', supersededBy: successor.action });
  }
  if (came.kind === 'continued') return undefined;
  return came.kind === 'failed' ? failed(action, request, came.failure) : confirmed(action, request, came.result);
}

/** `request` is absent if it was invalid. */
export function failed(action: Action, request: ModerationRequest | undefined, failure: Failure): OperationEnd {
  const { type, details } = failure;
  const { restored } = details;
  return eventOf(type === CANCELLED ? 'cancelled' : 'failed', action, request, {
    outcome: type,
    ...(restored !== undefined && { restored }),
  });
}

function confirmed(
  action: Action,
  request: ModerationRequest,
  result: ModerationResult | ParticipantsMuteResult,
): OperationEnd {
  if (!('participants' in result)) {
    return eventOf('confirmed', action, request, { outcome: 'Confirmed', confirmedBy: result.confirmedBy });
  }
  const { participants } = result;
  const isAll = isEveryoneMuted(result);
  const isConfirmed = participants.filter(({ outcome }) => outcome === 'confirmed');
  return eventOf(isAll ? 'confirmed' : 'partial', action, request, {
    outcome: isAll ? 'Confirmed' : PARTIAL,
    participants: { confirmed: isConfirmed.length, all: participants.length },
  });
}

function eventOf(
  kind: (typeof OPERATION_EVENTS)[number],
  action: Action,
  request: ModerationRequest | undefined,
  end: Pick<OperationEvent, 'outcome' | 'confirmedBy' | 'participants' | 'restored' | 'supersededBy'>,
): OperationEnd {
  const { workflowId, runId } = workflowInfo();
  const { callId = callIdOf(workflowId), tenantId, requestedBy, target } = request ?? {};
  return {
    type: `call-moderation.operation.${kind}`,
    ...(callId !== undefined && { subject: callId }),
    data: {
      workflowId,
      runId,
      action,
      ...(request !== undefined && { target: targetKind(target) }),
      ...(tenantId !== undefined && { tenantId }),
      ...(requestedBy !== undefined && { requestedBy }),
      ...end,
    },
  };
}
