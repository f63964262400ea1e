import { z } from 'zod';
import { ENDPOINT_NAME_FAULT, isEndpointName } from '../contract/nexus-endpoint.ts';
import type { Address } from '../lib/address.ts';
import { trimEnvironment, untrimmedFaults, type Environment } from '../lib/environment.ts';
import { proxyFaults } from '../lib/outbound.ts';
import type { DeploymentVersion } from '../temporal/deployment-version.ts';
import { host, port } from './addresses.ts';
import { common, commonOf, type CommonConfig } from './common.ts';
import { versionFaults, versionOf, versionVariables } from './deployment.ts';
import { eventsFaults, eventsOf, eventVariables, type EventsConfig } from './events.ts';
import { graphFaults, graphOf, graphVariables, type GraphConfig } from './graph.ts';
import { azureIdentity, tenants } from './identities.ts';
import { faultsIn, read } from './read.ts';

export interface WorkerConfig extends CommonConfig {
  graph: GraphConfig;
  tenants: ReadonlySet<string> | undefined;
  health: Address;
  /** If present, operations stay on the build that they began on. */
  version: DeploymentVersion | undefined;
  /** Of all workers of the task queue together. */
  maxActivitiesPerSecond: number | undefined;
  /** Of one worker at a time. */
  maxActivities: number | undefined;
  maxWorkflowTasks: number | undefined;
  /** No events are sent if absent. */
  events: EventsConfig | undefined;
  /** Records where workflows wait, for the tab *Call Stack* of Temporal's UI. */
  callStacks: boolean;
  /** The Nexus endpoint that leads to the workers. If absent, they do not serve Nexus. */
  nexusEndpoint: string | undefined;
}

const slots = (min: number) =>
  z
    .string()
    .regex(/^\d{1,4}$/, `must be a whole number from ${min} to 1000`)
    .transform(Number)
    .refine((count) => count >= min && count <= 1_000, `must be a whole number from ${min} to 1000`)
    .optional();

export const worker = common.extend({
  ...graphVariables,
  ...eventVariables,
  ...versionVariables,
  MODERATION_TENANTS: tenants.optional(),
  MODERATION_HEALTH_HOST: host.default('127.0.0.1'),
  MODERATION_HEALTH_PORT: port.default(9_465),
  MODERATION_MAX_ACTIVITIES_PER_SECOND: z
    .string()
    .regex(/^(?=.*[1-9])\d{1,6}(\.\d{1,3})?$/, 'must be a number above 0, such as 500 or 0.5')
    .transform(Number)
    .optional(),
  MODERATION_MAX_ACTIVITIES: slots(1),
  // The SDK needs two: one for the queue, one for the runs that it has in its cache.
  MODERATION_MAX_WORKFLOW_TASKS: slots(2),
  MODERATION_CALL_STACKS: z.enum(['true', 'false'], 'must be true or false').default('false'),
  MODERATION_NEXUS_ENDPOINT: z.string().refine(isEndpointName, ENDPOINT_NAME_FAULT).optional(),
});

export function loadWorkerConfig(env: Environment): WorkerConfig {
  const given = trimEnvironment(env);
  const faults = [...graphFaults(given), ...versionFaults(given), ...eventsFaults(given), ...proxyFaults(given)];
  // A fixed token is shown instead of what `@azure/identity` would get.
  if (given['MODERATION_GRAPH_TOKEN'] === undefined) {
    faults.push(...untrimmedFaults(env, 'identity'), ...faultsIn(azureIdentity.safeParse(given).error));
  }
  const { values, temporal } = read(worker, env, given, faults);
  return {
    ...commonOf(values, temporal),
    graph: graphOf(values),
    tenants: values.MODERATION_TENANTS,
    health: { host: values.MODERATION_HEALTH_HOST, port: values.MODERATION_HEALTH_PORT },
    version: versionOf(values),
    maxActivitiesPerSecond: values.MODERATION_MAX_ACTIVITIES_PER_SECOND,
    maxActivities: values.MODERATION_MAX_ACTIVITIES,
    maxWorkflowTasks: values.MODERATION_MAX_WORKFLOW_TASKS,
    events: eventsOf(values),
    callStacks: values.MODERATION_CALL_STACKS === 'true',
    nexusEndpoint: values.MODERATION_NEXUS_ENDPOINT,
  };
}
