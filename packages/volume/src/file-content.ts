/**
 * Contents of files, small and large.
 *
 * A file up to a quarter of a block is one value in the tree. It is read from there, changed in memory of the `ContentArena`, and put back by
 * staging. When it grows beyond that, `filemap` takes over, for good: the flag in the record says so from the same delta on.
 *
 * A change through `filemap` may span deltas. While it runs the inode counts it (`changingCount`), and staging takes the size for the
 * record from the map, so the record fits the content in each of those deltas.
 */
import { CorruptionError } from '@outwrite/blockdev';
import { DIRECT_WRITE_BYTES, type FileMap, MAX_FILE_BYTES } from '@outwrite/filemap';
import { type Operation, rethrow } from './fs-errors.ts';
import type { Head } from './head.ts';
import type { ContentTimes, Inode } from './inode.ts';
import { FLAG_MAPPED } from './inode-mode.ts';
import { KIND } from './key-format.ts';

const EMPTY = new Uint8Array(0);
/** Record and content. */
const PUTS_TO_WRITE = 2;

/** Copies bytes from `position` on to `target`; returns how many there were. Throws a `CorruptionError`. */
export function readContent(head: Head, inode: Inode, position: number, target: Uint8Array): number {
  if (inode.isMapped) return mapOf(head, inode).read(position, target);
  const byteCount = Math.min(target.length, inode.sizeBytes - position);
  if (byteCount <= 0) return 0;
  const content = inode.content;
  if (content !== null) {
    target.set(byteCount === content.length ? content : content.subarray(position, position + byteCount));
    return byteCount;
  }
  const key = head.keys.numbered(inode.number, KIND.inline, 0);
  if (position === 0 && target.length >= inode.sizeBytes) {
    const length = head.tree.getInto(key, target, 0);
    if (length !== inode.sizeBytes) wrongLength(inode, length);
  } else {
    target.set(storedContent(head, inode).subarray(position, position + byteCount));
  }
  return byteCount;
}

function wrongLength(inode: Inode, length: number): never {
  throw new CorruptionError(`content of inode ${inode.number}`, 'it has not the length that the record names', {
    expected: inode.sizeBytes,
    actual: length,
  });
}

function storedContent(head: Head, inode: Inode): Uint8Array {
  if (inode.sizeBytes === 0) return EMPTY;
  const content = head.tree.get(head.keys.numbered(inode.number, KIND.inline, 0));
  if (content === undefined || content.length !== inode.sizeBytes) wrongLength(inode, content?.length ?? 0);
  return content;
}

/** The map of a file that `filemap` keeps. */
export function mapOf(head: Head, inode: Inode, isNew = false): FileMap {
  let map = inode.map;
  if (map === null) {
    map = head.maps.open(inode.number, inode.sizeBytes, { isNew });
    inode.map = map;
    head.cache.mapOpened(inode);
  }
  return map;
}

/** The length of a file as it is now. While a change spans deltas, that of the inode is the one from before it. */
export function contentSize(inode: Inode): number {
  return inode.map?.sizeBytes ?? inode.sizeBytes;
}

/** The first position from `position` on that holds data; -1 when there is none. */
export function dataFrom(head: Head, inode: Inode, position: number): number {
  if (inode.isMapped) return mapOf(head, inode).seekData(position);
  return position < inode.sizeBytes ? position : -1;
}

/** The first position from `position` on in a hole; the end of the file counts as one; -1 beyond it. */
export function holeFrom(head: Head, inode: Inode, position: number): number {
  if (inode.isMapped) return mapOf(head, inode).seekHole(position);
  return position < inode.sizeBytes ? inode.sizeBytes : -1;
}

/** Writes `source` at `position`, all of it or, when space or the device fails on the way in a large write, a beginning of it. */
export function writeContent(
  head: Head,
  operation: Operation,
  inode: Inode,
  position: number,
  source: Uint8Array,
): void {
  if (source.length === 0) return;
  const end = position + source.length;
  checkSizeBytes(operation, end);
  if (!inode.isMapped && end <= head.inlineLimitBytes) {
    changeInline(head, operation, inode, Math.max(end, inode.sizeBytes), position, source);
    return;
  }
  changeMapped(head, operation, inode, false, (map) => map.write(position, source));
}

/** Fails for a size that no file can have, before anything is done for it. */
function checkSizeBytes(operation: Operation, sizeBytes: number): void {
  if (sizeBytes > MAX_FILE_BYTES) operation.fail('EFBIG');
}

