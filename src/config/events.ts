import { z } from 'zod';
import { keyOf } from '../events/signature.ts';
import type { Given } from '../lib/environment.ts';
import { safeUrl } from './addresses.ts';
import { bothOrNeither } from './both-or-neither.ts';

/** Where events are sent, and the keys that sign them. */
export interface EventsConfig {
  url: string;
  keys: readonly Uint8Array[];
}

/** No message quotes any of it. */
const secrets = z.string().transform((value, context) => {
  const keys = value.split(/[\s,]+/).flatMap((secret) => (secret === '' ? [] : [keyOf(secret)]));
  const known = keys.filter((key) => key !== undefined);
  const wrong = keys.indexOf(undefined);
  const fault =
    keys.length === 0
      ? 'must name at least one secret'
      : `secret ${wrong + 1} must be whsec_ and 24 to 64 bytes in base64, such as "whsec_$(openssl rand -base64 32)"`;
  if (known.length === 0 || wrong >= 0) context.addIssue({ code: 'custom', message: fault });
  return known;
});

export const eventVariables = {
  MODERATION_EVENTS_URL: safeUrl.optional(),
  MODERATION_EVENTS_SECRETS: secrets.optional(),
};

const eventSchema = z.object(eventVariables);

/** Events are always signed; and a secret alone is most likely beside a URL that is misspelt. */
export function eventsFaults(given: Given): string[] {
  return bothOrNeither(given, ['MODERATION_EVENTS_URL', 'MODERATION_EVENTS_SECRETS'], 'if no events are to be sent');
}

export function eventsOf(values: z.infer<typeof eventSchema>): EventsConfig | undefined {
  const { MODERATION_EVENTS_URL: url, MODERATION_EVENTS_SECRETS: keys } = values;
  return url === undefined || keys === undefined ? undefined : { url, keys };
}
