/**
 * Scrubbing: every checksum of what is live is verified against the device, at a bounded rate, while the volume is in use.
 *
 * Three parts. The metadata (superblocks, log, free map, nodes, overflow values, and how they hang together) is read in one synchronous turn by
 * a second, read-only opening of the device with a cache of its own: what the caches of the volume hold proves nothing about the medium.
 * Then, in another turn, the metadata that the older superblock leads to: recovery and repair fall back on it, so damage there is as much
 * damage as any. Then the blocks of all files are read, one extent in a turn, with pauses that keep the rate; between turns the volume may
 * change.
 *
 * Why that is sound while others write: an entry is read and its blocks are verified in the same turn, and a block that an entry of the
 * present tree names is not reused.
 *
 * Why it ends, however fast others write: its task is what was durable when it began. What is born later is passed over without a pause (it
 * may still be on its way to the device), and the walk goes forward only; so each step verifies an extent that none before it has
 * verified, of a set that can only become smaller.
 */
import { readLogChain, readSlots, type Superblock } from '@outwrite/alloc-log';
import { type BlockDevice, CorruptionError, OutwriteError, xxh32 } from '@outwrite/blockdev';
import { decodeFileEntry, type Extent, type ReclaimRange } from '@outwrite/filemap';
import { BorrowedDevice } from './borrowed-device.ts';
import { type ContentRun, contentRuns } from './content-runs.ts';
import { findPaths, walkEntries } from './entry-walk.ts';
import type { Head } from './head.ts';
import { pause } from './host.ts';
import { entryInode } from './inode-format.ts';
import { decodeKeyHead, KIND, VOLUME_INODE } from './key-format.ts';
import { lastLoggedDelta, withoutNewerSlot } from './repair-slots.ts';
import { checkVolume, type Finding } from './volume-check.ts';

export interface ScrubOptions {
  /** The most bytes that are read in a second, on average; no bound by default. The metadata is read in one go and waited for after that. */
  readonly bytesPerSecond?: number | undefined;
  /** Told of everything that is wrong, as it is found. */
  readonly onFinding?: ((finding: Finding) => void) | undefined;
  /** Told now and then how far it is. */
  readonly onProgress?: ((progress: ScrubProgress) => void) | undefined;
  /** Ends the scrub early: it then returns what it has, with `complete` false. */
  readonly signal?: { readonly aborted: boolean } | undefined;
}

export interface ScrubProgress {
  /** On the way at most `totalBytes`; of the report what was read from the device, log and superblocks included. */
  readonly verifiedBytes: number;
  /** The size of all blocks that were used when it began. Not all of them need be read. */
  readonly totalBytes: number;
}

/** An inode of which something cannot be read. */
export interface DamagedInode {
  readonly inode: number;
  /** One of its paths; undefined if no readable name leads to it. */
  readonly path: string | undefined;
}

export interface ScrubReport extends ScrubProgress {
  readonly complete: boolean;
  readonly errorCount: number;
  readonly warningCount: number;
  /** Files, directories and links that are hit, by inode number. */
  readonly damaged: readonly DamagedInode[];
}

/** A second opening of the volume on the same device; it need not be closed. */
export type OpenAgain = (device: BlockDevice) => Head;

/** Bytes read in one turn when nobody asks for a rate, so that others get theirs. */
const TURN_BYTES = 4 * 1024 * 1024;
/** Shorter pauses than this are saved up. */
const LEAST_PAUSE_MILLISECONDS = 5;
/** The longest single pause: `signal` and `onProgress` are served in between. */
const LONGEST_PAUSE_MILLISECONDS = 200;

