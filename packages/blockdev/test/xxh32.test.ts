/** XXH32 against published values, and its two forms against each other. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { xxh32, xxh32Blocks, xxh32Each, xxh32Words } from '../src/xxh32.ts';
import { makeVectorHash, VECTOR_MODULE, VECTOR_ROOM_BYTES } from '../src/xxh32-vector.ts';
import { encodeModule } from './xxh32-module.ts';

/** The test input of the reference implementation's self-test: the top bytes of a 64-bit multiplicative sequence. */
function referenceInput(lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  let state = 2654435761n;
  for (let i = 0; i < lengthBytes; i++) {
    bytes[i] = Number(state >> 56n);
    state = BigInt.asUintN(64, state * 11400714785074694797n);
  }
  return bytes;
}

describe('XXH32', () => {
  it.each([
    [0, 0, 0x02cc5d05],
    [0, 2654435761, 0x36b78ae7],
    [1, 0, 0xcf65b03e],
    [1, 2654435761, 0xb4545aa4],
    [14, 0, 0x1208e7e2],
    [14, 2654435761, 0x6af1d1fe],
    [222, 0, 0x5bd11dbd],
    [222, 2654435761, 0x58803c5f],
  ])('of %i reference bytes with seed %i is the published value', (length, seed, expected) => {
    expect(xxh32(referenceInput(222), 0, length, seed)).toBe(expected);
  });

  it.each([
    ['', 0x02cc5d05],
    ['abc', 0x32d153ff],
    ['Nobody inspects the spammish repetition', 0xe2293b2f],
  ])('of %j is the published value', (text, expected) => {
    expect(xxh32(new TextEncoder().encode(text))).toBe(expected);
  });

  it('is the same for bytes and for words, at any length, alignment and seed', () => {
    const slab = new ArrayBuffer(4096);
    const bytes = new Uint8Array(slab);
    const words = new Uint32Array(slab);
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.imul(i + 1, 0x9e3779b1) >>> 24;
    const shifted = new Uint8Array(4097);
    shifted.set(bytes, 1);
    fc.assert(
      fc.property(
        fc.nat({ max: 500 }),
        fc.nat({ max: 500 }),
        fc.nat({ max: 0xffffffff }),
        (startWord, wordCount, seed) => {
          const expected = xxh32Words(words, startWord, wordCount, seed);
          const start = startWord * 4;
          const end = start + wordCount * 4;
          expect(xxh32(bytes, start, end, seed)).toBe(expected);
          expect(xxh32(shifted, start + 1, end + 1, seed)).toBe(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is the same for lengths that are no multiple of four, wherever they begin', () => {
    const bytes = referenceInput(1000);
    const shifted = new Uint8Array(1003);
    for (let shift = 0; shift < 4; shift++) {
      shifted.set(bytes, shift);
      for (const length of [255, 256, 257, 258, 259, 511, 997]) {
        expect(xxh32(shifted, shift, shift + length)).toBe(xxh32(bytes.slice(0, length)));
      }
    }
  });

  it('is the same for large inputs at any alignment, in one piece and in blocks', () => {
    const bytes = referenceInput(40_000);
    for (let shift = 0; shift < 4; shift++) {
      for (const blockSize of [4, 512, 4096, 16384]) {
        const shifted = new Uint8Array(40_008).subarray(3 - shift);
        shifted.set(bytes, 1);
        const target = new Uint32Array(3);
        xxh32Blocks(shifted, 1, blockSize, target, 1);
        expect(target[0]).toBe(0);
        for (const block of [0, 1]) {
          expect(target[1 + block]).toBe(xxh32(bytes.slice(block * blockSize, (block + 1) * blockSize)));
        }
      }
      const moved = new Uint8Array(40_000 + shift).subarray(shift);
      moved.set(bytes);
      expect(xxh32(moved)).toBe(xxh32(bytes));
    }
    expect(() => xxh32Blocks(bytes, 1, 20_000, new Uint32Array(2))).toThrow('within');
    expect(() => xxh32Blocks(bytes, 0, 6, new Uint32Array(2))).toThrow('whole words');
  });

  it('is the same for blocks that stand apart, however many', () => {
    for (const blockBytes of [480, 512, 4096, 16384]) {
      const blocks = Array.from({ length: 9 }, (_, i) =>
        referenceInput(blockBytes + 7).subarray(i % 7, (i % 7) + blockBytes),
      );
      for (let count = 0; count <= blocks.length; count++) {
        const target = new Uint32Array(12);
        xxh32Each(blocks, count, target, 2);
        const expected = blocks
          .slice(0, count)
          .map((block) => xxh32Words(new Uint32Array(block.slice().buffer), 0, blockBytes >>> 2));
        expect([...target]).toEqual([0, 0, ...expected, ...new Array(10 - count).fill(0)]);
      }
    }
    expect(() => xxh32Each([new Uint8Array(512), new Uint8Array(544)], 2, new Uint32Array(2))).toThrow('equally long');
    expect(() => xxh32Each([new Uint8Array(512)], 2, new Uint32Array(2))).toThrow('a place');
  });

  it('is the same by vectors and in plain JavaScript, at every length that the vectors take', () => {
    const vectors = makeVectorHash(globalThis);
    expect(vectors).not.toBeNull();
    if (vectors === null) return;
    const words = new Uint32Array(referenceInput(VECTOR_ROOM_BYTES).buffer);
    vectors.input.set(new Uint8Array(words.buffer));
    for (const blockBytes of [32, 64, 512, 1024, 4064, 4096, 16384]) {
      const blockWords = blockBytes >>> 2;
      const expected = [0, 1, 2, 3].map((block) => xxh32Words(words, block * blockWords, blockWords));
      vectors.output.fill(0);
      vectors.one(blockBytes);
      expect([...vectors.output]).toEqual([expected[0], 0, 0, 0]);
      vectors.four(blockBytes);
      expect([...vectors.output]).toEqual(expected);
    }
  });

  it('has the module that its instructions make', () => {
    expect(VECTOR_MODULE).toBe(Buffer.from(encodeModule()).toString('base64'));
  });

  it('does without vectors where the host has no WebAssembly, too old a one, or forbids to compile', () => {
    class Memory {
      readonly buffer = new ArrayBuffer(2 * VECTOR_ROOM_BYTES);
    }
    class Refusing {
      constructor() {
        throw new Error('not here');
      }
    }
    expect(makeVectorHash({})).toBeNull();
    expect(makeVectorHash({ atob, WebAssembly: { Memory: Refusing, Module: Object, Instance: Object } })).toBeNull();
    expect(makeVectorHash({ atob, WebAssembly: { Memory, Module: Refusing, Instance: Object } })).toBeNull();
    expect(makeVectorHash({ atob, WebAssembly: { Memory, Module: Object, Instance: Refusing } })).toBeNull();
    expect(makeVectorHash({ WebAssembly: Reflect.get(globalThis, 'WebAssembly') })).toBeNull();
  });

  it('notices every single flipped bit of a sector', () => {
    const sector = referenceInput(512);
    const expected = xxh32(sector);
    for (let bit = 0; bit < 4096; bit++) {
      sector[bit >> 3]! ^= 1 << (bit & 7);
      expect(xxh32(sector)).not.toBe(expected);
      sector[bit >> 3]! ^= 1 << (bit & 7);
    }
  });
});
