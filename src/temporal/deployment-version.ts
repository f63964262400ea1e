import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import { OperatorError } from '../lib/operator-error.ts';
import { reasonOf } from '../lib/error-reason.ts';

/**
 * Worker Deployment Versioning: with it an operation stays on the build that it began on (it is pinned), new ones begin
 * on the deployment's current version, and an old build is ended once it has drained. A build that only polls gets
 * nothing: somebody has to make it the current one.
 */

/** A build of the workers, as Temporal's Worker Deployment Versioning knows it. */
export interface DeploymentVersion {
  deploymentName: string;
  buildId: string;
}

/** What both kinds of connection to Temporal have of each other. */
export type WorkflowConnection = Pick<Connection, 'workflowService'>;

/** Thrown if a build cannot be made the current one, with what to do. */
export class DeploymentVersionError extends OperatorError {
  override readonly name = 'DeploymentVersionError';
}

/** The build that new operations begin on; `undefined` if none is set, or the deployment is unknown. */
export async function currentBuildOf(
  { workflowService }: WorkflowConnection,
  namespace: string,
  deploymentName: string,
): Promise<string | undefined> {
  try {
    const { workerDeploymentInfo } = await workflowService.describeWorkerDeployment({ namespace, deploymentName });
    return workerDeploymentInfo?.routingConfig?.currentDeploymentVersion?.buildId || undefined;
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return undefined;
    throw error;
  }
}

/** A worker is known to Temporal only a little after it has begun to poll. */
const KNOWN_WITHIN_MS = 30_000;

/**
 * Makes a build the one that new operations begin on. Temporal refuses one that nobody runs, or that does not poll the
 * queues that the current one polls.
 *
 * @returns the build that was the current one before
 * @throws {DeploymentVersionError}
 */
export async function setCurrentBuild(
  connection: WorkflowConnection,
  namespace: string,
  { deploymentName, buildId }: DeploymentVersion,
  withinMs = KNOWN_WITHIN_MS,
): Promise<string | undefined> {
  const { workflowService } = connection;
  const before = await currentBuildOf(connection, namespace, deploymentName);
  if (before === buildId) return before;
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      await workflowService.setWorkerDeploymentCurrentVersion({ namespace, deploymentName, buildId });
      return before;
    } catch (error) {
      const isEarly = [NOT_FOUND, FAILED_PRECONDITION].includes(codeOf(error) ?? 0);
      if (!isEarly) throw error;
      if (Date.now() > deadline) {
        throw new DeploymentVersionError(
          `Build ${buildId} of deployment ${deploymentName} cannot be made the current one: ${reasonOf(error)}. ` +
            'Start a worker with this MODERATION_DEPLOYMENT_NAME and MODERATION_BUILD_ID first, and wait until it polls.',
          { cause: error },
        );
      }
    }
    await sleep(500);
  }
}

/** `grpc.status`. */
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;

function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}