/** See `Volume.scrub`. The caller has committed. */
export async function scrubVolume(head: Head, openAgain: OpenAgain, options: ScrubOptions): Promise<ScrubReport> {
  const { bytesPerSecond } = options;
  if (bytesPerSecond !== undefined && !(bytesPerSecond > 0)) throw new RangeError('bytesPerSecond must be positive');
  const scrub = new Scrub(head, options);
  const startTime = Date.now();
  let turnBytes = 0;
  for (const steps of [scrub.metadata(openAgain), scrub.olderMetadata(openAgain), scrub.data()]) {
    for (const stepBytes of steps) {
      turnBytes += stepBytes;
      options.onProgress?.(scrub.progress);
      for (;;) {
        if (options.signal?.aborted === true) return scrub.report(false);
        const dueTime = bytesPerSecond === undefined ? 0 : startTime + (scrub.verifiedBytes / bytesPerSecond) * 1000;
        const milliseconds = dueTime - Date.now();
        if (milliseconds < LEAST_PAUSE_MILLISECONDS && turnBytes < TURN_BYTES) break;
        turnBytes = 0;
        await pause(Math.max(0, Math.min(milliseconds, LONGEST_PAUSE_MILLISECONDS)));
        // Throws if it was closed or has failed meanwhile.
        head.begin();
      }
    }
  }
  return scrub.report(true);
}

class Scrub {
  readonly #head: Head;
  readonly #options: ScrubOptions;
  readonly #hit: Set<number> = new Set();
  /** The task: extents born up to this delta. */
  readonly #lastDelta: number;
  readonly #totalBytes: number;
  /** Structures and blocks that findings have named. */
  readonly #named: Set<string> = new Set();
  #errorCount = 0;
  #warningCount = 0;
  verifiedBytes = 0;

  constructor(head: Head, options: ScrubOptions) {
    this.#head = head;
    this.#options = options;
    this.#lastDelta = head.log.durableDelta;
    this.#totalBytes = head.log.stats().usedBlocks * head.log.blockSize;
  }

  get progress(): ScrubProgress {
    const totalBytes = this.#totalBytes;
    return { verifiedBytes: Math.min(this.verifiedBytes, totalBytes), totalBytes };
  }

  report(complete: boolean): ScrubReport {
    const numbers = [...this.#hit].sort((a, b) => a - b);
    const paths = findPaths(this.#head, numbers);
    return {
      ...this.progress,
      verifiedBytes: this.verifiedBytes,
      complete,
      errorCount: this.#errorCount,
      warningCount: this.#warningCount,
      damaged: numbers.map((inode) => ({ inode, path: paths.get(inode) })),
    };
  }

  /** Everything but the content of files, as it is on the device now; yields the bytes that were read. */
  *metadata(openAgain: OpenAgain): Generator<number> {
    const device = new BorrowedDevice(this.#head.log.device, { readOnly: true });
    try {
      if (!readSlots(device).bothValid) {
        this.#tell('damaged', 'superblock', 'one of the two slots is not valid; the next writable opening renews it');
      }
      const again = openAgain(device);
      // What this volume knows to be durable has to be there; in a volume at rest a torn end is none of it.
      if (again.log.durableDelta < this.#head.log.durableDelta) this.#tellLost(again, device);
      else this.#walk(again);
    } catch (error) {
      if (!(error instanceof OutwriteError)) throw error;
      this.#tellError(error);
    }
    this.verifiedBytes += device.readBytes;
    yield device.readBytes;
  }

  #walk(again: Head): void {
    const { droppedDelta } = again.log.recovery!;
    if (droppedDelta !== null) {
      this.#tell('torn-end', 'log block', `delta ${droppedDelta} was not finished and does not count`, {
        severity: 'warning',
      });
    }
    let isWhole = true;
    for (const finding of checkVolume(again, { data: false })) {
      if (finding.structure === 'leaf' || finding.structure === 'index node') isWhole = false;
      this.#add(finding);
    }
    if (!isWhole) this.#findHidden(again);
  }

  /**
   * Recovery would not come to what was durable: a log block is damaged, or something that the last delta lists. The state that it would
   * come to is not walked. It is no state of this volume any more, and its blocks may be in use again.
   */
  #tellLost(again: Head, device: BlockDevice): void {
    const { durableDelta } = this.#head.log;
    const { damage } = again.log.recovery!;
    const last = readLogChain(device, readSlots(device).chosen).deltas.at(-1);
    if (damage instanceof OutwriteError) {
      this.#tellError(damage);
    } else if (last?.delta !== durableDelta) {
      const message = `delta ${durableDelta} was durable, and the log ends at ${again.log.durableDelta}`;
      this.#tell('damaged', 'log block', message);
    } else {
      for (const { pointer } of last.records.at) {
        if (pointer.birth === last.delta) this.#listed(pointer.block, pointer.checksum, 'leaf');
      }
      for (const { start, checksums, kind } of last.records.writes) {
        // Content of files is verified later on, where the file is known.
        if (kind === 'data') continue;
        for (let i = 0; i < checksums.length; i++) this.#listed(start + i, checksums[i], 'overflow extent');
      }
    }
    const message = 'what the log leads to was not verified, apart from the content of files';
    this.#tell('incomplete', 'volume', message, { severity: 'warning' });
  }

