/**
 * Records of the log, as people and programs read them.
 *
 * Three layers meet in a promise: the log carries it as bytes, the tree store names the tree and the separator at which a leaf begins, and
 * the volume says what the separator means: whose entry, of what kind. Separators are shortened, so they may end anywhere in a key.
 */
import type { Extent } from '@outwrite/alloc-log';
import { decodeAt, decodeGone } from '@outwrite/btree-cow';
import { KIND } from '@outwrite/volume';
import { printableName } from './printable.ts';

const NUMBER_BYTES = 6;
/** Separators are at most as long as the longest key of the largest block. */
const SEPARATOR_BYTES_LIMIT = 4096;

const KIND_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(KIND).map(([name, kind]) => [kind, name]));

export interface PromiseReport {
  readonly promise: 'tree created' | 'tree dying' | 'leaf gone' | 'leaves gone' | 'leaf at';
  readonly tree: number;
  /** The separator at which the leaf begins, in hexadecimal; '' is the first leaf of the tree. */
  readonly separator?: string;
  /** Of a range of leaves: the separator at which it ends; '' is the end of the tree. */
  readonly end?: string;
}

interface DecodedPromise {
  readonly promise: PromiseReport['promise'];
  readonly tree: number;
  readonly separator?: Uint8Array;
  readonly end?: Uint8Array;
}

const GONE_NAMES = { created: 'tree created', dying: 'tree dying', leaf: 'leaf gone', leaves: 'leaves gone' } as const;

function decode(phase: 'gone' | 'at', payload: Uint8Array): DecodedPromise {
  if (phase === 'at') {
    const { treeId, separator } = decodeAt(payload, SEPARATOR_BYTES_LIMIT);
    return { promise: 'leaf at', tree: treeId, separator };
  }
  const gone = decodeGone(payload, SEPARATOR_BYTES_LIMIT);
  return {
    promise: GONE_NAMES[gone.type],
    tree: gone.treeId,
    ...('separator' in gone ? { separator: gone.separator } : {}),
    ...('end' in gone ? { end: gone.end } : {}),
  };
}

/** A promise for JSON; throws a `CorruptionError` for bytes that are none. */
export function promiseReport(phase: 'gone' | 'at', payload: Uint8Array): PromiseReport {
  const { promise, tree, separator, end } = decode(phase, payload);
  return {
    promise,
    tree,
    ...(separator === undefined ? {} : { separator: hexBytes(separator) }),
    ...(end === undefined ? {} : { end: hexBytes(end) }),
  };
}

/** What a promise is about, in words: `from inode 12, name "abc" (tree 1)`. */
export function promiseText(phase: 'gone' | 'at', payload: Uint8Array): string {
  const { promise, tree, separator, end } = decode(phase, payload);
  if (separator === undefined) return `${promise} (tree ${tree})`;
  const from = separator.length === 0 ? 'the first key' : separatorText(separator);
  if (end === undefined) return `from ${from} (tree ${tree})`;
  return `all from ${from} to ${end.length === 0 ? 'the last key' : separatorText(end)} (tree ${tree})`;
}

/** What a separator of the volume's tree means, as far as it goes. */
export function separatorText(separator: Uint8Array): string {
  if (separator.length < NUMBER_BYTES) return `inodes from ${bigEndian(padded(separator, NUMBER_BYTES))}`;
  const inode = `inode ${bigEndian(separator.subarray(0, NUMBER_BYTES))}`;
  if (separator.length === NUMBER_BYTES) return inode;
  const kind = separator[NUMBER_BYTES];
  const kindName = KIND_NAMES.get(kind) ?? `kind 0x${kind.toString(16)}`;
  const rest = separator.subarray(NUMBER_BYTES + 1);
  if (rest.length === 0) return `${inode}, ${kindName}`;
  if (kind === KIND.name || kind === KIND.xattr) {
    return `${inode}, ${kindName} "${printableName(new TextDecoder().decode(rest))}"`;
  }
  if (rest.length > NUMBER_BYTES) return `${inode}, ${kindName} 0x${hexBytes(rest)}`;
  return `${inode}, ${kindName} ${bigEndian(padded(rest, NUMBER_BYTES))}`;
}

/** `100..104 (5 blocks)`, `7`. */
export function extentText({ start, count }: Extent): string {
  return count === 1 ? `block ${start}` : `blocks ${start}..${start + count - 1} (${count})`;
}

export function hexBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  const result = new Uint8Array(length);
  result.set(bytes.subarray(0, length));
  return result;
}

function bigEndian(bytes: Uint8Array): number {
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return value;
}
