import type { DataConverter } from '@temporalio/client';

/**
 * Temporal's `Payload` as protobuf:
 *
 *     message Payload { map<string, bytes> metadata = 1; bytes data = 2; }
 *
 * It is written out here because a client of another version than ours would get a second copy of `@temporalio/proto`,
 * which has 11 MB. Other fields are skipped: `external_payloads` is filled in after a codec has
 * encoded, and read before it decodes.
 */

/** What a data converter of Temporal encodes and decodes payloads with. */
export type PayloadCodec = NonNullable<DataConverter['payloadCodecs']>[number];

/** One input, result or other value as Temporal keeps it: `metadata` that names its encoding, and `data`. */
export type Payload = Parameters<PayloadCodec['encode']>[0][number];

const METADATA = 1;
const DATA = 2;

/** Of an entry of a map. */
const KEY = 1;
const VALUE = 2;

export function encodePayload({ metadata, data }: Payload): Buffer {
  const entries = Object.entries(metadata ?? {}).map(([key, value]) =>
    field(METADATA, Buffer.concat([field(KEY, Buffer.from(key)), field(VALUE, value)])),
  );
  return Buffer.concat([...entries, ...(data?.length ? [field(DATA, data)] : [])]);
}

/** @throws {RangeError} if the bytes are no message */
export function decodePayload(bytes: Buffer): Payload {
  const metadata: [string, Uint8Array][] = [];
  let data: Buffer = Buffer.alloc(0);
  for (const [number, value] of fieldsOf(bytes)) {
    if (number === METADATA) metadata.push(entryOf(value));
    if (number === DATA) data = value;
  }
  return { metadata: Object.fromEntries(metadata), data };
}

function entryOf(entry: Buffer): [string, Uint8Array] {
  let key = '';
  let value: Buffer = Buffer.alloc(0);
  for (const [number, part] of fieldsOf(entry)) {
    if (number === KEY) key = part.toString('utf8');
    if (number === VALUE) value = part;
  }
  return [key, value];
}

/** The types of fields, in the last three bits of their tags: a number, eight bytes, bytes after their length, four bytes. */
const TYPE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 };

function field(number: number, value: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + TYPE.bytes), varint(value.length), value]);
}

/** Seven bits a byte, the lowest first. All but the last byte have the eighth bit. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

/** No number has more, whatever its size. */
const MAX_VARINT_BYTES = 10;

/** The fields that are bytes. Those of other types are skipped. */
function* fieldsOf(message: Buffer): Generator<[number: number, value: Buffer]> {
  let at = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES; i += 1) {
      const byte = message[at++];
      if (byte === undefined) break;
      value += (byte % 128) * 128 ** i;
      if (byte < 128) return value;
    }
    throw new RangeError('a number in the message has no end');
  };
  while (at < message.length) {
    const tag = readVarint();
    const type = tag % 8;
    if (type === TYPE.varint) {
      readVarint();
      continue;
    }
    const length = type === TYPE.bytes ? readVarint() : type === TYPE.fixed64 ? 8 : type === TYPE.fixed32 ? 4 : NaN;
    const end = at + length;
    if (!(end <= message.length)) throw new RangeError('a field of the message is cut off, or of an unknown type');
    if (type === TYPE.bytes) yield [Math.floor(tag / 8), message.subarray(at, end)];
    at = end;
  }
}