  /** Verifies a block that the last delta lists. */
  #listed(block: number, checksum: number, structure: string): void {
    const bytes = new Uint8Array(this.#head.log.blockSize);
    const problem = this.#readBlock(block, bytes);
    if (problem === null && xxh32(bytes) === checksum) return;
    const message = `block ${block}, which the last delta has written, ${problem ?? 'does not have its checksum'}`;
    this.#tell('damaged', structure, message, { block });
  }

  /** What the older superblock leads to, as far as the newer one does not lead there too; yields the bytes that were read. */
  *olderMetadata(openAgain: OpenAgain): Generator<number> {
    const { log } = this.#head;
    let readBytes = 0;
    try {
      const device = withoutNewerSlot(log.device, { readOnly: true });
      if (device === null || isOneCheckpoint(readSlots(device).chosen, readSlots(log.device).chosen)) return;
      try {
        const again = openAgain(device);
        const { damage } = again.log.recovery!;
        const loggedDelta = lastLoggedDelta(device);
        if (damage !== null) this.#tellBehindOlder(damage);
        else if (loggedDelta < log.durableDelta) {
          const message = `delta ${log.durableDelta} was durable, and the log ends at ${loggedDelta}`;
          this.#tellBehindOlder(new CorruptionError('log block', message));
        } else if (again.log.durableDelta === log.durableDelta) {
          again.store.check({ block: () => undefined, problem: (error) => this.#tellBehindOlder(error) });
          // Reads every page of the free map.
          for (const _extent of again.log.usedExtents());
        }
        // Otherwise something is damaged that the last delta lists: that is told where it belongs, and what was before it is no state of ours.
      } finally {
        readBytes = device.readBytes;
      }
    } catch (error) {
      this.#tellBehindOlder(error);
    }
    this.verifiedBytes += readBytes;
    yield readBytes;
  }

  /** Tells of damage that only the older superblock leads to; the rest was told. No file is hit by it. */
  #tellBehindOlder(error: unknown): void {
    if (!(error instanceof OutwriteError)) throw error;
    const corruption = error instanceof CorruptionError ? error : null;
    const structure = corruption?.structure ?? 'volume';
    if (this.#named.has(`${structure} ${corruption?.block}`)) return;
    const code = corruption === null ? error.code : 'damaged';
    this.#tell(code, structure, `behind the older superblock: ${error.message}`, { block: corruption?.block });
  }

  /** The content of all files that the scrub began with; yields the bytes read, after each extent. */
  *data(): Generator<number> {
    const { log } = this.#head;
    let reclaimed: ReclaimRange | null = null;
    let owner = VOLUME_INODE;
    const walk = walkEntries(this.#head, (_error, inode) => this.#hit.add(inode));
    for (const [key, value] of walk) {
      const { inode, kind } = decodeKeyHead(key);
      if (inode !== owner) reclaimed = null;
      owner = inode;
      if (kind < KIND.inline || kind > KIND.extent) continue;
      try {
        const entry = decodeFileEntry(key, value, { blockSize: log.blockSize, openDelta: log.openDelta });
        if (entry?.kind === 'reclaim') reclaimed = entry.range;
        if (entry?.kind !== 'extent' || entry.extent.birth > this.#lastDelta) continue;
        let readBytes = 0;
        for (const run of contentRuns(entry.extent, reclaimed)) readBytes += this.#content(inode, entry.extent, run);
        if (readBytes > 0) yield readBytes;
      } catch (error) {
        // The walk of the metadata has told what is wrong with the entry.
        if (!(error instanceof CorruptionError)) throw error;
        this.#hit.add(inode);
      }
    }
  }

  /** Verifies blocks of an extent and returns their size. */
  #content(inode: number, extent: Extent, { first, count }: ContentRun): number {
    const { blockSize, device } = this.#head.log;
    const start = extent.start + first;
    const bytes = new Uint8Array(count * blockSize);
    let isRead = false;
    try {
      if (start * blockSize + bytes.length <= device.sizeBytes) {
        device.readSync(start * blockSize, [bytes]);
        isRead = true;
      }
    } catch (error) {
      // A medium that cannot read one block fails for all of them: they are tried one by one.
      if (!(error instanceof OutwriteError)) throw error;
    }
    for (let i = 0; i < count; i++) {
      const block = bytes.subarray(i * blockSize, (i + 1) * blockSize);
      const problem = isRead ? null : this.#readBlock(start + i, block);
      if (problem === null && xxh32(block) === extent.checksums[first + i]) continue;
      const where = `block ${extent.blockIndex + first + i} of the file, block ${start + i} of the device`;
      const what = problem ?? 'does not have its checksum';
      this.#hit.add(inode);
      this.#tell('damaged', 'data block', `inode ${inode}: ${where}, ${what}`, { inode, block: start + i });
    }
    this.verifiedBytes += bytes.length;
    return bytes.length;
  }

  #readBlock(block: number, target: Uint8Array): string | null {
    const { blockSize, device } = this.#head.log;
    if ((block + 1) * blockSize > device.sizeBytes) return 'lies beyond the end of the device';
    try {
      device.readSync(block * blockSize, [target]);
      return null;
    } catch (error) {
      if (!(error instanceof OutwriteError)) throw error;
      return `cannot be read: ${error.message}`;
    }
  }

  /** A node that cannot be read hides parts of inodes: those to which a readable name leads, and those with readable keys. */
  #findHidden(again: Head): void {
    const seen = new Set<number>();
    const named = new Set<number>();
    for (const [key, value] of walkEntries(again, (_error, inode) => this.#hit.add(inode))) {
      const { inode, kind } = decodeKeyHead(key);
      seen.add(inode);
      if (kind === KIND.name && value.length >= 6) named.add(entryInode(value));
    }
    for (const inode of named) {
      try {
        const cursor = again.tree.cursor();
        cursor.seek(again.keys.plain(inode, KIND.record));
        if (!cursor.valid || decodeKeyHead(cursor.key()).inode !== inode) this.#hit.add(inode);
        while (cursor.valid && decodeKeyHead(cursor.key()).inode === inode) cursor.next();
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error;
        this.#hit.add(inode);
      }
    }
    this.#hit.delete(VOLUME_INODE);
  }

  #tell(
    code: string,
    structure: string,
    message: string,
    detail: { block?: number | undefined; inode?: number; severity?: 'warning' } = {},
  ): void {
    const { severity = 'error', ...rest } = detail;
    this.#add({ severity, code, structure, message, ...rest });
  }

  #tellError(error: OutwriteError): void {
    const corruption = error instanceof CorruptionError ? error : null;
    const code = corruption === null ? error.code : 'damaged';
    this.#tell(code, corruption?.structure ?? 'volume', error.message, { block: corruption?.block });
  }

  #add(finding: Finding): void {
    this.#named.add(`${finding.structure} ${finding.block}`);
    if (finding.severity === 'error') this.#errorCount++;
    else this.#warningCount++;
    if (finding.severity === 'error' && finding.inode !== undefined && finding.inode !== VOLUME_INODE) {
      this.#hit.add(finding.inode);
    }
    this.#options.onFinding?.(finding);
  }
}

/** An opening writes both slots with one checkpoint. */
function isOneCheckpoint(a: Superblock, b: Superblock): boolean {
  return a.nextLogNumber === b.nextLogNumber && a.root.block === b.root.block && a.delta === b.delta;
}
