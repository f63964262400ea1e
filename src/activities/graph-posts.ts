import { activityInfo } from '@temporalio/activity';
import type { Action } from '../contract/names.ts';
import type { GraphClient, GraphRequest } from '../graph/client.ts';
import { GraphError, requestIdOf } from '../graph/errors.ts';
import { toOperation } from '../graph/resources.ts';
import { getCall, getMember } from './graph-reads.ts';
import type { Acceptance, ActionTarget, ParticipantActionTarget } from './types.ts';

/** What Graph is asked to change. */

/**
 * POST the action. Graph answers `completed` at once; `running`, `notStarted` and null mean that it continues, and
 * that the roster, or a failed operation, will show the result.
 *
 * https://learn.microsoft.com/graph/api/call-mute and /call-unmute
 */
export async function post(
  graph: GraphClient,
  action: Action,
  { callId, tenantId, clientContext, attemptsBefore = 0 }: ActionTarget,
  withinMs?: number,
): Promise<Acceptance> {
  const what = `${action} call ${callId}`;
  const path = ['communications', 'calls', callId, action];
  const call = { what, path, tenantId, ...(withinMs !== undefined && { withinMs }) };
  const acceptance = await accepted(graph, call, clientContext);
  return { ...acceptance, attempt: attemptsBefore + acceptance.attempt };
}

/**
 * POST the mute of one participant. A 404 means that the participant has left, with two exceptions: the call itself has
 * ended, or Graph does not find the application in the call either. In the second case Graph has no roster of the call yet
 * and has muted nobody, so the POST is retried.
 *
 * https://learn.microsoft.com/graph/api/participant-mute
 */
export async function postMuteParticipant(
  graph: GraphClient,
  target: ParticipantActionTarget,
): Promise<Acceptance | 'left'> {
  const { callId, tenantId, participantId, clientContext } = target;
  const what = `mute a participant of call ${callId}`;
  const path = ['communications', 'calls', callId, 'participants', participantId, 'mute'];
  const permission = 'Calls.JoinGroupCall.All or Calls.JoinGroupCallAsGuest.All';
  try {
    return await accepted(graph, { what, path, tenantId, permission }, clientContext);
  } catch (error) {
    if (!(error instanceof GraphError) || error.type !== 'CallNotFound') throw error;
    const { participantId: own } = await getCall(graph, target);
    if (own !== undefined && (await getMember(graph, target, own)) !== undefined) return 'left';
    const message = `Graph was asked to ${what}, and does not know the roster of the call yet.`;
    throw new GraphError('GraphUnavailable', message, { isRetryable: true, details: error.details });
  }
}

async function accepted(graph: GraphClient, request: GraphRequest, clientContext: string): Promise<Acceptance> {
  const success = await graph.post(request, { clientContext });
  const { id, status, code, subcode } = toOperation(success.body, success.headers['location']);
  const requestId = requestIdOf(success);
  const answer = {
    status: success.status,
    clientRequestId: success.clientRequestId,
    ...(requestId !== undefined && { requestId }),
  };
  if (status !== 'failed') return { operationId: id, attempt: activityInfo().attempt, answer };
  throw new GraphError(
    'OperationFailed',
    `Graph took the request to ${request.what} and reported that it failed. Try again.`,
    {
      details: { ...answer, ...(code !== undefined && { code }), ...(subcode !== undefined && { subcode }) },
    },
  );
}
