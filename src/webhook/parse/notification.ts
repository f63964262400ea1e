import type { CallEstablished } from '../../contract/live-call.ts';
import { isCode, type CallEnd, type OperationUpdate, type RosterUpdate } from '../../contract/signals.ts';
import { isFields, type Fields } from '../../contract/check.ts';
import { read, readText, readWord } from '../../lib/fields.ts';
import { toRoster } from './roster.ts';
import { canonicalKey, resourceOf, typeNameOf, type Resource } from './resource-path.ts';

/**
 * Projects one notification to a signal (`contract/signals.ts`). Fields that are not listed here do not leave the
 * webhook: no names, no user IDs, no messages.
 *
 * The type of the data decides the kind of a notification, the path only if there is no type: Graph's pages show
 * rosters under `…/operations/participants` and invitations there as well. Nothing is refused: a notification of an
 * unknown kind is accepted as `unknown`, because Graph may add kinds at any time.
 */
export type Notification =
  | { kind: 'rosterUpdated'; callId: string; payload: RosterUpdate }
  | { kind: 'callEstablished'; callId: string; payload: CallEstablished }
  | { kind: 'callEnded'; callId: string; payload: CallEnd }
  | { kind: 'operationUpdated'; callId: string; payload: OperationUpdate }
  /** Known and irrelevant: another change of the call's state, a tone, shared content. */
  | { kind: 'other'; callId: string }
  | { kind: 'unknown'; callId?: string };

/**
 * The operations that can be a mute or an unmute. The `clientContext` of any other operation is somebody else's, so it
 * stays here.
 */
const MUTE_OPERATIONS: ReadonlySet<string> = new Set([
  'muteparticipantoperation',
  'unmuteparticipantoperation',
  'muteoperation',
  'unmuteoperation',
  'commsoperation',
  'calloperation',
]);

interface Entry {
  entry: Fields;
  data: unknown;
  items: readonly Fields[];
  resource: Resource;
  type: string;
}

export function toNotification(entry: Fields): Notification {
  const data = unwrap(read(entry, 'resourceData'));
  const items = (Array.isArray(data) ? (data as unknown[]) : [data]).filter(isFields);
  const dataPath = items[0] && readText(items[0], '@odata.id');
  const resource = resourceOf([readText(entry, 'resourceUrl'), readText(entry, 'resource'), dataPath]);
  if (resource === undefined) return { kind: 'unknown' };
  const type = items.map(typeNameOf).find((name) => name !== undefined) ?? typeByPath(resource, data);
  return project({ entry, data, items, resource, type });
}

function project(told: Entry): Notification {
  const { type, data, items, resource } = told;
  const { callId } = resource;
  if (type === 'participant' || type === 'deltaparticipants') {
    const payload = toRoster({ data, items, resource, deleted: isDeleted(told) });
    return { kind: 'rosterUpdated', callId, payload };
  }
  if (type === 'call') return callOf(told);
  if (MUTE_OPERATIONS.has(type)) return operationOf(told);
  if (type.endsWith('operation')) return { kind: 'unknown', callId };
  return other(callId);
}

/** The type that follows from the path, if the data has none. */
function typeByPath({ rest: [collection, key] }: Resource, data: unknown): string {
  switch (collection) {
    case undefined:
      return 'call';
    case 'participants':
      return 'participant';
    case 'operations':
      // A misprint in Graph's pages; unlike an operation, it is a list.
      return key?.toLowerCase() === 'participants' && Array.isArray(data) ? 'participant' : 'commsoperation';
    default:
      return collection;
  }
}

function callOf(told: Entry): Notification {
  const { callId } = told.resource;
  const [call = {}] = told.items;
  if (isEnd(told)) return { kind: 'callEnded', callId, payload: readResultInfo(call) };
  // A tone is somebody's key press, in a call that was established long before.
  const isTone = isFields(read(call, 'toneInfo'));
  if (readWord(call, 'state') !== 'established' || isTone) return other(callId);
  return { kind: 'callEstablished', callId, payload: {} };
}

/** `terminating` is not the end: the call may still show the result of a request. */
function isEnd(told: Entry): boolean {
  const [call = {}] = told.items;
  return isDeleted(told) || [readWord(call, 'state'), readWord(call, 'callState')].includes('terminated');
}

function operationOf({ items: [operation = {}], resource }: Entry): Notification {
  const { callId } = resource;
  const operationId = canonicalKey(read(operation, 'id')) ?? keyOfOperation(resource) ?? idInPathOf(operation);
  const status = readWord(operation, 'status');
  // Useless without an ID or without a status.
  if (operationId === undefined || status === undefined) return { kind: 'unknown', callId };
  const clientContext = readText(operation, 'clientContext');
  const payload = {
    operationId,
    ...(clientContext !== undefined && clientContext.length <= 256 && { clientContext }),
    status: status.slice(0, 64),
    ...readResultInfo(operation),
  };
  return { kind: 'operationUpdated', callId, payload };
}

function keyOfOperation({ rest: [collection, key] }: Resource): string | undefined {
  return collection === 'operations' ? canonicalKey(key) : undefined;
}

function idInPathOf(operation: Fields): string | undefined {
  const resource = resourceOf([readText(operation, '@odata.id')]);
  return resource && keyOfOperation(resource);
}

/** Code and subcode of `resultInfo`, which are numbers or strings; its message may name people and stays here. */
function readResultInfo(item: Fields | undefined): CallEnd {
  const info = item && read(item, 'resultInfo');
  if (!isFields(info)) return {};
  const code = codeOf(read(info, 'code'));
  const subcode = codeOf(read(info, 'subcode'));
  return { ...(code !== undefined && { code }), ...(subcode !== undefined && { subcode }) };
}

function codeOf(value: unknown): number | string | undefined {
  return isCode(value) ? value : undefined;
}

function isDeleted({ entry }: Entry): boolean {
  return readWord(entry, 'changeType') === 'deleted';
}

function other(callId: string): Notification {
  return { kind: 'other', callId };
}

/** A collection may come as OData wraps one, `{ value: […] }`. */
function unwrap(data: unknown): unknown {
  if (!isFields(data) || typeNameOf(data) !== undefined) return data;
  const value = read(data, 'value');
  return Array.isArray(value) ? value : data;
}
