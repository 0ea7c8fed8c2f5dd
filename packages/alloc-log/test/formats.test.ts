import { ByteWriter, NIL_BLOCK } from '@outwrite/blockdev';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePointer, encodePointer, POINTER_BYTES } from '../src/block-pointer.ts';
import { decodeFreeMapNode, encodeFreeMapNode, nodeFanOut } from '../src/free-map-format.ts';
import {
  decodeLogBlock,
  LOG_HEADER_BYTES,
  logPayloadBytes,
  sealLogBlock,
  survivingLogHeaders,
} from '../src/log-block-format.ts';
import { type DeltaRecords, decodeRecords, encodeRecords, RECORD_WRITE } from '../src/log-record-format.ts';
import {
  decodeSuperblock,
  encodeSuperblock,
  SLOT_BYTES,
  SUPERBLOCK_LAYOUT,
  type Superblock,
} from '../src/superblock-format.ts';

const LIMIT = 2 ** 31;
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const block = fc.integer({ min: 0, max: LIMIT - 1 });
const pointer = fc.record({ block: fc.oneof(block, fc.constant<number>(NIL_BLOCK)), checksum: u32, birth: u48 });

describe('a pointer', () => {
  it('comes back as it went', () => {
    fc.assert(
      fc.property(pointer, (value) => {
        const bytes = new Uint8Array(POINTER_BYTES + 3).fill(0xee);
        encodePointer(bytes, 3, value);
        expect(decodePointer(bytes, 3, 'leaf', LIMIT)).toEqual(value);
      }),
    );
  });
});

const superblock: fc.Arbitrary<Superblock> = fc.record({
  compatibleFlags: u32,
  readOnlyFlags: u32,
  blockBytes: fc.constantFrom(512, 4096, 16384),
  blockLimit: fc.constant(LIMIT),
  volumeId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  lifeId: fc.uint8Array({ minLength: 8, maxLength: 8 }),
  generation: u48,
  delta: u48,
  sizeBlocks: block,
  root: pointer,
  rootLevel: fc.nat(64),
  freeMapRoot: fc.record({ block, checksum: u32, birth: u48 }),
  freeMapLevel: fc.nat(16),
  freeMapPages: fc.integer({ min: 1, max: LIMIT / (16384 * 8) }),
  nextLogBlock: block,
  nextLogNumber: u48,
  previousLogChecksum: u32,
});

describe('a superblock', () => {
  it('comes back as it went', () => {
    fc.assert(
      fc.property(superblock, (value) => {
        expect(decodeSuperblock(encodeSuperblock(value))).toEqual(value);
      }),
    );
  });

  it('shows every flipped bit', () => {
    const [value] = fc.sample(superblock, 1);
    const bytes = encodeSuperblock(value!);
    for (let bit = 0; bit < SLOT_BYTES * 8; bit += 7) {
      bytes[bit >>> 3]! ^= 1 << (bit & 7);
      expect(() => decodeSuperblock(bytes)).toThrow(/damaged superblock/);
      bytes[bit >>> 3]! ^= 1 << (bit & 7);
    }
  });

  it('has fields that follow one another without gaps', () => {
    const sizes: Record<string, number> = {
      magic: 8,
      version: 4,
      compatibleFlags: 4,
      readOnlyFlags: 4,
      incompatibleFlags: 4,
      blockBytes: 4,
      blockLimit: 4,
      volumeId: 16,
      lifeId: 8,
      generation: 6,
      delta: 6,
      sizeBlocks: 4,
      rootLevel: 4,
      freeMapLevel: 4,
      freeMapPages: 4,
      nextLogBlock: 4,
      nextLogNumber: 6,
      previousLogChecksum: 4,
      root: 16,
      freeMapRoot: 16,
    };
    let at = 0;
    for (const [name, size] of Object.entries(sizes)) {
      expect([name, SUPERBLOCK_LAYOUT[name as keyof typeof SUPERBLOCK_LAYOUT]]).toEqual([name, at]);
      at += size;
    }
    expect(SUPERBLOCK_LAYOUT.reserved).toBe(at);
  });
});

