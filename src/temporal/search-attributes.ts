import type { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTE_TYPE } from '../contract/names.ts';

/** `temporal.api.enums.v1.IndexedValueType` */
const INDEXED_VALUE_TYPE = { Keyword: 2, KeywordList: 7 } as const;

type Attribute = [name: string, type: keyof typeof INDEXED_VALUE_TYPE];

const ATTRIBUTES: readonly Attribute[] = Object.entries(SEARCH_ATTRIBUTE_TYPE);

/** What both kinds of connection to Temporal, the client's and the worker's, have of each other. */
export type OperatorConnection = Pick<Connection, 'operatorService'>;

/** Thrown where operations could not be shown in Temporal's lists, and would not even start. */
class SearchAttributesError extends Error {
  override readonly name = 'SearchAttributesError';

  constructor(namespace: string, missing: readonly Attribute[], cause: unknown) {
    const flags = missing.map(([name, type]) => `--name ${name} --type ${type}`).join(' ');
    super(
      `Namespace ${namespace} lacks search attributes that operations need, and they could not be registered from here. ` +
        `Have this run by somebody who may: temporal operator search-attribute create --namespace ${namespace} ${flags}`,
      { cause },
    );
  }
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
  const missing = await missingAttributes(operatorService, namespace);
  if (missing.length === 0) return [];
  try {
    await operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map(([name, type]) => [name, INDEXED_VALUE_TYPE[type]])),
    });
  } catch (error) {
    // Another worker may have been faster.
    const still = await missingAttributes(operatorService, namespace);
    if (still.length > 0) throw new SearchAttributesError(namespace, still, error);
  }
  return missing.map(([name]) => name);
}

async function missingAttributes(
  operatorService: OperatorConnection['operatorService'],
  namespace: string,
): Promise<Attribute[]> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  return ATTRIBUTES.filter(([name, type]) => Number(customAttributes?.[name]) !== INDEXED_VALUE_TYPE[type]);
}
