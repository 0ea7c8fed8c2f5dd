/**
 * Sizes beyond the cache: 100,000 files in one directory, and a file of 8 GiB with dense and sparse parts, within 32 MiB.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createVolume, openVolume } from '../src/node.ts';

const CACHE_BYTES = 32 << 20;
const FILES = 100_000;
const GIB = 2 ** 30;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outwrite-large-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('within a cache of 32 MiB', () => {
  it('a directory holds 100,000 files', async () => {
    const path = join(folder, 'names.outwrite');
    let volume = createVolume(path, { cacheBytes: CACHE_BYTES, cachedInodes: 2000, cachedNames: 4000 });
    const name = (index: number): string => `file-${((index * 7919) % FILES).toString(36)}-${index}`;
    volume.fs.mkdirSync('/d');
    for (let i = 0; i < FILES; i++) {
      volume.fs.writeFileSync(`/d/${name(i)}`, `${i}`);
      if (i % 20_000 === 19_999) await volume.commit();
    }
    await volume.close();

    volume = openVolume(path, { cacheBytes: CACHE_BYTES, cachedInodes: 2000, cachedNames: 4000 });
    const names = volume.fs.readdirSync('/d');
    expect(names.length).toBe(FILES);
    expect(names).toEqual(Array.from({ length: FILES }, (_, index) => name(index)).sort());
    for (let i = 0; i < FILES; i += 97) expect(volume.fs.readFileSync(`/d/${name(i)}`, 'utf8')).toBe(`${i}`);
    expect(volume.stats().cache.inodes).toBeLessThan(2200);
    expect(volume.stats().cache.names).toBeLessThan(4500);
    expect(volume.stats().cache.blocks.overBudgetFrameCount).toBe(0);
    expect([...volume.check()]).toEqual([]);
    for (let i = 0; i < FILES; i++) if (i % 1000 !== 0) volume.fs.unlinkSync(`/d/${name(i)}`);
    expect(volume.fs.readdirSync('/d').length).toBe(FILES / 1000);
    await volume.commit();
    expect([...volume.check()]).toEqual([]);
    await volume.close();
  }, 180_000);

  it('a file has 8 GiB, dense and sparse', async () => {
    const path = join(folder, 'file.outwrite');
    let volume = createVolume(path, { cacheBytes: CACHE_BYTES });
    const piece = Buffer.alloc(1 << 20);
    const stamp = (position: number): void => {
      for (let at = 0; at < piece.length; at += 4096) piece.writeDoubleLE(position + at, at);
    };
    const fd = volume.fs.openSync('/large', 'w+');
    volume.fs.ftruncateSync(fd, 8 * GIB);
    // Dense: the first 64 MiB in large writes, 16 MiB at 5 GiB in small ones. Sparse: a block in each 16 MiB up to the end.
    for (let position = 0; position < 64 << 20; position += piece.length) {
      stamp(position);
      volume.fs.writeSync(fd, piece, 0, piece.length, position);
    }
    for (let position = 5 * GIB; position < 5 * GIB + (16 << 20); position += piece.length) {
      stamp(position);
      for (let at = 0; at < piece.length; at += 4096) volume.fs.writeSync(fd, piece, at, 4096, position + at);
    }
    for (let position = 6 * GIB; position < 8 * GIB; position += 16 << 20) {
      stamp(position);
      volume.fs.writeSync(fd, piece, 0, 4096, position);
    }
    expect(volume.fs.fstatSync(fd).size).toBe(8 * GIB);
    volume.fs.closeSync(fd);
    await volume.close();

    volume = openVolume(path, { cacheBytes: CACHE_BYTES });
    const reading = volume.fs.openSync('/large', 'r+');
    const { blocks, size } = volume.fs.fstatSync(reading);
    expect(size).toBe(8 * GIB);
    expect(blocks * 512).toBe((64 << 20) + (16 << 20) + 128 * 4096);
    const read = Buffer.alloc(4096);
    for (const [start, step, end] of [
      [0, 65_536, 64 << 20],
      [5 * GIB, 4096, 5 * GIB + (16 << 20)],
      [6 * GIB, 16 << 20, 8 * GIB],
    ]) {
      for (let position = start; position < end; position += step) {
        expect(volume.fs.readSync(reading, read, 0, 4096, position)).toBe(4096);
        if (read.readDoubleLE(0) !== position) throw new Error(`position ${position} holds ${read.readDoubleLE(0)}`);
      }
    }
    expect(volume.fs.readSync(reading, read, 0, 4096, 3 * GIB)).toBe(4096);
    expect(read.every((byte) => byte === 0)).toBe(true);
    expect(volume.fs.seekDataSync(reading, 1 * GIB)).toBe(5 * GIB);
    expect(volume.fs.seekHoleSync(reading, 0)).toBe(64 << 20);
    expect([...volume.check()]).toEqual([]);
    volume.fs.ftruncateSync(reading, 5 * GIB + 1);
    volume.fs.punchHoleSync(reading, 4096, 32 << 20);
    expect(volume.fs.seekHoleSync(reading, 0)).toBe(4096);
    await volume.commit();
    expect([...volume.check()]).toEqual([]);
    volume.fs.closeSync(reading);
    volume.fs.unlinkSync('/large');
    await volume.checkpoint();
    await volume.checkpoint();
    expect([...volume.check()]).toEqual([]);
    expect(volume.stats().space.usedBlocks).toBeLessThan(64);
    await volume.close();
  }, 180_000);
});
