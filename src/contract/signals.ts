import { isAction, type Action } from './names.ts';
import { checkRequest, type ModerationRequest } from './request.ts';

/** One participant of a roster, as much of it as an operation needs. */
export interface RosterEntry {
  id: string;
  isMuted: boolean;
  /** Of the audio stream, where the roster tells it. */
  serverMuted?: boolean;
  /** Place in the roster's order of changes, where the roster carries one. */
  sequence?: number;
  /** Left or was removed: the state is history. */
  removed?: boolean;
}

/** Payload of `rosterUpdated`. */
export interface RosterUpdate {
  participants: RosterEntry[];
  /** Order of the notification among its like (delta rosters). */
  sequenceNumber?: number;
  /** Whether the roster lists everyone (up to Graph's 100) or only what changed. */
  full: boolean;
}

/** Payload of `callEnded`: Graph's `resultInfo`. */
export interface CallEnd {
  code?: number | string;
  subcode?: number | string;
  message?: string;
}

/** Payload of `operationUpdated`: a `commsOperation` that went on after Graph had answered the POST. */
export interface OperationUpdate {
  operationId: string;
  clientContext?: string;
  /** Graph's status in lower case: `notstarted`, `running`, `completed` or `failed`. */
  status: string;
  code?: number | string;
  subcode?: number | string;
  message?: string;
}

/** Payload of `supersede`: the operation that takes over. */
export interface Successor {
  action: Action;
  request: ModerationRequest;
  /** Of the starter's choice; stands in the memo of the run that takes over, so that its starter knows it. */
  id?: string;
  /** When it was asked for, in ms since the epoch; the arrival of the signal if absent. */
  wishedAt?: number;
  /** ID of a workflow that hears when the superseded run, and later the successor, ends. */
  watcher?: string;
}

/** Payload of `watch`: the workflow that hears when the operation ends. */
export interface Watch {
  workflowId: string;
}

/** Payload of `operationEnded`, which an operation sends to its watchers. */
export interface OperationEnded {
  runId: string;
}

/*
 * What follows reads a payload that may come from anyone. `undefined` means that it does not fit; a field that does not
 * fit in an otherwise good payload is refused with it, for half of a signal is worse than none.
 */

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOptional(value: unknown, ...types: readonly string[]): boolean {
  return value === undefined || value === null || types.includes(typeof value);
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 256;
}

function toEntry(value: unknown): RosterEntry | undefined {
  if (!isFields(value) || !isId(value['id']) || typeof value['isMuted'] !== 'boolean') return undefined;
  const { id, isMuted, serverMuted, sequence, removed } = value;
  if (!isOptional(serverMuted, 'boolean') || !isOptional(sequence, 'number') || !isOptional(removed, 'boolean')) {
    return undefined;
  }
  return {
    id,
    isMuted,
    ...(typeof serverMuted === 'boolean' && { serverMuted }),
    ...(typeof sequence === 'number' && { sequence }),
    ...(removed === true && { removed }),
  };
}

export function toRosterUpdate(value: unknown): RosterUpdate | undefined {
  if (!isFields(value) || typeof value['full'] !== 'boolean' || !Array.isArray(value['participants'])) return undefined;
  const { full, sequenceNumber } = value;
  if (!isOptional(sequenceNumber, 'number')) return undefined;
  const participants: RosterEntry[] = [];
  for (const item of value['participants'] as unknown[]) {
    const entry = toEntry(item);
    if (entry === undefined) return undefined;
    participants.push(entry);
  }
  return { participants, full, ...(typeof sequenceNumber === 'number' && { sequenceNumber }) };
}

function reasonOf({ code, subcode, message }: Fields): CallEnd | undefined {
  if (!isOptional(code, 'number', 'string') || !isOptional(subcode, 'number', 'string')) return undefined;
  if (!isOptional(message, 'string')) return undefined;
  return {
    ...((typeof code === 'number' || typeof code === 'string') && { code }),
    ...((typeof subcode === 'number' || typeof subcode === 'string') && { subcode }),
    ...(typeof message === 'string' && { message }),
  };
}

/** A call may end without a reason, so no payload at all fits too. */
export function toCallEnd(value: unknown): CallEnd | undefined {
  if (value === undefined || value === null) return {};
  return isFields(value) ? reasonOf(value) : undefined;
}

export function toOperationUpdate(value: unknown): OperationUpdate | undefined {
  if (!isFields(value) || !isId(value['operationId']) || typeof value['status'] !== 'string') return undefined;
  const { operationId, status, clientContext } = value;
  const reason = reasonOf(value);
  if (reason === undefined || !isOptional(clientContext, 'string')) return undefined;
  return {
    operationId,
    status: status.toLowerCase(),
    ...reason,
    ...(typeof clientContext === 'string' && { clientContext }),
  };
}

export function toSuccessor(value: unknown): Successor | undefined {
  if (!isFields(value) || !isAction(value['action'])) return undefined;
  const { action, id, wishedAt, watcher } = value;
  const checked = checkRequest(value['request'], action);
  if (!checked.ok || !isOptional(id, 'string') || !isOptional(wishedAt, 'number')) return undefined;
  if (!isOptional(watcher, 'string')) return undefined;
  return {
    action,
    request: checked.request,
    ...(typeof id === 'string' && { id: id.slice(0, 128) }),
    ...(typeof wishedAt === 'number' && { wishedAt }),
    ...(isWorkflowId(watcher) && { watcher }),
  };
}

export function toWatch(value: unknown): Watch | undefined {
  return isFields(value) && isWorkflowId(value['workflowId']) ? { workflowId: value['workflowId'] } : undefined;
}

export function toOperationEnded(value: unknown): OperationEnded | undefined {
  return isFields(value) && isId(value['runId']) ? { runId: value['runId'] } : undefined;
}

/** Temporal takes IDs of at most 1,000 bytes. */
function isWorkflowId(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 1_000;
}
