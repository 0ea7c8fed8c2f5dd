/**
 * What can be tuned when a log is formatted or opened, the defaults, and the shared state made from them.
 */
import { type BlockDevice, isUint8Array } from '@outwrite/blockdev';
import { BufferCache } from '@outwrite/buffer-cache';
import { FreeMap } from './free-map.ts';
import type { LogClient } from './log-client.ts';
import { type LogBounds, LogCore } from './log-core.ts';
import { newCounters } from './log-stats.ts';
import type { Superblock } from './superblock-format.ts';
import { WaitingList } from './waiting-list.ts';

const DEFAULT_CACHE_BYTES: number = 32 * 1024 * 1024;

export interface LogTuning {
  /** Budget of the buffer cache in bytes; 32 MiB by default. */
  cacheBytes?: number;
  /** Source of random ids; the platform's `crypto` by default. */
  randomBytes?: (length: number) => Uint8Array;
  /** Bounds for work that is done early; see `LogBounds`. The defaults serve; tests make them small. */
  bounds?: Partial<LogBounds>;
}

export function makeCore(
  device: BlockDevice,
  tuning: LogTuning,
  client: LogClient,
  superblock: Superblock,
  readOnly = false,
): LogCore {
  const { blockBytes, blockLimit } = superblock;
  const budgetBytes = tuning.cacheBytes ?? DEFAULT_CACHE_BYTES;
  const cacheBlocks = Math.floor(budgetBytes / blockBytes);
  const map = new FreeMap(device, { blockBytes, blockLimit });
  return new LogCore({
    device,
    cache: new BufferCache(device, { blockSize: blockBytes, budgetBytes }),
    map,
    waiting: new WaitingList(map.pages),
    client,
    bounds: {
      logBlocks: 288,
      promises: 8192,
      nodes: Math.max(64, Math.floor(cacheBlocks / 4)),
      flushFirstBytes: 1024 * 1024,
      zeroAheadBytes: 1024 * 1024,
      waitingBytes: Math.min(512 * 1024, Math.floor(budgetBytes / 16)),
      dirtyBlocks: Math.max(64, Math.floor(cacheBlocks / 2)),
      syncWriteBytes: 1024 * 1024,
      ...tuning.bounds,
    },
    counters: newCounters(),
    superblock,
    readOnly,
  });
}

/** A new id of `length` bytes. Throws a `TypeError` when the source of random bytes gives something else: a short id would not be found again. */
export function randomId(tuning: LogTuning, length: number): Uint8Array {
  const { randomBytes = platformRandomBytes } = tuning;
  if (typeof randomBytes !== 'function')
    throw new TypeError('randomBytes is a function from a length to so many bytes');
  const id = randomBytes(length);
  if (!isUint8Array(id) || id.length !== length) {
    throw new TypeError(`randomBytes(${length}) has to return a Uint8Array of ${length} bytes`);
  }
  return id;
}

function platformRandomBytes(length: number): Uint8Array {
  const platform = globalThis as unknown as { crypto: { getRandomValues(target: Uint8Array): Uint8Array } };
  return platform.crypto.getRandomValues(new Uint8Array(length));
}
