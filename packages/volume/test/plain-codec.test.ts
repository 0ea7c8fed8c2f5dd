/** The codec without Node turns texts into the bytes that `Buffer` makes of them, and back. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { plainCodec } from '../src/fs-encoding.ts';

const ENCODINGS = ['utf8', 'latin1', 'binary', 'ascii', 'hex'] as const;

const LATIN = /^[\0-\xff]*$/;

function compare(text: string): void {
  for (const encoding of ENCODINGS) {
    // `Buffer` looks at the low half of each unit only, and takes U+0130 for a zero.
    if (encoding === 'hex' && !LATIN.test(text)) continue;
    expect([...plainCodec.encode(text, encoding)], `${encoding} of ${text}`).toEqual([...Buffer.from(text, encoding)]);
  }
}

it('encodes odd texts', () => {
  for (const text of ['', '1', '1g', 'g1', '12 3', '+1-1', '0x12', '1.2e', 'ABcd1', 'a😀b', 'é€\ud800', '\ud83d']) {
    compare(text);
  }
});

it('encodes any text', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), compare));
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'0189afAFgG+-. xé') }), compare));
});

it('decodes any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      for (const encoding of ENCODINGS)
        expect(plainCodec.decode(bytes, encoding)).toBe(Buffer.from(bytes).toString(encoding));
    }),
  );
});
