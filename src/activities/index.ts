import { setTimeout as pause } from 'node:timers/promises';
import { activityInfo, ApplicationFailure } from '@temporalio/activity';
import type { FailureType } from '../contract/failure.ts';
import type { Action } from '../contract/names.ts';
import { canonicalTenantId } from '../contract/tenant.ts';
import type { Call, GraphClient } from '../graph/client.ts';
import { GraphError, requestIdOf } from '../graph/errors.ts';
import {
  findParticipant,
  isInCall,
  toCall,
  toMember,
  toMuteState,
  toOperation,
  toParticipants,
  toSeenState,
} from '../graph/resources.ts';
import { readMuteOnEntry, startMuteOnEntry } from './entries.ts';
import { KnownCalls } from './known-calls.ts';
import { listLiveCalls } from './live-calls.ts';
import { readNewest } from './newest.ts';
import { isLeftMuted, policyLevel, policyOnJoin, quietCalls, quietUntil } from './rules.ts';
import { readOperation, startOperation } from './operations.ts';
import type {
  Acceptance,
  Activities,
  ActionTarget,
  CallReading,
  CallTarget,
  Crowd,
  ParticipantActionTarget,
  ParticipantReading,
  RosterReading,
  RosterTarget,
} from './types.ts';

export interface ActivityOptions {
  graph: GraphClient;
  /** Tenants that a request may name, in canonical form; any where absent. */
  tenants?: ReadonlySet<string> | undefined;
}

/**
 * The activities over one Graph client. Each is one verb, and gives the workflow the two or three fields that it decides
 * on, never a body of Graph's: those are large and name people.
 */
export function createActivities({ graph, tenants }: ActivityOptions): Activities {
  const inTenant = async <T>({ tenantId }: CallTarget, work: () => Promise<T>): Promise<T> => {
    try {
      if (tenantId !== undefined && tenants?.has(canonicalTenantId(tenantId)) === false) throw notAllowed(tenantId);
      return await work();
    } catch (error) {
      throw error instanceof GraphError ? toApplicationFailure(error) : error;
    }
  };
  const knownCalls = new KnownCalls();
  return {
    readCall: (target) => inTenant(target, () => readCall(graph, target, knownCalls)),
    readState: (target) => inTenant(target, async () => ({ state: (await getCall(graph, target)).state })),
    readParticipant: (target) => inTenant(target, () => readParticipant(graph, target)),
    postMute: (target) => inTenant(target, () => post(graph, 'mute', target)),
    postUnmute: (target) => inTenant(target, () => post(graph, 'unmute', target)),
    readCrowd: (target) => inTenant(target, () => readCrowd(graph, target)),
    policyLevel,
    policyOnJoin,
    quietCalls,
    quietUntil,
    isLeftMuted,
    listLiveCalls,
    startOperation,
    readOperation,
    startMuteOnEntry,
    readMuteOnEntry,
    readNewest,
    readRoster: (target) => inTenant(target, () => readRoster(graph, target)),
    postMuteParticipant: (target) => inTenant(target, () => postMuteParticipant(graph, target)),
  };
}

/**
 * What an operation needs of a call before it sends anything. One that is known shows with its own participant that it goes
 * on; where that is not found, or does not tell how it stands, the call is read anew.
 */
async function readCall(graph: GraphClient, target: CallTarget, knownCalls: KnownCalls): Promise<CallReading> {
  const { callId } = target;
  const known = knownCalls.participantOf(callId);
  const self = known && toSeenState(await getParticipant(graph, target, known));
  if (known && self) return { state: 'established', isGroupCall: true, participantId: known, self };
  knownCalls.forget(callId);
  const reading = await readUnknownCall(graph, target);
  const { state, isGroupCall, participantId } = reading;
  if (state === 'established' && isGroupCall && participantId && reading.self) {
    knownCalls.remember(callId, participantId);
  }
  return reading;
}

/**
 * GET the call and its participants side by side. The roster tells how the application stands, and how many there are
 * where the call itself does not show whether it is a group call. Peer-to-peer calls have none to give.
 *
 * https://learn.microsoft.com/graph/api/call-get and /call-list-participants
 */
