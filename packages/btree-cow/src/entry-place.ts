/** How a cursor shows entries where they lie in cached memory, without copies. */

/** Where the bytes of a value are: `bytes[start, start + length)`. */
export interface ValuePlace {
  bytes: Uint8Array;
  start: number;
  length: number;
}

/**
 * Is shown an entry: its key is `key[0, keyLength)`, its value `bytes[start, start + length)`. Both are the store's memory, valid until the
 * visitor returns or calls anything that belongs to the store; not to be written to. Returns false to be shown no more.
 */
export type EntryVisitor = (
  key: Uint8Array,
  keyLength: number,
  bytes: Uint8Array,
  start: number,
  length: number,
) => boolean | undefined;
