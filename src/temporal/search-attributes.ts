import type { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTE_TYPE } from '../contract/names.ts';
import { OperatorError } from '../operator-error.ts';

/** `temporal.api.enums.v1.IndexedValueType` */
const INDEXED_VALUE_TYPE = { Keyword: 2, KeywordList: 7 } as const;

type Attribute = [name: string, type: keyof typeof INDEXED_VALUE_TYPE];

const ATTRIBUTES: readonly Attribute[] = Object.entries(SEARCH_ATTRIBUTE_TYPE);

/** What both kinds of connection to Temporal, the client's and the worker's, have of each other. */
export type OperatorConnection = Pick<Connection, 'operatorService'>;

/** Thrown where operations could not be shown in Temporal's lists, and would not even start. */
class SearchAttributesError extends OperatorError {
  override readonly name = 'SearchAttributesError';

  constructor(namespace: string, faults: AttributeFaults, cause: unknown) {
    super(`${faultOf(namespace, faults)}, and they could not be registered from here. ${REMEDY}`, { cause });
  }
}

const REMEDY =
  'Have `call-moderation setup` run by somebody who may, with the TEMPORAL_* variables of this deployment; on Temporal Cloud, add them in its web console.';

/** Those of our search attributes that a namespace does not have as operations need them. */
interface AttributeFaults {
  missing: readonly Attribute[];
  /** Registered with another type. */
  mistyped: readonly Attribute[];
}

function faultOf(namespace: string, { missing, mistyped }: AttributeFaults): string {
  const named = (attributes: readonly Attribute[]): string =>
    attributes.map(([name, type]) => `${name} (${type})`).join(', ');
  const faults = [
    ...(missing.length > 0 ? [`lacks ${named(missing)}`] : []),
    ...(mistyped.length > 0 ? [`has ${named(mistyped)} with another type: remove them first`] : []),
  ];
  return `Operations need search attributes, and namespace ${namespace} ${faults.join(', and ')}`;
}

/** What is wrong with the search attributes of a namespace, in a sentence's beginning; nothing where nothing is. */
export async function searchAttributesFault(
  { operatorService }: OperatorConnection,
  namespace: string,
): Promise<string | undefined> {
  const faults = await look(operatorService, namespace);
  return faults.missing.length + faults.mistyped.length === 0 ? undefined : faultOf(namespace, faults);
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
      searchAttributes: Object.fromEntries(missing.map(([name, type]) => [name, INDEXED_VALUE_TYPE[type]])),
    });
  } catch (error) {
    // Another worker may have been faster.
    const still = await look(operatorService, namespace);
    if (still.missing.length > 0) throw new SearchAttributesError(namespace, still, error);
  }
  return missing.map(([name]) => name);
}

async function look(
  operatorService: OperatorConnection['operatorService'],
  namespace: string,
): Promise<AttributeFaults> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const typeOf = (name: string): number => customAttributes?.[name] ?? 0;
  return {
    missing: ATTRIBUTES.filter(([name]) => typeOf(name) === 0),
    mistyped: ATTRIBUTES.filter(([name, type]) => ![0, INDEXED_VALUE_TYPE[type]].includes(typeOf(name))),
  };
}
