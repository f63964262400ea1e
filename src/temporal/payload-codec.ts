import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { DataConverter } from '@temporalio/client';
import { isKeyId, PLAIN, type PayloadKey, type PayloadKeys } from '../contract/payload-keys.ts';
import { ENCODING, ENCRYPTED, KEY_ID, marked, UnreadablePayload } from '../contract/unreadable.ts';
import { decodePayload, encodePayload, type Payload, type PayloadCodec } from './payload-message.ts';

/**
 * Encrypts what Temporal keeps: inputs, results, signals, memos, failures' details, summaries. The format is that of
 * the encryption samples of Temporal's SDKs in every language: a payload whose data is a nonce of 12 bytes, the
 * encrypted payload as protobuf, and the tag of AES-256-GCM, with the key's ID in its metadata.
 *
 * - **The first key encrypts.** All keys decrypt. `plain` in the first place encrypts nothing, so that every process
 *   can read a key before any process writes with it.
 * - **Plain payloads pass**, unless `onPlain` refuses them. A payload that is not encrypted is returned as it is. So plain and encrypted payloads
 *   may coexist while encryption is turned on or off, and clients without the key can still signal.
 * - **An unreadable payload is never data.** A client throws. A worker marks the payload, because the codec receives
 *   a whole workflow task at once and does not know what each payload is: if it threw, a signal from anyone could
 *   stop an operation. The code that uses the payload then decides (`src/workflows/runtime/unreadable.ts`).
 * - **A wrong key is a missing key.** Beside the key's ID there is a check of the key itself. If two processes have
 *   different keys with one ID, each treats the other's payload as one whose key is missing, not as damaged.
 */

/** Eight bytes that follow from the key, and from which the key does not follow. */
const KEY_CHECK = 'encryption-key-check';
const CHECK_BYTES = 8;

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** How a payload that cannot be decrypted is treated. */
export type OnUnreadable = (why: UnreadablePayload, payload: Payload) => Payload;

/** For clients. */
const refuse: OnUnreadable = (why) => {
  throw why;
};

/** Key IDs come with payloads, and those with signals may come from anyone. */
const MAX_TOLD = 16;

/** For workers; `tell` is called once for each missing key. */
export function marking(tell: (why: UnreadablePayload) => void): OnUnreadable {
  const told = new Set<string>();
  return (why) => {
    const { missingKey } = why;
    if (missingKey !== undefined && !told.has(missingKey) && told.size < MAX_TOLD) {
      told.add(missingKey);
      tell(why);
    }
    return marked(why);
  };
}

/** For those who only show payloads. */
export const keep: OnUnreadable = (_, payload) => payload;

interface CheckedKey extends PayloadKey {
  check: Buffer;
}

/**
 * A payload codec of Temporal that encrypts with AES-256-GCM, in the format of the samples of Temporal's SDKs.
 *
 * @throws {UnreadablePayload} when it decodes a payload whose key is missing, or that is damaged
 *
 * @example
 * const codec = new EncryptionCodec([{ id: '2026-11', key: randomBytes(32) }]);
 * const client = new Client({ connection, dataConverter: { payloadCodecs: [codec] } });
 */
export class EncryptionCodec implements PayloadCodec {
  /** Encrypts; `undefined` if nothing does. */
  readonly #first: CheckedKey | undefined;
  readonly #keys: ReadonlyMap<string, CheckedKey>;
  readonly #onUnreadable: OnUnreadable;
  readonly #onPlain: () => void;

  /**
   * `onPlain` is called with each payload that is not encrypted although this process encrypts.
   *
   * @throws {TypeError} if there is nothing in the list, or a key is invalid
   */
  constructor(keys: PayloadKeys, onUnreadable: OnUnreadable = refuse, onPlain: () => void = () => {}) {
    const [first] = keys;
    if (first === undefined) throw new TypeError(`the codec needs at least one key, or '${PLAIN}'`);
    const checked = keys.filter((key) => key !== PLAIN).map(withCheck);
    this.#keys = new Map(checked.map((key) => [key.id, key]));
    this.#first = first === PLAIN ? undefined : this.#keys.get(first.id);
    this.#onUnreadable = onUnreadable;
    this.#onPlain = onPlain;
  }

