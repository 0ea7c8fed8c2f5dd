/**
 * Checking a volume from end to end, streaming what is wrong.
 *
 * Three parts. The store walks its trees: layout, order, bounds and checksums of every node (invariant 9). Then all keys of the head are
 * read in order: records, names, contents, extents and the checksums of their blocks; cross-references are compared at the end
 * (`namespace-check.ts`). Every block that something refers to is reported to the space audit, which compares with the free map: each is
 * used once, or free, and nothing leaks (invariants 4 and 5).
 *
 * A damaged leaf hides an unknown part of the keys: it is reported once, the walk goes on after it, and conclusions that need all keys
 * ("no name leads to it", "nothing refers to this block") are not drawn.
 */
import { SpaceAudit, type SpaceFinding } from '@outwrite/alloc-log';
import { CorruptionError, OutwriteError, xxh32 } from '@outwrite/blockdev';
import { decodeFileEntry, type Extent, KIND_RECLAIM, type ReclaimRange } from '@outwrite/filemap';
import { type ContentRun, contentRuns, reachesBeyond } from './content-runs.ts';
import { nameOrNull } from './entry-walk.ts';
import type { Head } from './head.ts';
import { decodeUtf8 } from './host.ts';
import type { Inode } from './inode.ts';
import { checkEntry, decodeInode, decodeVolumeRecord, entryInode, entryType } from './inode-format.ts';
import { FLAG_LONG_TARGET, FLAG_XATTRS } from './inode-mode.ts';
import {
  decodeKeyHead,
  KIND,
  NUMBERED_KEY_BYTES,
  RECORD_KEY_BYTES,
  REST_OFFSET,
  ROOT_INODE,
  readU48BigEndian,
  VOLUME_INODE,
} from './key-format.ts';
import { NamespaceCheck } from './namespace-check.ts';

export interface CheckOptions {
  /** Read every data block and compare its checksum; true by default. */
  readonly data?: boolean | undefined;
}

/** One thing that is wrong. `code` is stable. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly code: string;
  /** What was being looked at: 'index node', 'inode', 'directory', 'free map', ... */
  readonly structure: string;
  readonly message: string;
  readonly path?: string | undefined;
  readonly inode?: number | undefined;
  readonly block?: number | undefined;
  readonly blockCount?: number | undefined;
}

/** Data blocks read at once. */
const RUN_BLOCKS = 64;
/** Paths are looked for at so many findings; each takes a pass over the names. */
const PATH_LIMIT = 32;
/** A run of findings from one walk of the store is kept in memory before it is handed out; more than this ends the walk. */
const MOST_TREE_FINDINGS = 10_000;

function* checkVolumeParts(head: Head, options: CheckOptions): Generator<Finding> {
  // A read-only opening goes on where the log breaks off in damage; what is there is an older state.
  const damage = head.log.recovery?.damage;
  if (damage instanceof OutwriteError) yield ofError(damage);
  const check = new VolumeCheck(head, options);
  yield* check.trees();
  yield* check.keys();
  yield* check.finish();
}

/** See `Volume.check`. */
export function* checkVolume(head: Head, options: CheckOptions): Generator<Finding> {
  try {
    yield* checkVolumeParts(head, options);
  } catch (error) {
    // Whatever part of a bad image led here, it is one more finding and no exception.
    if (!(error instanceof OutwriteError)) throw error;
    yield ofError(error);
  }
}

function ofError(error: OutwriteError, inode?: number): Finding {
  const corruption = error instanceof CorruptionError ? error : null;
  return {
    severity: 'error',
    code: corruption === null ? error.code : 'damaged',
    structure: corruption?.structure ?? 'volume',
    message: error.message,
    inode,
    block: corruption?.block,
  };
}

class VolumeCheck {
  readonly #head: Head;
  readonly #options: CheckOptions;
  readonly #audit: SpaceAudit;
  readonly #namespace: NamespaceCheck = new NamespaceCheck();
  #complete = true;
  #pathsLeft = PATH_LIMIT;
  readonly #run: Uint8Array;

