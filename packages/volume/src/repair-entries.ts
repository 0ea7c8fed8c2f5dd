/**
 * The pass of a repair over all entries in key order: gathers what there is of each inode, and drops what makes no sense.
 *
 * An entry that cannot be decoded, or whose value cannot be read, goes. A record that cannot be decoded goes, too; whether its inode lives on is
 * decided by what else there is of it (`repair-inodes.ts`).
 */
import { assert, CorruptionError, DeviceError, getU32 } from '@outwrite/blockdev';
import { decodeFileEntry, KIND_RECLAIM } from '@outwrite/filemap';
import { decodeUtf8 } from './host.ts';
import { checkEntry, decodeInode, entryInode, entryType, SIZE_AT, TARGET_BYTES_LIMIT } from './inode-format.ts';
import {
  decodeKeyHead,
  decodeName,
  KIND,
  NUMBERED_KEY_BYTES,
  RECORD_KEY_BYTES,
  REST_OFFSET,
  ROOT_INODE,
  readU48BigEndian,
  VOLUME_INODE,
} from './key-format.ts';
import type { ExtentRepair } from './repair-extents.ts';
import { RepairState } from './repair-state.ts';

/** Reads all entries of the volume into `state`. */
export function gatherEntries(state: RepairState, extents: ExtentRepair): void {
  const gathering = new EntryGathering(state, extents);
  const cursor = state.head.tree.cursor();
  for (cursor.first(); cursor.valid; cursor.next()) {
    const key = cursor.key();
    if (state.isDeleted(key)) continue;
    let value: Uint8Array | CorruptionError;
    try {
      value = cursor.value();
    } catch (error) {
      // Nodes were read before; this is a value that stands in blocks of its own.
      value = asDamage(error);
    }
    gathering.entry(key, value);
  }
  extents.finish();
}

function asDamage(error: unknown): CorruptionError {
  if (error instanceof CorruptionError) return error;
  if (!(error instanceof DeviceError)) throw error;
  return new CorruptionError('overflow extent', error.message, { cause: error });
}

class EntryGathering {
  readonly #state: RepairState;
  readonly #extents: ExtentRepair;

  constructor(state: RepairState, extents: ExtentRepair) {
    this.#state = state;
    this.#extents = extents;
  }

  entry(key: Uint8Array, value: Uint8Array | CorruptionError): void {
    let inode = VOLUME_INODE;
    let kind = 0;
    try {
      ({ inode, kind } = decodeKeyHead(key));
      if (value instanceof CorruptionError) throw value;
      if (!RepairState.isNumber(inode)) throw new CorruptionError('tree key', 'no inode can have this number');
      if (inode === VOLUME_INODE) this.#volumeEntry(kind, key, value);
      else this.#inodeEntry(inode, kind, key, value);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      const isRecord = kind === KIND.record && key.length === RECORD_KEY_BYTES && RepairState.isNumber(inode);
      if (isRecord && inode !== VOLUME_INODE && !(value instanceof CorruptionError)) {
        this.#state.inode(inode).toldBytes = toldSize(value);
      }
      const code = isRecord ? 'record-dropped' : kind === KIND.name ? 'name-dropped' : 'entry-dropped';
      this.#state.dropDamaged(key, code, error, inode);
    }
  }