  /** Encrypts with the first key. */
  encode(payloads: Payload[]): Promise<Payload[]> {
    const first = this.#first;
    // **The first key encrypts.**
    return Promise.resolve(first === undefined ? payloads : payloads.map((payload) => encrypt(payload, first)));
  }

  /**
   * Decrypts with the key that each payload names.
   *
   * @throws {UnreadablePayload} unless `onUnreadable` returns a payload instead
   */
  decode(payloads: Payload[]): Promise<Payload[]> {
    return new Promise((resolve) => {
      resolve(payloads.map((payload) => this.#decode(payload)));
    });
  }

  #decode(payload: Payload): Payload {
    if (textOf(payload.metadata?.[ENCODING]) !== ENCRYPTED) {
      if (this.#first !== undefined) this.#onPlain();
      return payload; // **Plain payloads pass.**
    }
    try {
      return this.#decrypt(payload);
    } catch (error) {
      // Anything else is the cipher's, or that of a decoder: it may quote the payload.
      // **An unreadable payload is never data.**
      return this.#onUnreadable(error instanceof UnreadablePayload ? error : UnreadablePayload.damaged(), payload);
    }
  }

  #decrypt({ metadata, data }: Payload): Payload {
    const id = textOf(metadata?.[KEY_ID]);
    if (!isKeyId(id) || !data || data.length < NONCE_BYTES + TAG_BYTES) throw UnreadablePayload.damaged();
    const key = this.#keys.get(id);
    const check = metadata?.[KEY_CHECK];
    // **A wrong key is a missing key.**
    if (key === undefined || (check && !key.check.equals(check))) throw UnreadablePayload.withoutKey(id);
    const decipher = createDecipheriv(CIPHER, key.key, data.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(data.subarray(-TAG_BYTES));
    const plain = [decipher.update(data.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()];
    return decodePayload(Buffer.concat(plain));
  }
}

function encrypt(payload: Payload, { id, key, check }: CheckedKey): Payload {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce);
  const encrypted = [cipher.update(encodePayload(payload)), cipher.final(), cipher.getAuthTag()];
  return {
    metadata: { [ENCODING]: Buffer.from(ENCRYPTED), [KEY_ID]: Buffer.from(id), [KEY_CHECK]: check },
    data: Buffer.concat([nonce, ...encrypted]),
  };
}

function withCheck({ id, key }: PayloadKey): CheckedKey {
  if (!isKeyId(id)) throw new TypeError('the ID of a key must be 1 to 64 of A-Z a-z 0-9 _ . -');
  if (key.length !== KEY_BYTES) throw new TypeError(`key ${id} must be ${KEY_BYTES} bytes, and is ${key.length}`);
  return { id, key, check: Buffer.from(hkdfSync('sha256', key, '', 'call-moderation key check', CHECK_BYTES)) };
}

function textOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : Buffer.from(bytes).toString('utf8');
}

/** For a client, or with `marking` for a worker. Without keys it encrypts nothing, and refuses what is encrypted. */
export function dataConverterOf(
  keys: PayloadKeys | undefined,
  onUnreadable: OnUnreadable = refuse,
  onPlain?: () => void,
): { dataConverter: DataConverter } {
  return { dataConverter: { payloadCodecs: [new EncryptionCodec(keys ?? [PLAIN], onUnreadable, onPlain)] } };
}

/** What a process writes and what it can read, for its log: the phase of a change of keys that it is in. */
export function describeKeys(keys: PayloadKeys = [PLAIN]): string {
  const [first, ...others] = keys.map((key) => (key === PLAIN ? PLAIN : key.id));
  const written = keys[0] === PLAIN ? 'not encrypted' : `encrypted with key ${first}`;
  return others.length === 0 ? written : `${written}; can read ${others.join(', ')} too`;
}
