/** Byte primitives and cursors: round trips, order, and refusal of every malformed input. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../src/byte-cursor.ts';
import {
  commonPrefixLength,
  compareBytes,
  getU16,
  getU32,
  getU48,
  getVarint,
  setU16,
  setU32,
  setU48,
  setVarint,
  varintLength,
  varintSize,
} from '../src/bytes.ts';
import { CorruptionError } from '../src/errors.ts';
import { blockNumber, deltaNumber, isBlockNumber, isDeltaNumber, NIL_BLOCK } from '../src/numbers.ts';

const safeInteger = fc.oneof(
  fc.maxSafeNat(),
  fc.nat({ max: 53 }).map((bits) => 2 ** bits - 1),
  fc.nat({ max: 52 }).map((bits) => 2 ** bits),
);

describe('fixed-width integers', () => {
  it('come back as they were, at any offset, and touch nothing else', () => {
    fc.assert(
      fc.property(safeInteger, fc.nat({ max: 9 }), (value, offset) => {
        const widths = [
          [2, 2 ** 16, setU16, getU16],
          [4, 2 ** 32, setU32, getU32],
          [6, 2 ** 48, setU48, getU48],
        ] as const;
        for (const [width, limit, set, get] of widths) {
          const bytes = new Uint8Array(20).fill(0xee);
          set(bytes, offset, value % limit);
          expect(get(bytes, offset)).toBe(value % limit);
          expect(bytes.subarray(0, offset).every((byte) => byte === 0xee)).toBe(true);
          expect(bytes.subarray(offset + width).every((byte) => byte === 0xee)).toBe(true);
        }
      }),
    );
  });

  it('are little-endian', () => {
    const bytes = new Uint8Array(6);
    setU48(bytes, 0, 0x0605_0403_0201);
    expect([...bytes]).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe('variable-length integers', () => {
  it('come back as they were, in the size that was announced', () => {
    fc.assert(
      fc.property(safeInteger, (value) => {
        const bytes = new Uint8Array(12);
        const end = setVarint(bytes, 2, value);
        expect(end - 2).toBe(varintSize(value));
        expect(varintLength(bytes, 2, end)).toBe(end - 2);
        expect(getVarint(bytes, 2, end)).toBe(value);
      }),
    );
  });

  it('are refused when they are cut off, too long for their value, or too large', () => {
    const refused = [
      [],
      [0x80],
      [0xff, 0xff],
      [0x80, 0x00],
      [0xff, 0x80, 0x00],
      Array(7).fill(0xff).concat(0x10),
      Array(9).fill(0xff),
    ];
    for (const encoding of refused) {
      expect(() => getVarint(Uint8Array.from(encoding), 0, encoding.length), encoding.join()).toThrow(CorruptionError);
    }
    // Bytes behind the end do not count.
    expect(() => getVarint(Uint8Array.from([0x80, 0x01]), 0, 1)).toThrow(CorruptionError);
  });

  it('are decoded from no other bytes than their encoding', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 10 }), (bytes) => {
        let value: number;
        try {
          value = getVarint(bytes, 0, bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptionError);
          return;
        }
        const again = new Uint8Array(8);
        const length = setVarint(again, 0, value);
        expect(again.subarray(0, length)).toEqual(bytes.subarray(0, length));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('comparison', () => {
  const shortBytes = fc.uint8Array({ maxLength: 6, max: 3 });

  it('is the order of memcmp, on any parts of arrays', () => {
    fc.assert(
      fc.property(shortBytes, shortBytes, fc.nat({ max: 3 }), (a, b, shift) => {
        const shifted = new Uint8Array(shift + b.length + 1).fill(9);
        shifted.set(b, shift);
        const result = compareBytes(a, 0, a.length, shifted, shift, shift + b.length);
        expect(Math.sign(result)).toBe(Math.sign(Buffer.compare(a, b)));
      }),
      { numRuns: 500 },
    );
  });

  it('agrees with the length of the common prefix', () => {
    fc.assert(
      fc.property(shortBytes, shortBytes, (a, b) => {
        const length = commonPrefixLength(a, 0, a.length, b, 0, b.length);
        expect([...a.subarray(0, length)]).toEqual([...b.subarray(0, length)]);
        const differs = length === a.length || length === b.length || a[length] !== b[length];
        expect(differs).toBe(true);
      }),
    );
  });
});

describe('cursors', () => {
  it('read back what was written', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('u8', 'u16', 'u32', 'u48', 'varint'), safeInteger)), (steps) => {
        const limits = { u8: 2 ** 8, u16: 2 ** 16, u32: 2 ** 32, u48: 2 ** 48, varint: 2 ** 53 };
        const writer = new ByteWriter(1);
        for (const [step, value] of steps) writer[step](value % limits[step]);
        writer.zeros(3);
        writer.append(Uint8Array.from([1, 2, 3, 4]), 1, 3);
        const reader = new ByteReader(writer.view(), { structure: 'test' });
        for (const [step, value] of steps) expect(reader[step]()).toBe(value % limits[step]);
        reader.zeros(3);
        expect([...reader.view(2)]).toEqual([2, 3]);
        reader.expectEnd();
      }),
    );
  });

  it('refuse to leave their range and name what was being read', () => {
    const bytes = new Uint8Array(16).fill(0x80);
    const reader = (): ByteReader => new ByteReader(bytes, { structure: 'leaf', start: 4, end: 9, block: 17 });
    const attempts: ((r: ByteReader) => unknown)[] = [
      (r) => r.u48(),
      (r) => r.skip(6),
      (r) => r.skip(-1),
      (r) => r.skip(0.5),
      (r) => r.skip(Number.NaN),
      (r) => r.view(2 ** 40),
      (r) => r.varint(),
      (r) => r.zeros(1),
      (r) => r.expectEnd(),
    ];
    for (const attempt of attempts) {
      let thrown: unknown;
      try {
        attempt(reader());
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(CorruptionError);
      expect(thrown).toMatchObject({ code: 'ECORRUPT', structure: 'leaf', block: 17 });
    }
    const whole = reader();
    whole.skip(5);
    whole.expectEnd();
    expect(() => new ByteReader(bytes, { structure: 'leaf', end: 17 })).toThrow('stays within');
  });

  it('keep what was written when they grow, and patch it', () => {
    const writer = new ByteWriter(4);
    writer.u32(0);
    for (let i = 0; i < 1000; i++) writer.u8(i);
    writer.patchU32(0, writer.length);
    const view = writer.view();
    expect(getU32(view, 0)).toBe(1004);
    expect(view[4 + 999]).toBe(999 % 256);
    writer.reset();
    expect(writer.length).toBe(0);
    expect(() => writer.patchU32(0, 1)).toThrow('patch');
    expect(() => writer.varint(-1)).toThrow('variable-length');
  });
});

describe('block and delta numbers', () => {
  it('are checked where they are made', () => {
    for (const good of [0, 1, 0xefffffff]) expect(blockNumber(good)).toBe(good);
    for (const bad of [-1, 0.5, 0xf0000000, NIL_BLOCK, 2 ** 32, Number.NaN]) {
      expect(isBlockNumber(bad)).toBe(false);
      expect(() => blockNumber(bad)).toThrow(RangeError);
    }
    for (const good of [0, 2 ** 48 - 1]) expect(deltaNumber(good)).toBe(good);
    for (const bad of [-1, 0.5, 2 ** 48, Number.NaN]) {
      expect(isDeltaNumber(bad)).toBe(false);
      expect(() => deltaNumber(bad)).toThrow(RangeError);
    }
  });
});
