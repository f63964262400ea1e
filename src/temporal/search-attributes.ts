import { isGrpcServiceError, type Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTE_TYPE } from '../contract/names.ts';
import { OperatorError } from '../lib/operator-error.ts';

/** `temporal.api.enums.v1.IndexedValueType` */
const INDEXED_VALUE_TYPE = { Keyword: 2, KeywordList: 7 } as const;

type Attribute = [name: string, type: keyof typeof INDEXED_VALUE_TYPE];

const ATTRIBUTES: readonly Attribute[] = Object.entries(SEARCH_ATTRIBUTE_TYPE);

/** What both kinds of connection to Temporal, the client's and the worker's, have of each other. */
export type OperatorConnection = Pick<Connection, 'operatorService' | 'workflowService'>;

/** Thrown where operations could not be shown in Temporal's lists, and would not even start. */
class SearchAttributesError extends OperatorError {
  override readonly name = 'SearchAttributesError';

  constructor(namespace: string, faults: AttributeFaults, cause: unknown) {
    super(`${faultOf(namespace, faults)}, and this process could not register them. ${REMEDY}`, { cause });
  }
}

/** Thrown if Temporal does not show this process whether they exist. */
export class SearchAttributesNotShown extends OperatorError {
  override readonly name = 'SearchAttributesNotShown';

  constructor(namespace: string) {
    super(
      `Temporal does not show this process whether namespace ${namespace} has the search attributes that operations need: ` +
        `${ATTRIBUTES.map(([name, type]) => `${name} (${type})`).join(', ')}. If one is missing, no operation starts. ${REMEDY}`,
    );
  }
}

const REMEDY =
  'Run `call-moderation setup` with the permission to register them and with the TEMPORAL_* variables of this deployment; on Temporal Cloud, add them in its web console.';

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
  return `Operations need search attributes, but namespace ${namespace} ${faults.join(', and ')}`;
}

/** The issues of a namespace's search attributes, as the beginning of a sentence; `undefined` if there are none. */
export async function searchAttributesFault(
  connection: OperatorConnection,
  namespace: string,
): Promise<string | undefined> {
  const faults = await look(connection, namespace);
  if (faults === 'not shown') throw new SearchAttributesNotShown(namespace);
  return faults.missing.length + faults.mistyped.length === 0 ? undefined : faultOf(namespace, faults);
}

/**
 * Sees to it that the namespace has our search attributes. Without them no workflow task of an operation would ever
 * succeed, so this comes before a worker polls.
 *
 * @returns the names that were registered just now
 * @throws {SearchAttributesError} where some are missing and may not be registered from here
 * @throws {SearchAttributesNotShown} where Temporal does not show them
 */
export async function ensureSearchAttributes(connection: OperatorConnection, namespace: string): Promise<string[]> {
  const faults = await look(connection, namespace);
  if (faults === 'not shown') throw new SearchAttributesNotShown(namespace);
  if (faults.mistyped.length > 0) throw new SearchAttributesError(namespace, faults, undefined);
  const { missing } = faults;
  if (missing.length === 0) return [];
  try {
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map(([name, type]) => [name, INDEXED_VALUE_TYPE[type]])),
    });
  } catch (error) {
    // Another worker may have been faster.
    const still = await look(connection, namespace);
    if (still !== 'not shown' && still.missing.length > 0) throw new SearchAttributesError(namespace, still, error);
  }
  return missing.map(([name]) => name);
}

/** The operator service is not for everyone: Temporal Cloud has none, and a key of a namespace may not ask it. */
const NOT_SHOWN: ReadonlySet<unknown> = new Set([7, 12]);

/** The namespace's own description lists the names, and no types, where the operator service does not answer. */
async function look(connection: OperatorConnection, namespace: string): Promise<AttributeFaults | 'not shown'> {
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const typeOf = (name: string): number => customAttributes?.[name] ?? 0;
    return {
      missing: ATTRIBUTES.filter(([name]) => typeOf(name) === 0),
      mistyped: ATTRIBUTES.filter(([name, type]) => ![0, INDEXED_VALUE_TYPE[type]].includes(typeOf(name))),
    };
  } catch (error) {
    if (!isGrpcServiceError(error) || !NOT_SHOWN.has(error.code)) throw error;
    const { config } = await connection.workflowService.describeNamespace({ namespace });
    const names = new Set(Object.values(config?.customSearchAttributeAliases ?? {}));
    return ATTRIBUTES.every(([name]) => names.has(name)) ? { missing: [], mistyped: [] } : 'not shown';
  }
}
