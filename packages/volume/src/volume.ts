/**
 * A volume: a file system in one device, and the calls that concern it as a whole.
 *
 * Lifecycle: `create` or `open`; use through `fs`; `commit` when something must be durable; `close`, which commits and checkpoints. After a
 * crash `open` finds the state of some commit that is not older than the last one acknowledged. A failed write or flush latches the
 * volume: it still reads, every change and commit throws, and `close` writes nothing and says so.
 */
import type { LogBounds, LogTuning, RecoveryReport } from '@outwrite/alloc-log';
import {
  type BlockDevice,
  ClosedError,
  type CorruptionError,
  checkDevice,
  DeviceError,
  deviceName,
  NotAVolumeError,
  UnsupportedError,
} from '@outwrite/blockdev';
import { type Tree, TreeStore } from '@outwrite/btree-cow';
import { relocateFileEntry } from '@outwrite/filemap';
import { AutoCommit } from './auto-commit.ts';
import { type Codec, plainCodec } from './fs-encoding.ts';
import { Head, type HeadOptions } from './head.ts';
import { Inode } from './inode.ts';
import {
  decodeVolumeRecord,
  encodeInode,
  encodeVolumeRecord,
  INODE_RECORD_BYTES,
  VOLUME_RECORD_BYTES,
  VOLUME_RECORD_VERSION,
} from './inode-format.ts';
import { MODE_DIRECTORY } from './inode-mode.ts';
import { KeyScratch, KIND, ROOT_INODE, VOLUME_INODE } from './key-format.ts';
import { Clock } from './timestamp.ts';
import { checkTuning } from './tuning-check.ts';
import { type CheckOptions, checkVolume, type Finding } from './volume-check.ts';
import { VolumeFs } from './volume-fs.ts';
import { type RepairOptions, type RepairReport, repairVolume } from './volume-repair.ts';
import { type ScrubOptions, type ScrubReport, scrubVolume } from './volume-scrub.ts';
import { collectStats, type VolumeStats } from './volume-stats.ts';

/** How a volume behaves while it is open. Nothing of it is stored. */
export interface VolumeTuning {
  /** Memory for cached blocks; 32 MiB by default. */
  cacheBytes?: number | undefined;
  /** Inodes kept as objects; 32,768 by default. */
  cachedInodes?: number | undefined;
  /** Names kept as objects; 65,536 by default. */
  cachedNames?: number | undefined;
  /** Milliseconds from a change to a commit that nobody asked for; 5,000 by default, 0 for none. */
  autoCommitMilliseconds?: number | undefined;
  /** Bytes of changed names, inodes and small files at which a commit is begun; a quarter of the cache by default, 0 for no bound. */
  autoCommitBytes?: number | undefined;
  /** Owner of new files; 0 by default. */
  uid?: number | undefined;
  gid?: number | undefined;
  /** Permissions that new files do not get; 0o022 by default. */
  umask?: number | undefined;
  /** Milliseconds since 1970; the time of the host by default. */
  clock?: (() => number) | undefined;
  /** Random bytes for ids; the host's by default. Deterministic tests give their own. */
  randomBytes?: ((length: number) => Uint8Array) | undefined;
  /** When the log does work early. The defaults serve; tests make them small. */
  bounds?: Partial<LogBounds> | undefined;
}

export interface CreateOptions extends VolumeTuning {
  /** 512 to 16384, a power of two; 4096 by default. Fixed for the life of the volume. */
  blockSize?: number | undefined;
  /** The volume never grows beyond this; the device's own limit by default. */
  maxBytes?: number | undefined;
}

export interface VolumeOpenOptions extends VolumeTuning {
  /** Recovers in memory and writes nothing. */
  readOnly?: boolean | undefined;
}

const DEFAULT_CACHE_BYTES = 32 * 1024 * 1024;
const DEFAULT_INODES = 32_768;
const DEFAULT_NAMES = 65_536;
const DEFAULT_COMMIT_MILLISECONDS = 5_000;
/** A scrub reads each node once, so its cache is small. */
const SCRUB_CACHE_BYTES = 4 * 1024 * 1024;
const ROOT_MODE: number = MODE_DIRECTORY | 0o755;

