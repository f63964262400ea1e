import { log, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { keyword, type KeywordAttribute } from '../contract/attributes.ts';
import { callIdOf } from '../contract/call-id.ts';
import { SEARCH_ATTRIBUTE, type Action } from '../contract/names.ts';
import { countOperation } from './metrics.ts';

/** Sets what the starter has not set, which costs an event; nothing where a client of ours has started the run. */
export function ensureAttributes(wanted: readonly KeywordAttribute[]): void {
  const present = workflowInfo().typedSearchAttributes;
  const missing = wanted.filter(({ key, value }) => present.get(key) !== value);
  if (missing.length > 0) upsertSearchAttributes(missing);
}

/**
 * What stays of an operation that ends, for lists, metrics and logs: `Confirmed`, `Cancelled` or the type of the failure.
 * The line of the log has its workflow and run beside these fields, and a replay writes it no second time.
 */
export function recordOutcome(action: Action, outcome: string, fields: Readonly<Record<string, unknown>>): void {
  countOperation(action, outcome);
  log.info('operation has ended', { callId: callIdOf(workflowInfo().workflowId), action, outcome, ...fields });
  upsertSearchAttributes([keyword(SEARCH_ATTRIBUTE.outcome, outcome)]);
}
