/**
 * The records of a delta, as they stand in the stream that its log blocks carry.
 *
 * A delta is a set and no history: allocations, frees, promises "gone", promises "is at", and the blocks that it wrote besides those
 * that a promise names. Records come in the order of their types. Every integer but a checksum is a varint. Record types are on-disk
 * values: do not renumber.
 */
import { ByteReader, type ByteWriter, CorruptionError } from '@outwrite/blockdev';
import type { BlockPointer } from './block-pointer.ts';
import type { Extent } from './extent.ts';

export const RECORD_END = 0;
export const RECORD_ALLOCATE = 1;
export const RECORD_FREE = 2;
export const RECORD_GONE = 3;
export const RECORD_AT = 4;
export const RECORD_WRITE = 5;

/** Kinds of blocks that a write record lists, in the order of their numbers on disk. */
export const LISTED_KINDS: readonly ['data', 'overflow'] = ['data', 'overflow'];
export type ListedKind = (typeof LISTED_KINDS)[number];

export interface AtPromise {
  /** The client's own words: which parent entry this stands for. */
  payload: Uint8Array;
  pointer: BlockPointer;
}

export interface ListedWrite {
  start: number;
  /** One a block. */
  checksums: number[];
  kind: ListedKind;
}

export interface DeltaRecords {
  allocations: Extent[];
  frees: Extent[];
  gone: Uint8Array[];
  at: AtPromise[];
  writes: ListedWrite[];
}

export function encodeRecords(delta: number, records: DeltaRecords, writer: ByteWriter): void {
  for (const { start, count } of records.allocations) {
    writer.u8(RECORD_ALLOCATE);
    writer.varint(start);
    writer.varint(count);
  }
  for (const { start, count } of records.frees) {
    writer.u8(RECORD_FREE);
    writer.varint(start);
    writer.varint(count);
  }
  for (const payload of records.gone) {
    writer.u8(RECORD_GONE);
    writer.varint(payload.length);
    writer.append(payload);
  }
  for (const { payload, pointer } of records.at) {
    writer.u8(RECORD_AT);
    writer.varint(payload.length);
    writer.append(payload);
    writer.varint(pointer.block);
    writer.u32(pointer.checksum);
    writer.varint(delta - pointer.birth);
  }
  for (const { start, checksums, kind } of records.writes) {
    writer.u8(RECORD_WRITE);
    writer.varint(start);
    writer.varint(checksums.length);
    writer.u8(LISTED_KINDS.indexOf(kind));
    for (const checksum of checksums) writer.u32(checksum);
  }
  writer.u8(RECORD_END);
}

/** Decodes the record stream of one delta; throws a `CorruptionError` for whatever `encodeRecords` does not write. */
export function decodeRecords(delta: number, stream: Uint8Array, blockLimit: number): DeltaRecords {
  const reader = new ByteReader(stream, { structure: 'log block' });
  const records: DeltaRecords = { allocations: [], frees: [], gone: [], at: [], writes: [] };
  let lastType = RECORD_ALLOCATE;
  for (;;) {
    const type = reader.u8();
    if (type === RECORD_END) break;
    if (type > RECORD_WRITE) reader.fail('a record has an unknown type', { actual: type });
    if (type < lastType) reader.fail('the records are out of order', { actual: type });
    lastType = type;
    if (type === RECORD_ALLOCATE) records.allocations.push(readExtent(reader, blockLimit));
    else if (type === RECORD_FREE) records.frees.push(readExtent(reader, blockLimit));
    else if (type === RECORD_GONE) records.gone.push(readPayload(reader));
    else if (type === RECORD_AT) records.at.push(readAt(reader, delta, blockLimit));
    else records.writes.push(readWrite(reader, blockLimit));
  }
  reader.expectEnd();
  return records;
}

function readExtent(reader: ByteReader, blockLimit: number): Extent {
  const start = reader.varint();
  const count = reader.varint();
  if (count < 1 || start + count > blockLimit) reader.fail('an extent leads beyond the volume', { actual: start });
  return { start, count };
}

function readPayload(reader: ByteReader): Uint8Array {
  const length = reader.varint();
  if (length > reader.remaining) reader.fail('a promise is cut off', { actual: length });
  return reader.view(length).slice();
}

function readAt(reader: ByteReader, delta: number, blockLimit: number): AtPromise {
  const payload = readPayload(reader);
  const block = reader.varint();
  if (block >= blockLimit) reader.fail('a promise leads beyond the volume', { actual: block });
  const checksum = reader.u32();
  const age = reader.varint();
  if (age >= delta) reader.fail('a promise is older than the volume', { actual: age });
  return { payload, pointer: { block, checksum, birth: delta - age } };
}

function readWrite(reader: ByteReader, blockLimit: number): ListedWrite {
  const start = reader.varint();
  const count = reader.varint();
  const kind = LISTED_KINDS[reader.u8()];
  if (kind === undefined) throw new CorruptionError('log block', 'a written block is of an unknown kind');
  if (count < 1 || start + count > blockLimit || count * 4 > reader.remaining) {
    reader.fail('a list of written blocks leads beyond its end', { actual: count });
  }
  const checksums: number[] = new Array(count);
  for (let i = 0; i < count; i++) checksums[i] = reader.u32();
  return { start, checksums, kind };
}