  #volumeEntry(kind: number, key: Uint8Array, value: Uint8Array): void {
    if (kind === KIND.orphan && key.length === NUMBERED_KEY_BYTES && value.length === 0) {
      this.#state.orphans.add(readU48BigEndian(key, REST_OFFSET));
    } else if (kind !== KIND.record || key.length !== RECORD_KEY_BYTES) {
      throw new CorruptionError('volume record', 'an entry of an unknown kind');
    } else if (!this.#state.hasVolumeRecord) {
      throw new CorruptionError('volume record', 'it makes no sense');
    }
  }

  #inodeEntry(number: number, kind: number, key: Uint8Array, value: Uint8Array): void {
    const state = this.#state;
    if (kind === KIND.name) {
      this.#name(number, key, value);
    } else if (kind === KIND.record) {
      if (key.length !== RECORD_KEY_BYTES) throw new CorruptionError('tree key', 'a record has a rest');
      const record = decodeInode(number, value);
      if (number === ROOT_INODE && !record.isDirectory) {
        throw new CorruptionError(`record of inode ${number}`, 'the root is no directory');
      }
      state.inode(number).record = record;
    } else if (kind === KIND.symlink) {
      if (key.length !== RECORD_KEY_BYTES) throw new CorruptionError('tree key', 'a link target has a rest');
      if (value.length === 0 || value.length > TARGET_BYTES_LIMIT || decodeUtf8(value, 0, value.length) === null) {
        throw new CorruptionError(`inode ${number}`, 'its link target cannot be one');
      }
      const inode = state.inode(number);
      inode.targetBytes = value.length;
      inode.keys.push(key);
    } else if (kind === KIND.xattr) {
      if (decodeUtf8(key, REST_OFFSET, key.length) === null) {
        throw new CorruptionError('attributes', 'a name is not UTF-8');
      }
      const inode = state.inode(number);
      inode.hasXattrs = true;
      if (inode.record?.isSymlink) inode.keys.push(key);
    } else if (kind === KIND.inline || kind === KIND.extent || kind === KIND_RECLAIM) {
      this.#content(number, key, value);
    } else {
      throw new CorruptionError('inode', `an entry of the unknown kind 0x${kind.toString(16)}`);
    }
  }

  #name(directory: number, key: Uint8Array, value: Uint8Array): void {
    const text = decodeName(directory, key, key.length, this.#state.head.nameLimitBytes);
    checkEntry(directory, value);
    const inode = this.#state.inode(directory);
    // What has no record and has names is a directory.
    this.#state.names.push({ directory, key, text, inode: entryInode(value), type: entryType(value) });
    if (inode.record === null) this.#forgetContent(directory);
  }

  /** Of two kinds of content that cannot go together, names are worth more: they lead to others. */
  #forgetContent(number: number): void {
    const inode = this.#state.inode(number);
    if (inode.keys.length === 0) return;
    this.#extents.finish();
    for (const key of inode.keys.splice(0)) {
      this.#state.drop(key, 'entry-dropped', `inode ${number}: it has names, so a content is none of its own`, number);
    }
    inode.pieces.length = 0;
    inode.inlineBytes = -1;
    inode.targetBytes = -1;
    inode.endBlockIndex = 0;
    inode.hasExtents = false;
  }

  #content(number: number, key: Uint8Array, value: Uint8Array): void {
    const state = this.#state;
    const { blockSize, openDelta } = state.head.log;
    const entry = decodeFileEntry(key, value, { blockSize, openDelta });
    assert(entry !== null, 'the kind says that this is an entry of a file');
    const inode = state.inode(number);
    const { record } = inode;
    if (number === ROOT_INODE || (record !== null && !record.isFile)) {
      throw new CorruptionError(`inode ${number}`, 'it is no file and has a content');
    }
    if (entry.kind === 'inline') {
      inode.inlineBytes = entry.lengthBytes;
      inode.keys.push(key);
    } else if (entry.kind === 'reclaim') {
      inode.reclaimed = entry.range;
      if (record === null) inode.keys.push(key);
    } else {
      if (inode.inlineBytes >= 0) this.#chooseContent(number);
      if (record === null) inode.keys.push(key);
      this.#extents.add(number, key, entry.extent);
    }
  }

  /** An inline content and extents exclude one another. The record says which it is; if it does not, the extents stay. */
  #chooseContent(number: number): void {
    const inode = this.#state.inode(number);
    const { record } = inode;
    if (record !== null && !record.isMapped && record.sizeBytes === inode.inlineBytes) {
      throw new CorruptionError(`inode ${number}`, 'its record knows of no extents');
    }
    const message = `inode ${number}: it has extents, so a content in the tree is none of its own`;
    this.#state.drop(inode.keys.pop()!, 'entry-dropped', message, number);
    inode.inlineBytes = -1;
  }
}

/** The size in a record that is no good otherwise; -1 where it is not even that long. */
function toldSize(record: Uint8Array): number {
  if (record.length < SIZE_AT + 8) return -1;
  const high = getU32(record, SIZE_AT + 4);
  return high >= 0x200000 ? -1 : high * 0x100000000 + getU32(record, SIZE_AT);
}
