/** The table of inodes against a Map, with numbers chosen to collide, and the clock. */

import { setVerification } from '@outwrite/blockdev';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { Inode } from '../src/inode.ts';
import { InodeTable } from '../src/inode-table.ts';
import { ObjectPool } from '../src/object-pool.ts';

/** Multiples of these share their slot in a small table; numbers that differ by 2^32 share the word that is kept of them. */
const number = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.constantFrom(1, 2 ** 6, 2 ** 22, 2 ** 32))
  .map(([i, stride]) => i * stride);

describe('table of inodes', () => {
  test('agrees with a Map after every step', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(number, fc.boolean()), { maxLength: 400, size: 'max' }), (steps) => {
        const table = new InodeTable();
        const model = new Map<number, Inode>();
        for (const [key, removes] of steps) {
          const known = model.get(key);
          if (known === undefined) {
            const inode = new Inode(key, 0);
            table.add(inode);
            model.set(key, inode);
          } else if (removes) {
            table.remove(known);
            model.delete(key);
          }
          expect(table.find(key)).toBe(model.get(key));
          expect(table.count).toBe(model.size);
        }
        for (const [key, inode] of model) expect(table.find(key)).toBe(inode);
        expect(new Set(table.values())).toEqual(new Set(model.values()));
      }),
      { numRuns: 200 },
    );
  });

  test('the hand comes by every inode in each round, whatever is removed on the way', () => {
    const table = new InodeTable();
    for (let i = 1; i <= 100; i++) table.add(new Inode(i, 0));
    const seen = new Set<number>();
    for (let i = 0; i < 100; i++) {
      const inode = table.next()!;
      seen.add(inode.number);
      if (i % 3 === 0) table.remove(inode);
    }
    expect(seen.size).toBe(100);
    // Who comes takes a place that became free, and is met in the next round.
    table.add(new Inode(200, 0));
    const round = new Set(Array.from({ length: table.count }, () => table.next()!.number));
    expect(round.size).toBe(table.count);
    expect(round).toContain(200);
  });

  test('an empty one has nobody next', () => {
    const table = new InodeTable();
    expect(table.next()).toBeNull();
    const inode = new Inode(1, 0);
    table.add(inode);
    table.remove(inode);
    expect(table.next()).toBeNull();
  });

  test('there is one object for an inode, and only what is there is removed', () => {
    const table = new InodeTable();
    table.add(new Inode(5, 0));
    expect(() => table.add(new Inode(5, 0))).toThrow('one object');
    expect(() => table.remove(new Inode(5, 0))).toThrow('only an inode that is there');
    expect(() => table.remove(new Inode(6, 0))).toThrow('only an inode that is there');
  });
});

describe('pool of objects', () => {
  afterEach(() => setVerification(true));

  test('what comes out is as new, and under checks what is in it is no inode', () => {
    const pool = new ObjectPool(1, 1);
    const inode = pool.makeInode(7, 0o100644);
    const asNew = { ...inode };
    Object.assign(inode, {
      sizeBytes: 5,
      dirty: true,
      removed: true,
      linkTarget: 'x',
      enteredFrom: 3,
      allocatedBytes: 9,
    });
    pool.giveBackInode(inode);
    expect(inode.number).toBe(0);
    expect(pool.makeInode(7, 0o100644)).toBe(inode);
    expect({ ...inode }).toEqual(asNew);

    const entry = pool.makeName('a', 7, 1);
    const entryAsNew = { ...entry };
    Object.assign(entry, { dirty: true, storedInode: 7, storedType: 1 });
    pool.giveBackName(entry);
    expect(entry.inode).toBe(0);
    expect(pool.makeName('a', 7, 1)).toBe(entry);
    expect({ ...entry }).toEqual(entryAsNew);
  });

  test('without checks an object rests as it was, until others have come after it', () => {
    setVerification(false);
    const pool = new ObjectPool(2, 2);
    const inodes = [1, 2, 3, 4, 5].map((i) => new Inode(i, 0));
    pool.giveBackInode(inodes[0]!);
    expect(inodes).not.toContain(pool.makeInode(9, 0));
    pool.giveBackInode(inodes[1]!);
    expect(inodes.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
    expect(pool.makeInode(9, 0)).toBe(inodes[0]);
    expect(inodes).not.toContain(pool.makeInode(9, 0));
    // One rests and two are kept beside it: the fourth is left.
    for (const inode of inodes.slice(2)) pool.giveBackInode(inode);
    expect(pool.makeInode(9, 0)).toBe(inodes[1]);
    expect(pool.makeInode(9, 0)).toBe(inodes[2]);
    expect(inodes).not.toContain(pool.makeInode(9, 0));
  });

  test('keeps no more than it was told to', () => {
    const pool = new ObjectPool(1, 0);
    const inodes = [new Inode(1, 0), new Inode(2, 0), new Inode(3, 0)];
    for (const inode of inodes) pool.giveBackInode(inode);
    expect(pool.makeInode(4, 0)).toBe(inodes[0]);
    expect(pool.makeInode(4, 0)).toBe(inodes[1]);
    expect(inodes).not.toContain(pool.makeInode(4, 0));
    const entry = pool.makeName('a', 7, 1);
    pool.giveBackName(entry);
    expect(pool.makeName('a', 7, 1)).not.toBe(entry);
  });
});
