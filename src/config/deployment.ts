import { z } from 'zod';
import { trimEnvironment, type Environment, type Given } from '../lib/environment.ts';
import type { DeploymentVersion } from '../temporal/deployment-version.ts';
import { bothOrNeither } from './both-or-neither.ts';
import { common, commonOf, type CommonConfig } from './common.ts';
import { ConfigError } from './config-error.ts';
import { read } from './read.ts';

/** The build that the workers are, and for the command that says which build new operations begin on. */
export interface DeploymentConfig extends CommonConfig {
  version: DeploymentVersion;
}

/** Temporal joins the two with a colon or a dot. The Worker Controller's names have a slash. */
const deploymentName = z
  .string()
  .regex(/^[A-Za-z0-9_/-]{1,128}$/, 'must be 1 to 128 of A-Z a-z 0-9 _ / -, such as call-moderation')
  .optional();

const buildId = z
  .string()
  .regex(/^[A-Za-z0-9_.+-]{1,128}$/, "must be 1 to 128 of A-Z a-z 0-9 _ . + -, such as a commit's hash")
  .optional();

/** The first pair is ours, and has priority. Temporal's Worker Controller sets the second one in the pods that it makes. */
const VERSION_NAMES = [
  ['MODERATION_DEPLOYMENT_NAME', 'MODERATION_BUILD_ID'],
  ['TEMPORAL_DEPLOYMENT_NAME', 'TEMPORAL_WORKER_BUILD_ID'],
] as const;

export const versionVariables = {
  MODERATION_DEPLOYMENT_NAME: deploymentName,
  MODERATION_BUILD_ID: buildId,
  TEMPORAL_DEPLOYMENT_NAME: deploymentName,
  TEMPORAL_WORKER_BUILD_ID: buildId,
};

export const deployment = common.extend(versionVariables);

/** For `set-current-version`. */
export function loadDeploymentConfig(env: Environment): DeploymentConfig {
  const given = trimEnvironment(env);
  const missing = versionNamesIn(given).filter((name) => given[name] === undefined);
  const faults = missing.map((name) => `${name}: required; set it to what the workers of this build have`);
  const { values, temporal } = read(deployment, env, given, faults);
  const version = versionOf(values);
  if (version === undefined) throw new ConfigError(faults);
  return { ...commonOf(values, temporal), version };
}

/** With one of the two alone, a worker would take nothing, or would not be versioned though somebody meant it to be. */
export function versionFaults(given: Given): string[] {
  return bothOrNeither(given, versionNamesIn(given), 'for workers without versions');
}

export function versionOf(values: z.infer<typeof deployment>): DeploymentVersion | undefined {
  const [name, id] = versionNamesIn(values);
  const { [name]: named, [id]: built } = values;
  return named === undefined || built === undefined ? undefined : { deploymentName: named, buildId: built };
}

/** The pair that is in use. */
function versionNamesIn(given: Readonly<Record<string, unknown>>): (typeof VERSION_NAMES)[number] {
  return VERSION_NAMES.find((pair) => pair.some((name) => name in given)) ?? VERSION_NAMES[0];
}