  // The inode whose keys are being read.
  #inode: Inode | null = null;
  #owner = -1;
  #nameCount = 0;
  #inlineBytes = -1;
  #targetBytes = -1;
  #blockIndexReached = 0;
  #hasXattrs = false;
  /** What the file is giving up: it belongs to no content any more. */
  #reclaimed: ReclaimRange | null = null;

  constructor(head: Head, options: CheckOptions) {
    this.#head = head;
    this.#options = options;
    this.#audit = new SpaceAudit(head.log);
    this.#run = new Uint8Array(RUN_BLOCKS * head.log.blockSize);
  }

  *trees(): Generator<Finding> {
    const findings: Finding[] = [];
    this.#head.store.check({
      block: (block: number, count: number, kind: string) => {
        for (const finding of this.#audit.reach(block, count, kind)) findings.push(ofSpace(finding));
      },
      problem: (error: Error) => {
        if (!(error instanceof OutwriteError)) throw error;
        this.#complete = false;
        if (findings.length < MOST_TREE_FINDINGS) findings.push(ofError(error));
      },
    });
    yield* findings;
  }

  /** All keys of the head, in order. */
  *keys(): Generator<Finding> {
    const cursor = this.#head.tree.cursor();
    let jump = 1;
    let from = this.#head.keys.plain(VOLUME_INODE, 0).slice();
    for (;;) {
      try {
        cursor.seek(from);
        while (cursor.valid) {
          const key = cursor.key();
          const { inode } = decodeKeyHead(key);
          if (inode !== this.#owner) {
            yield* this.#finishInode();
            this.#begin(inode);
            jump = 1;
          }
          yield* this.#entry(key, cursor.value());
          cursor.next();
        }
        break;
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error;
        // The trees were walked before, so damage of a node was reported there; a key that makes no sense was not.
        if (this.#complete) yield ofError(error);
        this.#complete = false;
        this.#inode = null;
        const next = Math.max(this.#owner, 0) + jump;
        if (next >= this.#head.record.nextInode) break;
        this.#owner = next - 1;
        jump *= 2;
        from = this.#head.keys.plain(next, 0).slice();
      }
    }
    yield* this.#finishInode();
  }

  *finish(): Generator<Finding> {
    if (this.#complete) {
      for (const finding of this.#namespace.finish(this.#head.record)) {
        yield this.#inodeFinding(finding.code, 'inode', finding.message, finding.inode);
      }
    } else {
      yield {
        severity: 'warning',
        code: 'incomplete',
        structure: 'volume',
        message: 'some keys could not be read, so links and unreferenced blocks were not checked',
      };
    }
    for (const finding of this.#audit.finish()) {
      if (finding.code === 'used-but-unreached' && !this.#complete) continue;
      yield ofSpace(finding);
    }
  }

  #begin(owner: number): void {
    this.#owner = owner;
    this.#inode = null;
    this.#nameCount = 0;
    this.#inlineBytes = -1;
    this.#targetBytes = -1;
    this.#blockIndexReached = 0;
    this.#hasXattrs = false;
    this.#reclaimed = null;
  }

  *#entry(key: Uint8Array, value: Uint8Array): Generator<Finding> {
    const { inode: owner, kind } = decodeKeyHead(key);
    try {
      if (owner === VOLUME_INODE) {
        this.#volumeEntry(kind, key, value);
        return;
      }
      if (kind === KIND.record) {
        if (key.length !== RECORD_KEY_BYTES) throw new CorruptionError('tree key', 'a record has a rest');
        this.#inode = decodeInode(owner, value);
        this.#namespace.addInode(this.#inode);
        return;
      }
      if (this.#inode === null) {
        yield this.#inodeFinding(
          'no-record',
          'inode',
          `it has an entry of kind 0x${kind.toString(16)} and no record`,
          owner,
        );
      }
      if (kind === KIND.name) yield* this.#name(owner, key, value);
      else if (kind === KIND.xattr) {
        this.#hasXattrs = true;
        if (decodeUtf8(key, REST_OFFSET, key.length) === null)
          throw new CorruptionError('attributes', 'a name is not UTF-8');
      } else if (kind === KIND.symlink) this.#targetBytes = value.length;
      else if (kind === KIND.inline || kind === KIND.extent || kind === KIND_RECLAIM)
        yield* this.#content(owner, key, value);
      else
        yield this.#inodeFinding(
          'unknown-entry',
          'inode',
          `it has an entry of the unknown kind 0x${kind.toString(16)}`,
          owner,
        );
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      yield { ...ofError(error, owner), path: this.#pathOf(owner) };
    }
  }

  #volumeEntry(kind: number, key: Uint8Array, value: Uint8Array): void {
    if (kind === KIND.record) decodeVolumeRecord(value);
    else if (kind === KIND.orphan && key.length === NUMBERED_KEY_BYTES && value.length === 0) {
      this.#namespace.addOrphan(readU48BigEndian(key, REST_OFFSET));
    } else throw new CorruptionError('volume record', `unknown entry of kind 0x${kind.toString(16)}`);
  }

  *#name(directory: number, key: Uint8Array, value: Uint8Array): Generator<Finding> {
    this.#nameCount++;
    if (nameOrNull(this.#head, directory, key) === null) {
      yield this.#inodeFinding('bad-name', 'directory', 'it holds a name that cannot be one', directory);
    }
    checkEntry(directory, value);
    const finding = this.#namespace.addName(directory, entryInode(value), entryType(value));
    if (finding !== null) yield this.#inodeFinding(finding.code, 'inode', finding.message, finding.inode);
  }

  *#content(owner: number, key: Uint8Array, value: Uint8Array): Generator<Finding> {
    const { blockSize, openDelta } = this.#head.log;
    const entry = decodeFileEntry(key, value, { blockSize, openDelta });
    if (entry === null) throw new CorruptionError('file map', 'a key makes no sense');
    const inode = this.#inode;
    if (inode !== null && !inode.isFile) {
      yield this.#inodeFinding('wrong-type', 'inode', 'it is no file and has a content', owner);
    }
    if (entry.kind === 'inline') {
      this.#inlineBytes = entry.lengthBytes;
    } else if (entry.kind === 'reclaim') {
      this.#reclaimed = entry.range;
    } else {
      const { extent } = entry;
      for (const finding of this.#audit.reach(extent.start, extent.checksums.length, `inode ${owner}`))
        yield ofSpace(finding);
      if (extent.blockIndex < this.#blockIndexReached) {
        yield this.#inodeFinding('overlap', 'extent', 'an extent begins before the one before it ends', owner);
      }
      this.#blockIndexReached = extent.blockIndex + extent.checksums.length;
      if (inode !== null && reachesBeyond(extent, Math.ceil(inode.sizeBytes / blockSize), this.#reclaimed)) {
        yield this.#inodeFinding('beyond-end', 'extent', 'an extent reaches beyond the end of the file', owner);
      }
      if (inode !== null && !inode.isMapped) {
        yield this.#inodeFinding('wrong-flags', 'inode', 'it has extents, and its record does not say so', owner);
      }
      if (this.#options.data !== false && this.#head.log.latched === null) {
        for (const run of contentRuns(extent, this.#reclaimed)) yield* this.#data(owner, extent, run);
      }
    }
  }

  /** Compares every block of a run of an extent with its checksum. */
  *#data(owner: number, extent: Extent, run: ContentRun): Generator<Finding> {
    const { device, blockSize } = this.#head.log;
    const { checksums } = extent;
    const end = run.first + run.count;
    for (let first = run.first; first < end; first += RUN_BLOCKS) {
      const count = Math.min(RUN_BLOCKS, end - first);
      const position = (extent.start + first) * blockSize;
      if (position + count * blockSize > device.sizeBytes) {
        yield this.#inodeFinding('truncated', 'data block', 'its blocks lie beyond the end of the device', owner);
        return;
      }
      device.readSync(position, [this.#run.subarray(0, count * blockSize)]);
      for (let i = 0; i < count; i++) {
        const actual = xxh32(this.#run, i * blockSize, (i + 1) * blockSize, 0);
        if (actual === checksums[first + i]) continue;
        const block = extent.start + first + i;
        const where = `block ${extent.blockIndex + first + i} of the file, block ${block} of the device`;
        yield { ...this.#inodeFinding('damaged', 'data block', `${where}, does not have its checksum`, owner), block };
      }
    }
  }

  *#finishInode(): Generator<Finding> {
    const inode = this.#inode;
    if (inode === null) return;
    const { number } = inode;
    if (inode.isDirectory) {
      if (this.#nameCount !== inode.sizeBytes) {
        const message = `it counts ${inode.sizeBytes} names and has ${this.#nameCount}`;
        yield this.#inodeFinding('wrong-name-count', 'directory', message, number);
      }
    } else if (this.#nameCount !== 0) {
      yield this.#inodeFinding('wrong-type', 'inode', 'it is no directory and has names', number);
    }
    if (number === ROOT_INODE && !inode.isDirectory) {
      yield this.#inodeFinding('wrong-type', 'inode', 'the root is no directory', number);
    }
    if (inode.isFile && !inode.isMapped && Math.max(this.#inlineBytes, 0) !== inode.sizeBytes) {
      const message = `its content has ${Math.max(this.#inlineBytes, 0)} bytes where its record says ${inode.sizeBytes}`;
      yield this.#inodeFinding('wrong-size', 'inode', message, number);
    }
    if (inode.isMapped && this.#inlineBytes >= 0 && this.#inlineBytes !== inode.sizeBytes) {
      yield this.#inodeFinding('wrong-size', 'inode', 'its content has not the size that its record says', number);
    }
    if ((inode.flags & FLAG_LONG_TARGET) !== 0 && this.#targetBytes !== inode.sizeBytes) {
      yield this.#inodeFinding('wrong-size', 'inode', 'its link target is missing or has another length', number);
    }
    if (this.#hasXattrs && (inode.flags & FLAG_XATTRS) === 0) {
      yield this.#inodeFinding('wrong-flags', 'inode', 'it has attributes, and its record does not say so', number);
    }
  }

  #inodeFinding(code: string, structure: string, message: string, inode: number): Finding {
    return {
      severity: 'error',
      code,
      structure,
      message: inode === 0 ? message : `inode ${inode}: ${message}`,
      inode,
      path: this.#pathOf(inode),
    };
  }

  /** A path that leads to `inode`, by a pass over the names for each step up. */
  #pathOf(inode: number): string | undefined {
    if (inode === ROOT_INODE) return '/';
    if (inode === VOLUME_INODE || this.#pathsLeft-- <= 0) return undefined;
    let path = '';
    let wanted = inode;
    try {
      for (let depth = 0; depth < 256 && wanted !== ROOT_INODE; depth++) {
        const found = this.#nameOf(wanted);
        if (found === null) return undefined;
        path = `/${found.name}${path}`;
        wanted = found.directory;
      }
    } catch (error) {
      if (!(error instanceof OutwriteError)) throw error;
      return undefined;
    }
    return wanted === ROOT_INODE ? path : undefined;
  }

  #nameOf(wanted: number): { directory: number; name: string } | null {
    const cursor = this.#head.tree.cursor();
    for (cursor.first(); cursor.valid; cursor.next()) {
      const key = cursor.key();
      const { inode, kind } = decodeKeyHead(key);
      if (kind !== KIND.name) continue;
      const value = cursor.value();
      if (value.length < 6 || entryInode(value) !== wanted) continue;
      const name = nameOrNull(this.#head, inode, key);
      if (name !== null) return { directory: inode, name };
    }
    return null;
  }
}

function ofSpace(finding: SpaceFinding): Finding {
  return {
    severity: finding.code === 'used-but-unreached' ? 'warning' : 'error',
    code: finding.code,
    structure: 'free map',
    message: `${finding.message}: ${finding.blockCount} from block ${finding.block} on`,
    block: finding.block,
    blockCount: finding.blockCount,
  };
}