async function readUnknownCall(graph: GraphClient, target: CallTarget): Promise<CallReading> {
  const [call, participants] = await Promise.all([getCall(graph, target), getParticipants(graph, target)]);
  const { participantId, state } = call;
  const isGroupCall = call.hasGroupMarks || (participants?.length ?? 0) > 2;
  if (participantId === undefined) return { state, isGroupCall };
  const listed = participants === undefined ? undefined : findParticipant(participants, participantId);
  // A list ends at 100 participants, so whoever is not in a long one, or in none, may be in the call all the same.
  const isUntold = listed === undefined && (participants === undefined || participants.length >= ROSTER_CAP);
  const self = toSeenState(isUntold ? await getParticipant(graph, target, participantId) : listed);
  return { state, isGroupCall, participantId, ...(self !== undefined && { self }) };
}

/** GET the call and its participants side by side, and count those who are in it and not in its lobby. */
async function readCrowd(graph: GraphClient, target: CallTarget): Promise<Crowd> {
  const [{ participantId }, participants = []] = await Promise.all([
    getCall(graph, target),
    getParticipants(graph, target),
  ]);
  const self = participantId === undefined ? undefined : toMuteState(findParticipant(participants, participantId));
  return { participants: participants.filter(isInCall).length, ...(self !== undefined && { self }) };
}

/**
 * GET the application's own participant: one entry, which the cap of 100 does not touch. Where it is not found, the list
 * is read instead, and where that is not found either, the call: only then has it ended.
 *
 * https://learn.microsoft.com/graph/api/participant-get
 */
async function readParticipant(
  graph: GraphClient,
  target: CallTarget & { participantId?: string },
): Promise<ParticipantReading> {
  const participantId = target.participantId ?? (await getCall(graph, target)).participantId;
  if (participantId === undefined) return {};
  const own = toSeenState(await getParticipant(graph, target, participantId));
  if (own !== undefined) return { participantId, self: own };
  const participants = await getParticipants(graph, target);
  if (participants === undefined) await getCall(graph, target);
  const self = toSeenState(findParticipant(participants ?? [], participantId));
  return { participantId, ...(self !== undefined && { self }) };
}

/**
 * POST the action. Graph answers `completed` at once; `running`, `notStarted` and null mean that it goes on, and that the
 * roster, or a failed operation, will tell.
 *
 * https://learn.microsoft.com/graph/api/call-mute and /call-unmute
 */
async function post(graph: GraphClient, action: Action, { callId, tenantId, clientContext }: ActionTarget) {
  const what = `${action} call ${callId}`;
  const path = ['communications', 'calls', callId, action];
  return await accepted(graph, { what, path, tenantId }, clientContext);
}

/** A page of participants ends here, without a word about the rest. */
const ROSTER_CAP = 100;

/** Participants whom no page lists are read one by one, so many at a time. */
const SINGLE_READS = 8;

/**
 * GET the call and its participants. Of those who are named, the ones that a full page does not list are asked for one by
 * one; whoever is not found then is not in the call.
 *
 * https://learn.microsoft.com/graph/api/call-list-participants
 */
async function readRoster(graph: GraphClient, target: RosterTarget): Promise<RosterReading> {
  if (target.afterMs !== undefined) await pause(target.afterMs);
  const [call, page] = await Promise.all([getCall(graph, target), getParticipants(graph, target)]);
  const { participantId, state } = call;
  const listed = page ?? [];
  const isComplete = page !== undefined && page.length < ROSTER_CAP;
  const members = listed.flatMap((participant) => toMember(participant) ?? []);
  const known = new Map(members.map((member) => [member.id, member]));
  const wanted = target.participantIds ?? [...known.keys()];
  const unlisted = isComplete ? [] : wanted.filter((id) => !known.has(id));
  for (let first = 0; first < unlisted.length; first += SINGLE_READS) {
    const ids = unlisted.slice(first, first + SINGLE_READS);
    const bodies = await Promise.all(ids.map(async (id) => await getParticipant(graph, target, id)));
    for (const member of bodies.flatMap((body) => toMember(body) ?? [])) known.set(member.id, member);
  }
  return {
    state,
    isGroupCall: call.hasGroupMarks || listed.length > 2,
    ...(participantId !== undefined && { participantId }),
    members: wanted.flatMap((id) => known.get(id) ?? []),
    isComplete,
  };
}

