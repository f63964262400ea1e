import { isKeyId } from './payload-keys.ts';

/**
 * Payloads that cannot be read, and why. The codec marks them (`src/temporal/payload-codec.ts`); the workflows
 * (`src/workflows/runtime/unreadable.ts`) and the client read the mark and decide what follows.
 *
 * - The key may be missing in this process alone. Whoever needs the payload fails and is tried again, in a process that has
 *   the key. Nobody takes the payload for data.
 * - Or no process will ever read it: it was cut, changed, or not written by this service.
 */

/** The encoding of an encrypted payload, as in the samples of Temporal's SDKs. */
export const ENCRYPTED = 'binary/encrypted';

/** In the metadata of an encrypted payload. */
export const KEY_ID = 'encryption-key-id';

const ENCODING = 'encoding';

/** How the encoding of a marked payload begins. What follows is for people: every converter that refuses it quotes it. */
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

  static withoutKey(id: string): UnreadablePayload {
    const message =
      `What Temporal keeps is encrypted with key ${id}, and this process has no such key, or another one with that ID. ` +
      'Correct its MODERATION_PAYLOAD_KEYS. Until then, only processes that have the key can go on.';
    return new UnreadablePayload(message, id);
  }

  static damaged(): UnreadablePayload {
    return new UnreadablePayload(
      'A payload that Temporal keeps says that it is encrypted, and cannot be decrypted with the key that it names: it was cut, changed, or not written by this service.',
    );
  }

  static foreign(): UnreadablePayload {
    return new UnreadablePayload('A payload that Temporal keeps is in no encoding that this service can read.');
  }
}

/** Of Temporal's payload, what is looked at here. */
interface Marked {
  metadata?: Record<string, Uint8Array> | null;
}

/** Takes the place of a payload that cannot be decrypted. */
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

/** The beginning is enough: whatever is longer is none of ours. */
function asciiOf(bytes: Uint8Array | undefined): string {
  // Bytes that are empty come as an empty list from protobuf.
  return String.fromCodePoint(...Array.prototype.slice.call(bytes ?? [], 0, 128));
}

function toBytes(ascii: string): Uint8Array {
  return Uint8Array.from(ascii, (character) => character.codePointAt(0) ?? 0);
}
