import { z } from 'zod';
import { CLOUDS, type Cloud } from '../graph/clouds.ts';
import { IN_A_HEADER, type Given } from '../lib/environment.ts';
import { isLoopback } from '../lib/safe-url.ts';
import { safeUrl } from './addresses.ts';

export interface GraphConfig {
  /** Root and version. */
  url: string;
  cloud: Cloud;
  authorityHost: string;
  /** Replaces Microsoft Entra ID. */
  token: string | undefined;
}

export const cloudName = z.string().superRefine((value, context) => {
  if (Object.hasOwn(CLOUDS, value)) return;
  const message =
    value === 'china'
      ? "cannot be china: Graph's cloud communications API does not exist in the cloud operated by 21Vianet"
      : `must be one of ${Object.keys(CLOUDS).join(', ')}`;
  context.addIssue({ code: 'custom', message });
});

/** The tenant is appended to it. */
export const authorityHost = safeUrl.refine((value) => {
  if (!URL.canParse(value)) return true;
  const { origin, pathname, search } = new URL(value);
  const isPublished = Object.values(CLOUDS).some((cloud) => cloud.authorityHost === origin);
  return search === '' && (!isPublished || pathname === '/');
}, 'must be a root without tenant and query, such as https://login.microsoftonline.com');

/** A version and paths are appended to it. */
const graphUrl = safeUrl
  .refine(
    (value) => !URL.canParse(value) || new URL(value).search === '',
    'must be a root without query, fragment and user, such as http://127.0.0.1:3979',
  )
  .refine(
    (value) => !URL.canParse(value) || !/\/(v1\.0|beta)\/*$/i.test(new URL(value).pathname),
    'must be a root without the version, which MODERATION_GRAPH_VERSION names',
  );

export const graphVariables = {
  MODERATION_GRAPH_CLOUD: cloudName.default('global'),
  MODERATION_GRAPH_VERSION: z.enum(['v1.0', 'beta'], 'must be v1.0 or beta').default('v1.0'),
  MODERATION_GRAPH_URL: graphUrl.optional(),
  MODERATION_GRAPH_TOKEN: z
    .string()
    .regex(IN_A_HEADER, 'must be a bearer token, without spaces and line breaks, because it is sent in a header')
    .optional(),
  AZURE_AUTHORITY_HOST: authorityHost.optional(),
};

const graphSchema = z.object(graphVariables);

export function graphFaults(given: Given): string[] {
  const faults: string[] = [];
  if (given['MODERATION_GRAPH_VERSION'] === 'beta' && isGovernment(given)) {
    faults.push('MODERATION_GRAPH_VERSION: beta exists in the global cloud only; leave it out or set v1.0');
  }
  const root = given['MODERATION_GRAPH_URL'];
  const isLocal = root !== undefined && URL.canParse(root) && isLoopback(new URL(root));
  if (given['MODERATION_GRAPH_TOKEN'] !== undefined && !isLocal) {
    faults.push(
      'MODERATION_GRAPH_TOKEN: a fixed token is for a Graph on this machine; set MODERATION_GRAPH_URL to a loopback address, or leave it out and set AZURE_*',
    );
  }
  return faults;
}

export function graphOf(values: z.infer<typeof graphSchema>): GraphConfig {
  const cloud = cloudOf(values);
  const root = (values.MODERATION_GRAPH_URL ?? cloud.graphUrl).replace(/\/+$/, '');
  return {
    url: `${root}/${values.MODERATION_GRAPH_VERSION}`,
    cloud,
    authorityHost: values.AZURE_AUTHORITY_HOST ?? cloud.authorityHost,
    token: values.MODERATION_GRAPH_TOKEN,
  };
}

export function cloudOf(values: { MODERATION_GRAPH_CLOUD: string }): Cloud {
  return CLOUDS[values.MODERATION_GRAPH_CLOUD as keyof typeof CLOUDS];
}

export function isGovernment(given: Given): boolean {
  return given['MODERATION_GRAPH_CLOUD']?.startsWith('usgov-') === true;
}
