import type { Action } from './names.ts';
import { DEFAULT_CONFIRM_WITHIN_SECONDS, type ModerationRequest } from './request.ts';
import { kindOf } from './target.ts';

/**
 * How an operation introduces itself in Temporal's UI. The summary stands at its head, the details in its user metadata;
 * both are set at the start and never change (https://docs.temporal.io/develop/typescript/platform/enriching-ui). A
 * summary may have 200 bytes: a call ID has at most 128.
 */
export function summaryOf(action: Action, { callId, target }: ModerationRequest): string {
  const verb = action === 'mute' ? 'Mute' : 'Unmute';
  return kindOf(target) === 'self' ? `${verb} call ${callId}` : `${verb} ${kindOf(target)} in call ${callId}`;
}

/** What was asked for, by whom and why, as Markdown. */
export function detailsOf(action: Action, request: ModerationRequest): string {
  const { callId, tenantId, requestedBy, reason, onUnconfirmed } = request;
  const seconds = request.confirmWithinSeconds ?? DEFAULT_CONFIRM_WITHIN_SECONDS;
  const isOfSelf = kindOf(request.target) === 'self';
  const otherwise = onUnconfirmed === 'leave' ? 'left as it is' : 'put back as it was';
  const undone = isOfSelf ? `otherwise the call is ${otherwise}` : 'nobody is unmuted again, for Graph cannot';
  const rows = [
    `${action === 'mute' ? 'Mutes' : 'Unmutes'} ${whom(request)} in call ${code(callId)}.`,
    tenantId === undefined ? undefined : `Tenant: ${code(tenantId)}`,
    requestedBy === undefined ? undefined : `Asked by: ${code(requestedBy)}`,
    reason === undefined ? undefined : `Reason: ${code(reason)}`,
    `Done when the roster shows it within ${seconds} s of Graph's acceptance; ${undone}.`,
  ];
  return rows.filter((row) => row !== undefined).join('\n\n');
}

function whom({ target }: ModerationRequest): string {
  if (target === undefined || target === 'self') return 'the application';
  if (target === 'others') return 'everyone but the application';
  if ('participantIds' in target) return `${target.participantIds.length} participants`;
  return `everyone but the application and ${target.others.except.length} others`;
}

/** Text of others as Markdown that shows just this text: whoever asks does not format the page of whoever looks. */
export function code(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').replaceAll('`', "'").trim();
  return line === '' ? '(empty)' : `\`${line}\``;
}

/** Until when something on a call lasts. */
export function lastsUntil(until: string | undefined): string {
  return until === undefined ? 'until it is released' : `until ${until}`;
}
