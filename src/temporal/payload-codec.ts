import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { METADATA_ENCODING_KEY, type DataConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { PayloadKey } from '../config.ts';

/**
 * Encrypts what Temporal keeps: inputs, results, signals, memos, failures' details, summaries. The format is that of the
 * encryption samples of Temporal's SDKs in every language: a payload whose data is a nonce of 12 bytes, the encrypted
 * payload as protobuf, and the tag of AES-256-GCM, with the key's ID in its metadata.
 *
 * E1: The first key encrypts, every key decrypts. So a new key is added at the end everywhere, then moved to the front, and
 *     the old one is removed once nothing that it has encrypted is kept any more.
 * E2: What is not encrypted passes as it is, so that encryption can be turned on while operations run, and clients without
 *     the key can still signal.
 * E3: What cannot be decrypted passes as it is, too. The payload converter of the workflows then takes it for a payload that
 *     cannot be read, which fits nothing and is refused. An error here would fail the workflow task, again and again.
 */

const ENCRYPTED = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const { Payload: Message } = proto.temporal.api.common.v1;

export class EncryptionCodec implements PayloadCodec {
  readonly #first: PayloadKey;
  readonly #keys: ReadonlyMap<string, Uint8Array>;

  /** @throws {TypeError} where there is no key, or one is not of 32 bytes */
  constructor(keys: readonly PayloadKey[]) {
    const [first] = keys;
    if (first === undefined) throw new TypeError('the codec needs at least one key');
    for (const { id, key } of keys) {
      if (key.length !== 32) throw new TypeError(`key ${id} must be 32 bytes, and is ${key.length}`);
    }
    this.#first = first;
    this.#keys = new Map(keys.map(({ id, key }) => [id, key]));
  }

  encode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.resolve(payloads.map((payload) => this.#encrypt(payload)));
  }

  decode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.resolve(payloads.map((payload) => this.#decrypt(payload)));
  }

  #encrypt(payload: Payload): Payload {
    const { id, key } = this.#first; // E1
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, key, nonce);
    const encrypted = [cipher.update(Message.encode(payload).finish()), cipher.final(), cipher.getAuthTag()];
    return {
      metadata: { [METADATA_ENCODING_KEY]: Buffer.from(ENCRYPTED), [KEY_ID]: Buffer.from(id) },
      data: Buffer.concat([nonce, ...encrypted]),
    };
  }

  #decrypt(payload: Payload): Payload {
    const { metadata, data } = payload;
    const encoding = metadata?.[METADATA_ENCODING_KEY];
    if (!encoding || textOf(encoding) !== ENCRYPTED) return payload; // E2
    const id = metadata?.[KEY_ID];
    const key = id ? this.#keys.get(textOf(id)) : undefined;
    if (key === undefined || !data) return payload; // E3
    try {
      const decipher = createDecipheriv(CIPHER, key, data.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAuthTag(data.subarray(-TAG_BYTES));
      const plain = [decipher.update(data.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()];
      return Message.decode(Buffer.concat(plain));
    } catch {
      return payload; // E3
    }
  }
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/** For a client and for a worker: encrypts where there are keys. */
export function dataConverterOf(keys: readonly PayloadKey[] | undefined): { dataConverter?: DataConverter } {
  return keys === undefined ? {} : { dataConverter: { payloadCodecs: [new EncryptionCodec(keys)] } };
}
