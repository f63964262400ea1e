import type { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTE } from '../contract/names.ts';

/** `temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD` */
const KEYWORD = 2;

const NAMES = Object.values(SEARCH_ATTRIBUTE);

/** What both kinds of connection to Temporal, the client's and the worker's, have of each other. */
export type OperatorConnection = Pick<Connection, 'operatorService'>;

/** Thrown where operations could not be shown in Temporal's lists, and would not even start. */
class SearchAttributesError extends Error {
  override readonly name = 'SearchAttributesError';

  constructor(namespace: string, { missing, mistyped }: AttributeFaults, cause: unknown) {
    super(`${faultOf(namespace, missing, mistyped)}, and they could not be registered from here. ${REMEDY}`, { cause });
  }
}

const REMEDY =
  'Have `call-moderation setup` run by somebody who may, with the TEMPORAL_* variables of this deployment; on Temporal Cloud, add them in its web console.';

/** Those of our search attributes that a namespace does not have as operations need them. */
interface AttributeFaults {
  missing: readonly string[];
  /** Registered with another type than Keyword. */
  mistyped: readonly string[];
}

function faultOf(namespace: string, missing: readonly string[], mistyped: readonly string[]): string {
  const faults = [
    ...(missing.length > 0 ? [`lacks ${missing.join(', ')}`] : []),
    ...(mistyped.length > 0 ? [`has ${mistyped.join(', ')} with another type than Keyword: remove them first`] : []),
  ];
  return `Operations need search attributes of type Keyword, and namespace ${namespace} ${faults.join(', and ')}`;
}

/** What is wrong with the search attributes of a namespace, in a sentence's beginning; nothing where nothing is. */
export async function searchAttributesFault(
  { operatorService }: OperatorConnection,
  namespace: string,
): Promise<string | undefined> {
  const { missing, mistyped } = await look(operatorService, namespace);
  return missing.length + mistyped.length === 0 ? undefined : faultOf(namespace, missing, mistyped);
}

/**
 * Sees to it that the namespace has our search attributes. Without them no workflow task of an operation would ever
 * succeed, so this comes before a worker polls.
 *
 * @returns the names that were registered just now
 * @throws {SearchAttributesError} where some are missing and may not be registered from here
 */
export async function ensureSearchAttributes(
  { operatorService }: OperatorConnection,
  namespace: string,
): Promise<string[]> {
  const faults = await look(operatorService, namespace);
  if (faults.mistyped.length > 0) throw new SearchAttributesError(namespace, faults, undefined);
  const { missing } = faults;
  if (missing.length === 0) return [];
  try {
    await operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
    });
  } catch (error) {
    // Another worker may have been faster.
    const still = await look(operatorService, namespace);
    if (still.missing.length > 0) throw new SearchAttributesError(namespace, still, error);
  }
  return [...missing];
}

async function look(
  operatorService: OperatorConnection['operatorService'],
  namespace: string,
): Promise<AttributeFaults> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const typeOf = (name: string): number => customAttributes?.[name] ?? 0;
  return {
    missing: NAMES.filter((name) => typeOf(name) === 0),
    mistyped: NAMES.filter((name) => typeOf(name) !== 0 && typeOf(name) !== KEYWORD),
  };
}
