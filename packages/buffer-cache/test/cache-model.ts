/**
 * A naive model of the cache: maps of what must be findable, with plain copies of the bytes, compared with the cache
 * after every step.
 *
 * The model does not know which clean frames are evicted; it knows which may be, and drops an entry when the cache has
 * dropped it.
 */
import assert from 'node:assert/strict';
import { xxh32 } from '@outwrite/blockdev';
import { BufferCache, type Frame, NO_FRAME, type PageSpace } from '@outwrite/buffer-cache';
import { assertBytes, pattern, patternedDevice } from './patterned-device.ts';

export const BLOCK_COUNT = 64;
export const PAGE_COUNT = 24;
export const SPACE_COUNT = 2;

interface Entry {
  frame: Frame;
  bytes: Uint8Array;
  /** 0 when clean. */
  delta: number;
  pins: number;
  writes: number;
  /** After `create` and `redirect`, until marked. */
  unfinished: boolean;
}

/** A frame that has lost its mapping while being written or pinned: its bytes must stay as they are. */
type Leftover = Pick<Entry, 'frame' | 'bytes' | 'pins' | 'writes'>;

export class CacheModel {
  readonly cache: BufferCache;
  readonly #blockSize: number;
  readonly #device;
  /** By block, what a read of the device must give. */
  readonly #stored: Uint8Array[] = [];
  readonly #blocks = new Map<number, Entry>();
  readonly #spaces: { space: PageSpace; pages: Map<number, Entry> }[] = [];
  #leftovers: Leftover[] = [];
  #seed = 1000;
  #delta = 1;

  constructor(options: { blockSize: number; budgetBlockCount: number }) {
    const { blockSize, budgetBlockCount } = options;
    this.#blockSize = blockSize;
    const { device } = patternedDevice(blockSize, BLOCK_COUNT);
    this.#device = device;
    for (let block = 0; block < BLOCK_COUNT; block++) this.#stored.push(pattern(blockSize, block));
    this.cache = new BufferCache(device, { blockSize, budgetBytes: budgetBlockCount * blockSize });
    for (let i = 0; i < SPACE_COUNT; i++) this.#spaces.push({ space: this.cache.openSpace(), pages: new Map() });
  }

  // --- steps ---------------------------------------------------------------------------------------------------------

  nextDelta(): void {
    this.#delta++;
  }

  read(block: number): void {
    const entry = this.#blocks.get(block);
    // A dirty or unfinished block has no checksum that anybody could name; the cache does not look at it on a hit.
    const expected = entry?.bytes ?? this.#stored[block];
    const frame = this.cache.read(block, xxh32(expected), 'leaf');
    this.#loaded(this.#blocks, block, frame, this.#stored[block]);
  }

