import { isKeyId } from './payload-keys.ts';

/**
 * Payloads that cannot be read, and why. The codec marks them (`src/temporal/payload-codec.ts`); the workflows
 * (`src/workflows/runtime/unreadable.ts`) and the client read the mark and decide what follows.
 *
 * - The key may be missing in this process alone. Code that needs the payload fails and is retried, in a process that
 *   has the key. The payload is never treated as data.
 * - Or no process will ever read it: it was truncated, changed, or not written by this service.
 */

/** The encoding of an encrypted payload, as in the samples of Temporal's SDKs. */
export const ENCRYPTED = 'binary/encrypted';

/** In the metadata of an encrypted payload. */
export const KEY_ID = 'encryption-key-id';

/** Where the metadata of a payload names its encoding. */
export const ENCODING = 'encoding';

/**
 * How the encoding of a marked payload begins. What follows is for people: every converter that refuses it quotes it.
 */
const MARK = 'unreadable: ';

/** Thrown by whoever needs a payload that cannot be read. It names the key and nothing of the payload. */
export class UnreadablePayload extends Error {
  override readonly name = 'UnreadablePayload';
  /** The key that other processes may have. Without one, no process will ever read the payload. */
  readonly missingKey: string | undefined;

  private constructor(message: string, missingKey?: string) {
    super(message);
    this.missingKey = missingKey;
  }

  /** @internal */
  static withoutKey(id: string): UnreadablePayload {
    const message =
      `A payload in Temporal is encrypted with key ${id}, but this process does not have that key, or has a different one with that ID. ` +
      'Correct its MODERATION_PAYLOAD_KEYS. Until then, only processes with the key can continue.';
    return new UnreadablePayload(message, id);
  }

  /** @internal */
  static damaged(): UnreadablePayload {
    return new UnreadablePayload(
      'A payload in Temporal is marked as encrypted but cannot be decrypted with the key that it names: it was truncated, changed, or not written by this service.',
    );
  }

  /** @internal */
  static foreign(): UnreadablePayload {
    return new UnreadablePayload('A payload in Temporal has an encoding that this service cannot read.');
  }
}

/** Of Temporal's payload, what is looked at here. */
interface Marked {
  metadata?: Record<string, Uint8Array> | null;
}

/** Replaces a payload that cannot be decrypted. */
export function marked({ message, missingKey }: UnreadablePayload): { metadata: Record<string, Uint8Array> } {
  return {
    metadata: {
      [ENCODING]: toBytes(`${MARK}${message}`),
      ...(missingKey !== undefined && { [KEY_ID]: toBytes(missingKey) }),
    },
  };
}

/** Why the payload cannot be read, if the codec has marked it, or if it is encrypted and no codec has seen it. */
export function unreadableIn({ metadata }: Marked): UnreadablePayload | undefined {
  const encoding = asciiOf(metadata?.[ENCODING]);
  if (encoding !== ENCRYPTED && !encoding.startsWith(MARK)) return undefined;
  const id = asciiOf(metadata?.[KEY_ID]);
  return isKeyId(id) ? UnreadablePayload.withoutKey(id) : UnreadablePayload.damaged();
}

/** The beginning is enough: a longer one is not ours. */
function asciiOf(bytes: Uint8Array | undefined): string {
  // Bytes that are empty come as an empty list from protobuf.
  return String.fromCodePoint(...Array.prototype.slice.call(bytes ?? [], 0, 128));
}

function toBytes(ascii: string): Uint8Array {
  return Uint8Array.from(ascii, (character) => character.codePointAt(0) ?? 0);
}
