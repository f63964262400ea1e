import type { Action } from './names.ts';
import { DEFAULT_CONFIRM_WITHIN_SECONDS, type ModerationRequest } from './request.ts';
import { targetKind } from './target.ts';

/**
 * The texts of an operation in Temporal's UI. The summary stands at its head, the details in its user
 * metadata; both are set at the start and never change
 * (https://docs.temporal.io/develop/typescript/platform/enriching-ui). A summary may have 200 bytes: a call ID has at
 * most 128.
 */
export function operationSummary(action: Action, { callId, target }: ModerationRequest): string {
  const verb = action === 'mute' ? 'Mute' : 'Unmute';
  return targetKind(target) === 'self' ? `${verb} call ${callId}` : `${verb} ${targetKind(target)} in call ${callId}`;
}

/** The request, its requester and its reason, as Markdown. */
export function operationDescription(action: Action, request: ModerationRequest): string {
  const { callId, tenantId, requestedBy, reason, onUnconfirmed } = request;
  const seconds = request.confirmWithinSeconds ?? DEFAULT_CONFIRM_WITHIN_SECONDS;
  const isOfSelf = targetKind(request.target) === 'self';
  const otherwise = onUnconfirmed === 'leave' ? 'left as it is' : 'put back as it was';
  const undone = isOfSelf
    ? `otherwise the call is ${otherwise}`
    : 'nobody is unmuted again, because Graph cannot unmute others';
  const rows = [
    `${action === 'mute' ? 'Mutes' : 'Unmutes'} ${whom(request)} in call ${code(callId)}.`,
    tenantId === undefined ? undefined : `Tenant: ${code(tenantId)}`,
    requestedBy === undefined ? undefined : `Requested by: ${code(requestedBy)}`,
    reason === undefined ? undefined : `Reason: ${code(reason)}`,
    `Done when the roster shows it within ${seconds} s of Graph's acceptance; ${undone}.`,
  ];
  return rows.filter((row) => row !== undefined).join('\n\n');
}

function whom({ target }: ModerationRequest): string {
  if (target === undefined || target === 'self') return 'the application';
  if (target === 'others') return 'everyone except the application';
  if ('participantIds' in target) return `${target.participantIds.length} participants`;
  return `everyone except the application and ${target.others.except.length} others`;
}

/** Foreign text as Markdown that shows exactly this text, so that a request cannot format the page of a reader. */
export function code(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').replaceAll('`', "'").trim();
  return line === '' ? '(empty)' : `\`${line}\``;
}

/** The end of a standing mute, in words. */
export function lastsUntil(until: string | undefined): string {
  return until === undefined ? 'until it is released' : `until ${until}`;
}