/** Makes the `fs` object of a head; the `node` entry has its own. */
export type FsFactory<Fs> = (head: Head) => Fs;

export class Volume<Fs extends VolumeFs<Uint8Array> = VolumeFs> {
  /** Files and directories, through functions shaped like `node:fs`. */
  readonly fs: Fs;
  /** How the volume was found; null for one that was just made. */
  readonly recovery: RecoveryReport | null;
  /** Files without a name that an earlier life left, and that opening reclaimed. */
  readonly reclaimedOrphans: number;
  readonly #head: Head;
  readonly #store: TreeStore;
  readonly #autoCommit: AutoCommit;
  readonly #damage: CorruptionError[];
  #closing: Promise<void> | null = null;

  /** Made by `create` and `open`. */
  protected constructor(parts: { store: TreeStore; tree: Tree; tuning: VolumeTuning; factory: FsFactory<Fs> }) {
    const { store, tree, tuning } = parts;
    const damage: CorruptionError[] = [];
    this.#damage = damage;
    this.#store = store;
    this.recovery = store.log.recovery;
    this.#head = new Head(
      store,
      tree,
      readRecord(tree),
      headOptions(tuning, (error) => damage.push(error)),
    );
    this.#autoCommit = new AutoCommit(this.#head, {
      ageMilliseconds: tuning.autoCommitMilliseconds ?? DEFAULT_COMMIT_MILLISECONDS,
      dirtyBytes: tuning.autoCommitBytes ?? Math.floor((tuning.cacheBytes ?? DEFAULT_CACHE_BYTES) / 4),
    });
    this.#head.beforeChange = () => this.#autoCommit.beforeChange();
    this.reclaimedOrphans = this.#head.readOnly ? 0 : this.#head.orphans.reclaimAll();
    this.fs = parts.factory(this.#head);
  }

  /** Makes an empty volume on `device`, whatever it holds. Takes the device over: `close` closes it. Throws a `RangeError` or `TypeError` for impossible options. */
  static create(device: BlockDevice, options: CreateOptions = {}): Volume {
    return createWith(device, options, Volume.plain);
  }

  /**
   * Opens the volume on `device` and takes the device over. Throws `NotAVolumeError`, `TruncatedError`, `UnsupportedError`, or a
   * `CorruptionError` for damage that it cannot get past.
   */
  static open(device: BlockDevice, options: VolumeOpenOptions = {}): Volume {
    return openWith(device, options, Volume.plain);
  }

  /**
   * Repairs the volume on `device`, which is not in use, or with `dryRun` only says what that would change: cuts the log at damage in its
   * middle, gives up what nodes that cannot be read held, makes the free map anew from what is reachable, drops entries that make no sense,
   * brings inodes without a name into `/lost+found`, removes names that lead nowhere, corrects link counts and sizes, and cuts blocks that
   * cannot be read out of files. All of it is one commit. `obstacle` says so when damage is beyond that; nothing is changed then. Throws
   * what opening throws for a device that holds no volume. The device stays the caller's.
   */
  static repair(device: BlockDevice, options: RepairOptions = {}): RepairReport {
    checkDevice(device);
    const openHead = (lent: BlockDevice): Head => {
      const { cacheBytes } = options;
      return openWith(lent, { readOnly: true, cacheBytes, autoCommitMilliseconds: 0 }, Volume.plain).#head;
    };
    return repairVolume(device, openHead, options);
  }

  private static plain(head: Head): VolumeFs {
    return new VolumeFs(head, plainCodec as Codec);
  }

  /** For entries of other hosts: `create` with an `fs` object of their own. */
  static assemble<Fs extends VolumeFs<Uint8Array>>(
    store: TreeStore,
    tree: Tree,
    tuning: VolumeTuning,
    factory: FsFactory<Fs>,
  ): Volume<Fs> {
    return new Volume<Fs>({ store, tree, tuning, factory });
  }

  get blockSize(): number {
    return this.#head.log.blockSize;
  }

  get readOnly(): boolean {
    return this.#head.readOnly;
  }

  get closed(): boolean {
    return this.#head.closed;
  }

  /** 16 random bytes that name the volume, given when it was made. */
  get volumeId(): Uint8Array {
    return this.#head.log.volumeId;
  }

  /** Makes everything done before the call durable: one flush. Resolves with the number of the delta. Concurrent callers share one. */
  async commit(): Promise<number> {
    this.#check();
    if (this.#head.readOnly) return this.#head.log.durableDelta;
    return await this.#store.commit();
  }

  commitSync(): number {
    this.#check();
    if (this.#head.readOnly) return this.#head.log.durableDelta;
    return this.#store.commitSync();
  }

  /** Commits, and writes out what recovery would otherwise replay. Never needed; shortens the next opening. */
  async checkpoint(): Promise<void> {
    this.#check();
    if (!this.#head.readOnly) await this.#store.checkpoint();
  }

  checkpointSync(): void {
    this.#check();
    if (!this.#head.readOnly) this.#store.checkpointSync();
  }

  /**
   * Runs `change`, which must be synchronous, with no commit inside: after a crash all that it did is there, or nothing. Nothing is undone
   * when it throws. Want of space inside is `ENOSPC` at once, since no commit can be made to gain any. Throws a `TypeError` when `change`
   * returns a promise; what it did before its first `await` stays.
   */
  transact<T>(change: () => T): T {
    this.#check();
    this.#autoCommit.enterTransaction();
    try {
      return this.#store.transact(change);
    } finally {
      this.#autoCommit.leaveTransaction();
    }
  }

  stats(): VolumeStats {
    this.#check();
    return collectStats(this.#head, { openDescriptors: this.fs.openDescriptorCount, damage: this.#damage.length });
  }

  /**
   * Walks everything that the volume holds and yields what is wrong with it, as it is found: trees and their checksums, inodes, names, link
   * counts, orphans, extents and (unless told otherwise) the checksum of every data block, and whether each block of the device is used
   * exactly once or free. Commits first when there are changes. Never throws for a bad image. Do not change the volume meanwhile.
   */
  *check(options: CheckOptions = {}): Generator<Finding, void> {
    this.#check();
    if (!this.#head.readOnly && this.#head.log.latched === null) this.#store.commitSync();
    for (const error of this.#damage) {
      yield {
        severity: 'error',
        code: 'damaged-space',
        structure: error.structure,
        message: error.message,
        block: error.block,
      };
    }
    yield* checkVolume(this.#head, options);
  }

  /**
   * Verifies every checksum of live metadata and data against the device, at a bounded rate if one is given, and tells what is hit by path.
   * Metadata is read in one synchronous turn, then the content of files one extent in a turn; the volume may be used meanwhile. Commits
   * first. Never throws for a bad image; throws when the volume is latched or is closed meanwhile.
   */
  async scrub(options: ScrubOptions = {}): Promise<ScrubReport> {
    this.#check();
    if (!this.#head.readOnly) this.#store.commitSync();
    const openAgain = (device: BlockDevice): Head =>
      Volume.open(device, { readOnly: true, cacheBytes: SCRUB_CACHE_BYTES, autoCommitMilliseconds: 0 }).#head;
    return await scrubVolume(this.#head, openAgain, options);
  }

  /**
   * Waits for writes in the background, commits, checkpoints, and closes the device. Open files are closed. A latched volume, or one whose
   * last commit fails, is closed all the same, without further writing; then this rejects with a `LatchedError`, since what was not
   * committed is lost. Callers meanwhile share the outcome; a call on a closed volume resolves.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close().finally(() => {
      this.#closing = null;
    });
    return this.#closing;
  }

  async #close(): Promise<void> {
    while (this.#head.backgroundWrites.size > 0) await Promise.allSettled(this.#head.backgroundWrites);
    this.#shut();
    await this.#store.close();
  }

  /** As `close`. While something is in flight a `DeviceError` is thrown; `close` then is the way to let go of the device. */
  closeSync(): void {
    const writeCount = this.#head.backgroundWrites.size;
    if (writeCount > 0) {
      throw new DeviceError({ operation: 'close' }, `${writeCount} writes are under way; await close() instead`);
    }
    this.#shut();
    this.#store.closeSync();
  }

  #shut(): void {
    if (this.#head.closed) return;
    this.#autoCommit.stop();
    this.fs.closeDescriptors();
    this.#head.closed = true;
  }

  #check(): void {
    if (this.#head.closed) throw new ClosedError('the volume');
  }

  /** Asserts what must hold between operations. For tests. */
  checkInvariants(): void {
    this.#head.checkInvariants();
  }
}

function headOptions(tuning: VolumeTuning, report: (error: CorruptionError) => void): HeadOptions {
  return {
    limits: { inodeCount: tuning.cachedInodes ?? DEFAULT_INODES, nameCount: tuning.cachedNames ?? DEFAULT_NAMES },
    clock: tuning.clock ?? Date.now,
    uid: tuning.uid ?? 0,
    gid: tuning.gid ?? 0,
    umask: tuning.umask ?? 0o022,
    report,
  };
}

function readRecord(tree: Tree): { nextInode: number; inodeCount: number } {
  const record = decodeVolumeRecord(tree.get(new KeyScratch().plain(VOLUME_INODE, KIND.record)) as Uint8Array);
  return { nextInode: record.nextInode, inodeCount: record.inodeCount };
}

/** `Volume.create` with an `fs` object of the caller's making. */
export function createWith<Fs extends VolumeFs<Uint8Array>>(
  device: BlockDevice,
  options: CreateOptions,
  factory: FsFactory<Fs>,
): Volume<Fs> {
  checkTuning(options);
  const clock = new Clock(options.clock ?? Date.now);
  clock.tick();
  const store = TreeStore.format(device, {
    ...logTuning(options),
    ...(options.blockSize === undefined ? {} : { blockSize: options.blockSize }),
    ...(options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }),
  });
  const tree = store.createTree();
  const keys = new KeyScratch();
  const root = new Inode(ROOT_INODE, ROOT_MODE);
  root.linkCount = 2;
  root.uid = options.uid ?? 0;
  root.gid = options.gid ?? 0;
  for (const time of ['atime', 'mtime', 'ctime', 'birthtime'] as const) {
    root[`${time}Seconds`] = clock.seconds;
    root[`${time}Nanoseconds`] = clock.nanoseconds;
  }
  const volumeRecord = new Uint8Array(VOLUME_RECORD_BYTES);
  encodeVolumeRecord({ nextInode: ROOT_INODE + 1, inodeCount: 1 }, volumeRecord);
  tree.put(keys.plain(VOLUME_INODE, KIND.record), volumeRecord);
  const rootRecord = new Uint8Array(INODE_RECORD_BYTES);
  encodeInode(root, rootRecord);
  tree.put(keys.plain(ROOT_INODE, KIND.record), rootRecord);
  store.checkpointSync();
  return Volume.assemble(store, tree, options, factory);
}

/** `Volume.open` with an `fs` object of the caller's making. */
export function openWith<Fs extends VolumeFs<Uint8Array>>(
  device: BlockDevice,
  options: VolumeOpenOptions,
  factory: FsFactory<Fs>,
): Volume<Fs> {
  checkTuning(options);
  const store = TreeStore.open(device, {
    ...logTuning(options),
    ...(options.readOnly === undefined ? {} : { readOnly: options.readOnly }),
    relocateValue: relocateFileEntry,
  });
  const ids = store.treeIds();
  if (ids.length === 0)
    throw new NotAVolumeError(`${deviceName(device)} holds an Outwrite store without trees, not a volume`);
  const tree = store.tree(Math.min(...ids));
  const bytes = tree.get(new KeyScratch().plain(VOLUME_INODE, KIND.record));
  if (bytes === undefined)
    throw new NotAVolumeError(`${deviceName(device)} holds an Outwrite key-value store, not a volume`);
  const { version } = decodeVolumeRecord(bytes);
  if (version !== VOLUME_RECORD_VERSION) {
    throw new UnsupportedError(
      `the volume has version ${version}; this release knows version ${VOLUME_RECORD_VERSION}`,
    );
  }
  return Volume.assemble(store, tree, options, factory);
}

function logTuning(tuning: VolumeTuning): LogTuning {
  return {
    ...(tuning.bounds === undefined ? {} : { bounds: tuning.bounds }),
    ...(tuning.cacheBytes === undefined ? {} : { cacheBytes: tuning.cacheBytes }),
    ...(tuning.randomBytes === undefined ? {} : { randomBytes: tuning.randomBytes }),
  };
}
