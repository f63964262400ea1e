import { setTimeout as pause } from 'node:timers/promises';
import { sameId } from '../contract/call-id.ts';
import type { FailureType } from '../contract/failure.ts';
import type { GraphClient } from '../graph/client.ts';
import { GraphError } from '../graph/errors.ts';
import { ParticipantList, queryOfNext, toMemberOf, toPage } from '../graph/participant-list.ts';
import { toCall, type CallResource, type Member } from '../graph/resources.ts';
import type { KnownCalls } from './known-calls.ts';
import type { CallReading, CallTarget, Headcount, ParticipantReading, RosterReading, RosterTarget } from './types.ts';

/**
 * What Graph is asked about a call. A list of participants proves who is not in the call only if it is complete
 * (`graph/participant-list.ts`). So whoever it does not show, and matters, is read singly: the application, and those
 * who are named.
 */

/**
 * The facts that an operation needs of a call before it sends anything. For a known call, its own participant shows
 * that it is still in progress; if that is not found, or has no mute state, the whole call is read.
 */
export async function readCall(graph: GraphClient, target: CallTarget, knownCalls: KnownCalls): Promise<CallReading> {
  const { callId } = target;
  const known = knownCalls.participantOf(callId);
  const self = known && (await getMember(graph, target, known))?.state;
  if (known && self) return { state: 'established', isGroupCall: true, participantId: known, self };
  knownCalls.forget(callId);
  return await readUnknownCall(graph, target, knownCalls, known);
}

/**
 * GET the call and its participants side by side. The roster shows the state of the application, and the number of
 * participants if the call itself does not show whether it is a group call. `looked` is a participant that was not
 * found just now.
 *
 * https://learn.microsoft.com/graph/api/call-get and /call-list-participants
 */
async function readUnknownCall(
  graph: GraphClient,
  target: CallTarget,
  knownCalls: KnownCalls,
  looked: string | undefined,
): Promise<CallReading> {
  const [call, list] = await Promise.all([getCall(graph, target), getParticipants(graph, target)]);
  const { participantId, state } = call;
  const kind = kindOf(call, list);
  const reading = { state, isGroupCall: kind !== 'peer' };
  if (participantId === undefined) return reading;
  const listed = list?.find(participantId)?.state;
  const isLooked = looked !== undefined && sameId(looked, participantId);
  const self = listed ?? (isLooked ? undefined : (await getMember(graph, target, participantId))?.state);
  if (state === 'established' && kind === 'group' && self) knownCalls.remember(target.callId, participantId);
  return { ...reading, participantId, ...(self !== undefined && { self }) };
}

/** GET the call and its participants side by side, and count those who are in it and not in its lobby. */
export async function readParticipantCount(graph: GraphClient, target: CallTarget): Promise<Headcount> {
  const [{ participantId }, list] = await Promise.all([getCall(graph, target), getParticipants(graph, target)]);
  const self = participantId === undefined ? undefined : list?.find(participantId)?.state;
  return {
    participants: list?.size ?? 0,
    isComplete: list?.isComplete(participantId) ?? false,
    ...(self !== undefined && { self: { isMuted: self.isMuted, ...serverMutedOf(self) } }),
  };
}

function serverMutedOf({ serverMuted }: { serverMuted?: boolean }): { serverMuted?: boolean } {
  return serverMuted === undefined ? {} : { serverMuted };
}

/**
 * GET the application's own participant: one entry, which neither the cap of 100 nor an incomplete list touches. If
 * it is not found, the list is read instead, and if Graph has none to show, the call: only then has it ended.
 *
 * https://learn.microsoft.com/graph/api/participant-get
 */
export async function readParticipant(
  graph: GraphClient,
  target: CallTarget & { participantId?: string },
): Promise<ParticipantReading> {
  const participantId = target.participantId ?? (await getCall(graph, target)).participantId;
  if (participantId === undefined) return {};
  const own = (await getMember(graph, target, participantId))?.state;
  if (own !== undefined) return { participantId, self: own };
  const list = await getParticipants(graph, target);
  if (list === undefined) await getCall(graph, target);
  const self = list?.find(participantId)?.state;
  return { participantId, ...(self !== undefined && { self }) };
}

/** Participants whom no list shows are read one by one, so many at a time. */
const SINGLE_READS = 8;

/**
 * GET the call and its participants. Those who are named and whom the list does not show are asked for one by one,
 * however complete the list is: it may be an old one. Whoever is not found then is not in the call, if Graph finds the
 * application in it: as long as it does not know the roster, it answers 404 for everyone.
 *
 * https://learn.microsoft.com/graph/api/call-list-participants
 */
