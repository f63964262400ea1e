import { canonicalId } from '../contract/call-id.ts';
import type { MuteState, SeenState } from '../contract/operation.ts';
import { fieldOf } from './errors.ts';

/**
 * What an operation needs of Graph's `call`, `participant` and `commsOperation`. Both resources are open types: unknown
 * properties are normal, known ones may be null or missing, and enums come in more than one case.
 */

/** Graph's `call`: https://learn.microsoft.com/graph/api/resources/call */
export interface CallResource {
  /** In lower case; empty if Graph did not return it. */
  state: string;
  participantId: string | undefined;
  /** It has the coordinates of a meeting or chat, or more than one target. */
  hasGroupMarks: boolean;
}

export function toCall(body: unknown): CallResource {
  const targets = fieldOf(body, 'targets');
  const participantId = textOf(fieldOf(body, 'myParticipantId'));
  return {
    state: textOf(fieldOf(body, 'state'))?.toLowerCase() ?? '',
    participantId: participantId === undefined ? undefined : canonicalId(participantId),
    hasGroupMarks:
      isPresent(fieldOf(body, 'chatInfo')) ||
      isPresent(fieldOf(body, 'meetingInfo')) ||
      (Array.isArray(targets) && targets.length > 1),
  };
}

/** The participants of `GET …/participants`, or `undefined` if the body is not a collection. */
export function toParticipants(body: unknown): readonly unknown[] | undefined {
  const value = fieldOf(body, 'value');
  return Array.isArray(value) ? value : undefined;
}

/** Whether a participant has passed the lobby. */
function isInCall(participant: unknown): boolean {
  return fieldOf(participant, 'isInLobby') !== true;
}

/**
 * `isMuted` of a participant and `serverMuted` of its audio stream, or `undefined` if Graph does not return `isMuted`.
 * https://learn.microsoft.com/graph/api/resources/participant
 */
export function toMuteState(participant: unknown): MuteState | undefined {
  const isMuted = fieldOf(participant, 'isMuted');
  if (typeof isMuted !== 'boolean') return undefined;
  const streams = fieldOf(participant, 'mediaStreams');
  const told = (Array.isArray(streams) ? (streams as unknown[]) : [])
    .filter((stream) => textOf(fieldOf(stream, 'mediaType'))?.toLowerCase() === 'audio')
    .map((stream) => fieldOf(stream, 'serverMuted'))
    .filter((serverMuted) => typeof serverMuted === 'boolean');
  return { isMuted, ...(told.length > 0 && { serverMuted: told.includes(true) }) };
}

/** The same, with its `rosterSequenceNumber`: the number of the roster in which the participant last changed. */
export function toSeenState(participant: unknown): SeenState | undefined {
  const state = toMuteState(participant);
  const told = fieldOf(participant, 'rosterSequenceNumber');
  // OData may write an `Edm.Int64` as a string.
  const sequence = typeof told === 'string' ? Number(told) : told;
  return state && { ...state, ...(isWhole(sequence) && { sequence }) };
}

/** A participant as an operation on others needs it. */
export interface Member {
  /** In canonical form. */
  id: string;
  isInLobby: boolean;
  /** Absent if Graph does not report `isMuted`. */
  state?: SeenState;
}

/** Nothing if the roster gives it no ID, which happens, or reports that it has left. */
export function toMember(participant: unknown): Member | undefined {
  const id = textOf(fieldOf(participant, 'id'));
  if (id === undefined || hasLeft(participant)) return undefined;
  const state = toSeenState(participant);
  return { id: canonicalId(id), isInLobby: !isInCall(participant), ...(state !== undefined && { state }) };
}

/** Rosters of changes list those who have left, too, with a reason. */
export function hasLeft(participant: unknown): boolean {
  return isPresent(fieldOf(participant, 'removedState'));
}

/** Graph's `commsOperation`: https://learn.microsoft.com/graph/api/resources/commsoperation */
export interface OperationResource {
  /** In canonical form; from the body, else from the `Location` of the answer; empty if neither has one. */
  id: string;
  /** In lower case; empty for the `null` that means pending. */
  status: string;
  code: string | undefined;
  subcode: string | undefined;
}

export function toOperation(body: unknown, location: unknown): OperationResource {
  const fromLocation = typeof location === 'string' ? /\/operations\/([^/?#]+)/i.exec(location)?.[1] : undefined;
  const result = fieldOf(body, 'resultInfo');
  return {
    id: canonicalId(textOf(fieldOf(body, 'id')) ?? fromLocation ?? ''),
    status: textOf(fieldOf(body, 'status'))?.toLowerCase() ?? '',
    code: numberAsText(fieldOf(result, 'code')),
    subcode: numberAsText(fieldOf(result, 'subcode') ?? fieldOf(result, 'subCode')),
  };
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function numberAsText(value: unknown): string | undefined {
  const text = typeof value === 'number' ? String(value) : value;
  return typeof text === 'string' && /^-?\d{1,12}$/.test(text) ? text : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}
