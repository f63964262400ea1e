import { canonicalGuid, canonicalTenant, isDomain, isGuid } from '../auth/token-rules.ts';
import { trimEnvironment, unknownWarnings, type Environment } from '../lib/environment.ts';
import { deployment } from './deployment.ts';
import { gateway } from './gateway.ts';
import { webhook } from './webhook.ts';
import { worker } from './worker.ts';

/** Every variable that one of the processes reads. */
export const VARIABLES: readonly string[] = [
  ...new Set([worker, webhook, gateway, deployment].flatMap((schema) => Object.keys(schema.shape))),
];

/** Variables that only development and tests read. */
const OF_DEVELOPMENT = ['MODERATION_TEMPORAL_CLI', 'MODERATION_TEMPORAL_TEST_SERVER'];

/** What is worth a line in the log, but prevents nothing from starting. */
export function configWarnings(env: Environment): string[] {
  const given = trimEnvironment(env);
  const audienceName = 'MODERATION_WEBHOOK_AUDIENCE' in given ? 'MODERATION_WEBHOOK_AUDIENCE' : 'AZURE_CLIENT_ID';
  const domains = (given['MODERATION_TENANTS'] ?? '').split(',').map(canonicalTenant).filter(isDomain);
  return [
    ...unknownWarnings(given, [...VARIABLES, ...OF_DEVELOPMENT]),
    ...(audienceName in given && !isGuid(canonicalGuid(given[audienceName] ?? ''))
      ? [`${audienceName}: is not a GUID, as the IDs of applications are; tokens of Graph will not match it`]
      : []),
    ...domains.map(
      (domain) =>
        `MODERATION_TENANTS: ${domain} allows requests that name it; notifications of that tenant come with its ID (GUID) and need that in the list`,
    ),
  ];
}
