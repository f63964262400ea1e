import { isFields } from './check.ts';
import type { Action } from './names.ts';
import { checkRequest, ON_CONFLICT, type ModerationRequest, type OnConflict } from './request.ts';
import { targetKind } from './target.ts';

/**
 * The input of the workflow behind the Nexus operations `mute`, `unmute` and `muteParticipants`. It contains what the caller
 * sent, unread: the workflow checks it, so that an invalid request fails as every other failure does. A Nexus handler could only
 * return such a failure with another one around it.
 */

const OPERATIONS = ['mute', 'unmute', 'muteParticipants'] as const;

/** The Nexus operations that order an operation on a call. */
export type OrderedOperation = (typeof OPERATIONS)[number];

/** A failure that was found before there was anything to wait for. */
export interface Refusal {
  type: string;
  message: string;
  /** As the client's error has them. */
  details: object;
}

/** What was asked for, or why nothing is done. */
export type NexusOrder = { operation: OrderedOperation; input: unknown } | { refusal: Refusal };

export interface ReadOrder {
  action: Action;
  request: ModerationRequest;
  onConflict?: OnConflict;
}

/** Whatever a raw starter passes is read to one of the three. */
export type Read = { order: ReadOrder } | { refusal: Refusal } | { issues: readonly string[] };

export function readNexusOrder(given: unknown): Read {
  const { operation, input, refusal } = isFields(given) ? given : {};
  if (isRefusal(refusal)) return { refusal };
  const named = OPERATIONS.find((name) => name === operation);
  if (named === undefined) return { issues: [`operation must be one of ${OPERATIONS.join(', ')}`] };
  const { onConflict, rest } = isFields(input) ? withoutConflict(input) : { rest: input };
  const action = named === 'unmute' ? 'unmute' : 'mute';
  const checked = checkRequest(rest, action);
  const chosen = ON_CONFLICT.find((name) => name === onConflict);
  const issues = [
    ...(checked.ok ? issuesOfTarget(named, checked.request) : checked.issues),
    ...(onConflict === undefined || chosen !== undefined
      ? []
      : [`onConflict must be one of ${ON_CONFLICT.join(', ')}`]),
  ];
  if (!checked.ok || issues.length > 0) return { issues };
  return { order: { action, request: checked.request, ...(chosen !== undefined && { onConflict: chosen }) } };
}

function withoutConflict({ onConflict, ...rest }: Readonly<Record<string, unknown>>): {
  onConflict: unknown;
  rest: unknown;
} {
  return { onConflict, rest };
}

function isRefusal(value: unknown): value is Refusal {
  return (
    isFields(value) &&
    typeof value['type'] === 'string' &&
    typeof value['message'] === 'string' &&
    isFields(value['details'])
  );
}

/** Each operation has one kind of result, so the target must be of its kind. */
function issuesOfTarget(operation: OrderedOperation, { target }: ModerationRequest): string[] {
  const isOfOthers = targetKind(target) !== 'self';
  if (operation === 'mute' && isOfOthers)
    return ['target is for the operation muteParticipants; call that one, or leave target out'];
  if (operation === 'muteParticipants' && !isOfOthers)
    return [
      "target must be 'others', { others: { except: […] } } or { participantIds: […] }; call mute for the application itself",
    ];
  return [];
}
