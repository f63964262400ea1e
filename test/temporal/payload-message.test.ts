import proto from '@temporalio/proto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodePayload, encodePayload, type Payload } from '../../src/temporal/payload-message.ts';

/** Our spelling of one message of Temporal's, against Temporal's own. */

const { Payload: Message } = proto.temporal.api.common.v1;

const bytes = fc.uint8Array({ maxLength: 300 });
const payload = fc.record({ metadata: fc.dictionary(fc.string({ unit: 'grapheme' }), bytes), data: bytes });

/** The bytes as text, because a Buffer is not equal to a Uint8Array. */
const plain = ({ metadata, data }: Payload): object => ({
  metadata: Object.entries(metadata ?? {}).map(([key, value]) => [key, Buffer.from(value).toString('hex')]),
  data: Buffer.from(data ?? []).toString('hex'),
});

test('Temporal reads what we write, and we read what Temporal writes', () => {
  fc.assert(
    fc.property(payload, (given) => {
      expect(plain(Message.decode(encodePayload(given)))).toEqual(plain(given));
      expect(plain(decodePayload(Buffer.from(Message.encode(given).finish())))).toEqual(plain(given));
    }),
  );
});

test('lengths of every number of bytes', () => {
  for (const length of [0, 127, 128, 16_383, 16_384, 2_097_152]) {
    const data = Buffer.alloc(length, 7);
    expect(Buffer.from(Message.encode({ data }).finish()).equals(encodePayload({ data }))).toBe(true);
    // Not by `toEqual`, which takes seconds for two mebibytes.
    expect(Buffer.from(decodePayload(encodePayload({ data })).data ?? []).equals(data)).toBe(true);
  }
});

test('nothing is a payload without metadata and data', () => {
  expect(plain(decodePayload(encodePayload({})))).toEqual(plain({}));
});

test('fields that we do not know are skipped', () => {
  const external = Buffer.from(Message.encode({ externalPayloads: [{}] }).finish());
  // Field 9, of each other type.
  const others = [[72, 0x80, 0x80, 1], [73, 1, 2, 3, 4, 5, 6, 7, 8], [77, 1, 2, 3, 4], [...external]];
  const data = Buffer.from('data');
  const message = Buffer.concat([...others.map((other) => Buffer.from(other)), encodePayload({ data })]);
  expect(plain(decodePayload(message))).toEqual(plain({ data }));
  expect(plain(Message.decode(message))).toEqual(plain({ data }));
});

test('bytes that are no message throw, and never read beyond their end', () => {
  const whole = encodePayload({ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.alloc(200) });
  // Between the two fields it is a message.
  const boundary = encodePayload({ metadata: { encoding: Buffer.from('json/plain') } }).length;
  for (let end = 1; end < whole.length; end += 1) {
    if (end !== boundary) expect(() => decodePayload(whole.subarray(0, end))).toThrow(RangeError);
  }
  for (const wrong of [[0x12], [0x0b], [0x80], Array.from({ length: 11 }, () => 0x80)]) {
    expect(() => decodePayload(Buffer.from(wrong))).toThrow(RangeError);
  }
});

test('any bytes are read or refused', () => {
  fc.assert(
    fc.property(bytes, (given) => {
      try {
        decodePayload(Buffer.from(given));
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }),
  );
});