describe('a log block', () => {
  const header = {
    lifeId: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    number: 2 ** 40 + 3,
    delta: 77,
    index: 1,
    count: 70_000,
    flags: 1,
    payloadBytes: 5,
    previousChecksum: 0xdeadbeef,
    nextBlock: 1234,
    checksum: 0,
  };

  function sealed(): { bytes: Uint8Array; checksum: number } {
    const bytes = new Uint8Array(512);
    bytes.set([9, 8, 7, 6, 5], LOG_HEADER_BYTES);
    return { checksum: sealLogBlock(bytes, header), bytes };
  }

  it('comes back as it went, from either end', () => {
    const { bytes, checksum } = sealed();
    expect(decodeLogBlock(bytes)).toEqual({ ...header, checksum });
    expect(survivingLogHeaders(bytes)).toEqual([
      { ...header, checksum },
      { ...header, checksum },
    ]);
  });

  it('shows every flipped bit, and its header survives at the other end', () => {
    const { bytes } = sealed();
    for (let bit = 0; bit < 512 * 8; bit++) {
      bytes[bit >>> 3]! ^= 1 << (bit & 7);
      expect(decodeLogBlock(bytes)).toBeNull();
      expect(survivingLogHeaders(bytes).length).toBeGreaterThan(0);
      bytes[bit >>> 3]! ^= 1 << (bit & 7);
    }
  });
});

describe('records', () => {
  const extent = fc.record({ start: fc.nat(1_000_000), count: fc.integer({ min: 1, max: 100_000 }) });
  const payload = fc.uint8Array({ maxLength: 200 });
  const records: fc.Arbitrary<DeltaRecords> = fc.record({
    allocations: fc.array(extent, { maxLength: 5 }),
    frees: fc.array(extent, { maxLength: 5 }),
    gone: fc.array(payload, { maxLength: 5 }),
    at: fc.array(
      fc.record({ payload, pointer: fc.record({ block, checksum: u32, birth: fc.integer({ min: 1, max: 500 }) }) }),
      { maxLength: 5 },
    ),
    writes: fc.array(
      fc.record({
        start: fc.nat(1_000_000),
        checksums: fc.array(u32, { minLength: 1, maxLength: 300 }),
        kind: fc.constantFrom('data' as const, 'overflow' as const),
      }),
      { maxLength: 5 },
    ),
  });

  it('lesson 16: of every type come back as they went, wherever a block ends', () => {
    fc.assert(
      fc.property(records, (value) => {
        const writer = new ByteWriter();
        encodeRecords(500, value, writer);
        expect(decodeRecords(500, writer.view().slice(), LIMIT)).toEqual(value);
        expect(logPayloadBytes(512)).toBe(400);
      }),
    );
  });

  it('lesson 16: of an unknown type, out of order or cut off are damage', () => {
    const decode = (...bytes: number[]): unknown => decodeRecords(1, Uint8Array.from(bytes), LIMIT);
    expect(() => decode(RECORD_WRITE + 1)).toThrow(/unknown type/);
    expect(() => decode(2, 0, 1, 1, 0, 1, 0)).toThrow(/out of order/);
    expect(() => decode(1, 5)).toThrow(/damaged log block/);
    expect(() => decode(3, 200, 1)).toThrow(/damaged log block/);
    expect(() => decode(5, 0, 200, 1, 0)).toThrow(/damaged log block/);
    expect(() => decode(0, 0)).toThrow(/damaged log block/);
    expect(() => decode()).toThrow(/damaged log block/);
  });

  it('never escape, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeRecords(3, bytes, 1000);
        } catch (error) {
          expect(error).toMatchObject({ code: 'ECORRUPT' });
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a node of the free map', () => {
  it('comes back as it went', () => {
    const entries = Array.from({ length: nodeFanOut(512) }, (_, i) => ({
      pointer: { block: i * 7, checksum: i, birth: i + 1 },
      usedCount: i + 1,
    }));
    const bytes = new Uint8Array(512);
    encodeFreeMapNode(bytes, { level: 1, firstPage: 48, entries });
    const expected = {
      block: 3,
      level: 1,
      firstPage: 48,
      entryCount: entries.length,
      blockLimit: LIMIT,
      pagesPerEntry: 1,
    };
    expect(decodeFreeMapNode(bytes, expected)).toEqual(entries);
    expect(() => decodeFreeMapNode(bytes, { ...expected, level: 2 })).toThrow(/level is wrong/);
    expect(() => decodeFreeMapNode(bytes, { ...expected, firstPage: 0 })).toThrow(/other pages/);
    expect(() => decodeFreeMapNode(bytes, { ...expected, blockLimit: 10 })).toThrow(/beyond the volume/);
    bytes[511] = 1;
    expect(() => decodeFreeMapNode(bytes, expected)).toThrow(/damaged free-map node/);
  });
});
