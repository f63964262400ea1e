import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { keyword, type KeywordAttribute, type KeywordListAttribute } from '../contract/attributes.ts';
import { SEARCH_ATTRIBUTE } from '../contract/names.ts';

/** Sets what the starter has not set, which costs an event; nothing where a client of ours has started the run. */
export function ensureAttributes(wanted: readonly (KeywordAttribute | KeywordListAttribute)[]): void {
  const present = workflowInfo().typedSearchAttributes;
  const missing = wanted.filter(({ key, value }) => String(present.get(key) ?? []) !== String(value));
  if (missing.length > 0) upsertSearchAttributes(missing);
}

/** `Confirmed`, `Cancelled` or the type of the failure. */
export function recordOutcome(outcome: string): void {
  upsertSearchAttributes([keyword(SEARCH_ATTRIBUTE.outcome, outcome)]);
}
