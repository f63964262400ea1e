import { isFields, type Fields } from './check.ts';
import { isAction, type Action } from './names.ts';
import { checkRequest, type ModerationRequest } from './request.ts';

/**
 * One participant of a roster, as much of it as an operation needs.
 * https://learn.microsoft.com/graph/api/resources/participant
 */
export interface RosterParticipant {
  id: string;
  isMuted: boolean;
  /** Of the audio stream, if the roster contains it. */
  serverMuted?: boolean;
  /** Sequence number of the participant's last change, if the roster contains one. */
  sequence?: number;
  /** Left or was removed: the state is history. */
  removed?: boolean;
}

/** Payload of `rosterUpdated`. */
export interface RosterUpdate {
  participants: RosterParticipant[];
  /** Order of the notification among its like (delta rosters). */
  sequenceNumber?: number;
  /** Whether the roster lists everyone (up to Graph's 100) or only what changed. */
  full: boolean;
  /** Set if the webhook left out participants that it could not read, so that a full roster does not list everyone. */
  isIncomplete?: boolean;
}

/**
 * Payload of `callEnded`: Graph's `resultInfo`.
 * https://learn.microsoft.com/graph/api/resources/resultinfo
 */
export interface CallEnd {
  code?: number | string;
  subcode?: number | string;
  message?: string;
}

/**
 * Payload of `operationUpdated`: a `commsOperation` that continued after Graph had answered the POST.
 * https://learn.microsoft.com/graph/api/resources/commsoperation
 */
export interface OperationUpdate {
  /** Graph's ID of it. */
  operationId: string;
  /** As it was sent with the POST. */
  clientContext?: string;
  /** Graph's status in lower case: `notstarted`, `running`, `completed` or `failed`. */
  status: string;
  code?: number | string;
  subcode?: number | string;
  message?: string;
}

/** Payload of `supersede`: the operation that replaces the running one. */
export interface Successor {
  action: Action;
  request: ModerationRequest;
  /** Chosen by the starter; stored in the memo of the successor, so that its starter recognizes it. */
  id?: string;
  /**
   * Time of the request in ms since the epoch.
   *
   * @default the arrival of the signal
   */
  wishedAt?: number;
  /** ID of a workflow that gets a signal when the superseded run, and later the successor, ends. */
  watcher?: string;
}

/** Payload of `watch`: a workflow waits for the operation, or another request wants the same. */
export interface Watch {
  /** The workflow that gets a signal when the operation ends. */
  workflowId?: string;
  /** Time of the request that attaches to the operation, in ms since the epoch. */
  wishedAt?: number;
}

/** Payload of `operationEnded`, which an operation sends to its watchers. */
export interface OperationEnded {
  runId: string;
}

/*
 * What follows reads a payload that may come from anyone. `undefined` means that it does not fit; a field that does not
 * fit in an otherwise good payload is refused with it, for half of a signal is worse than none.
 *
 * What is read is bounded: it stays in a workflow, is carried over when that continues as new, and some of it becomes
 * part of a failure's message. A payload that is larger is refused like any misfit, and the workflow goes on without
 * it.
 */

/** Participants of one roster. Graph lists 100; those of several deltas may come together. */
export const MAX_IN_ROSTER = 1_000;

const MAX_ID = 256;
const MAX_STATUS = 64;
const MAX_MESSAGE = 1_000;

function isText(value: unknown, most: number): value is string {
  return typeof value === 'string' && value.length <= most;
}

function isId(value: unknown): value is string {
  return isText(value, MAX_ID) && value !== '';
}