/** Whether a write goes on in the background: a shorter one has nothing that does not go through pages, and takes effect at once. */
export function isForBackground(source: Uint8Array): boolean {
  return source.length >= DIRECT_WRITE_BYTES;
}

/**
 * As `writeContent`, for what `isForBackground`; large parts are written from `source`, which must not change until the promise settles.
 */
export async function writeContentInBackground(
  head: Head,
  operation: Operation,
  inode: Inode,
  position: number,
  source: Uint8Array,
): Promise<void> {
  checkSizeBytes(operation, position + source.length);
  const change = beginMapped(head, operation, inode, false);
  const write = change.map.writeAsync(position, source);
  let isRefused = true;
  try {
    await write;
    isRefused = false;
  } catch (error) {
    rethrow(error, operation);
  } finally {
    endMapped(head, inode, change, isRefused);
  }
}

/** Cuts the file off at `sizeBytes`, or lengthens it with zeros. */
export function resizeContent(head: Head, operation: Operation, inode: Inode, sizeBytes: number): void {
  checkSizeBytes(operation, sizeBytes);
  if (!inode.isMapped && sizeBytes <= head.inlineLimitBytes) {
    changeInline(head, operation, inode, sizeBytes, 0, EMPTY);
    return;
  }
  changeMapped(head, operation, inode, sizeBytes < contentSize(inode), (map) => map.truncate(sizeBytes));
}

/** Cuts the file off at its beginning. One that has no bytes gets the time of a change all the same: that is how files are touched. */
export function emptyContent(head: Head, operation: Operation, inode: Inode): void {
  if (contentSize(inode) !== 0) {
    resizeContent(head, operation, inode, 0);
    return;
  }
  reserveRecord(head, operation, inode, true);
  head.touch(inode);
}

/** Makes `[position, position + lengthBytes)` read as zeros, gives back its blocks, and leaves the size as it is. */
export function punchContent(
  head: Head,
  operation: Operation,
  inode: Inode,
  position: number,
  lengthBytes: number,
): void {
  const end = Math.min(position + lengthBytes, contentSize(inode));
  if (end <= position) return;
  if (!inode.isMapped) {
    changeInline(head, operation, inode, inode.sizeBytes, position, new Uint8Array(end - position));
    return;
  }
  changeMapped(head, operation, inode, true, (map) => map.punchHole(position, end - position));
}

/** Sets a small content to `sizeBytes` bytes: what was there, zeros beyond it, and `source` at `position`. */
function changeInline(
  head: Head,
  operation: Operation,
  inode: Inode,
  sizeBytes: number,
  position: number,
  source: Uint8Array,
): void {
  const reclaiming = sizeBytes < inode.sizeBytes;
  do {
    head.staging.begin(operation, PUTS_TO_WRITE, reclaiming);
    head.staging.needInode(operation, inode, reclaiming);
    head.staging.needContent(operation, inode, reclaiming);
  } while (!head.staging.reserve(operation, PUTS_TO_WRITE, reclaiming));
  applyInline(head, inode, sizeBytes, position, source);
}

/** Second half: replaces the content of a file that `filemap` does not keep by `source`, which is small. Part of the caller's reservation. */
export function replaceInline(head: Head, inode: Inode, source: Uint8Array): void {
  // As one step: cut to the new size, with nothing of the old content kept.
  if (inode.content === null || inode.content.length < source.length) {
    head.staging.markContent(inode, source.length);
    inode.content = head.arena.allocate(source.length);
  }
  inode.content.set(source);
  inode.sizeBytes = source.length;
  head.touch(inode);
}

function applyInline(head: Head, inode: Inode, sizeBytes: number, position: number, source: Uint8Array): void {
  const oldSizeBytes = inode.sizeBytes;
  let content = inode.content;
  const overwritten = position === 0 && source.length >= oldSizeBytes;
  if (content === null || content.length < sizeBytes) {
    // What will be kept of the old content is read first: this can fail, the rest cannot.
    const old = overwritten ? EMPTY : content === null ? storedContent(head, inode) : content.subarray(0, oldSizeBytes);
    // A content that grows piece by piece doubles its room.
    const roomBytes =
      oldSizeBytes === 0 || sizeBytes <= oldSizeBytes ? sizeBytes : Math.max(sizeBytes, oldSizeBytes * 2);
    content = head.arena.allocate(Math.min(roomBytes, head.inlineLimitBytes));
    const keptBytes = Math.min(old.length, sizeBytes);
    content.set(keptBytes === old.length ? old : old.subarray(0, keptBytes));
    if (inode.content === null) head.staging.markContent(inode, head.inlineLimitBytes);
    inode.content = content;
  }
  if (position > oldSizeBytes) content.fill(0, oldSizeBytes, position);
  content.set(source, position);
  const written = source.length === 0 ? oldSizeBytes : Math.max(oldSizeBytes, position + source.length);
  if (sizeBytes > written) content.fill(0, written, sizeBytes);
  inode.sizeBytes = sizeBytes;
  head.touch(inode);
}