  readDamaged(block: number): void {
    if (this.cache.find(block) !== NO_FRAME) return;
    assert.throws(() => this.cache.read(block, xxh32(this.#stored[block]) ^ 1, 'leaf'), { code: 'ECORRUPT' });
    assert.equal(this.cache.find(block), NO_FRAME);
  }

  readRun(block: number, count: number): void {
    const end = Math.min(BLOCK_COUNT, block + count);
    const checksums: number[] = [];
    for (let at = block; at < end; at++) checksums.push(xxh32(this.#stored[at]));
    this.cache.readRun(block, end - block, checksums, 'leaf');
    for (let at = block; at < end; at++) {
      const frame = this.cache.find(at);
      assert.notEqual(frame, NO_FRAME, 'what was read ahead is there');
      this.#loaded(this.#blocks, at, frame, this.#stored[at]);
    }
  }

  create(block: number): void {
    if (!this.#mayTake(block)) return;
    this.#forget(this.#blocks, block);
    this.#born(this.#blocks, block, this.cache.create(block));
  }

  move(from: number, to: number): void {
    const entry = this.#live(this.#blocks, from);
    if (entry === undefined || entry.writes > 0 || from === to || !this.#mayTake(to)) return;
    // A clean frame says what the device holds under its number, so only what is dirty or unfinished moves.
    if (entry.delta === 0 && !entry.unfinished) return;
    this.#forget(this.#blocks, to);
    this.cache.move(entry.frame, to);
    this.#blocks.delete(from);
    this.#blocks.set(to, entry);
  }

  redirect(from: number, to: number, withOwnPins: boolean): void {
    const entry = this.#live(this.#blocks, from);
    if (entry === undefined || from === to || !this.#mayTake(to)) return;
    const ownPinCount = withOwnPins ? Math.min(1, entry.pins) : 0;
    this.#forget(this.#blocks, to);
    const renamed = entry.writes === 0 && entry.pins === ownPinCount;
    const frame = this.cache.redirect(entry.frame, to, ownPinCount);
    assert.equal(frame === entry.frame, renamed, 'a frame that nobody else uses is renamed, any other is copied');
    this.#blocks.delete(from);
    if (renamed) {
      entry.unfinished = entry.delta === 0;
      this.#blocks.set(to, entry);
    } else {
      entry.pins -= ownPinCount;
      this.#leave(entry);
      const copy = { ...entry, frame, bytes: entry.bytes.slice(), delta: 0, pins: ownPinCount, writes: 0 };
      this.#blocks.set(to, { ...copy, unfinished: true });
    }
  }

  pageCreate(spaceIndex: number, page: number): void {
    const { space, pages } = this.#spaces[spaceIndex];
    if (space.has(page)) return;
    this.#forget(pages, page);
    this.#born(pages, page, space.create(page));
  }

  pageFill(spaceIndex: number, page: number, block: number, count: number): void {
    const { space, pages } = this.#spaces[spaceIndex];
    const end = Math.min(count, PAGE_COUNT - page, BLOCK_COUNT - block);
    const checksums: number[] = [];
    for (let i = 0; i < end; i++) checksums.push(xxh32(this.#stored[block + i]));
    const absent: number[] = [];
    for (let i = 0; i < end; i++) if (!space.has(page + i)) absent.push(i);
    // One page is brought in the short way, which is to do the same.
    const loaded = count === 1 && absent.length === 1 ? space.load(page, block, checksums[0], 'data block') : null;
    if (loaded === null) space.fill(page, block, end, checksums, 'data block');
    for (const i of absent) {
      const frame = space.find(page + i);
      assert.notEqual(frame, NO_FRAME, 'what was filled is there');
      if (loaded !== null) assert.equal(frame, loaded, 'what was loaded is found');
      pages.delete(page + i);
      this.#loaded(pages, page + i, frame, this.#stored[block + i]);
    }
  }

  pageWrite(spaceIndex: number, page: number): void {
    const { space, pages } = this.#spaces[spaceIndex];
    const entry = this.#live(pages, page);
    if (entry === undefined) return;
    const frame = space.writable(entry.frame, this.#delta);
    assert.equal(frame === entry.frame, entry.writes === 0, 'a page is forked exactly while it is being written');
    if (frame !== entry.frame) {
      this.#leave(entry);
      const copy = { ...entry, frame, bytes: entry.bytes.slice(), pins: 0, writes: 0, unfinished: false };
      pages.set(page, copy);
      this.#change(copy);
    } else {
      this.#change(entry);
    }
    this.#marked(pages.get(page)!);
  }

  pageDiscardFrom(spaceIndex: number, page: number): void {
    const { space, pages } = this.#spaces[spaceIndex];
    space.discardFrom(page);
    for (const [at, entry] of [...pages]) {
      if (at < page) continue;
      pages.delete(at);
      this.#leave(entry);
    }
  }

  /** Acts on the block or page that `place` chooses among all that are cached. */
  onSome(place: number, act: 'pin' | 'unpin' | 'change' | 'clean' | 'beginWrite' | 'endWrite' | 'discard'): void {
    const all: { entries: Map<number, Entry>; key: number }[] = [];
    for (const entries of [this.#blocks, ...this.#spaces.map(({ pages }) => pages)]) {
      for (const key of entries.keys()) if (this.#live(entries, key) !== undefined) all.push({ entries, key });
    }
    if (all.length === 0) return;
    const { entries, key } = all[place % all.length];
    const entry = entries.get(key)!;
    const { cache } = this;
    if (act === 'pin') {
      cache.pin(entry.frame);
      entry.pins++;
    } else if (act === 'unpin' && entry.pins > 0) {
      cache.unpin(entry.frame);
      entry.pins--;
    } else if (act === 'change' && entry.writes === 0) {
      cache.markDirty(entry.frame, this.#delta);
      this.#change(entry);
      this.#marked(entry);
    } else if (act === 'clean' && entry.writes === 0 && entries === this.#blocks) {
      // Written synchronously by somebody.
      this.#store(key, entry.bytes);
      cache.markClean(entry.frame);
      entry.delta = 0;
      entry.unfinished = false;
    } else if (act === 'beginWrite' && !entry.unfinished) {
      cache.beginWrite(entry.frame);
      entry.writes++;
      if (entries === this.#blocks) this.#store(key, entry.bytes);
    } else if (act === 'endWrite' && entry.writes > 0) {
      const delta = place & 1 ? entry.delta : entry.delta + 1;
      cache.endWrite(entry.frame, delta);
      entry.writes--;
      if (delta === entry.delta) entry.delta = 0;
    } else if (act === 'discard') {
      cache.discard(entry.frame);
      entries.delete(key);
      this.#leave(entry);
    }
  }

  /** Ends a write or a pin of a frame that has lost its mapping. */
  settleLeftover(place: number): void {
    if (this.#leftovers.length === 0) return;
    const leftover = this.#leftovers[place % this.#leftovers.length];
    if (leftover.writes > 0) {
      this.cache.endWrite(leftover.frame, this.#delta);
      leftover.writes--;
    } else {
      this.cache.unpin(leftover.frame);
      leftover.pins--;
    }
    this.#leftovers = this.#leftovers.filter(({ pins, writes }) => pins > 0 || writes > 0);
  }

  trim(): void {
    this.cache.trim();
    const { frameCount, budgetFrameCount } = this.cache.stats;
    assert.ok(
      frameCount <= budgetFrameCount || frameCount === this.#heldCount(),
      'after a trim only what is held is over budget',
    );
  }

  // --- the comparison ------------------------------------------------------------------------------------------------

  check(): void {
    const { cache } = this;
    cache.checkInvariants();
    const owners = new Map<Frame, string>();
    const claim = (frame: Frame, who: string) => {
      assert.equal(owners.get(frame), undefined, `frame ${frame} is both ${who} and ${owners.get(frame)}`);
      owners.set(frame, who);
    };
    const counts = { dirtyFrameCount: 0, pinnedFrameCount: 0, writingFrameCount: 0, frameCount: 0 };
    const compare = (entry: Entry, who: string) => {
      claim(entry.frame, who);
      counts.frameCount++;
      if (entry.delta > 0) counts.dirtyFrameCount++;
      if (entry.pins > 0) counts.pinnedFrameCount++;
      if (entry.writes > 0) counts.writingFrameCount++;
      assertBytes(cache.bytesOf(entry.frame), entry.bytes, `the content of ${who}`);
      assert.equal(cache.deltaOf(entry.frame), entry.delta, `the delta of ${who}`);
      assert.equal(cache.isDirty(entry.frame), entry.delta > 0);
      assert.equal(cache.isPinned(entry.frame), entry.pins > 0);
      assert.equal(cache.isWriting(entry.frame), entry.writes > 0);
      assert.equal(cache.checksumOf(entry.frame), xxh32(entry.bytes));
    };
    for (const block of [...this.#blocks.keys()]) {
      const entry = this.#live(this.#blocks, block);
      if (entry !== undefined) compare(entry, `block ${block}`);
    }
    for (const [spaceIndex, { space, pages }] of this.#spaces.entries()) {
      const dirty: number[] = [];
      for (const page of [...pages.keys()].sort((a, b) => a - b)) {
        const entry = this.#live(pages, page);
        if (entry === undefined) continue;
        compare(entry, `page ${page} of space ${spaceIndex}`);
        assert.equal(space.indexOf(entry.frame), page);
        if (entry.delta > 0 && entry.writes === 0) dirty.push(page);
      }
      assert.deepEqual([...space.dirtyIndexes()], dirty, 'the list of dirty pages is the set of dirty pages');
      assert.equal(space.pageCount, pages.size);
    }
    for (const { frame, bytes, pins, writes } of this.#leftovers) {
      claim(frame, 'left over');
      counts.frameCount++;
      if (pins > 0) counts.pinnedFrameCount++;
      if (writes > 0) counts.writingFrameCount++;
      assertBytes(cache.bytesOf(frame), bytes, 'what is being written stays as it is');
      assert.equal(cache.numberOf(frame), 0xffffffff);
    }
    const { stats } = cache;
    for (const name of Object.keys(counts) as (keyof typeof counts)[]) assert.equal(stats[name], counts[name], name);
    assert.equal(stats.overBudgetFrameCount, Math.max(0, stats.frameCount - stats.budgetFrameCount));
  }

  /** Frames that may not be evicted. */
  #heldCount(): number {
    let count = this.#leftovers.length;
    for (const entries of [this.#blocks, ...this.#spaces.map(({ pages }) => pages)]) {
      for (const key of [...entries.keys()]) {
        const entry = this.#live(entries, key);
        if (entry !== undefined && isHeld(entry)) count++;
      }
    }
    return count;
  }

  /** The entry, unless the cache has evicted it, which it may only do to what is not held. */
  #live(entries: Map<number, Entry>, key: number): Entry | undefined {
    const entry = entries.get(key);
    if (entry === undefined) return undefined;
    const spaceIndex = this.#spaces.findIndex(({ pages }) => pages === entries);
    const cached =
      spaceIndex === -1 ? this.cache.numberOf(entry.frame) === key : this.#spaces[spaceIndex].space.has(key);
    if (cached) return entry;
    assert.ok(!isHeld(entry), `${key} was evicted though dirty, pinned, unfinished or being written`);
    entries.delete(key);
    return undefined;
  }

  /** Whether a number may be given to new content: a dirty or unfinished frame would be in the way. */
  #mayTake(block: number): boolean {
    const entry = this.#live(this.#blocks, block);
    return entry === undefined || (entry.delta === 0 && !entry.unfinished);
  }

  /** The stale frame of a number that new content is about to take. */
  #forget(entries: Map<number, Entry>, key: number): void {
    const entry = this.#live(entries, key);
    if (entry === undefined) return;
    entries.delete(key);
    this.#leave(entry);
  }

  #leave(entry: Entry): void {
    if (entry.pins > 0 || entry.writes > 0) this.#leftovers.push(entry);
  }

  #loaded(entries: Map<number, Entry>, key: number, frame: Frame, bytes: Uint8Array): void {
    const entry = this.#live(entries, key);
    if (entry !== undefined) {
      assert.equal(frame, entry.frame, 'what is cached is found');
      return;
    }
    entries.set(key, { frame, bytes: bytes.slice(), delta: 0, pins: 0, writes: 0, unfinished: false });
  }

  #born(entries: Map<number, Entry>, key: number, frame: Frame): void {
    const entry = { frame, bytes: new Uint8Array(0), delta: 0, pins: 0, writes: 0, unfinished: true };
    entries.set(key, entry);
    this.#change(entry);
  }

  #change(entry: Entry): void {
    entry.bytes = pattern(this.#blockSize, this.#seed++);
    this.cache.bytesOf(entry.frame).set(entry.bytes);
  }

  #marked(entry: Entry): void {
    entry.delta = this.#delta;
    entry.unfinished = false;
  }

  #store(block: number, bytes: Uint8Array): void {
    this.#device.writeSync(block * this.#blockSize, [bytes]);
    this.#stored[block] = bytes.slice();
  }
}

function isHeld(entry: Entry): boolean {
  return entry.delta > 0 || entry.pins > 0 || entry.writes > 0 || entry.unfinished;
}
