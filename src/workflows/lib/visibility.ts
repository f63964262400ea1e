import { log, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { keyword, type KeywordAttribute, type KeywordListAttribute } from '../../contract/attributes.ts';
import { callIdOf } from '../../contract/call-id.ts';
import { SEARCH_ATTRIBUTE, type Action } from '../../contract/names.ts';
import { countOperation } from './metrics.ts';

/** Sets the attributes that the starter has not set, which costs an event. Our client sets all of them. */
export function ensureAttributes(wanted: readonly (KeywordAttribute | KeywordListAttribute)[]): void {
  const present = workflowInfo().typedSearchAttributes;
  const missing = wanted.filter(({ key, value }) => String(present.get(key) ?? []) !== String(value));
  if (missing.length > 0) upsertSearchAttributes(missing);
}

/** `Confirmed`, `Cancelled` or the type of the failure. */
export function recordOutcome(outcome: string): void {
  upsertSearchAttributes([keyword(SEARCH_ATTRIBUTE.outcome, outcome)]);
}

/**
 * What stays of an operation that ends, for lists, metrics and logs. The line of the log has its workflow and run
 * beside these fields, and a replay writes it no second time.
 */
export function recordOperation(action: Action, outcome: string, fields: Readonly<Record<string, unknown>>): void {
  countOperation(action, outcome);
  log.info('operation has ended', { callId: callIdOf(workflowInfo().workflowId), action, outcome, ...fields });
  recordOutcome(outcome);
}