function isNothing(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function isFlag(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

/** A sequence number. An inexact one could sort before or after all others. */
function isPlace(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/** A code of Graph's: a number or one word, as it may be part of a message. */
export function isCode(value: unknown): value is number | string {
  return Number.isFinite(value) || (typeof value === 'string' && /^[\w.-]{1,64}$/.test(value));
}

function toEntry(value: unknown): RosterParticipant | undefined {
  if (!isFields(value)) return undefined;
  const { id, isMuted, serverMuted, sequence, removed } = value;
  if (!isId(id) || !isFlag(isMuted)) return undefined;
  if (!(isNothing(serverMuted) || isFlag(serverMuted)) || !(isNothing(sequence) || isPlace(sequence))) return undefined;
  if (!(isNothing(removed) || isFlag(removed))) return undefined;
  return {
    id,
    isMuted,
    ...(isFlag(serverMuted) && { serverMuted }),
    ...(isPlace(sequence) && { sequence }),
    ...(removed === true && { removed }),
  };
}

export function toRosterUpdate(value: unknown): RosterUpdate | undefined {
  if (!isFields(value)) return undefined;
  const { participants: listed, full, sequenceNumber, isIncomplete } = value;
  if (!isFlag(full) || !(isNothing(sequenceNumber) || isPlace(sequenceNumber))) return undefined;
  if (!(isNothing(isIncomplete) || isFlag(isIncomplete))) return undefined;
  if (!Array.isArray(listed) || listed.length > MAX_IN_ROSTER) return undefined;
  const participants: RosterParticipant[] = [];
  for (const item of listed as unknown[]) {
    const entry = toEntry(item);
    if (entry === undefined) return undefined;
    participants.push(entry);
  }
  return {
    participants,
    full,
    ...(isPlace(sequenceNumber) && { sequenceNumber }),
    ...(isIncomplete === true && { isIncomplete }),
  };
}

function toResultInfo({ code, subcode, message }: Fields): CallEnd | undefined {
  if (!(isNothing(code) || isCode(code)) || !(isNothing(subcode) || isCode(subcode))) return undefined;
  if (!(isNothing(message) || typeof message === 'string')) return undefined;
  return {
    ...(isCode(code) && { code }),
    ...(isCode(subcode) && { subcode }),
    ...(!isNothing(message) && { message: message.slice(0, MAX_MESSAGE) }),
  };
}

/** A call may end without a reason, so no payload at all fits too. */
export function toCallEnd(value: unknown): CallEnd | undefined {
  if (isNothing(value)) return {};
  return isFields(value) ? toResultInfo(value) : undefined;
}

export function toOperationUpdate(value: unknown): OperationUpdate | undefined {
  if (!isFields(value)) return undefined;
  const { operationId, status, clientContext } = value;
  if (!isId(operationId) || !isText(status, MAX_STATUS)) return undefined;
  const reason = toResultInfo(value);
  if (reason === undefined || !(isNothing(clientContext) || isText(clientContext, MAX_ID))) return undefined;
  return {
    operationId,
    // Some letters are longer in lower case.
    status: status.toLowerCase().slice(0, MAX_STATUS),
    ...reason,
    ...(!isNothing(clientContext) && { clientContext }),
  };
}

export function toSuccessor(value: unknown): Successor | undefined {
  if (!isFields(value) || !isAction(value['action'])) return undefined;
  const { action, id, wishedAt, watcher } = value;
  const checked = checkRequest(value['request'], action);
  if (!checked.ok || !(isNothing(id) || typeof id === 'string')) return undefined;
  if (!(isNothing(watcher) || isWorkflowId(watcher)) || !(isNothing(wishedAt) || isTime(wishedAt))) return undefined;
  return {
    action,
    request: checked.request,
    ...(typeof id === 'string' && { id: id.slice(0, 128) }),
    ...(isTime(wishedAt) && { wishedAt }),
    ...(isWorkflowId(watcher) && { watcher }),
  };
}

export function toWatch(value: unknown): Watch | undefined {
  if (!isFields(value)) return undefined;
  const { workflowId, wishedAt } = value;
  if (!(isNothing(workflowId) || isWorkflowId(workflowId)) || !(isNothing(wishedAt) || isTime(wishedAt)))
    return undefined;
  return { ...(isWorkflowId(workflowId) && { workflowId }), ...(isTime(wishedAt) && { wishedAt }) };
}

export function toOperationEnded(value: unknown): OperationEnded | undefined {
  return isFields(value) && isId(value['runId']) ? { runId: value['runId'] } : undefined;
}

/** In ms since the epoch. */
function isTime(value: unknown): value is number {
  return Number.isFinite(value);
}

/** Temporal takes IDs of at most 1,000 bytes. */
const MAX_WORKFLOW_ID = 1_000;

function isWorkflowId(value: unknown): value is string {
  return isText(value, MAX_WORKFLOW_ID) && value !== '';
}
