/**
 * A file against an array of bytes: random writes, cuts, holes, boundaries and crashes, compared after every step.
 */
import { NoSpaceError } from '@outwrite/blockdev';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Harness, pattern } from './harness.ts';

const SPAN_BYTES = 320 * 1024;
const LARGEST_WRITE_BYTES = 200 * 1024;

type Step =
  | { kind: 'write'; position: number; lengthBytes: number; seed: number }
  | { kind: 'append'; lengthBytes: number; seed: number }
  | { kind: 'read'; position: number; lengthBytes: number }
  | { kind: 'truncate'; sizeBytes: number }
  | { kind: 'punchHole'; position: number; lengthBytes: number }
  | { kind: 'holes' | 'commit' | 'checkpoint' | 'reopen' | 'crash' | 'closeAndOpen' };

/** Lengths of all orders of magnitude, and those at which something changes. */
function bytes(limit: number, blockSize: number): fc.Arbitrary<number> {
  const near = fc
    .tuple(fc.nat(Math.floor(limit / blockSize)), fc.integer({ min: -1, max: 1 }))
    .map(([blocks, offset]) => Math.min(limit, Math.max(0, blocks * blockSize + offset)));
  return fc.oneof(fc.nat(limit), near, fc.nat(Math.min(limit, blockSize)), fc.nat(40));
}

function steps(blockSize: number): fc.Arbitrary<Step[]> {
  const position = bytes(SPAN_BYTES, blockSize);
  const lengthBytes = bytes(LARGEST_WRITE_BYTES, blockSize);
  const seed = fc.nat(1000);
  return fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('write' as const), position, lengthBytes, seed }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('append' as const), lengthBytes, seed }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), position, lengthBytes }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('truncate' as const), sizeBytes: position }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('punchHole' as const), position, lengthBytes }) },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constantFrom('holes', 'commit', 'commit', 'checkpoint', 'reopen', 'crash', 'closeAndOpen'),
        }),
      },
    ),
    { maxLength: 40, size: 'max' },
  );
}

function run(harness: Harness, step: Step): void {
  switch (step.kind) {
    case 'write':
      harness.write(step.position, pattern(step.seed, step.lengthBytes));
      break;
    case 'append':
      harness.write(harness.model.length, pattern(step.seed, Math.min(step.lengthBytes, SPAN_BYTES)));
      break;
    case 'read':
      harness.expectPart(step.position, step.lengthBytes);
      break;
    case 'truncate':
      harness.truncate(step.sizeBytes);
      break;
    case 'punchHole':
      harness.punchHole(step.position, step.lengthBytes);
      break;
    case 'holes':
      harness.expectHoles();
      break;
    case 'commit':
      harness.commit();
      break;
    case 'checkpoint':
      harness.checkpoint();
      break;
    case 'reopen':
      harness.reopen();
      break;
    case 'crash':
      harness.crash();
      break;
    case 'closeAndOpen':
      harness.file.close();
      harness.file = harness.maps.open(harness.fileId, harness.model.length);
  }
}

describe.each([512, 4096, 16384])('a file in blocks of %i bytes', (blockSize) => {
  it('agrees with an array of bytes after every step', () => {
    fc.assert(
      fc.property(steps(blockSize), (list) => {
        const harness = new Harness({ blockSize, cacheBytes: 64 * blockSize });
        for (const step of list) {
          run(harness, step);
          harness.expectContent();
          harness.store.log.cache.checkInvariants();
        }
        harness.reopen();
        harness.expectContent();
        harness.expectHoles();
      }),
      { numRuns: 25 },
    );
  });

  it('gives every block back when it is removed', () => {
    fc.assert(
      fc.property(steps(blockSize), (list) => {
        const harness = new Harness({ blockSize });
        const before = harness.freeBlocks();
        for (const step of list) run(harness, step);
        harness.commit();
        while (!harness.maps.remove(harness.fileId).done);
        expect(() => harness.file.read(0, new Uint8Array(1))).toThrow('closed');
        expect(harness.freeBlocks()).toBe(before);
      }),
      { numRuns: 10 },
    );
  });

  it('is refused what does not fit, and nothing else, on a volume that is nearly full', () => {
    fc.assert(
      fc.property(steps(blockSize), fc.integer({ min: 0, max: 40 }), (list, spareBlocks) => {
        const maxBytes = 256 * 1024 + 220 * blockSize + spareBlocks * blockSize;
        const harness = new Harness({ blockSize, maxBytes, cacheBytes: 64 * blockSize });
        // Another file takes most of what is there.
        const filler = harness.maps.open(99, 0, { isNew: true });
        for (let pieceBytes = 64 * 1024; pieceBytes >= blockSize; ) {
          try {
            filler.write(filler.sizeBytes, pattern(1, pieceBytes));
          } catch (error) {
            expect(error).toBeInstanceOf(NoSpaceError);
            pieceBytes >>>= 1;
          }
        }
        filler.close();
        for (const step of list) {
          try {
            run(harness, step);
          } catch (error) {
            expect(error).toBeInstanceOf(NoSpaceError);
            expect(['write', 'append', 'truncate']).toContain(step.kind);
            if (step.kind === 'truncate') expect(step.sizeBytes).toBeGreaterThan(harness.model.length);
          }
          harness.expectContent();
        }
        harness.truncate(0);
        harness.commit();
        harness.expectContent();
      }),
      { numRuns: 20 },
    );
  });
});