/**
 * POST the mute of one participant. A 404 is the participant's unless the call itself is gone.
 *
 * https://learn.microsoft.com/graph/api/participant-mute
 */
async function postMuteParticipant(graph: GraphClient, target: ParticipantActionTarget): Promise<Acceptance | 'left'> {
  const { callId, tenantId, participantId, clientContext } = target;
  const what = `mute a participant of call ${callId}`;
  const path = ['communications', 'calls', callId, 'participants', participantId, 'mute'];
  const permission = 'Calls.JoinGroupCall.All or Calls.JoinGroupCallAsGuest.All';
  try {
    return await accepted(graph, { what, path, tenantId, permission }, clientContext);
  } catch (error) {
    if (!(error instanceof GraphError) || error.type !== 'CallNotFound') throw error;
    await getCall(graph, target);
    return 'left';
  }
}

async function accepted(graph: GraphClient, call: Call, clientContext: string): Promise<Acceptance> {
  const success = await graph.post(call, { clientContext });
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
    `Graph took the request to ${call.what} and reported that it failed. Try again.`,
    {
      details: { ...answer, ...(code !== undefined && { code }), ...(subcode !== undefined && { subcode }) },
    },
  );
}

async function getCall(graph: GraphClient, { callId, tenantId }: CallTarget): Promise<ReturnType<typeof toCall>> {
  const { body } = await graph.get({
    what: `read call ${callId}`,
    path: ['communications', 'calls', callId],
    tenantId,
  });
  return toCall(body);
}

async function getParticipants(graph: GraphClient, { callId, tenantId }: CallTarget) {
  const what = `read the roster of call ${callId}`;
  const path = ['communications', 'calls', callId, 'participants'];
  return toParticipants(await orNothing(graph.get({ what, path, tenantId })));
}

async function getParticipant(graph: GraphClient, { callId, tenantId }: CallTarget, participantId: string) {
  const what = `read the application's participant in call ${callId}`;
  const path = ['communications', 'calls', callId, 'participants', participantId];
  return await orNothing(graph.get({ what, path, tenantId }));
}

const NOTHING_TO_SHOW: ReadonlySet<FailureType> = new Set(['CallNotFound', 'OperationFailed', 'PermissionDenied']);

/**
 * The body, or nothing where Graph has no such thing to show: no roster yet, a peer-to-peer call, a call that is gone. The
 * call itself tells which, so only the call's own 404 counts.
 */
async function orNothing(answer: Promise<{ body: unknown }>): Promise<unknown> {
  try {
    return (await answer).body;
  } catch (error) {
    if (error instanceof GraphError && NOTHING_TO_SHOW.has(error.type)) return undefined;
    throw error;
  }
}

function notAllowed(tenantId: string): GraphError {
  const fault = `tenantId ${tenantId} is not among MODERATION_TENANTS; name another tenant or have it added`;
  return new GraphError('InvalidRequest', `Nothing was sent to Graph, for the request is not valid: ${fault}.`, {
    details: { faults: [fault] },
  });
}

/** As Temporal takes it: which failures are final, and when Graph wants to be asked again. */
function toApplicationFailure({ type, message, details, isRetryable }: GraphError): ApplicationFailure {
  const { retryAfterSeconds } = details;
  return ApplicationFailure.create({
    type,
    message,
    details: [{ ...details, attempt: activityInfo().attempt }],
    nonRetryable: !isRetryable,
    // Expected of Graph, and told in the operation's history: not worth a warning in the worker's log at every attempt.
    ...((isRetryable || type === 'CallNotFound') && { category: 'BENIGN' as const }),
    ...(isRetryable && retryAfterSeconds !== undefined && { nextRetryDelay: Math.max(retryAfterSeconds * 1_000, 100) }),
  });
}
