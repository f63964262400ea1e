import { isKeyId, PLAIN, type PayloadKeys } from '../contract/payload-keys.ts';
import { list } from './list.ts';

/** The keys of what Temporal stores. No message quotes any of it. */
export const payloadKeys = list.transform((items, context): PayloadKeys => {
  const isPlain = items[0] === PLAIN;
  const keys = items.slice(isPlain ? 1 : 0).map((item) => {
    const [, id = '', text = ''] = /^([^:]*):([A-Za-z0-9+/]{43}=)$/.exec(item) ?? [];
    return { id, key: Buffer.from(text, 'base64') };
  });
  const wrong = keys.findIndex(({ id, key }) => !isKeyId(id) || key.length !== 32);
  const fault =
    keys.length === 0
      ? 'must name at least one key; leave it out for no encryption'
      : wrong >= 0
        ? `key ${wrong + 1} must be ID:KEY, its ID 1 to 64 of A-Z a-z 0-9 _ . -, its key 32 bytes in base64, such as 'openssl rand -base64 32' prints`
        : new Set(keys.map(({ id }) => id)).size < keys.length
          ? 'must not give two keys one ID'
          : undefined;
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  return isPlain ? [PLAIN, ...keys] : keys;
});