/** A change through `filemap` that is under way. */
interface MappedChange {
  readonly map: FileMap;
  /** What the map had counted when it began. */
  readonly changeCount: number;
}

function changeMapped(
  head: Head,
  operation: Operation,
  inode: Inode,
  reclaiming: boolean,
  run: (map: FileMap) => void,
): void {
  const change = beginMapped(head, operation, inode, reclaiming);
  let isRefused = true;
  try {
    run(change.map);
    isRefused = false;
  } catch (error) {
    rethrow(error, operation);
  } finally {
    endMapped(head, inode, change, isRefused);
  }
}

/** Begins a change through `filemap`; hands a small content over to it if need be. Ends with `endMapped`, whatever happens in between. */
function beginMapped(head: Head, operation: Operation, inode: Inode, reclaiming: boolean): MappedChange {
  const before = timesBefore(head, inode);
  let isNew = false;
  if (!inode.isMapped) {
    isNew = inode.sizeBytes === 0 && !inode.inlineStored;
    handOver(head, operation, inode);
  }
  const map = mapOf(head, inode, isNew);
  reserveRecord(head, operation, inode, reclaiming);
  // At once, so that each delta that gets a part of the change has its time.
  head.touch(inode);
  inode.changingCount++;
  if (before !== null) head.provisionalTimes.set(inode, before);
  return { map, changeCount: map.changeCount };
}

/** What an inode's times were before all changes under way; null if it has got another one since the first of them began. */
function timesBefore(head: Head, inode: Inode): ContentTimes | null {
  const known = head.provisionalTimes.get(inode);
  if (known !== undefined) return known;
  if (inode.changingCount > 0) return null;
  const { mtimeSeconds, mtimeNanoseconds, ctimeSeconds, ctimeNanoseconds } = inode;
  return { mtimeSeconds, mtimeNanoseconds, ctimeSeconds, ctimeNanoseconds };
}

function endMapped(head: Head, inode: Inode, { map, changeCount }: MappedChange, isRefused: boolean): void {
  inode.changingCount--;
  inode.sizeBytes = map.sizeBytes;
  inode.allocatedBytes = -1;
  if (!isRefused || map.changeCount !== changeCount) head.provisionalTimes.delete(inode);
  else if (inode.changingCount === 0) takeBackTimes(head, inode);
  head.staging.endChange(inode);
  head.orphans.settle(inode);
}

/** All changes under way were refused with nothing done: the times are again those from before, unless others were given meanwhile. */
function takeBackTimes(head: Head, inode: Inode): void {
  const before = head.provisionalTimes.get(inode);
  if (before === undefined) return;
  head.provisionalTimes.delete(inode);
  Object.assign(inode, before);
  head.staging.recordDiffers(inode);
}

/** First half of a change of the record alone. */
function reserveRecord(head: Head, operation: Operation, inode: Inode, reclaiming: boolean): void {
  do {
    head.staging.begin(operation, PUTS_TO_WRITE, reclaiming);
    head.staging.needInode(operation, inode, reclaiming);
  } while (!head.staging.reserve(operation, PUTS_TO_WRITE, reclaiming));
}

/** Puts a changed small content into the tree, where `filemap` looks for it, and marks the file as kept by `filemap`. */
function handOver(head: Head, operation: Operation, inode: Inode): void {
  if (inode.content !== null) {
    const content = inode.content.subarray(0, inode.sizeBytes);
    const key = head.keys.numbered(inode.number, KIND.inline, 0);
    try {
      // A commit that this makes for want of room stages the same content.
      if (content.length !== 0) head.tree.put(key, content);
      else if (inode.inlineStored) head.tree.delete(key);
    } catch (error) {
      rethrow(error, operation);
    }
    inode.content = null;
  }
  reserveRecord(head, operation, inode, false);
  inode.flags |= FLAG_MAPPED;
  inode.inlineStored = false;
  head.touchRecord(inode);
}
