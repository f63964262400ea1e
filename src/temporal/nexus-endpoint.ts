import { isGrpcServiceError } from '@temporalio/client';
import { OperatorError } from '../lib/operator-error.ts';
import type { OperatorConnection } from './search-attributes.ts';

/** The Nexus endpoint by which callers reach the workers: a name, valid in the whole cluster, for a namespace and a task queue. */

export interface EndpointTarget {
  namespace: string;
  taskQueue: string;
}

/** gRPC's `ALREADY_EXISTS`, `PERMISSION_DENIED` and `UNIMPLEMENTED`. */
const GRPC = { alreadyExists: 6, permissionDenied: 7, unimplemented: 12 } as const;

const BY_HAND =
  'Create it with the credentials of an operator of the cluster, or, on Temporal Cloud, in its web console, with `tcld` or with Terraform.';

/** Thrown if the name is in use for other workers. */
class EndpointTaken extends OperatorError {
  override readonly name = 'EndpointTaken';

  constructor(name: string, fault: string) {
    super(
      `Nothing was changed: ${fault}. Choose another name, or delete it: temporal operator nexus endpoint delete --name ${name}`,
    );
  }
}

/** Thrown if Temporal does not let us see or create endpoints. */
export class EndpointNotShown extends OperatorError {
  override readonly name = 'EndpointNotShown';

  constructor(name: string, target: EndpointTarget, cause: unknown) {
    const { namespace, taskQueue } = target;
    super(
      `Temporal does not show Nexus endpoints from here, so ${name} (namespace ${namespace}, task queue ${taskQueue}) could be neither checked nor created. ${BY_HAND}`,
      { cause },
    );
  }
}

/** What is wrong with the endpoint; undefined if it leads to the target. */
export async function endpointFault(
  connection: OperatorConnection,
  name: string,
  target: EndpointTarget,
): Promise<string | undefined> {
  const found = await targetOf(connection, name, target);
  if (found === undefined) return `there is no Nexus endpoint ${name}`;
  return found === 'other' ? `Nexus endpoint ${name} leads to a URL, not to workers` : faultOf(name, found, target);
}

/**
 * Creates the endpoint unless it is there.
 *
 * @returns whether it was created just now
 * @throws {EndpointTaken} if it leads elsewhere
 * @throws {EndpointNotShown}
 */
export async function ensureEndpoint(
  connection: OperatorConnection,
  name: string,
  target: EndpointTarget,
): Promise<boolean> {
  if ((await targetOf(connection, name, target)) === undefined && (await create(connection, name, target))) return true;
  const fault = await endpointFault(connection, name, target);
  if (fault !== undefined) throw new EndpointTaken(name, fault);
  return false;
}

/** False if somebody else was faster. */
async function create(connection: OperatorConnection, name: string, target: EndpointTarget): Promise<boolean> {
  try {
    await connection.operatorService.createNexusEndpoint({ spec: { name, target: { worker: target } } });
    return true;
  } catch (error) {
    if (statusOf(error) === GRPC.alreadyExists) return false;
    throw notShown(error, name, target);
  }
}

async function targetOf(
  connection: OperatorConnection,
  name: string,
  target: EndpointTarget,
): Promise<EndpointTarget | 'other' | undefined> {
  try {
    const { endpoints } = await connection.operatorService.listNexusEndpoints({ name });
    const spec = endpoints?.[0]?.spec;
    if (spec === undefined || spec === null) return undefined;
    const { namespace, taskQueue } = spec.target?.worker ?? {};
    return typeof namespace === 'string' && typeof taskQueue === 'string' ? { namespace, taskQueue } : 'other';
  } catch (error) {
    throw notShown(error, name, target);
  }
}

function statusOf(error: unknown): number | undefined {
  return isGrpcServiceError(error) ? error.code : undefined;
}

function notShown(error: unknown, name: string, target: EndpointTarget): unknown {
  const code = statusOf(error);
  const isRefused = code === GRPC.permissionDenied || code === GRPC.unimplemented;
  return isRefused ? new EndpointNotShown(name, target, error) : error;
}

function faultOf(name: string, found: EndpointTarget, target: EndpointTarget): string | undefined {
  if (found.namespace === target.namespace && found.taskQueue === target.taskQueue) return undefined;
  return `Nexus endpoint ${name} leads to task queue ${found.taskQueue} of namespace ${found.namespace}, and not to ${target.taskQueue} of ${target.namespace}`;
}
