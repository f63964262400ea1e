import { PENDING, SEARCH_ATTRIBUTE, type Action } from './names.ts';
import type { ModerationRequest } from './request.ts';
import { targetKind } from './target.ts';

/** A search attribute as Temporal's SDK takes it (`typedSearchAttributes`). */
export interface KeywordAttribute {
  key: { name: string; type: 'KEYWORD' };
  value: string;
}

/** One that holds several words. */
export interface KeywordListAttribute {
  key: { name: string; type: 'KEYWORD_LIST' };
  value: string[];
}

export function keywordList(name: string, value: readonly string[]): KeywordListAttribute {
  return { key: { name, type: 'KEYWORD_LIST' }, value: [...value] };
}

export function keyword(name: string, value: string): KeywordAttribute {
  return { key: { name, type: 'KEYWORD' }, value };
}

/** The search attributes of an operation that starts. Clients set them; a workflow whose starter has not, does. */
export function operationAttributes(
  action: Action,
  { callId, tenantId, requestId, target }: ModerationRequest,
): KeywordAttribute[] {
  const kind = targetKind(target);
  return [
    keyword(SEARCH_ATTRIBUTE.callId, callId),
    keyword(SEARCH_ATTRIBUTE.action, action),
    keyword(SEARCH_ATTRIBUTE.outcome, PENDING),
    ...(tenantId === undefined ? [] : [keyword(SEARCH_ATTRIBUTE.tenantId, tenantId)]),
    ...(requestId === undefined ? [] : [keyword(SEARCH_ATTRIBUTE.requestId, requestId)]),
    ...(kind === 'self' ? [] : [keyword(SEARCH_ATTRIBUTE.target, kind)]),
  ];
}