export async function readRoster(graph: GraphClient, target: RosterTarget): Promise<RosterReading> {
  if (target.afterMs !== undefined) await pause(target.afterMs);
  const [call, list] = await Promise.all([getCall(graph, target), getParticipants(graph, target)]);
  const { participantId, state } = call;
  const isComplete = list?.isComplete(participantId) ?? false;
  const members = new Map((list?.members ?? []).map((member) => [member.id, member]));
  const { participantIds = [], andEveryone = target.participantIds === undefined } = target;
  const unlisted = participantIds.filter((id) => !members.has(id));
  for (const member of await getMembers(graph, target, unlisted)) members.set(member.id, member);
  const isAnyoneMissing = participantIds.some((id) => !members.has(id));
  return {
    state,
    isGroupCall: kindOf(call, list) !== 'peer',
    ...(participantId !== undefined && { participantId }),
    members: andEveryone ? [...members.values()] : participantIds.flatMap((id) => members.get(id) ?? []),
    isComplete,
    isCapped: list?.isCapped ?? false,
    isAbsenceProven:
      isComplete ||
      (isAnyoneMissing && ((list?.shows(participantId) ?? false) || (await isThere(graph, target, participantId)))),
  };
}

/** Graph finds the application in its call. */
async function isThere(graph: GraphClient, target: CallTarget, participantId: string | undefined): Promise<boolean> {
  if (participantId === undefined) return false;
  return (await getMember(graph, target, participantId))?.isInLobby === false;
}

/**
 * Whether it is a group call. A call of two is none, and so is one for whose roster Graph has nothing to show; but a
 * roster that is not complete leaves it open, and Graph will refuse what it does not do in a call of two.
 */
function kindOf({ hasGroupMarks, participantId }: CallResource, list: ParticipantList | undefined) {
  if (hasGroupMarks || (list?.members.length ?? 0) > 2) return 'group';
  return list === undefined || list.isComplete(participantId) ? 'peer' : 'unknown';
}

export async function getCall(graph: GraphClient, { callId, tenantId }: CallTarget): Promise<CallResource> {
  const { body } = await graph.get({
    what: `read call ${callId}`,
    path: ['communications', 'calls', callId],
    tenantId,
  });
  return toCall(body);
}

/** Of a list that Graph pages so many are read, within so long: an attempt has 10 s for everything. */
const MAX_PAGES = 10;
const PAGES_MS = 4_000;

/** The list as far as Graph gives it, or nothing if it has none to show. */
async function getParticipants(
  graph: GraphClient,
  { callId, tenantId }: CallTarget,
): Promise<ParticipantList | undefined> {
  const what = `read the roster of call ${callId}`;
  const path = ['communications', 'calls', callId, 'participants'];
  const deadline = performance.now() + PAGES_MS;
  const asked = new Set<string>();
  const entries: unknown[] = [];
  for (let query = ''; ;) {
    asked.add(query);
    const answer = await orNothing(graph.get({ what, path, query, tenantId }));
    if (answer === undefined && asked.size === 1) return undefined;
    const page = toPage(answer?.body);
    entries.push(...page.entries);
    if (page.isList && page.nextLink === undefined) return new ParticipantList(entries, false);
    const next = queryOfNext(page.nextLink, graph.urlOf(path));
    const isFollowed = page.isList && next !== undefined && !asked.has(next);
    if (!isFollowed || asked.size >= MAX_PAGES || performance.now() >= deadline) {
      return new ParticipantList(entries, true);
    }
    query = next;
  }
}

export async function getMember(
  graph: GraphClient,
  { callId, tenantId }: CallTarget,
  participantId: string,
): Promise<Member | undefined> {
  const what = `read a participant of call ${callId}`;
  const path = ['communications', 'calls', callId, 'participants', participantId];
  const answer = await orNothing(graph.get({ what, path, tenantId }));
  return answer && toMemberOf(participantId, answer.body);
}

async function getMembers(graph: GraphClient, target: CallTarget, ids: readonly string[]): Promise<Member[]> {
  const found: Member[] = [];
  for (let first = 0; first < ids.length; first += SINGLE_READS) {
    const some = ids.slice(first, first + SINGLE_READS);
    const members = await Promise.all(some.map(async (id) => await getMember(graph, target, id)));
    found.push(...members.filter((member) => member !== undefined));
  }
  return found;
}

const NOTHING_TO_SHOW: ReadonlySet<FailureType> = new Set(['CallNotFound', 'OperationFailed', 'PermissionDenied']);

/**
 * The answer, or nothing if Graph has no such thing to show: no roster yet, a peer-to-peer call, a call that is gone.
 * The call itself tells which, so only the call's own 404 counts.
 */
async function orNothing(answer: Promise<{ body: unknown }>): Promise<{ body: unknown } | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof GraphError && NOTHING_TO_SHOW.has(error.type)) return undefined;
    throw error;
  }
}
